"""Rollout training (the report's fix D): reverse steps inside a training step.

A rollout starts from pure noise at t = T - 1, walks K - 1 DDPM steps down by the model's own predictions, and takes
the error of the K-th prediction, at t = T - K. AlphaFold 3's mini-rollout is another thing: it sends no gradient into
the denoiser (Abramson et al. 2024, figure 2c).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from resfold_nb.diffusion import ddpm_step
from resfold_nb.model import Features, Predictor
from resfold_nb.training.losses import Draw, x0_loss
from resfold_nb.training.recipe import Recipe


def rollout_loss(recipe: Recipe, model: Predictor, draw: Draw, features: Features, calls: int,
                 generator: torch.Generator) -> Tensor:
    """Error of the last prediction of a rollout; the draw's noise is where it starts."""
    def noise() -> Tensor:
        return torch.randn(draw.eps.shape, generator=generator, device=draw.eps.device, dtype=draw.eps.dtype)

    x0_pred = roll_out(recipe, model, features, draw.eps, calls, noise)
    return x0_loss(recipe, x0_pred, draw, features)


def roll_out(recipe: Recipe, model: Predictor, features: Features, start: Tensor, calls: int,
             draw_noise: Callable[[], Tensor]) -> Tensor:
    """The last x0_pred of a rollout from `start` (B n, N, 3), with its gradient.

    `draw_noise` gives the fresh noise of each reverse step, shaped like `start`. A sequence-only trunk runs once for
    the whole trajectory.
    """
    through, tokens = recipe.rollout.through, model.trunk_tokens(features)
    alpha_bar, x = model.a.square(), start                                    # (T,), (B n, N, 3)

    def predict_x0(x: Tensor, t: int) -> Tensor:
        inputs = x, torch.full((len(x),), t, device=x.device), features, tokens
        if recipe.rollout.checkpoint:  # nothing in the network draws random numbers
            return checkpoint(model, *inputs, use_reentrant=False, preserve_rng_state=False)
        return model(*inputs)

    first = recipe.timesteps - 1
    for t in range(first, first - calls + 1, -1):
        with torch.set_grad_enabled(through):
            x0_pred = predict_x0(x, t)                                           # (B n, N, 3)
            if recipe.x0_clamp is not None:
                x0_pred = x0_pred.clamp(-recipe.x0_clamp, recipe.x0_clamp)
            x = ddpm_step(x, x0_pred, draw_noise(), alpha_bar[t], alpha_bar[t - 1])
    return predict_x0(x, first - calls + 1)
