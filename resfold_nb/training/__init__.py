"""Recipes, the training loop, losses, checkpoints."""

from resfold_nb.training.checkpoint import load_checkpoint, save_checkpoint
from resfold_nb.training.curriculum import Curriculum
from resfold_nb.training.loop import State, best_device, build, draw, learning_rate, train
from resfold_nb.training.losses import Draw, mean_squared_error, pair_distance_error, training_loss
from resfold_nb.training.recipe import Recipe
from resfold_nb.training.recipes import as_published, named_recipe, starved, well_fed
from resfold_nb.training.rollout import Rollout, roll_out
from resfold_nb.training.together import Member, Together, can_train_together, train_together

__all__ = ["Curriculum", "Draw", "Member", "Recipe", "Rollout", "State", "Together", "as_published",
           "best_device", "build", "can_train_together", "draw", "learning_rate",
           "load_checkpoint", "mean_squared_error", "named_recipe", "pair_distance_error",
           "roll_out", "save_checkpoint", "starved", "train", "train_together", "training_loss",
           "well_fed"]
