"""How much gradient reaches the raw output F, and the weights, at each timestep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from resfold_nb.data import Batch
from resfold_nb.model import Features, Predictor


@dataclass(frozen=True)
class GradientByTimestep:
    """Root mean square over points (and noise draws), for the loss |x0_pred - x0|^2 of a point."""

    t: np.ndarray  # (n,) timesteps
    c_out: np.ndarray  # (n,) the Jacobian of x0_pred with respect to F: what the report's table lists
    at_f: np.ndarray  # (n,) norm of dL/dF, by autograd
    predicted: np.ndarray  # (n,) norm of 2 c_out (x0_pred - x0), from the forward pass alone
    at_weights: np.ndarray  # (n,) norm of the gradient over all parameters of the mean loss
    largest_difference: float  # the largest |autograd - formula| of any component at any t


def gradient_by_timestep(predictor: Predictor, batch: Batch, *, draws: int = 4,
                         timesteps: Sequence[int] | None = None, seed: int = 7) -> GradientByTimestep:
    """Gradient of the x0-space squared error at each timestep, by autograd in the real network.

    The loss of one point is |x0_pred - x0|^2, summed over axes. For dL/dF it is summed over points too; for the
    weights it is averaged over points and draws, which is three times the training loss, a mean over axes as well.
    The batch holds no padding.
    """
    predictor.eval()
    batch = batch.to(predictor.a.device, predictor.a.dtype)
    generator = torch.Generator().manual_seed(seed)
    shape = (len(batch.x0) * draws, *batch.x0.shape[1:])
    eps = torch.randn(shape, generator=generator).to(batch.x0)
    chosen = list(range(predictor.schedule.timesteps) if timesteps is None else timesteps)
    rows = [_at(predictor, batch, eps, t) for t in chosen]
    columns = np.array(rows, dtype=float).T
    return GradientByTimestep(np.array(chosen), *columns[:4], float(columns[4].max()))


def _at(predictor: Predictor, batch: Batch, eps: torch.Tensor, t: int) -> tuple[float, ...]:
    x0 = batch.x0.repeat_interleave(len(eps) // len(batch.x0), 0)
    ts = torch.full((len(x0),), t, device=x0.device)
    a, s = predictor.amplitudes(ts)
    x_t = predictor.add_noise(x0, eps, ts)
    f = predictor.raw(x_t, ts, Features.of(batch))
    f.retain_grad()
    error = predictor.form.x0(x_t, f, a, s) - x0
    predictor.zero_grad(set_to_none=True)
    points = x0.shape[0] * x0.shape[1]
    error.square().sum().backward()
    c_out = predictor.form.c_out(a, s)
    formula = (2 * c_out * error).detach()
    weights = [p.grad.square().sum() for p in predictor.parameters() if p.grad is not None]
    norms = (c_out[0].abs(), _rms(f.grad), _rms(formula), sum(weights).sqrt() / points)
    difference = (f.grad - formula).abs().max()
    predictor.zero_grad(set_to_none=True)
    return *(float(n) for n in norms), float(difference)


def _rms(vectors: torch.Tensor) -> torch.Tensor:
    """Root mean square length of vectors (..., 3)."""
    return vectors.square().sum(-1).mean().sqrt()
