"""Training with each step captured once on a GPU and replayed, in the recipe's precision."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from resfold_nb.data import Batch
from resfold_nb.engine.precision import InPrecision, gradient_products
from resfold_nb.engine.replay import Replay
from resfold_nb.model import Predictor
from resfold_nb.training import Engine, Recipe, State, train as train_as_written


class FastEngine(Engine):
    """For one run of a recipe: its precision and, on a CUDA GPU, one launch a step.

    The learning rate is a number on the device there, so that a replayed step reads it.
    """

    def __init__(self, recipe: Recipe, device: torch.device | str) -> None:
        self.recipe, self.device = recipe, torch.device(device)
        self.captures = self.device if can_replay(recipe) else torch.device("cpu")
        self._replays: dict[tuple[Any, ...], Replay] = {}

    def model(self, predictor: Predictor, recipe: Recipe) -> Predictor | InPrecision:
        """The model in the recipe's precision."""
        return predictor if recipe.precision == "fp32" else InPrecision(predictor, recipe.precision)

    def optimiser(self, recipe: Recipe, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        """The recipe's AdamW, which a GPU can repeat alone."""
        if self.device.type != "cuda":
            return super().optimiser(recipe, parameters)
        rate = torch.tensor(recipe.learning_rate, device=self.device)
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=recipe.weight_decay, fused=True, capturable=True)

    def set_rate(self, optimiser: torch.optim.Optimizer, rate: float) -> None:
        """Give the next step its learning rate, without waiting for the device."""
        if self.device.type != "cuda":
            super().set_rate(optimiser, rate)
        for group in optimiser.param_groups if self.device.type == "cuda" else ():
            group["lr"].fill_(rate)

    def backward(self, loss: Tensor) -> None:
        """Gradients of all weights, in the recipe's precision."""
        with gradient_products(self.recipe.precision):
            loss.backward()

    def run(self, kind: tuple[Any, ...], update: Callable[[], Tensor], *noise: torch.Generator) -> Tensor:
        """One step; from the third of its kind on a GPU plays it from a CUDA graph."""
        if kind not in self._replays:
            self._replays[kind] = Replay(update, self.captures, noise)
        return self._replays[kind]()


def train(recipe: Recipe, batch: Batch, seed: int = 0, device: torch.device | str = "cpu") -> Iterator[State]:
    """As `resfold_nb.training.train`, with the same numbers, as fast as the device allows."""
    return train_as_written(recipe, batch, seed, device, FastEngine(recipe, device))


def can_replay(recipe: Recipe) -> bool:
    """Whether a GPU can repeat a step alone: torch's SVD, which superposes, asks the host."""
    return not recipe.superposed


def best_device() -> torch.device:
    """The machine's accelerator, CUDA or Apple's MPS, or the CPU where there is none."""
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
