"""The network: trunk, denoiser, and the two with a parameterisation around them."""

from resfold_nb.model.atoms import AtomSize
from resfold_nb.model.network import (
    Denoiser,
    Features,
    NetworkSize,
    ResFold,
    Trunk,
    count_parameters,
)
from resfold_nb.model.predictor import Predictor
from resfold_nb.model.replay import Replay, as_written

__all__ = ["AtomSize", "Denoiser", "Features", "NetworkSize", "Predictor", "Replay", "ResFold",
           "Trunk", "as_written", "count_parameters"]
