"""ResFold: a trunk that reads the sequence, a denoiser that reads the noisy points.

The sizes and the layout follow the public project TinyFold, which the report describes. With the
defaults of `NetworkSize.full` the network has 13.76 million parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from resfold_nb.data import Batch
from resfold_nb.model.layers import DenoiserBlock, TrunkBlock, sinusoidal

RESIDUE_TYPES = 21
MAX_CHAINS = 2


@dataclass(frozen=True)
class NetworkSize:
    """How large a network is, and what its trunk may see.

    Attributes
    ----------
    width : channels of a token (c_token in the report).
    trunk_layers, denoiser_blocks, heads : depth of the two parts, attention heads of both.
    timesteps : T, rows of the learned timestep embedding.
    trunk_sees_points : whether the noisy points are projected into the trunk; fix E says no.
    zero_init_output : start the coordinate head at zero, so that F = 0 before training.
    """

    width: int = 64
    trunk_layers: int = 2
    denoiser_blocks: int = 2
    heads: int = 4
    timesteps: int = 50
    trunk_sees_points: bool = True
    zero_init_output: bool = False

    @classmethod
    def full(cls) -> NetworkSize:
        """The public code's defaults: 13.76 million parameters. The report gives no size."""
        return cls(width=256, trunk_layers=9, denoiser_blocks=7, heads=8)


class Features(NamedTuple):
    """What the network knows of B proteins besides their points; mask is None without padding."""

    residue: Tensor  # (B, L) int64
    chain: Tensor  # (B, L) int64
    position: Tensor  # (B, L) int64
    mask: Tensor | None  # (B, L) bool

    @classmethod
    def of(cls, batch: Batch) -> Features:
        """The features of a batch. Asks once whether there is padding, so that no step has to."""
        mask = None if bool(batch.mask.all()) else batch.mask
        if int(batch.chain.max()) >= MAX_CHAINS:
            raise ValueError(
                f"the network embeds at most {MAX_CHAINS} chains; {batch.ids} has more: "
                "choose two with read_structure(path, chain='A,B')"
            )
        return cls(batch.residue, batch.chain, batch.position, mask)

    def repeat(self, copies: int) -> Features:
        """Each protein `copies` times in a row: (B, L) -> (B copies, L)."""
        if copies == 1:
            return self
        return Features(*(x if x is None else x.repeat_interleave(copies, 0) for x in self))


class Trunk(nn.Module):
    """Residue type, chain, position (and noisy points, unless fix E is on) to tokens."""

    def __init__(self, size: NetworkSize) -> None:
        super().__init__()
        width, points = size.width, size.width // 2 if size.trunk_sees_points else 0
        self.width = width
        self.residue = nn.Embedding(RESIDUE_TYPES, width)
        self.chain = nn.Embedding(MAX_CHAINS, width // 4)
        self.points = nn.Linear(3, points) if points else None
        self.project = nn.Linear(width + width // 4 + width + points, width)
        self.blocks = nn.ModuleList(
            TrunkBlock(width, size.heads) for _ in range(size.trunk_layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, features: Features, x: Tensor | None) -> Tensor:
        """Features of B proteins and points (B, L, 3), unused by fix E -> (B, L, width)."""
        parts = [
            self.residue(features.residue),
            self.chain(features.chain),
            sinusoidal(features.position, self.width).to(self.project.weight.dtype),
        ]
        if self.points is not None:
            parts.append(self.points(x))
        tokens = self.project(torch.cat(parts, dim=-1))
        for block in self.blocks:
            tokens = block(tokens, features.mask)
        return self.norm(tokens)


class Denoiser(nn.Module):
    """Tokens of the trunk plus embedded noisy points, conditioned on t, to three numbers each."""

    def __init__(self, size: NetworkSize) -> None:
        super().__init__()
        self.time = nn.Embedding(size.timesteps, size.width)
        self.points = nn.Linear(3, size.width)
        self.blocks = nn.ModuleList(
            DenoiserBlock(size.width, size.heads) for _ in range(size.denoiser_blocks)
        )
        self.norm = nn.LayerNorm(size.width)
        self.head = nn.Linear(size.width, 3)
        if size.zero_init_output:
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor, t: Tensor, trunk_tokens: Tensor, mask: Tensor | None) -> Tensor:
        """Points (B, L, 3), t (B,), tokens (B, L, width) -> raw output F (B, L, 3)."""
        tokens = self.points(x) + trunk_tokens
        condition = self.time(t)
        for block in self.blocks:
            tokens = block(tokens, condition, mask)
        return self.head(self.norm(tokens))


class ResFold(nn.Module):
    """Trunk and denoiser; forward gives the raw output F, whatever the parameterisation."""

    def __init__(self, size: NetworkSize) -> None:
        super().__init__()
        self.size = size
        self.trunk = Trunk(size)
        self.denoiser = Denoiser(size)

    def trunk_tokens(self, features: Features) -> Tensor:
        """Tokens (B, L, width) of a sequence-only trunk, to be computed once and reused.

        Raises ValueError when the trunk reads the noisy points: its tokens then differ at each
        noise level and cannot be computed once.
        """
        if self.size.trunk_sees_points:
            raise ValueError("this trunk reads the noisy points, so its tokens cannot be reused")
        return self.trunk(features, None)

    def forward(self, x: Tensor, t: Tensor, features: Features,
                trunk_tokens: Tensor | None = None) -> Tensor:
        """Raw output F for several noise levels of each protein.

        Parameters
        ----------
        x : (B n, L, 3), n noise levels of protein 1, then n of protein 2, ...
        t : (B n,) int64 timesteps.
        features : of the B proteins.
        trunk_tokens : (B, L, width), if they were computed before.

        Returns
        -------
        (B n, L, 3)
        """
        copies = len(x) // len(features.residue)
        repeated = features.repeat(copies)
        if self.size.trunk_sees_points:
            tokens = self.trunk(repeated, x)
        else:
            once = self.trunk(features, None) if trunk_tokens is None else trunk_tokens
            tokens = once.repeat_interleave(copies, 0)
        return self.denoiser(x, t, tokens, repeated.mask)


def count_parameters(module: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
