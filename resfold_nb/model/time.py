"""How the timestep reaches the network: one vector of the token's width for each t."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from resfold_nb.model.layers import sinusoidal


class SinusoidalTime(nn.Module):
    """linear(silu(linear(sines and cosines of 1000 t / T))), the range that the wavelengths were made for."""

    def __init__(self, width: int, log_snr: Tensor) -> None:
        super().__init__()
        self.width, self.stretch = width, 1000 / len(log_snr)
        self.network = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        """(B,) -> (B, width)."""
        return self.network(sinusoidal(t * self.stretch, self.width).to(self.network[0].weight.dtype))


class FourierTime(nn.Module):
    """linear(cos(2 pi (frequency c + phase))) of c = log-SNR / 4, with fixed random numbers.

    For sigma = noise / signal c is -ln(sigma) / 2; Karras et al. 2022 (table 1) feed their networks ln(sigma) / 4.
    The features are those of Algorithm 22 of AlphaFold 3.
    """

    def __init__(self, width: int, log_snr: Tensor) -> None:
        super().__init__()
        self.register_buffer("frequency", torch.randn(width))
        self.register_buffer("phase", torch.rand(width))
        self.register_buffer("level", (log_snr / 4).float(), persistent=False)
        self.project = nn.Linear(width, width)

    def forward(self, t: Tensor) -> Tensor:
        """(B,) -> (B, width)."""
        angle = self.level[t].unsqueeze(-1) * self.frequency + self.phase    # (B, width)
        return self.project(torch.cos(2 * math.pi * angle))


class NoTime(nn.Module):
    """The same zeros at every t."""

    def __init__(self, width: int, log_snr: Tensor) -> None:
        super().__init__()
        self.register_buffer("zeros", torch.zeros(1, width), persistent=False)

    def forward(self, t: Tensor) -> Tensor:
        """(B,) -> (B, width) zeros."""
        return self.zeros.expand(len(t), -1)


TIME_EMBEDDINGS = {"table": lambda width, log_snr: nn.Embedding(len(log_snr), width), "sinusoidal": SinusoidalTime,
                   "log_snr": FourierTime, "none": NoTime}
"""(width, clamped log-SNR (T,)) -> a module (B,) timesteps -> (B, width) conditions.

"table" is a learned vector for each t, as in the report's model; "sinusoidal", sines and cosines of t through a small
network (Ho et al. 2020; Peebles & Xie 2022); "log_snr", random Fourier features of it; "none": t is withheld.
"""
