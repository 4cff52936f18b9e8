"""How good a structure is, and structures that need no training to compare with.

Points are centroids in Å, one a residue. Scores that are defined for CA atoms take them as CA.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from resfold_nb.data import Structure, rmsd, superpose

CONTACT, SEPARATION = 8.0, 6
SHORTEST_TM = 19
"""Residues; below this d0 of the TM-score would be under half an Å."""
FEWEST = 4
"""Residues of a piece with which the search for the best superposition may start."""
WIDTHS = (*np.geomspace(2, 1, 6, endpoint=False).tolist(), *[1.0] * 6)
"""Of the search, d0 over that of the score, a fit each."""
MIRROR = (-1.0, 1.0, 1.0)


@dataclass(frozen=True)
class StructureScores:
    """One structure against the truth."""

    rmsd: float  # Å after superposition without reflection
    mirror_rmsd: float  # the same, to the truth's mirror image
    lddt: float  # 0 to 1, local differences of pair distances; a mirror image scores as the structure itself
    tm_score: float  # 0 to 1, as in `tm_score`; NaN for a chain that is too short for it
    contact_precision: float  # 0 to 1, as in `contact_precision`; NaN without predicted contacts


def score(predicted: np.ndarray, truth: np.ndarray, length: int | None = None) -> StructureScores:
    """Score points (L, 3) in Å against the true ones (L, 3), residue by residue.

    `length` normalises the TM-score where only part of a chain was predicted: the whole chain's. lDDT is biotite's,
    radius 15 Å, all pairs of residues. Raises ValueError where shapes differ.
    """
    from biotite.structure import lddt

    if predicted.shape != truth.shape:
        raise ValueError(f"{predicted.shape} points cannot be scored against {truth.shape}")
    x, y = (torch.as_tensor(np.asarray(p), dtype=torch.float64) for p in (predicted, truth))
    long_enough = (length or len(truth)) >= SHORTEST_TM
    return StructureScores(
        rmsd=float(rmsd(x, y)),
        mirror_rmsd=float(rmsd(x, y * y.new_tensor(MIRROR))),
        # one point a residue: biotite leaves out each point's distance to itself in any case
        lddt=float(lddt(truth, predicted, exclude_same_residue=False)),
        tm_score=tm_score(predicted, truth, length) if long_enough else float("nan"),
        contact_precision=contact_precision(predicted, truth),
    )


def contact_precision(predicted: np.ndarray, truth: np.ndarray, *, cutoff: float = CONTACT,
                      separation: int = SEPARATION) -> float:
    """Share of the predicted contacts that are contacts of the truth.

    A contact is a pair of residues with |i - j| >= `separation` closer than `cutoff` Å; *all* predicted ones count,
    not the best so many. NaN where none is predicted: there is nothing to be right about. i counts the residues that
    are present. Points are (L, 3).
    """
    wanted = np.tri(len(truth), k=-separation, dtype=bool)
    near = [wanted & (_distances(p) < cutoff) for p in (predicted, truth)]
    return float(near[1][near[0]].mean()) if near[0].any() else float("nan")


class Superposition(NamedTuple):
    """The best that was found."""

    score: float
    points: np.ndarray  # (L, 3) Å, on the truth


def tm_score(predicted: np.ndarray, truth: np.ndarray, length: int | None = None) -> float:
    """TM-score of points (L, 3) with known correspondence; see `tm_superposition`."""
    return tm_superposition(predicted, truth, length).score


def tm_superposition(predicted: np.ndarray, truth: np.ndarray, length: int | None = None) -> Superposition:
    """The superposition of highest TM-score that a search finds, and that score.

    TM = (1 / length) sum_i q_i, q_i = 1 / (1 + (d_i / d0)^2), d0 = 1.24 (length - 15)^(1/3) - 1.8, `length` that of
    the target, d in Å (Zhang & Skolnick 2004, doi:10.1002/prot.20264). Residue i is residue i: no alignment is
    sought. As in their program the search starts with fits of the whole chain and of its pieces. q is convex in d^2,
    with slope -(q / d0)^2, so a least squares fit with weights q^2 cannot lower the score; each start is fitted so
    for each of `WIDTHS`, which first let residues count that are further away. What is found may be a local optimum:
    the score is a lower bound. Raises ValueError for a `length` below `SHORTEST_TM`.
    """
    length = len(truth) if length is None else length
    if length < SHORTEST_TM:
        raise ValueError(f"a TM-score needs {SHORTEST_TM} residues or more, this has {length}")
    weights = torch.as_tensor(_pieces(len(truth)))
    x, y = (torch.as_tensor(np.asarray(p), dtype=torch.float64).expand(len(weights), -1, -1)
            for p in (predicted, truth))
    d0 = 1.24 * (length - 15) ** (1 / 3) - 1.8
    for width in WIDTHS:
        moved = superpose(x, y, weights)
        squared = (moved - y).square().sum(-1)
        weights = (1 + squared / (width * d0) ** 2) ** -2
    scores = (1 / (1 + squared / d0**2)).sum(1) / length
    return Superposition(float(scores.max()), moved[scores.argmax()].numpy())


def _pieces(length: int) -> np.ndarray:
    """(pieces, L) of 0 and 1: the whole chain, and windows of a half and a quarter of it."""
    rows = [np.ones(length)]
    for size in (max(length // share, FEWEST) for share in (2, 4)):
        for start in range(0, length - size + 1, size // 2):
            rows.append(np.zeros(length))
            rows[-1][start : start + size] = 1
    return np.stack(rows)


def _distances(points: np.ndarray) -> np.ndarray:
    """(L, L) Å between points (L, 3)."""
    apart = points[:, None] - points
    return np.sqrt(np.einsum("ija,ija->ij", apart, apart))


def neighbour_step(chains: Sequence[np.ndarray]) -> float:
    """Mean distance of neighbours along chains (L, 3), in Å."""
    return float(np.concatenate([_steps(x) for x in chains]).mean())


def helical_step(chains: Sequence[Structure]) -> float:
    """Mean distance in Å of the centroids of neighbours that are both in an alpha helix."""
    inside = [np.array(list(s.secondary_structure)) == "H" for s in chains]
    return float(np.concatenate([_steps(s.centroids)[h[:-1] & h[1:]]
                                 for s, h in zip(chains, inside, strict=True)]).mean())


def _steps(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(np.diff(points, axis=0), axis=1)


def random_coil(length: int, generator: np.random.Generator, step: float = 3.8) -> np.ndarray:
    """(L, 3) Å: a freely jointed chain, steps of `step` Å in uniform directions; it may cross."""
    turns = generator.standard_normal((length, 3))
    return np.cumsum(step * turns / np.linalg.norm(turns, axis=1, keepdims=True), axis=0)


def helix(length: int, step: float = 3.8) -> np.ndarray:
    """(L, 3) Å: a right-handed alpha helix, 100° and 1.5 Å along the axis a residue.

    Neighbours are `step` Å apart: 3.8 for CA atoms, less for centroids, which lie nearer the axis.
    """
    i = np.arange(length)
    angle, radius = np.radians(100) * i, np.sqrt(step**2 - 1.5**2) / (2 * np.sin(np.radians(50)))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), 1.5 * i], axis=1)


def handedness(points: np.ndarray) -> float:
    """Mean triple product of three steps in a row over their lengths, -1 to 1.

    Above 0 for a right-handed helix; a mirror image has the opposite sign. Points are (L, 3).
    """
    steps = np.diff(points, axis=0)
    unit = steps / _steps(points)[:, None]
    return float((np.cross(unit[:-2], unit[1:-1]) * unit[2:]).sum(1).mean())


def mean_distances(chains: Sequence[np.ndarray]) -> np.ndarray:
    """(longest,) Å: mean distance of two residues by |i - j| over chains (L, 3); 0 at 0."""
    longest = max(len(x) for x in chains)
    total, count = np.zeros(longest), np.zeros(longest)
    for x in chains:
        apart = np.abs(np.subtract.outer(range(len(x)), range(len(x)))).ravel()
        total += np.bincount(apart, _distances(x).ravel(), longest)
        count += np.bincount(apart, minlength=longest)
    return total / count


def mean_structure(length: int, chains: Sequence[np.ndarray]) -> np.ndarray:
    """(L, 3) Å: points whose distances are near the `mean_distances` of training chains.

    Distances do not know a mirror image, so of the two the one is taken whose `handedness` has the sign of the
    chains' mean. Raises ValueError for a `length` beyond the longest chain.
    """
    return embed(mean_distances(chains), length, float(np.mean([handedness(x) for x in chains])))


def embed(by_separation: np.ndarray, length: int, hand: float) -> np.ndarray:
    """(L, 3) Å: points whose distances are near those given by |i - j|.

    Classical multidimensional scaling (Torgerson 1952): with B = -J D^2 J / 2, J centring, the points are the three
    leading eigenvectors times the roots of their eigenvalues. Of the two mirror images the one is taken whose
    `handedness` has the sign of `hand`. Raises ValueError for a `length` beyond the distances known.
    """
    if length > len(by_separation):
        raise ValueError(f"the longest training chain has {len(by_separation)} residues, "
                         f"so distances along {length} are not known")
    apart = np.abs(np.subtract.outer(range(length), range(length)))
    centring = np.eye(length) - 1 / length
    values, vectors = np.linalg.eigh(-centring @ by_separation[apart] ** 2 @ centring / 2)
    points = vectors[:, -3:] * np.sqrt(np.maximum(values[-3:], 0))
    return points if handedness(points) * hand >= 0 else points * np.array(MIRROR)


class Copied(NamedTuple):
    """What the nearest training chain has to say of a target."""

    id: str  # of the training chain
    identity: float  # share of the aligned residues that are the same
    rows: np.ndarray  # (n,) residues of the target that are aligned; the others are not placed
    points: np.ndarray  # (n, 3) Å, the training chain's points at those residues


def nearest_chain(sequence: str, training: Sequence[Structure]) -> Copied:
    """Copy the points of the training chain of highest alignment score, the target's own apart.

    Global alignment with free ends (BLOSUM62, gaps -10 and -1) by biotite. A chain of the same sequence is passed
    over. Raises ValueError where no other chain is left.
    """
    known = [structure for structure in training if structure.sequence != sequence]
    if not known:
        raise ValueError("no training chain but the target itself: give others to copy from")
    traces = [_align(sequence, structure.sequence) for structure in known]
    best = max(range(len(known)), key=lambda i: traces[i][0])
    mine, its = traces[best][1].T
    same = [sequence[i] == known[best].sequence[j] for i, j in zip(mine, its, strict=True)]
    return Copied(known[best].id, float(np.mean(same)), mine, known[best].centroids[its])


def _align(one: str, other: str) -> tuple[float, np.ndarray]:
    """Score and the aligned pairs (n, 2)."""
    from biotite.sequence import ProteinSequence
    from biotite.sequence.align import SubstitutionMatrix, align_optimal

    found = align_optimal(ProteinSequence(one), ProteinSequence(other), SubstitutionMatrix.std_protein_matrix(),
                          gap_penalty=(-10, -1), terminal_penalty=False, max_number=1)[0]
    return found.score, found.trace[(found.trace >= 0).all(axis=1)]
