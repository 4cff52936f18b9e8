"""Noise schedules: how much signal and noise are left in x_t = a(t) x0 + s(t) eps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

LOG_SNR_CLAMP = 20.0
"""Log-SNR is clamped to +-20: it is infinite at t = 0, where no noise is left."""


@dataclass(frozen=True)
class Schedule:
    """Amplitudes of signal and noise at the timesteps 0 ... T-1, in float64."""

    name: str  # in a recipe
    alpha_bar: Tensor  # (T,) share of the signal's variance, 1 at t = 0
    a: Tensor  # (T,) sqrt(alpha_bar), the signal amplitude
    s: Tensor  # (T,) sqrt(1 - alpha_bar), the noise amplitude

    @property
    def timesteps(self) -> int:
        """T, the number of noise levels."""
        return len(self.alpha_bar)

    @property
    def amplitude_ratio(self) -> Tensor:
        """(T,) a / s; infinite at t = 0. The report's table calls this column SNR."""
        return self.a / self.s

    @property
    def snr(self) -> Tensor:
        """(T,) signal-to-noise ratio of the variances, alpha_bar / (1 - alpha_bar) = (a / s)^2."""
        return self.alpha_bar / (1 - self.alpha_bar)

    @property
    def log_snr(self) -> Tensor:
        """(T,) natural logarithm of the SNR, clamped to +-`LOG_SNR_CLAMP`."""
        return self.snr.log().clamp(-LOG_SNR_CLAMP, LOG_SNR_CLAMP)

    def to(self, device: torch.device | str, dtype: torch.dtype) -> Schedule:
        """The same schedule with its tables where and as precise as the data are."""
        return Schedule(self.name, *(x.to(device=device, dtype=dtype) for x in (self.alpha_bar, self.a, self.s)))

    def at(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """a and s of timesteps t (B,), shaped (B, 1, 1) to multiply coordinates (B, L, 3)."""
        return self.a[t].view(-1, 1, 1), self.s[t].view(-1, 1, 1)

    def add_noise(self, x0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """x_t = a(t) x0 + s(t) eps for x0, eps (B, L, 3), t (B,) (Ho et al. 2020, equation 4, arXiv 2006.11239)."""
        a, s = self.at(t)
        return a * x0 + s * eps


def linear(timesteps: int = 50) -> Schedule:
    """The report's schedule: alpha_bar(t) = 1 - t / T."""
    return _from_alpha_bar("linear", 1 - torch.arange(timesteps, dtype=torch.float64) / timesteps)


def cosine(timesteps: int = 50, offset: float = 0.008) -> Schedule:
    """alpha_bar(t) = f(t) / f(0), f(t) = cos^2(pi/2 (t/T + offset) / (1 + offset)).

    Nichol & Dhariwal 2021, equation 17 (arXiv 2102.09672). They also clip beta at 0.999; here t stops at T - 1, where
    alpha_bar is still above zero, so nothing needs clipping.
    """
    fraction = torch.arange(timesteps, dtype=torch.float64) / timesteps
    f = torch.cos(math.pi / 2 * (fraction + offset) / (1 + offset)).square()
    return _from_alpha_bar("cosine", f / f[0])


SCHEDULES: dict[str, Callable[[int], Schedule]] = {"linear": linear, "cosine": cosine}


def get_schedule(name: str, timesteps: int = 50) -> Schedule:
    """A schedule by name; ValueError for an unknown name or fewer than 2 timesteps."""
    if name not in SCHEDULES:
        raise ValueError(f"schedule {name!r} is unknown; choose one of {sorted(SCHEDULES)}")
    if timesteps < 2:
        raise ValueError(f"a schedule needs at least 2 timesteps, got {timesteps}")
    return SCHEDULES[name](timesteps)


def _from_alpha_bar(name: str, alpha_bar: Tensor) -> Schedule:
    return Schedule(name, alpha_bar, alpha_bar.sqrt(), (1 - alpha_bar).sqrt())
