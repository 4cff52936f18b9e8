"""The same steps, faster: captured on a GPU, many runs in one network, precision. All of it may be left out."""

from resfold_nb.engine.engine import FastEngine, best_device, can_replay, train
from resfold_nb.engine.replay import Replay, as_written, replayed
from resfold_nb.engine.together import Member, Together, can_train_together, train_together

__all__ = ["FastEngine", "Member", "Replay", "Together", "as_written", "best_device", "can_replay",
           "can_train_together", "replayed", "train", "train_together"]
