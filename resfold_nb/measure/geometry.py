"""Bond lengths and angles of backbones, against ideal values."""

from __future__ import annotations

import numpy as np

N, CA, C, O = range(4)

# Engh & Huber 2001, International Tables for Crystallography F, 382-392.
IDEAL: dict[str, float] = {"N-CA": 1.459, "CA-C": 1.525, "C-O": 1.229, "C-N": 1.336,
                           "N-CA-C": 111.0, "CA-C-O": 120.1, "CA-C-N": 117.2, "C-N-CA": 121.7}
"""Bonds in Å, angles in degrees. C-N is the peptide bond, which joins two residues."""

ACROSS = ("C-N", "CA-C-N", "C-N-CA")
"""Those that span two residues, so that attention inside one residue cannot see them."""


def backbone_geometry(atoms: np.ndarray, linked: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Bond lengths and angles by name as in `IDEAL`, (..., L) each, or (..., links) for those that span two residues.

    `atoms` (..., 4 L, 3) in Å are N, CA, C, O of each residue in turn; `linked` (L - 1,) bool is True where residue
    i + 1 follows residue i in the chain, all by default.
    """
    x = np.asarray(atoms, dtype=float)
    x = x.reshape(*x.shape[:-2], -1, 4, 3)
    here, after = x[..., :-1, :, :], x[..., 1:, :, :]
    if linked is not None:
        here, after = here[..., linked, :, :], after[..., linked, :, :]
    return {"N-CA": _length(x[..., N, :], x[..., CA, :]), "CA-C": _length(x[..., CA, :], x[..., C, :]),
            "C-O": _length(x[..., C, :], x[..., O, :]), "C-N": _length(here[..., C, :], after[..., N, :]),
            "N-CA-C": _angle(x[..., N, :], x[..., CA, :], x[..., C, :]),
            "CA-C-O": _angle(x[..., CA, :], x[..., C, :], x[..., O, :]),
            "CA-C-N": _angle(here[..., CA, :], here[..., C, :], after[..., N, :]),
            "C-N-CA": _angle(here[..., C, :], after[..., N, :], after[..., CA, :])}


def geometry_errors(atoms: np.ndarray, linked: np.ndarray | None = None) -> dict[str, float]:
    """Root mean square deviation from `IDEAL` of each bond (Å) and angle (degrees)."""
    found = backbone_geometry(atoms, linked)
    return {name: float(np.sqrt(np.square(values - IDEAL[name]).mean())) for name, values in found.items()}


def _length(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return np.linalg.norm(q - p, axis=-1)


def _angle(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Degrees at q."""
    u, v = p - q, r - q
    cosine = (u * v).sum(-1) / (np.linalg.norm(u, axis=-1) * np.linalg.norm(v, axis=-1) + 1e-12)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))
