"""Real structures: the bundled set, a user's own files, normalised points, batches."""

from resfold_nb.data.geometry import rmsd, rmse, superpose

__all__ = ["rmsd", "rmse", "superpose"]
