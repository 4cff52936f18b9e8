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
from resfold_nb.diffusion import linear
from resfold_nb.model.atoms import ATOMS, AtomDecoder, AtomEncoder, AtomSize
from resfold_nb.model.layers import DenoiserBlock, TrunkBlock, sinusoidal
from resfold_nb.model.time import TIME_EMBEDDINGS, time_embedding

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
    denoiser_sees_points : whether the denoiser does; blind to x_t when neither part does.
    time_embedding : "table", "sinusoidal", "log_snr" or "none", as in `time_embedding`.
    atoms : None for one centroid a residue, or how four atoms a residue are handled.
    """

    width: int = 64
    trunk_layers: int = 2
    denoiser_blocks: int = 2
    heads: int = 4
    timesteps: int = 50
    trunk_sees_points: bool = True
    zero_init_output: bool = False
    denoiser_sees_points: bool = True
    time_embedding: str = "table"
    atoms: AtomSize | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be built; ValueError says why."""
        if self.time_embedding not in TIME_EMBEDDINGS:
            raise ValueError(f"time_embedding is {self.time_embedding!r}; choose one of "
                             f"{', '.join(TIME_EMBEDDINGS)}")
        if self.atoms is not None and self.atoms.blocks and not self.denoiser_sees_points:
            raise ValueError("an atom encoder reads the noisy atoms; a denoiser that must not see "
                             "them needs atoms=None, or atom blocks=0")

    @property
    def points_per_residue(self) -> int:
        """Points that are diffused for each residue: 4 atoms or 1 centroid."""
        return 1 if self.atoms is None else ATOMS

    @property
    def point_set(self) -> str:
        """What `make_batch` calls these points."""
        return "centroid" if self.atoms is None else "backbone"

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
        self.per_residue = size.points_per_residue
        self.points = nn.Linear(3 * self.per_residue, points) if points else None
        self.project = nn.Linear(width + width // 4 + width + points, width)
        self.blocks = nn.ModuleList(
            TrunkBlock(width, size.heads) for _ in range(size.trunk_layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, features: Features, x: Tensor | None) -> Tensor:
        """Features of B proteins and points (B, N, 3), unused by fix E -> (B, L, width)."""
        parts = [
            self.residue(features.residue),
            self.chain(features.chain),
            sinusoidal(features.position, self.width).to(self.project.weight.dtype),
        ]
        if self.points is not None:
            parts.append(self.points(by_residue(x, self.per_residue)))
        tokens = self.project(torch.cat(parts, dim=-1))
        for block in self.blocks:
            tokens = block(tokens, features.mask)
        return self.norm(tokens)


class Denoiser(nn.Module):
    """Tokens of the trunk plus embedded noisy points, conditioned on t, to the raw output F.

    `log_snr` (T,) is the schedule's, clamped; only the embedding of that name reads its values.
    """

    def __init__(self, size: NetworkSize, log_snr: Tensor) -> None:
        super().__init__()
        width, coordinates = size.width, 3 * size.points_per_residue
        self.per_residue = size.points_per_residue
        self.time = time_embedding(size.time_embedding, width, log_snr)
        has_atoms = size.atoms is not None and size.atoms.blocks > 0
        self.points = self.encoder = self.decoder = None
        if has_atoms:
            self.encoder = AtomEncoder(size.atoms, width)
        elif size.denoiser_sees_points:
            self.points = nn.Linear(coordinates, width)
        self.blocks = nn.ModuleList(
            DenoiserBlock(width, size.heads) for _ in range(size.denoiser_blocks)
        )
        self.norm = nn.LayerNorm(width)
        if has_atoms:
            self.decoder = AtomDecoder(size.atoms, width)
        else:
            self.head = nn.Linear(width, coordinates)
        if size.zero_init_output:
            head = self.decoder.head if has_atoms else self.head
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def forward(self, x: Tensor, t: Tensor, trunk_tokens: Tensor, mask: Tensor | None) -> Tensor:
        """Points (B, N, 3), t (B,), tokens (B, L, width) -> raw output F (B, N, 3)."""
        tokens, skips = trunk_tokens, []
        if self.encoder is not None:
            seen, skips = self.encoder(x, trunk_tokens, mask)
            tokens = seen + tokens
        elif self.points is not None:
            tokens = self.points(by_residue(x, self.per_residue)) + tokens
        condition = self.time(t)
        for block in self.blocks:
            tokens = block(tokens, condition, mask)
        tokens = self.norm(tokens)
        if self.decoder is not None:
            return self.decoder(tokens, skips, mask)
        return self.head(tokens).unflatten(-1, (self.per_residue, 3)).flatten(1, 2)


def by_residue(x: Tensor, points_per_residue: int) -> Tensor:
    """Points (B, N, 3) -> (B, L, 3 N / L), the coordinates of each residue side by side."""
    return x.unflatten(1, (-1, points_per_residue)).flatten(2)


class ResFold(nn.Module):
    """Trunk and denoiser; forward gives the raw output F, whatever the parameterisation.

    `log_snr` (T,) is the schedule's, clamped; the linear schedule's by default.
    """

    def __init__(self, size: NetworkSize, log_snr: Tensor | None = None) -> None:
        super().__init__()
        self.size = size
        self.trunk = Trunk(size)
        self.denoiser = Denoiser(size, linear(size.timesteps).log_snr if log_snr is None
                                 else log_snr)

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
        x : (B n, N, 3), n noise levels of protein 1, then n of protein 2, ...; N = L points, or
            4 L of a network with atoms.
        t : (B n,) int64 timesteps.
        features : of the B proteins.
        trunk_tokens : (B, L, width), if they were computed before.

        Returns
        -------
        (B n, N, 3)
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
