"""Recipes, the training loop, losses and rollouts."""

from resfold_nb.training.loop import Engine, State, build, learning_rate, train
from resfold_nb.training.losses import Draw, draw, mean_squared_error, pair_distance_error, training_loss
from resfold_nb.training.recipe import Curriculum, Recipe, Rollout
from resfold_nb.training.recipes import named_recipe, starved, superposed_loss, well_fed
from resfold_nb.training.rollout import roll_out

__all__ = ["Curriculum", "Draw", "Engine", "Recipe", "Rollout", "State", "build", "draw", "learning_rate",
           "mean_squared_error", "named_recipe", "pair_distance_error", "roll_out", "starved", "superposed_loss",
           "train", "training_loss", "well_fed"]
