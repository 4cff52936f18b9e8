"""What a training step draws, and what it minimises."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from resfold_nb.data import Batch, random_rotations, superpose
from resfold_nb.model import Features, Predictor
from resfold_nb.training.recipe import Recipe


MIN_SNR = 5.0


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
    """The recipe's loss, a scalar, averaged over noise levels and points, and over axes or summed, as it says."""
    x_t = model.add_noise(draw.x0, draw.eps, draw.t)                          # (B n, N, 3)
    a, s = model.amplitudes(draw.t)                                           # (B n, 1, 1) each
    f = model.raw(x_t, draw.t, features)                                      # (B n, N, 3)
    if recipe.loss_space == "F" and not recipe.superposed:
        return point_error(recipe, f, model.form.target(draw.x0, draw.eps, a, s), draw.mask)
    weight = loss_weight(recipe.loss_space, model.form.c_out(a, s), a, s)     # (B n, 1, 1)
    return x0_loss(recipe, model.form.x0(x_t, f, a, s), draw, features, weight)


def loss_weight(loss_space: str, c_out: Tensor, a: Tensor, s: Tensor) -> Tensor | None:
    """What the squared error of x0_pred is multiplied with at each noise level; None for 1.

    An error of F is one of x0_pred over c_out, so a loss on F has the weight 1 / c_out^2. "min-SNR" has
    min((a / s)^2, 5) (Hang et al. 2023, arXiv 2303.09556, for networks that predict x0).
    """
    if loss_space == "F":
        return c_out**-2
    return (a / s).square().clamp(max=MIN_SNR) if loss_space == "min-SNR" else None


def x0_loss(recipe: Recipe, x0_pred: Tensor, draw: Draw, features: Features, weight: Tensor | None = None) -> Tensor:
    """Error of predicted clean points (B n, N, 3), as the recipe measures it in x0 space; weight (B n, 1, 1)."""
    x0, mask = draw.x0, draw.mask
    truth = superpose(x0, x0_pred.detach(), mask) if recipe.superposed else x0
    each = (x0_pred, truth) if weight is None else (weight.sqrt() * x0_pred, weight.sqrt() * truth)
    loss = point_error(recipe, *each, mask)
    if recipe.pair_distance:
        loss = loss + recipe.pair_distance * pair_distance_error(x0_pred, x0, mask, diagonal=recipe.public_loss)
    if recipe.contact:
        chain = features.chain.repeat_interleave(recipe.noise_levels, 0)      # (B n, L)
        loss = loss + recipe.contact * contact_error(x0_pred, x0, chain, mask)
    return loss


def point_error(recipe: Recipe, x: Tensor, y: Tensor, mask: Tensor | None = None) -> Tensor:
    """Squared error of points (B n, N, 3), averaged over their axes or summed, as the recipe says."""
    loss = mean_squared_error(x, y, mask)
    return 3 * loss if recipe.public_loss else loss


def mean_squared_error(x: Tensor, y: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean of (x - y)^2 over points and axes of (B, L, 3); mask (B, L)."""
    squared = (x - y).square()
    if mask is None:
        return squared.mean()
    weights = mask.unsqueeze(-1).to(x.dtype)
    return (squared * weights).sum() / (3 * weights.sum())


def pair_distance_error(x: Tensor, y: Tensor, mask: Tensor | None = None, diagonal: bool = False) -> Tensor:
    """Mean over pairs i < j of (|x_i - x_j| - |y_i - y_j|)^2; `diagonal` takes it over all L x L ordered pairs."""
    i, j = torch.triu_indices(x.shape[1], x.shape[1], 1, device=x.device)    # (L (L - 1) / 2,) each
    squared = (pair_distances(x, i, j) - pair_distances(y, i, j)).square()
    if mask is None:
        return squared.mean() * ((x.shape[1] - 1) / x.shape[1] if diagonal else 1)
    weights = (mask[:, i] & mask[:, j]).to(x.dtype)
    # each pair stands twice among the ordered ones, a point with itself once
    return (squared * weights).sum() / (weights.sum() + (mask.sum() / 2 if diagonal else 0))


def contact_error(x: Tensor, y: Tensor, chain: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean over contacts of (|x_i - x_j| - |y_i - y_j|)^2, those between chains counted double.

    A contact is a pair i < j whose true points y (B, L, 3) are closer than 1; on one `chain` (B, L) only where
    j - i > 5.
    """
    i, j = torch.triu_indices(x.shape[1], x.shape[1], 1, device=x.device)    # (L (L - 1) / 2,) each
    d_x, d_y = pair_distances(x, i, j), pair_distances(y, i, j)              # (B, L (L - 1) / 2) each
    between = chain[:, i] != chain[:, j]
    contact = (d_y < 1) & (between | (j - i > 5))
    contact = contact if mask is None else contact & mask[:, i] & mask[:, j]
    weights = contact.to(x.dtype) * (1 + between.to(x.dtype))
    return (weights * (d_x - d_y).square()).sum() / contact.sum().clamp(min=1)


def pair_distances(x: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """|x_i - x_j| of points (B, L, 3) -> (B, pairs)."""
    # the small constant keeps the square root's gradient finite where two points coincide
    return ((x[:, i] - x[:, j]).square().sum(-1) + 1e-12).sqrt()
