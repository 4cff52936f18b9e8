"""What a training step draws, and what it minimises."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from resfold_nb.data import Batch, random_rotations, superpose
from resfold_nb.model import Features, Predictor
from resfold_nb.training.recipe import Recipe


class Draw(NamedTuple):
    """Noise of one step: n noise levels of each protein, protein by protein."""

    x0: Tensor  # (B n, N, 3)
    eps: Tensor  # (B n, N, 3)
    t: Tensor  # (B n,)
    mask: Tensor | None  # (B n, N), None without padding


def draw(recipe: Recipe, batch: Batch, features: Features, generator: torch.Generator, step: int | None = None
         ) -> Draw:
    """Fresh timesteps and noise, `recipe.noise_levels` of each protein; a curriculum goes by the `step`."""
    n, end = recipe.noise_levels, recipe.timesteps_at(step)
    x0 = batch.x0.repeat_interleave(n, 0)                                     # (B n, N, 3)
    t = torch.randint(recipe.first_timestep, end, (len(x0),), generator=generator, device=x0.device)
    eps = torch.randn(x0.shape, generator=generator, device=x0.device, dtype=x0.dtype)
    if recipe.rotate:
        x0 = x0 @ random_rotations(len(x0), generator, x0)
    mask = None if features.mask is None else batch.point_mask.repeat_interleave(n, 0)
    return Draw(x0, eps, t, mask)


def training_loss(recipe: Recipe, model: Predictor, draw: Draw, features: Features) -> Tensor:
    """The recipe's loss, a scalar, averaged over noise levels, points and axes."""
    x_t = model.add_noise(draw.x0, draw.eps, draw.t)                          # (B n, N, 3)
    a, s = model.amplitudes(draw.t)                                           # (B n, 1, 1) each
    f = model.raw(x_t, draw.t, features)                                      # (B n, N, 3)
    if recipe.loss_space == "F":
        return mean_squared_error(f, model.form.target(draw.x0, draw.eps, a, s), draw.mask)
    return x0_loss(recipe, model.form.x0(x_t, f, a, s), draw.x0, draw.mask)


def x0_loss(recipe: Recipe, x0_pred: Tensor, x0: Tensor, mask: Tensor | None) -> Tensor:
    """Error of predicted clean points (B n, N, 3), as the recipe measures it in x0 space."""
    truth = superpose(x0, x0_pred.detach(), mask) if recipe.superposed else x0
    loss = mean_squared_error(x0_pred, truth, mask)
    if recipe.pair_distance:
        loss = loss + recipe.pair_distance * pair_distance_error(x0_pred, x0, mask)
    return loss


def mean_squared_error(x: Tensor, y: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean of (x - y)^2 over points and axes of (B, L, 3); mask (B, L)."""
    squared = (x - y).square()
    if mask is None:
        return squared.mean()
    weights = mask.unsqueeze(-1).to(x.dtype)
    return (squared * weights).sum() / (3 * weights.sum())


def pair_distance_error(x: Tensor, y: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean over pairs i < j of (|x_i - x_j| - |y_i - y_j|)^2."""
    i, j = torch.triu_indices(x.shape[1], x.shape[1], 1, device=x.device)    # (L (L - 1) / 2,) each
    # the small constant keeps the square root's gradient finite where two points coincide
    d_x, d_y = (((z[:, i] - z[:, j]).square().sum(-1) + 1e-12).sqrt() for z in (x, y))
    squared = (d_x - d_y).square()
    if mask is None:
        return squared.mean()
    weights = (mask[:, i] & mask[:, j]).to(x.dtype)
    return (squared * weights).sum() / weights.sum()
