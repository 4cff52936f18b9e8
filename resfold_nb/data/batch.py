"""Structures of unequal length as one set of tensors, in units of a standard deviation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from resfold_nb.data.structure import AMINO_ACIDS, Structure, standard_deviation

UNKNOWN_RESIDUE = len(AMINO_ACIDS)
POSITIONS = ("chain", "across")
"""How residues are counted: within each chain, or through all of them."""
_RESIDUE_INDEX = {letter: i for i, letter in enumerate(AMINO_ACIDS)}


@dataclass(frozen=True, eq=False)
class Batch:
    """B proteins, padded to the longest, L residues, with N = L centroids or N = 4 L backbone atoms."""

    x0: Tensor  # (B, N, 3) points, residue by residue, centred per protein, divided by `scale`; 0 on padding
    mask: Tensor  # (B, L) bool, True on residues
    residue: Tensor  # (B, L) int64, 0 ... 19 in the order of AMINO_ACIDS, 20 unknown or padding
    chain: Tensor  # (B, L) int64, 0 for the first chain
    position: Tensor  # (B, L) int64, index within the chain; gaps in residue numbers show, unless counted across
    scale: Tensor  # (B,) Å per unit of `x0`
    ids: tuple[str, ...]  # one id a protein

    def __len__(self) -> int:
        """Number of proteins."""
        return len(self.ids)

    @property
    def points_per_residue(self) -> int:
        """1 for centroids, 4 for backbone atoms."""
        return self.x0.shape[1] // self.mask.shape[1]

    @property
    def point_mask(self) -> Tensor:
        """(B, N) bool, True on points of residues."""
        return self.mask.repeat_interleave(self.points_per_residue, 1)

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Batch:
        """The same batch on `device`; `dtype` applies to `x0` and `scale` alone."""
        return replace(self, x0=self.x0.to(device=device, dtype=dtype),
                       scale=self.scale.to(device=device, dtype=dtype), mask=self.mask.to(device),
                       residue=self.residue.to(device), chain=self.chain.to(device),
                       position=self.position.to(device))

    def select(self, rows: Sequence[int]) -> Batch:
        """Some of the proteins, in this order, padded to the longest of them."""
        chosen = torch.as_tensor(list(rows), device=self.mask.device)
        length = int(self.mask[chosen].sum(1).max())
        cut = {name: getattr(self, name)[chosen, :length] for name in ("mask", "residue", "chain", "position")}
        return replace(self, x0=self.x0[chosen, : length * self.points_per_residue],
                       scale=self.scale[chosen], ids=tuple(self.ids[i] for i in rows), **cut)

    def parts(self, count: int | None) -> list[Batch]:
        """The batch in parts of `count` proteins of similar length, so that little of a part is padding."""
        if count is None or count >= len(self):
            return [self]
        rows = self.mask.sum(1).argsort(stable=True).tolist()
        return [self.select(rows[i : i + count]) for i in range(0, len(rows), count)]

    def angstrom(self, x: Tensor) -> Tensor:
        """Normalised points (..., B, L, 3) in Å."""
        return x * self.scale.to(x.dtype)[:, None, None]


def make_batch(structures: Structure | Sequence[Structure], *, scale: float | str = "own",
               points: str = "centroid", positions: str = "chain") -> Batch:
    """Pad `structures` to one length and divide their points by `scale`.

    Parameters
    ----------
    structures : one structure or several.
    scale : "own" divides each protein by the standard deviation of its points; "atoms" by that of its backbone atoms
        (N - 1), as the public code does; a number of Å divides all by that, as many-protein work must
        (`training_set_scale()`).
    points : "centroid", one point a residue, or "backbone", the four atoms N, CA, C, O.
    positions : "chain" counts residues within each chain, and gaps show; "across" 0 ... L - 1 through all chains.

    Raises ValueError for no structures, unknown points or positions, or a scale that is not a positive number.
    """
    chosen = [structures] if isinstance(structures, Structure) else list(structures)
    if not chosen:
        raise ValueError("make_batch was given no structure; give it at least one")
    if positions not in POSITIONS:
        raise ValueError(f"positions are {positions!r}; choose one of {', '.join(POSITIONS)}")
    scales = [_scale_of(structure, scale, points) for structure in chosen]
    counted = [torch.as_tensor(s.position if positions == "chain" else range(len(s)), dtype=torch.int64)
               for s in chosen]
    scaled = [torch.from_numpy(s.points(points)) / a for s, a in zip(chosen, scales, strict=True)]
    return Batch(x0=_pad(scaled, 0.0), mask=_pad([torch.ones(len(s), dtype=torch.bool) for s in chosen], False),
                 residue=_pad([_residues(s) for s in chosen], UNKNOWN_RESIDUE),
                 chain=_pad([torch.as_tensor(s.chain_index, dtype=torch.int64) for s in chosen], 0),
                 position=_pad(counted, 0),
                 scale=torch.tensor(scales, dtype=torch.float32), ids=tuple(s.id for s in chosen))


def _scale_of(structure: Structure, scale: float | str, points: str) -> float:
    if isinstance(scale, str) and scale not in ("own", "atoms"):
        raise ValueError(f'scale is {scale!r}; use "own", "atoms" or a number of Å')
    if scale == "atoms":
        value = float(structure.points("backbone").std(ddof=1, dtype=np.float64))
    else:
        value = standard_deviation(structure, points) if scale == "own" else float(scale)
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{structure.id}: the scale is {value} Å, and coordinates cannot be divided by that; "
                         "give a positive number, and a structure whose residues differ in place")
    return value


def _residues(structure: Structure) -> Tensor:
    return torch.tensor([_RESIDUE_INDEX.get(c, UNKNOWN_RESIDUE) for c in structure.sequence])


def _pad(rows: list[Tensor], value: float) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)
