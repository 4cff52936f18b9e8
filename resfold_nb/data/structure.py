"""One protein: sequence, backbone and what is known about them, in plain numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
BACKBONE_ATOMS = ("N", "CA", "C", "O")
POINT_SETS = ("centroid", "backbone")
"""What may be diffused: one point a residue, or its backbone atoms."""


@dataclass(frozen=True, eq=False, repr=False)
class Structure:
    """One chain, or several chains of one complex, residue by residue.

    Raises ValueError when shapes disagree or a coordinate is not finite.
    """

    id: str  # "1R69_A" for a chain, "1AK4_A_D" for a complex, "<stem>_<chains>" for a user's file
    sequence: str  # one-letter codes, chains one after another
    backbone: np.ndarray  # (L, 4, 3) float32, Å, atoms N, CA, C, O
    chain_index: np.ndarray  # (L,) int64, 0 for the first chain, 1 for the second, ...
    residue_number: np.ndarray  # (L,) int64, as in the source, so that gaps show
    secondary_structure: str  # DSSP letters, "-" where unknown
    chain_names: tuple[str, ...]  # one name a chain
    split: str | None = None  # "train", "test", or None outside the bundled set
    source: str = ""  # provenance in one line
    left_out: tuple[str, ...] = ()  # what of a file is not in this structure, and why
    notes: tuple[str, ...] = ()  # other choices that were made in reading a file

    def __post_init__(self) -> None:
        """Check that the parts describe the same residues."""
        length = len(self.sequence)
        if self.backbone.shape != (length, 4, 3):
            raise ValueError(f"{self.id}: {length} residues need a backbone of shape ({length}, 4, 3), "
                             f"this one has {self.backbone.shape}")
        for name in ("chain_index", "residue_number", "secondary_structure"):
            if len(getattr(self, name)) != length:
                raise ValueError(f"{self.id}: {name} has {len(getattr(self, name))} entries for "
                                 f"{length} residues; give one a residue")
        if not np.isfinite(self.backbone).all():
            raise ValueError(f"{self.id}: the backbone holds NaN or inf; leave such residues out")

    def __len__(self) -> int:
        """Number of residues, all chains together."""
        return len(self.sequence)

    def __repr__(self) -> str:
        """One line, and one more for each thing left out or chosen."""
        chains = ", ".join(self.chain_names)
        plural = "s" if len(self.chain_names) > 1 else ""
        head = f"Structure {self.id}: {len(self)} residues, chain{plural} {chains}"
        head += f", {self.split} split" if self.split else ""
        remarks = [f"  left out: {line}" for line in self.left_out]
        remarks += [f"  note: {line}" for line in self.notes]
        return "\n".join([head, *remarks])

    @property
    def centroids(self) -> np.ndarray:
        """(L, 3) float32, Å: mean of N, CA, C, O of each residue, centred at their mean."""
        points = self.backbone.mean(axis=1, dtype=np.float64)
        return (points - points.mean(axis=0)).astype(np.float32)

    def points(self, kind: str = "centroid") -> np.ndarray:
        """What is diffused: (L, 3) centroids or (4 L, 3) backbone atoms, float32, Å, centred.

        Atoms stand residue by residue in the order N, CA, C, O. Both sets have the same centre. Raises ValueError for
        another kind.
        """
        if kind not in POINT_SETS:
            raise ValueError(f"points are {kind!r}; choose one of {', '.join(POINT_SETS)}")
        if kind == "centroid":
            return self.centroids
        atoms = self.backbone.reshape(-1, 3).astype(np.float64)
        return (atoms - atoms.mean(axis=0)).astype(np.float32)

    @property
    def position(self) -> np.ndarray:
        """(L,) int64: 0-based index within the chain, counted by residue number.

        A gap of n missing residues leaves a gap of n. Where a number repeats or falls, as with insertion codes, the
        index goes up by one, so that no two residues of a chain share it.
        """
        steps = np.maximum(np.diff(self.residue_number, prepend=0), 1)
        first = np.diff(self.chain_index, prepend=-1) != 0
        running = np.cumsum(np.where(first, 0, steps))
        starts = running[first]
        return running - starts[np.cumsum(first) - 1]


def standard_deviation(structure: Structure, points: str = "centroid") -> float:
    """Standard deviation of the centred points in Å, over points and axes alike.

    sd = sqrt(mean over points and axes of x^2), so that predicting zero has an RMSE of sqrt(3) sd. `points` as in
    `Structure.points`.
    """
    return float(np.sqrt(np.square(structure.points(points), dtype=np.float64).mean()))
