"""Real structures: the bundled set, a user's own files, normalised points, batches."""

from resfold_nb.data.batch import POSITIONS, UNKNOWN_RESIDUE, Batch, make_batch
from resfold_nb.data.bundled import Entry, catalogue, data_directory, load, training_set_scale
from resfold_nb.data.errors import ResiduesLeftOut, StructureError, UnknownStructure
from resfold_nb.data.export import write_trajectory
from resfold_nb.data.files import read_structure
from resfold_nb.data.geometry import centred, random_rotations, residue_centroids, rmsd, rmse, superpose
from resfold_nb.data.structure import AMINO_ACIDS, BACKBONE_ATOMS, POINT_SETS, Structure, standard_deviation

__all__ = ["AMINO_ACIDS", "BACKBONE_ATOMS", "POINT_SETS", "POSITIONS", "UNKNOWN_RESIDUE", "Batch", "Entry",
           "ResiduesLeftOut", "Structure", "StructureError", "UnknownStructure", "catalogue", "centred",
           "data_directory", "load", "make_batch", "random_rotations", "read_structure", "residue_centroids",
           "rmsd", "rmse", "standard_deviation", "superpose", "training_set_scale", "write_trajectory"]
