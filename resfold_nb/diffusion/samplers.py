"""Reverse processes: from pure noise to a structure, keeping the whole trajectory.

One step goes from timestep t to an earlier one, u, given a prediction of x0. With
alpha = alpha_bar(t) / alpha_bar(u) and beta = 1 - alpha,

    DDPM    mean     = sqrt(alpha_bar(u)) beta / s(t)^2  x0_pred  +  sqrt(alpha) s(u)^2 / s(t)^2  x_t
            variance = s(u)^2 / s(t)^2  beta                      (Ho et al. 2020, equation 7)
    DDIM    x_u = a(u) x0_pred + sqrt(s(u)^2 - sigma^2) eps_pred + sigma z,
            sigma = eta sqrt(variance)                            (Song et al. 2020, equation 12)

At u = 0 no noise is left, s(0) = 0, and both give x0_pred itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from resfold_nb.diffusion.parameterisation import to_eps
from resfold_nb.diffusion.schedule import Schedule

Denoise = Callable[[Tensor, Tensor], Tensor]
"""(x_t (B, L, 3), t (B,)) -> x0_pred (B, L, 3)."""

Step = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
"""(x_t, x0_pred, z, alpha_bar(t), alpha_bar(u), eta) -> x_u."""


@dataclass(frozen=True)
class Samples:
    """Sampled trajectories of B structures through S network calls.

    Attributes
    ----------
    t : the S + 1 timesteps visited, from the first down to 0.
    x : (S + 1, B, L, 3) the noisy points at those timesteps; the last are the samples.
    x0_pred : (S, B, L, 3) what the network predicted at t[0] ... t[S - 1].
    """

    t: tuple[int, ...]
    x: Tensor
    x0_pred: Tensor

    @property
    def final(self) -> Tensor:
        """(B, L, 3) the sampled structures."""
        return self.x[-1]


def spaced_timesteps(calls: int, timesteps: int = 50) -> tuple[int, ...]:
    """`calls` timesteps from T - 1 downwards, t = 0 left out.

    T - 1 calls visit every timestep from T - 1 to 1. Fewer are spaced evenly ("trailing" in Lin
    et al. 2023, arXiv 2305.08891), so that sampling always starts at the highest noise level.
    """
    if not 1 <= calls <= timesteps - 1:
        raise ValueError(f"calls must lie in 1 ... {timesteps - 1} for T = {timesteps}: {calls}")
    if calls == timesteps - 1:
        return tuple(range(timesteps - 1, 0, -1))
    return tuple(max(1, round(timesteps - i * timesteps / calls) - 1) for i in range(calls))


def ddpm(denoise: Denoise, schedule: Schedule, x: Tensor, **options: Any) -> Samples:
    """Ancestral sampling with the smaller of the two fixed variances; options as in `reverse`."""
    return reverse(ddpm_step, denoise, schedule, x, **options)


def ddim(denoise: Denoise, schedule: Schedule, x: Tensor, **options: Any) -> Samples:
    """DDIM; deterministic at eta = 0 (the default); options as in `reverse`."""
    return reverse(ddim_step, denoise, schedule, x, **options)


@torch.no_grad()
def reverse(step: Step, denoise: Denoise, schedule: Schedule, x: Tensor, *,
            timesteps: Sequence[int] | None = None, noise: Tensor | None = None,
            generator: torch.Generator | None = None, eta: float = 0.0,
            x0_clamp: float | None = None, call_at_zero: bool = False) -> Samples:
    """Run a reverse process from `x` (B, L, 3), the points at the first timestep.

    Parameters
    ----------
    step : the rule for one step; `ddpm` and `ddim` fill it in.
    timesteps : where the network is called, falling, each >= 1; T - 1 ... 1 by default.
    noise : (S, B, L, 3) the z of each step; drawn from `generator` by default.
    eta : share of the posterior's noise that DDIM adds.
    x0_clamp : clamp x0_pred to +- this value before each step.
    call_at_zero : one more call at t = 0, whose prediction replaces the sample.
    """
    visited = (*_checked(timesteps, schedule), 0)
    tables = schedule.to(x.device, x.dtype)
    xs, predictions = [x], []
    for i, (t, u) in enumerate(zip(visited, visited[1:], strict=False)):
        x0_pred = _predict(denoise, xs[-1], t, x0_clamp)
        z = _draw(x, generator) if noise is None else noise[i]
        levels = tables.alpha_bar[t], tables.alpha_bar[u]
        xs.append(step(xs[-1], x0_pred, z, *levels, torch.as_tensor(eta, dtype=x.dtype)))
        predictions.append(x0_pred)
    if call_at_zero:
        predictions.append(_predict(denoise, xs[-1], 0, x0_clamp))
        xs.append(predictions[-1])
        visited = (*visited, 0)
    return Samples(visited, torch.stack(xs), torch.stack(predictions))


def _checked(timesteps: Sequence[int] | None, schedule: Schedule) -> tuple[int, ...]:
    last = schedule.timesteps - 1
    chosen = tuple(range(last, 0, -1)) if timesteps is None else tuple(timesteps)
    falling = all(t > u for t, u in zip(chosen, chosen[1:], strict=False))
    if not chosen or not falling or not 1 <= chosen[-1] <= chosen[0] <= last:
        raise ValueError(f"sampling timesteps must fall within {last} ... 1, got {chosen}")
    return chosen


def _predict(denoise: Denoise, x: Tensor, t: int, x0_clamp: float | None) -> Tensor:
    x0_pred = denoise(x, torch.full((len(x),), t, dtype=torch.long, device=x.device))
    return x0_pred if x0_clamp is None else x0_pred.clamp(-x0_clamp, x0_clamp)


def _draw(like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(like.shape, generator=generator, device=like.device, dtype=like.dtype)


def _posterior_variance(ab_t: Tensor, ab_u: Tensor) -> Tensor:
    return (1 - ab_u) / (1 - ab_t) * (1 - ab_t / ab_u)


def ddpm_step(x: Tensor, x0: Tensor, z: Tensor, ab_t: Tensor, ab_u: Tensor,
              eta: Tensor | float = 0.0) -> Tensor:
    """From x_t to x_u; z is the fresh noise, ab alpha_bar at t and u. `eta` is not used."""
    alpha = ab_t / ab_u
    mean = ab_u.sqrt() * (1 - alpha) * x0 + alpha.sqrt() * (1 - ab_u) * x
    return mean / (1 - ab_t) + _posterior_variance(ab_t, ab_u).sqrt() * z


def ddim_step(x: Tensor, x0: Tensor, z: Tensor, ab_t: Tensor, ab_u: Tensor,
              eta: Tensor) -> Tensor:
    """From x_t to x_u; arguments as in `ddpm_step`, and `eta`, the share of fresh noise."""
    eps = to_eps(x0, x, ab_t.sqrt(), (1 - ab_t).sqrt())
    variance = eta**2 * _posterior_variance(ab_t, ab_u)
    return ab_u.sqrt() * x0 + (1 - ab_u - variance).clamp(min=0).sqrt() * eps + variance.sqrt() * z
