"""Reverse processes: from pure noise to a structure, keeping the whole trajectory.

One step goes from timestep t to an earlier one, u, given a prediction of x0. With alpha = alpha_bar(t) / alpha_bar(u)
and beta = 1 - alpha,

    DDPM    mean     = sqrt(alpha_bar(u)) beta / s(t)^2  x0_pred  +  sqrt(alpha) s(u)^2 / s(t)^2  x_t
            variance = s(u)^2 / s(t)^2  beta                      (Ho et al. 2020, equation 7)
    DDIM    x_u = a(u) x0_pred + sqrt(s(u)^2 - sigma^2) eps_pred + sigma z,
            sigma = eta sqrt(variance)                            (Song et al. 2020, equation 12)

At u = 0 no noise is left, s(0) = 0, and both give x0_pred itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from resfold_nb.data import centred, superpose
from resfold_nb.diffusion.forms import to_eps
from resfold_nb.diffusion.schedule import Schedule

Denoise = Callable[[Tensor, Tensor], Tensor]
"""(x_t (B, L, 3), t (B,)) -> x0_pred (B, L, 3)."""


@dataclass(frozen=True)
class Samples:
    """Sampled trajectories of B structures through S network calls."""

    t: tuple[int, ...]  # S + 1 timesteps visited, from the first down to 0
    x: Tensor  # (S + 1, B, L, 3) noisy points at those timesteps; the last are the samples
    x0_pred: Tensor  # (S, B, L, 3) what the network predicted at t[0] ... t[S - 1]

    @property
    def final(self) -> Tensor:
        """(B, L, 3) the sampled structures."""
        return self.x[-1]


@torch.no_grad()
def ddpm(denoise: Denoise, schedule: Schedule, x: Tensor, *, noise: Tensor | None = None,
         timesteps: Sequence[int] | None = None, x0_clamp: float | None = None) -> Samples:
    """Ancestral sampling, with the smaller of the two fixed variances, from x (B, L, 3) at the first timestep.

    `noise` (S, B, L, 3) is the z of each step, drawn by default; `timesteps` are where the network is called, falling,
    by default T - 1 ... 1 (at t = 0 the prediction is the sample); `x0_clamp` clamps x0_pred to +- this value.
    """
    visited = visited_timesteps(timesteps, schedule)                    # S + 1, down to 0
    alpha_bar = schedule.to(x.device, x.dtype).alpha_bar                # (T,)
    xs, predictions = [x], []
    for i, (t, u) in enumerate(pairwise(visited)):
        x0_pred = predict_x0(denoise, xs[-1], t, x0_clamp)              # (B, L, 3)
        z = torch.randn_like(x) if noise is None else noise[i]          # (B, L, 3)
        # at t = 0 no noise is left to take away
        xs.append(ddpm_step(xs[-1], x0_pred, z, alpha_bar[t], alpha_bar[u]) if t else x0_pred)
        predictions.append(x0_pred)
    return Samples(visited, torch.stack(xs), torch.stack(predictions))


@torch.no_grad()
def ddim(denoise: Denoise, schedule: Schedule, x: Tensor, *, noise: Tensor | None = None, eta: float = 0.0,
         timesteps: Sequence[int] | None = None, x0_clamp: float | None = None) -> Samples:
    """DDIM; `eta` is the share of the posterior's noise that is added, none by default; else as `ddpm`."""
    visited = visited_timesteps(timesteps, schedule)                    # S + 1, down to 0
    alpha_bar = schedule.to(x.device, x.dtype).alpha_bar                # (T,)
    xs, predictions = [x], []
    for i, (t, u) in enumerate(pairwise(visited)):
        x0_pred = predict_x0(denoise, xs[-1], t, x0_clamp)              # (B, L, 3)
        z = torch.randn_like(x) if noise is None else noise[i]          # (B, L, 3)
        # at t = 0 no noise is left to take away
        xs.append(ddim_step(xs[-1], x0_pred, z, alpha_bar[t], alpha_bar[u], eta) if t else x0_pred)
        predictions.append(x0_pred)
    return Samples(visited, torch.stack(xs), torch.stack(predictions))


def aligned(denoise: Denoise, mask: Tensor | None = None, recentred: bool = False) -> Denoise:
    """A denoiser whose prediction is superposed on x_t, without reflection, before a sampler uses it.

    Where training left the orientation free, each x0_pred has one of its own, and a sampler that mixes it with x_t
    walks towards a turned protein. The public project came to align its steps so; Boltz-1 (Wohlwend et al. 2024) turns
    x_t onto the prediction instead, which is another thing for a network that knows one orientation. The mask (B, L)
    tells points from padding; chains move together. `recentred` moves the prediction to the origin after that, where
    training had its proteins.
    """
    def on_x_t(x: Tensor, t: Tensor) -> Tensor:
        x0_pred = superpose(denoise(x, t), x, mask)                     # (B, L, 3)
        return centred(x0_pred, mask) if recentred else x0_pred

    return on_x_t


def ddpm_step(x: Tensor, x0: Tensor, z: Tensor, ab_t: Tensor, ab_u: Tensor) -> Tensor:
    """From x_t to x_u (B, L, 3); z is the fresh noise, ab alpha_bar at t and u."""
    alpha = ab_t / ab_u
    mean = ab_u.sqrt() * (1 - alpha) * x0 + alpha.sqrt() * (1 - ab_u) * x
    return mean / (1 - ab_t) + posterior_variance(ab_t, ab_u).sqrt() * z


def ddim_step(x: Tensor, x0: Tensor, z: Tensor, ab_t: Tensor, ab_u: Tensor, eta: float) -> Tensor:
    """From x_t to x_u (B, L, 3); arguments as in `ddpm_step`, and `eta`, the share of fresh noise."""
    eps = to_eps(x0, x, ab_t.sqrt(), (1 - ab_t).sqrt())
    variance = eta**2 * posterior_variance(ab_t, ab_u)
    return ab_u.sqrt() * x0 + (1 - ab_u - variance).clamp(min=0).sqrt() * eps + variance.sqrt() * z


def posterior_variance(ab_t: Tensor, ab_u: Tensor) -> Tensor:
    """Variance of x_u where x_t and x0 are known, from alpha_bar at t and u."""
    return (1 - ab_u) / (1 - ab_t) * (1 - ab_t / ab_u)


def predict_x0(denoise: Denoise, x: Tensor, t: int, x0_clamp: float | None = None) -> Tensor:
    """x0_pred (B, L, 3) with every structure at timestep t, clamped if asked for."""
    x0_pred = denoise(x, torch.full((len(x),), t, dtype=torch.long, device=x.device))
    return x0_pred if x0_clamp is None else x0_pred.clamp(-x0_clamp, x0_clamp)


def spaced_timesteps(calls: int, timesteps: int = 50) -> tuple[int, ...]:
    """`calls` timesteps from T - 1 downwards, t = 0 left out, evenly spaced.

    So sampling always starts at the highest noise level ("trailing" in Lin et al. 2023, arXiv 2305.08891).
    """
    if not 1 <= calls <= timesteps - 1:
        raise ValueError(f"calls must lie in 1 ... {timesteps - 1} for T = {timesteps}: {calls}")
    if calls == timesteps - 1:
        return tuple(range(timesteps - 1, 0, -1))
    return tuple(max(1, round(timesteps - i * timesteps / calls) - 1) for i in range(calls))


def visited_timesteps(timesteps: Sequence[int] | None, schedule: Schedule) -> tuple[int, ...]:
    """The timesteps of a sampler with 0 at their end; ValueError unless they fall within T - 1 ... 0."""
    last = schedule.timesteps - 1
    chosen = tuple(range(last, 0, -1)) if timesteps is None else tuple(timesteps)
    falling = all(t > u for t, u in pairwise(chosen))
    if not chosen or not falling or not 0 <= chosen[-1] <= chosen[0] <= last:
        raise ValueError(f"sampling timesteps must fall within {last} ... 0, got {chosen}")
    return (*chosen, 0)
