"""Real structures: the bundled set, a user's own files, normalised points, batches."""

from resfold_nb.data.batch import UNKNOWN_RESIDUE, Batch, make_batch
from resfold_nb.data.bundled import Entry, catalogue, data_directory, load, training_set_scale
from resfold_nb.data.errors import StructureError, UnknownStructure
from resfold_nb.data.geometry import rmsd, rmse, superpose
from resfold_nb.data.structure import (
    AMINO_ACIDS,
    BACKBONE_ATOMS,
    Structure,
    standard_deviation,
)

__all__ = [
    "AMINO_ACIDS",
    "BACKBONE_ATOMS",
    "UNKNOWN_RESIDUE",
    "Batch",
    "Entry",
    "Structure",
    "StructureError",
    "UnknownStructure",
    "catalogue",
    "data_directory",
    "load",
    "make_batch",
    "rmsd",
    "rmse",
    "standard_deviation",
    "superpose",
    "training_set_scale",
]
