"""Measurements of a model: error by timestep, sampled structures, and what to compare them with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from resfold_nb.data import Batch, random_rotations, residue_centroids, rmsd, rmse
from resfold_nb.diffusion import Denoise, Samples, Schedule, aligned, ddim, ddpm
from resfold_nb.engine import replayed
from resfold_nb.model import Features, Predictor

MEASURING_SEED = 20_240_611
"""Noise for measurements: the same for every model, and never the noise of training."""

AT_ONCE = {"cpu": 4096, "cuda": 2**17}
"""Points that the network is called with at once, by device: more gain nothing."""


@dataclass(frozen=True)
class ErrorByTimestep:
    """Mean error in Å of x0_pred at each timestep, over noise draws and proteins."""

    t: np.ndarray  # (n,) timesteps
    rmse: np.ndarray  # (n,) without superposition
    rmsd: np.ndarray  # (n,) after superposition without reflection

    @property
    def worst(self) -> float:
        """The largest RMSE over timesteps, in Å."""
        return float(self.rmse.max())


@torch.no_grad()
def error_by_timestep(predictor: Predictor, batch: Batch, *, draws: int = 4, timesteps: Sequence[int] | None = None,
                      seed: int = MEASURING_SEED, rotate: bool = False, centroids: bool = False,
                      told: Callable[[Tensor], Tensor] | None = None) -> ErrorByTimestep:
    """Single-step denoising error: noise x0 to timestep t, predict x0, compare; for each t (all T by default).

    `draws` of noise for each protein, turned at random if `rotate`, the same at every t. `centroids` compares the
    residues' centroids, where the points are atoms. `told` is what the network is told of t, (B n,) -> (B n,), the
    truth by default; the form's coefficients keep the true t.
    """
    predictor.eval()
    batch = batch.to(predictor.a.device, predictor.a.dtype)
    chosen = list(range(predictor.schedule.timesteps) if timesteps is None else timesteps)
    drawn = draws_of(batch, draws, seed, rotate)
    denoise = replayed(predictor.denoiser_for(Features.of(batch)), batch.x0.device)
    # a lie may draw random numbers: it is told one timestep at a time, in order
    at_once = 1 if told else max(1, AT_ONCE.get(batch.x0.device.type, 4096) // drawn.eps[..., 0].numel())
    parts = [chosen[i : i + at_once] for i in range(0, len(chosen), at_once)]
    errors = [_errors_at(denoise, predictor, drawn, part, draws, centroids, told) for part in parts]
    both = torch.cat(errors).cpu().double().numpy() if parts else np.zeros((0, 2))
    return ErrorByTimestep(np.array(chosen), both[:, 0], both[:, 1])


class Draws(NamedTuple):
    """Noise for each protein several times, with what it is put on."""

    x0: Tensor  # (B n, N, 3)
    eps: Tensor  # (B n, N, 3)
    mask: Tensor  # (B n, L), of residues
    scale: Tensor  # (B n,)


def draws_of(batch: Batch, draws: int, seed: int, rotate: bool = False) -> Draws:
    """`draws` noise draws of each protein, and its points turned at random if `rotate`."""
    eps = measuring_noise(batch, draws, seed)
    x0, mask, scale = (x.repeat_interleave(draws, 0) for x in (batch.x0, batch.mask, batch.scale))
    if rotate:
        turns = random_rotations(len(eps), torch.Generator().manual_seed(seed), eps.cpu())
        x0 = x0 @ turns.to(x0)
    return Draws(x0, eps, mask, scale)


def _errors_at(denoise: Denoise, predictor: Predictor, drawn: Draws, timesteps: Sequence[int],
               draws: int, centroids: bool, told: Callable[[Tensor], Tensor] | None) -> Tensor:
    """RMSE and RMSD in Å at each timestep, (k, 2), from one call of the network."""
    k, device = len(timesteps), drawn.x0.device
    # protein by protein, as the network wants it: each has k timesteps with `draws` draws
    each = Draws(*(x.unflatten(0, (-1, 1, draws)).expand(-1, k, *[-1] * x.ndim).flatten(0, 2) for x in drawn))
    ts = torch.tensor(timesteps, device=device).repeat_interleave(draws)
    ts = ts.repeat(len(each.x0) // len(ts))
    x_t = predictor.add_noise(each.x0, each.eps, ts)
    x0_pred = denoise(x_t, ts) if told is None else denoise(x_t, ts, told(ts))
    errors = torch.stack(_distances(x0_pred, each, centroids), dim=-1)
    return errors.unflatten(0, (-1, k, draws)).mean((0, 2))


def _distances(points: Tensor, drawn: Draws, centroids: bool) -> tuple[Tensor, Tensor]:
    """RMSE and RMSD in Å, (B n,) each, of points (B n, N, 3) to the clean ones."""
    each = points.shape[1] // drawn.mask.shape[1]
    x0, mask = drawn.x0, drawn.mask.repeat_interleave(each, 1)
    if centroids and each > 1:
        points, x0 = residue_centroids(points, each), residue_centroids(x0, each)
        mask = drawn.mask
    return rmse(points, x0, mask) * drawn.scale, rmsd(points, x0, mask) * drawn.scale


def measuring_noise(batch: Batch, draws: int, seed: int) -> Tensor:
    """(B draws, N, 3) noise for each protein in turn, where the batch is: the same on every device."""
    shape = (len(batch.x0) * draws, *batch.x0.shape[1:])
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator).to(batch.x0.device, batch.x0.dtype)


def sample(predictor: Predictor, batch: Batch, *, copies: int = 4, sampler: str = "ddpm", seed: int = MEASURING_SEED,
           timesteps: Sequence[int] | None = None, x0_clamp: float | None = None, signal: bool = False,
           align: str | None = None) -> Samples:
    """Structures sampled from pure noise at t = T - 1, `copies` of each protein in turn.

    Noise comes from `seed` on the CPU: the same for every model and device. `signal` starts from a x0 + s eps
    instead, as training has it at t = T - 1. `align` superposes each prediction on x_t ("aligned"), and moves it to the
    origin after that ("recentred").
    """
    if align not in (None, "aligned", "recentred"):
        raise ValueError(f"align is {align!r}; choose one of None, 'aligned', 'recentred'")
    predictor.eval()
    batch = batch.to(predictor.a.device, predictor.a.dtype)
    calls = predictor.schedule.timesteps - 1 if timesteps is None else len(timesteps)
    start, *steps = (measuring_noise(batch, copies, seed + i) for i in range(calls + 1))
    if signal:
        first = predictor.schedule.timesteps - 1 if timesteps is None else timesteps[0]
        t = torch.full((len(start),), first, device=start.device)
        start = predictor.add_noise(batch.x0.repeat_interleave(copies, 0), start, t)
    denoise = replayed(predictor.denoiser_for(Features.of(batch)), start.device)
    if align is not None:
        denoise = aligned(denoise, batch.point_mask.repeat_interleave(copies, 0), align == "recentred")
    walk = {"ddpm": ddpm, "ddim": ddim}[sampler]
    return walk(denoise, predictor.schedule, start, timesteps=timesteps, noise=torch.stack(steps), x0_clamp=x0_clamp)


def sample_errors(points: Tensor, batch: Batch, *, centroids: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """RMSE and RMSD in Å of each of B copies structures (B copies, N, 3) to its protein.

    `centroids` as in `error_by_timestep`.
    """
    copies = len(points) // len(batch.x0)
    drawn = draws_of(batch.to(points.device, points.dtype), copies, MEASURING_SEED)
    return tuple(d.cpu().numpy() for d in _distances(points, drawn, centroids))


def baselines(schedule: Schedule, sd: float, scale: float = 1.0) -> dict[str, np.ndarray]:
    """Expected RMSE by timestep of three predictors that learn nothing, (T,) each, in Å.

    For data of standard deviation `sd` an axis in the units of x_t and `scale` Å a unit: "predict zero" sqrt(3) sd;
    "copy x_t" sqrt(3 ((1-a)^2 sd^2 + s^2)); and the best multiple of x_t, k = a sd^2 / (a^2 sd^2 + s^2), whose error
    is sqrt(3) s sd / sqrt(a^2 sd^2 + s^2).
    """
    a, s = schedule.a.numpy(), schedule.s.numpy()
    per_axis = {"predict zero": np.full_like(a, sd), "copy x_t": np.sqrt((1 - a) ** 2 * sd**2 + s**2),
                "best linear": s * sd / np.sqrt(a**2 * sd**2 + s**2)}
    return {name: np.sqrt(3) * scale * value for name, value in per_axis.items()}
