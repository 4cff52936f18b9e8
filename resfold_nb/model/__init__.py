"""The network: trunk, denoiser, and the two with a parameterisation around them."""

from resfold_nb.model.atoms import AtomSize
from resfold_nb.model.network import Denoiser, Features, NetworkSize, ResFold, Trunk, count_parameters
from resfold_nb.model.predictor import Predictor
from resfold_nb.model.time import TIME_EMBEDDINGS

__all__ = ["TIME_EMBEDDINGS", "AtomSize", "Denoiser", "Features", "NetworkSize", "Predictor", "ResFold", "Trunk",
           "count_parameters"]
