"""What a training step minimises."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from resfold_nb.data import superpose
from resfold_nb.model import Features, Predictor
from resfold_nb.training.precision import matrix_products
from resfold_nb.training.recipe import Recipe


class Draw(NamedTuple):
    """Noisy points of one step: n noise levels of each protein, protein by protein."""

    x0: Tensor  # (B n, N, 3)
    eps: Tensor  # (B n, N, 3)
    t: Tensor  # (B n,)
    mask: Tensor | None  # (B n, N), None without padding


def training_loss(recipe: Recipe, predictor: Predictor, draw: Draw, features: Features) -> Tensor:
    """The recipe's loss, a scalar, averaged over noise levels, points and axes."""
    a, s = predictor.amplitudes(draw.t)
    x_t = a * draw.x0 + s * draw.eps
    with matrix_products(recipe.precision, x_t.device):
        f = predictor.raw(x_t, draw.t, features)
    if recipe.loss_space == "F":
        target = predictor.form.target(draw.x0, draw.eps, a, s)
        return mean_squared_error(f, target, draw.mask)
    return x0_loss(recipe, predictor.form.x0(x_t, f, a, s), draw.x0, draw.mask)


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
    i, j = torch.triu_indices(x.shape[1], x.shape[1], 1, device=x.device)
    squared = (_distances(x, i, j) - _distances(y, i, j)).square()
    if mask is None:
        return squared.mean()
    weights = (mask[:, i] & mask[:, j]).to(x.dtype)
    return (squared * weights).sum() / weights.sum()


def _distances(x: Tensor, i: Tensor, j: Tensor) -> Tensor:
    # The small constant keeps the square root's gradient finite where two points coincide.
    return ((x[:, i] - x[:, j]).square().sum(-1) + 1e-12).sqrt()
