"""ResFold: a trunk that reads the sequence, a denoiser that reads the noisy points.

The sizes and the layout follow the public project TinyFold, which the report describes. With the defaults of
`NetworkSize.full` the network has 13.76 million parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from resfold_nb.data import Batch
from resfold_nb.diffusion import linear
from resfold_nb.model.atoms import ATOMS, AtomDecoder, AtomEncoder, AtomSize
from resfold_nb.model.layers import DenoiserBlock, TrunkBlock, sinusoidal
from resfold_nb.model.time import TIME_EMBEDDINGS

RESIDUE_TYPES = 21
MAX_CHAINS = 2


@dataclass(frozen=True)
class NetworkSize:
    """How large a network is."""

    width: int = 64  # channels of a token, c_token in the report
    trunk_layers: int = 2
    denoiser_blocks: int = 2
    heads: int = 4  # of attention, in both parts

    @classmethod
    def full(cls) -> NetworkSize:
        """The public code's `train_resfold`: 13.76 million parameters. The report gives no size."""
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
            raise ValueError(f"the network embeds at most {MAX_CHAINS} chains; {batch.ids} has more: "
                             "choose two with read_structure(path, chain='A,B')")
        return cls(batch.residue, batch.chain, batch.position, mask)

    def repeat(self, copies: int) -> Features:
        """Each protein `copies` times in a row: (B, L) -> (B copies, L)."""
        return self if copies == 1 else Features(*(x if x is None else x.repeat_interleave(copies, 0) for x in self))


class Trunk(nn.Module):
    """Residue type, chain, position (and noisy points, unless fix E is on) to tokens."""

    def __init__(self, size: NetworkSize, sees_points: bool = True, per_residue: int = 1) -> None:
        super().__init__()
        width, seen = size.width, size.width // 2 if sees_points else 0
        self.residue = nn.Embedding(RESIDUE_TYPES, width)
        self.chain = nn.Embedding(MAX_CHAINS, width // 4)
        self.points = nn.Linear(3 * per_residue, seen) if sees_points else None
        self.project = nn.Linear(2 * width + width // 4 + seen, width)
        self.blocks = nn.ModuleList(TrunkBlock(width, size.heads) for _ in range(size.trunk_layers))
        self.norm = nn.LayerNorm(width)
        self.width, self.per_residue = width, per_residue

    def forward(self, features: Features, x: Tensor | None) -> Tensor:
        """Features of B proteins and points (B, N, 3), unused by fix E -> (B, L, width)."""
        dtype = self.project.weight.dtype
        parts = [self.residue(features.residue),                              # (B, L, width)
                 self.chain(features.chain),                                  # (B, L, width / 4)
                 sinusoidal(features.position, self.width).to(dtype)]         # (B, L, width)
        if self.points is not None:
            parts.append(self.points(by_residue(x, self.per_residue)))        # (B, L, width / 2)
        tokens = self.project(torch.cat(parts, dim=-1))                       # (B, L, width)
        for block in self.blocks:
            tokens = block(tokens, features.mask)
        return self.norm(tokens)


class Denoiser(nn.Module):
    """Tokens of the trunk plus embedded noisy points, conditioned on t, to the raw output F.

    `log_snr` (T,) is the schedule's, clamped; the other options are those of `ResFold`.
    """

    def __init__(self, size: NetworkSize, log_snr: Tensor, sees_points: bool = True, zero_init_output: bool = False,
                 time_embedding: str = "table", atoms: AtomSize | None = None) -> None:
        super().__init__()
        width, self.per_residue = size.width, 1 if atoms is None else ATOMS
        has_atoms = atoms is not None and atoms.blocks > 0
        self.time = TIME_EMBEDDINGS[time_embedding](width, log_snr)
        self.encoder = AtomEncoder(atoms, width) if has_atoms else None
        self.points = nn.Linear(3 * self.per_residue, width) if sees_points and not has_atoms else None
        self.blocks = nn.ModuleList(DenoiserBlock(width, size.heads) for _ in range(size.denoiser_blocks))
        self.norm = nn.LayerNorm(width)
        self.decoder = AtomDecoder(atoms, width) if has_atoms else None
        self.head = None if has_atoms else nn.Linear(width, 3 * self.per_residue)
        for weights in (self.head or self.decoder.head).parameters() if zero_init_output else ():
            nn.init.zeros_(weights)

    def forward(self, x: Tensor, t: Tensor, trunk_tokens: Tensor, mask: Tensor | None) -> Tensor:
        """Points (B, N, 3), t (B,), tokens (B, L, width) -> raw output F (B, N, 3)."""
        tokens, skips = trunk_tokens, []                                      # (B, L, width)
        if self.encoder is not None:
            seen, skips = self.encoder(x, trunk_tokens, mask)
            tokens = seen + tokens
        elif self.points is not None:
            tokens = self.points(by_residue(x, self.per_residue)) + tokens
        condition = self.time(t)                                              # (B, width)
        for block in self.blocks:
            tokens = block(tokens, condition, mask)
        tokens = self.norm(tokens)
        if self.decoder is not None:
            return self.decoder(tokens, skips, mask)                          # (B, N, 3)
        return self.head(tokens).unflatten(-1, (self.per_residue, 3)).flatten(1, 2)


def by_residue(x: Tensor, points_per_residue: int) -> Tensor:
    """Points (B, N, 3) -> (B, L, 3 N / L), the coordinates of each residue side by side."""
    return x.unflatten(1, (-1, points_per_residue)).flatten(2)


class ResFold(nn.Module):
    """Trunk and denoiser; forward gives the raw output F, whatever the parameterisation.

    Parameters
    ----------
    log_snr : (T,) of the schedule, clamped; the linear schedule's by default.
    trunk_sees_points : whether the noisy points are projected into the trunk; fix E says no.
    denoiser_sees_points : whether the denoiser does; blind to x_t when neither part does.
    zero_init_output : start the coordinate head at zero, so that F = 0 before training.
    time_embedding : key of `TIME_EMBEDDINGS`.
    atoms : None for one centroid a residue, or how four atoms a residue are handled.
    """

    def __init__(self, size: NetworkSize, log_snr: Tensor | None = None, *, trunk_sees_points: bool = True,
                 denoiser_sees_points: bool = True, zero_init_output: bool = False,
                 time_embedding: str = "table", atoms: AtomSize | None = None) -> None:
        super().__init__()
        self.size, self.trunk_sees_points = size, trunk_sees_points
        self.trunk = Trunk(size, trunk_sees_points, 1 if atoms is None else ATOMS)
        self.denoiser = Denoiser(size, linear().log_snr if log_snr is None else log_snr,
                                 denoiser_sees_points, zero_init_output, time_embedding, atoms)

    def trunk_tokens(self, features: Features) -> Tensor:
        """Tokens (B, L, width) of a sequence-only trunk, to be computed once and reused; else ValueError."""
        if self.trunk_sees_points:
            raise ValueError("this trunk reads the noisy points, so its tokens cannot be reused")
        return self.trunk(features, None)

    def forward(self, x: Tensor, t: Tensor, features: Features, trunk_tokens: Tensor | None = None) -> Tensor:
        """Raw output F (B n, N, 3) for n noise levels of each of B proteins.

        Parameters
        ----------
        x : (B n, N, 3), n noise levels of protein 1, then n of protein 2, ...; N = L points, or 4 L of a network with
            atoms.
        t : (B n,) int64 timesteps.
        features : of the B proteins.
        trunk_tokens : (B, L, width), if they were computed before.
        """
        copies = len(x) // len(features.residue)
        repeated = features.repeat(copies)                                    # (B n, L) each
        if self.trunk_sees_points:
            tokens = self.trunk(repeated, x)                                  # (B n, L, width)
        else:
            once = self.trunk(features, None) if trunk_tokens is None else trunk_tokens
            tokens = once.repeat_interleave(copies, 0)
        return self.denoiser(x, t, tokens, repeated.mask)


def count_parameters(module: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
