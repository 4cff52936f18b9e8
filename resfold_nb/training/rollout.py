"""Rollout training (the report's fix D): reverse steps inside a training step.

A rollout starts from pure noise at t = T - 1, walks K - 1 DDPM steps down by the model's own
predictions, and takes the error of the K-th prediction, at t = T - K. AlphaFold 3's mini-rollout
is another thing: it sends no gradient into the denoiser (Abramson et al. 2024, figure 2c).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from resfold_nb.diffusion import ddpm_step
from resfold_nb.model import Features, Predictor
from resfold_nb.training.precision import matrix_products

if TYPE_CHECKING:
    from resfold_nb.training.recipe import Recipe


@dataclass(frozen=True)
class Rollout:
    """When a step is a rollout, how long it is and how far its gradient reaches.

    Attributes
    ----------
    calls : K, network calls; the last of them is where the error is taken.
    random : draw K uniformly from 1 ... `calls` at each rollout.
    share : of the steps that are rollouts, spread evenly; 1 leaves no ordinary step.
    through : gradient through the whole trajectory; else through the last call alone.
    checkpoint : keep no activations of a call but compute them again in the backward pass.
    """

    calls: int = 5
    random: bool = False
    share: float = 0.5
    through: bool = True
    checkpoint: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be run; ValueError says why."""
        if self.calls < 1:
            raise ValueError(f"a rollout needs at least one call, got {self.calls}")
        if not 0 < self.share <= 1:
            raise ValueError(f"a rollout's share lies above 0 and at most at 1: {self.share}")

    def falls_on(self, step: int) -> bool:
        """Whether step 1, 2, ... is a rollout."""
        return int(step * self.share) > int((step - 1) * self.share)

    def length(self, dice: random.Random) -> int:
        """K of one rollout."""
        return dice.randint(1, self.calls) if self.random else self.calls

    @property
    def mean_calls(self) -> float:
        """Network calls of a rollout, on average."""
        return (1 + self.calls) / 2 if self.random else float(self.calls)


def roll_out(recipe: Recipe, predictor: Predictor, features: Features, start: Tensor, calls: int,
             draw_noise: Callable[[], Tensor]) -> Tensor:
    """The last x0_pred of a rollout from `start` (B n, N, 3), with its gradient.

    `draw_noise` gives the fresh noise of each reverse step, shaped like `start`. A sequence-only
    trunk runs once for the whole trajectory.
    """
    plan, x = recipe.rollout, start
    network, alpha_bar = predictor.network, predictor.a.square()
    with matrix_products(recipe.precision, start.device):
        tokens = None if network.size.trunk_sees_points else network.trunk_tokens(features)
    first = predictor.schedule.timesteps - 1
    last = first - calls + 1
    for t in range(first, last, -1):
        with torch.set_grad_enabled(plan.through):
            x0_pred = _call(recipe, predictor, x, t, features, tokens)
            if recipe.x0_clamp is not None:
                x0_pred = x0_pred.clamp(-recipe.x0_clamp, recipe.x0_clamp)
            x = ddpm_step(x, x0_pred, draw_noise(), alpha_bar[t], alpha_bar[t - 1])
    return _call(recipe, predictor, x, last, features, tokens)


def _call(recipe: Recipe, predictor: Predictor, x: Tensor, t: int, features: Features,
          tokens: Tensor | None) -> Tensor:
    ts = torch.full((len(x),), t, device=x.device)
    with matrix_products(recipe.precision, x.device):
        if recipe.rollout.checkpoint:  # nothing in the network draws random numbers
            return checkpoint(predictor, x, ts, features, tokens, use_reentrant=False,
                              preserve_rng_state=False)
        return predictor(x, ts, features, tokens)
