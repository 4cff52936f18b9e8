"""What can be read linearly: the structure from a trunk's tokens, the timestep from x_t alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from resfold_nb.data import Batch
from resfold_nb.measure.errors import MEASURING_SEED, draws_of
from resfold_nb.model import Features, Predictor

RIDGE = 1e-3
"""Penalty on the probe's weights, for standardised inputs."""


@torch.no_grad()
def probe_tokens(predictor: Predictor, batch: Batch, *, timesteps: Sequence[int], draws: int = 32,
                 rotate: bool = False, seed: int = MEASURING_SEED) -> dict[str, np.ndarray]:
    """R^2 of linear probes for each residue's clean points: "trunk tokens" and "x_t", (timesteps,) each.

    One probe a timestep reads the trunk's tokens, or the residue's own noisy points. It is fitted on half of the
    noise draws (an even number, turned at random if `rotate`) and scored on the other half, with the total variance
    taken about zero: a probe that knows nothing scores 0.
    """
    predictor.eval()
    batch = batch.to(predictor.a.device, predictor.a.dtype)
    drawn = draws_of(batch, draws, seed, rotate)
    features = Features.of(batch).repeat(draws)
    kept = drawn.mask
    truth = _rows(drawn.x0, kept)
    fitted = (torch.arange(len(kept), device=kept.device) % 2 == 0).unsqueeze(1).expand_as(kept)
    half = fitted[kept]
    found: dict[str, list[float]] = {"trunk tokens": [], "x_t": []}
    for t in timesteps:
        ts = torch.full((len(kept),), t, device=kept.device)
        (a, s), x_t = predictor.amplitudes(ts), predictor.add_noise(drawn.x0, drawn.eps, ts)
        tokens = predictor.network.trunk(features, predictor.form.c_in(a, s) * x_t)
        for name, rows in (("trunk tokens", tokens[kept]), ("x_t", _rows(x_t, kept))):
            found[name].append(_score(rows, truth, half))
    return {name: np.array(values) for name, values in found.items()}


def _rows(points: Tensor, mask: Tensor) -> Tensor:
    """Points (B, N, 3) -> (residues, 3 N / L) of the residues in the mask (B, L)."""
    return points.reshape(*mask.shape, -1)[mask]


def _score(inputs: Tensor, truth: Tensor, half: Tensor) -> float:
    """R^2 on the rows outside `half` of a ridge regression on those inside."""
    x, y, half = inputs.cpu().double(), truth.cpu().double(), half.cpu()  # MPS has no float64
    mean, deviation = x[half].mean(0), x[half].std(0) + 1e-9
    x = torch.cat(((x - mean) / deviation, torch.ones_like(x[:, :1])), dim=1)
    gram = x[half].T @ x[half] + RIDGE * half.sum() * torch.eye(x.shape[1], dtype=x.dtype)
    weights = torch.linalg.solve(gram, x[half].T @ y[half])
    rest = ~half
    return float(1 - (x[rest] @ weights - y[rest]).square().sum() / y[rest].square().sum())


def read_timestep(x_t: Tensor, clean: float, timesteps: int = 50) -> Tensor:
    """The timestep (B,) of noisy centroid chains (B, L, 3), read from x_t alone.

    Neighbours along the chain are close in the clean protein and far apart in noise: with clean mean squared
    neighbour distance `clean`, that of x_t is alpha_bar clean + (1 - alpha_bar) 6 on average, which the linear
    schedule alpha_bar = 1 - t / T turns into t. Not rounded or bounded.
    """
    found = x_t.diff(dim=1).square().sum(-1).mean(1)
    return timesteps * (found - clean) / (6 - clean)
