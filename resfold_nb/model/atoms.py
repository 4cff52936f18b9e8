"""Atoms to tokens and back, in the style that the report calls AF3: local attention, skip states.

The published AlphaFold 3 differs: all heavy atoms, 14 and more a residue; attention in windows of 32 queries and 128
keys across residues with a pair representation; EDM's coefficients. Notebook 12 lists the differences.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resfold_nb.data import BACKBONE_ATOMS
from resfold_nb.model.layers import Attention

ATOMS = len(BACKBONE_ATOMS)
QUERIES, KEYS = 32, 128
"""Atoms of a window and atoms that they look at (Abramson et al. 2024, supplement, algorithm 7)."""
REACHES = ("none", "residue", "window")


@dataclass(frozen=True)
class AtomSize:
    """Four atoms a residue, and what is done with them before and after the token network."""

    # in encoder and decoder each; 0: the twelve coordinates of a residue enter its token by one linear layer and
    # leave it by another, and there is no atom network at all
    blocks: int = 1
    width: int = 32  # of an atom's state
    heads: int = 2
    # "residue": an atom attends to the four of its own; "window": to 128 around it in the sequence; "none": to none
    reach: str = "residue"
    skips: bool = True  # hand the encoder's states to the decoder, last block first

    def __post_init__(self) -> None:
        """Refuse what cannot be built; ValueError says why."""
        if self.reach not in REACHES:
            raise ValueError(f"reach is {self.reach!r}; choose one of {', '.join(REACHES)}")
        if self.blocks < 0:
            raise ValueError(f"atom blocks must be 0 or more, got {self.blocks}")


class WindowAttention(Attention):
    """Attention in which each window of 32 tokens sees the 128 around it, its own in the middle."""

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Tokens (B, N, width) -> (B, N, width); mask (B, N), True where a token is real."""
        count = tokens.shape[1]
        padding = -count % QUERIES
        real = tokens.new_ones(tokens.shape[:2], dtype=torch.bool) if mask is None else mask
        q, k, v = (self.split(F.pad(proj(tokens), (0, 0, 0, padding))) for proj in (self.query, self.key, self.value))
        seen = _neighbourhoods(F.pad(real, (0, padding)).unsqueeze(1).unsqueeze(-1)).mT
        # a window of padding alone would see nothing, and its softmax would be 0 / 0
        seen = seen | ~seen.any(-1, keepdim=True)
        mixed = F.scaled_dot_product_attention(
            q.unflatten(2, (-1, QUERIES)), _neighbourhoods(k), _neighbourhoods(v), attn_mask=seen)
        return self.out(mixed.flatten(2, 3).transpose(1, 2).flatten(-2)[:, :count])


def _neighbourhoods(x: Tensor) -> Tensor:
    """(B, heads, N, d), N a multiple of 32 -> (B, heads, N / 32, 128, d), zeros past the ends."""
    side = (KEYS - QUERIES) // 2
    return F.pad(x, (0, 0, side, side)).unfold(2, KEYS, QUERIES).mT


class AtomBlock(nn.Module):
    """Pre-norm block on atoms: attention as far as `reach` says, then a feed-forward layer."""

    def __init__(self, size: AtomSize) -> None:
        super().__init__()
        self.reach = size.reach
        self.attention = None
        if size.reach != "none":
            kind = WindowAttention if size.reach == "window" else Attention
            self.attention_norm = nn.LayerNorm(size.width)
            self.attention = kind(size.width, size.heads)
        self.feed_forward_norm = nn.LayerNorm(size.width)
        layers = nn.Linear(size.width, 4 * size.width), nn.ReLU(), nn.Linear(4 * size.width, size.width)
        self.feed_forward = nn.Sequential(*layers)

    def forward(self, atoms: Tensor, mask: Tensor | None) -> Tensor:
        """Atoms (B, L, 4, width), mask (B, L) of residues -> (B, L, 4, width)."""
        if self.attention is not None:
            atoms = atoms + self._mix(self.attention_norm(atoms), mask)
        return atoms + self.feed_forward(self.feed_forward_norm(atoms))

    def _mix(self, atoms: Tensor, mask: Tensor | None) -> Tensor:
        if self.reach == "residue":                                           # (B L, 4, width)
            return self.attention(atoms.flatten(0, 1)).unflatten(0, atoms.shape[:2])
        real = None if mask is None else mask.repeat_interleave(ATOMS, 1)
        return self.attention(atoms.flatten(1, 2), real).unflatten(1, (-1, ATOMS))  # over (B, 4 L, width)


class AtomEncoder(nn.Module):
    """Noisy atoms to tokens: each atom knows its coordinates, its name and its residue's token."""

    def __init__(self, size: AtomSize, token_width: int) -> None:
        super().__init__()
        self.points = nn.Linear(3, size.width)
        self.name = nn.Parameter(torch.randn(ATOMS, size.width))
        self.from_token = nn.Linear(token_width, size.width)
        self.blocks = nn.ModuleList(AtomBlock(size) for _ in range(size.blocks))
        self.to_token = nn.Linear(size.width, token_width)

    def forward(self, x: Tensor, trunk_tokens: Tensor, mask: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """Atoms (B, 4 L, 3), tokens (B, L, w) -> tokens (B, L, w), a skip state for each block."""
        atoms = self.points(x.unflatten(1, (-1, ATOMS))) + self.name          # (B, L, 4, width)
        atoms = atoms + self.from_token(trunk_tokens).unsqueeze(2)
        skips = []
        for block in self.blocks:
            atoms = block(atoms, mask)
            skips.append(atoms)
        return self.to_token(atoms.mean(2)), skips


class AtomDecoder(nn.Module):
    """Tokens to atoms, told apart by their name and, if there are skips, the encoder's states in reverse order."""

    def __init__(self, size: AtomSize, token_width: int) -> None:
        super().__init__()
        self.skips = size.skips
        self.name = nn.Parameter(torch.randn(ATOMS, size.width))
        self.from_token = nn.Linear(token_width, size.width)
        self.blocks = nn.ModuleList(AtomBlock(size) for _ in range(size.blocks))
        self.norm = nn.LayerNorm(size.width)
        self.head = nn.Linear(size.width, 3)

    def forward(self, tokens: Tensor, skips: list[Tensor], mask: Tensor | None) -> Tensor:
        """Tokens (B, L, w) and skip states (B, L, 4, width) -> raw output (B, 4 L, 3)."""
        atoms = self.from_token(tokens).unsqueeze(2) + self.name
        for block, skip in zip(self.blocks, reversed(skips), strict=True):
            atoms = block(atoms + skip if self.skips else atoms, mask)
        return self.head(self.norm(atoms)).flatten(1, 2)
