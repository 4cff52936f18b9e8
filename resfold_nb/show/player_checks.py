"""What the player accepts: finite points of equal shapes, and a text for each frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resfold_nb.show.theme import PALETTE, chain_colours, index_colours

MAX_RESIDUES = 2000
MAX_PANES = 4
MODES = ("index", "chain", "structure", "error")
Frames = NDArray[np.float32]
# DSSP's letters: three kinds of helix, two of strand; what is neither is coil
_STRUCTURE = {**dict.fromkeys("HGI", PALETTE["residual"]), **dict.fromkeys("EB", PALETTE["x0"])}


def as_bytes(array: ArrayLike) -> bytes:
    """Little-endian float32 bytes, which the browser reads without parsing."""
    return np.ascontiguousarray(array, dtype="<f4").tobytes()


def checked_panes(panes: Mapping[str, ArrayLike]) -> dict[str, Frames]:
    """Every pane as finite float32 (F, L, 3), all of one shape."""
    if not 1 <= len(panes) <= MAX_PANES:
        raise ValueError(f"player takes 1 to {MAX_PANES} panes, got {len(panes)}")
    stacks: dict[str, Frames] = {}
    for name, frames in panes.items():
        array = as_numpy(frames)
        array = array[None] if array.ndim == 2 else array
        first = next(iter(stacks.values()), array)
        stacks[name] = checked(f"pane {name!r}", array, (*first.shape[:-1], 3))
    _check_size(next(iter(stacks.values())).shape)
    return stacks


def _check_size(shape: tuple[int, ...]) -> None:
    """ValueError unless there is something to draw and a browser can draw it."""
    if len(shape) != 3:
        raise ValueError(f"player takes frames of shape (F, L, 3), got {shape}")
    if shape[0] == 0 or shape[1] == 0:
        raise ValueError(f"player needs at least one frame and one residue, got shape {shape}")
    if shape[1] > MAX_RESIDUES:
        raise ValueError(f"player draws at most {MAX_RESIDUES} residues, got {shape[1]}; show a part of them")


def checked(what: str, values: ArrayLike, shape: tuple[int, ...]) -> Frames:
    """``values`` as finite float32 of that shape, or ValueError that says what is wrong."""
    array = as_numpy(values)
    if array.shape != shape:
        raise ValueError(f"{what} has shape {array.shape}, expected {shape}")
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        raise ValueError(
            f"{what} holds {len(bad)} values that are not finite, the first at index "
            f"{tuple(int(i) for i in bad[0])}; look for the step that made it diverge")
    return array


def as_numpy(values: ArrayLike) -> Frames:
    """float32 numpy from anything array-like, torch tensors that need gradients included."""
    detach = getattr(values, "detach", None)
    return np.asarray(values if detach is None else detach().cpu(), dtype=np.float32)


def checked_chain(chain_index: ArrayLike | None, length: int) -> list[int]:
    """One integer per residue; a single chain unless told otherwise."""
    if chain_index is None:
        return [0] * length
    chain = [int(c) for c in np.asarray(chain_index).ravel()]
    if len(chain) != length:
        raise ValueError(f"chain_index has {len(chain)} entries for {length} residues")
    return chain


def split_labels(labels: Sequence[str] | Mapping[str, Sequence[str]] | None, names: list[str],
                 count: int) -> tuple[list[str], dict[str, list[str]]]:
    """Texts beside the slider, and texts under each pane."""
    own = dict(labels) if isinstance(labels, Mapping) else {}
    shared = list(labels or []) if not own else []
    unknown = sorted(set(own) - set(names))
    if unknown:
        raise ValueError(f"labels name panes that do not exist: {unknown}; panes are {names}")
    for name, texts in [("labels", shared), *own.items()]:
        if len(texts) not in ((0, count) if name == "labels" else (count,)):
            raise ValueError(f"{name}: {len(texts)} labels for {count} frames")
    return [str(t) for t in shared], {k: [str(t) for t in v] for k, v in own.items()}


def palettes_of(chain: list[int], secondary: str | None) -> dict[str, list[str]]:
    """One colour per residue, for each way of colouring that does not change with the frame."""
    made = {"index": index_colours(len(chain)), "chain": chain_colours(chain)}
    if secondary is not None:
        if len(secondary) != len(chain):
            raise ValueError(f"secondary has {len(secondary)} letters for {len(chain)} residues")
        made["structure"] = [_STRUCTURE.get(s, PALETTE["baseline"]) for s in secondary.upper()]
    return made


def checked_mode(colour: str, secondary: str | None, truth: Frames | None) -> str:
    """``colour`` when the data for it were given, or ValueError that says what is missing."""
    if colour not in MODES:
        raise ValueError(f"colour must be one of {', '.join(map(repr, MODES))}, got {colour!r}")
    if colour == "structure" and secondary is None:
        raise ValueError("colour='structure' needs secondary=, DSSP letters such as 'HHHEEE---'; "
                         "a bundled protein has them as protein.secondary_structure")
    if colour == "error" and truth is None:
        raise ValueError("colour='error' needs truth=, (L, 3) in Å")
    return colour


def residue_names(sequence: str | None, length: int) -> list[str]:
    """Three-letter names for PDB files; UNK where a residue is not known."""
    if sequence is None:
        return []
    import gemmi

    if len(sequence) != length:
        raise ValueError(f"sequence has {len(sequence)} letters for {length} residues")
    return [gemmi.expand_one_letter(s, gemmi.ResidueKind.AA) or "UNK" for s in sequence.upper()]


def camera(stacks: Mapping[str, Frames], truth: Frames | None) -> tuple[list[float], float]:
    """Centre and radius in Å that the camera keeps for all frames of all panes.

    98 % of the points fit; a diverging pane may widen the view to 1.5 times the reference's size and no further,
    because the reference would shrink to a dot.
    """
    reference = next(iter(stacks.values()))[-1] if truth is None else truth
    centre = reference.mean(axis=0)
    points = np.concatenate([frames.reshape(-1, 3) for frames in stacks.values()])
    size = float(np.linalg.norm(reference - centre, axis=1).max())
    most = float(np.quantile(np.linalg.norm(points - centre, axis=1), 0.98))
    return [float(c) for c in centre], max(size, min(most, 1.5 * size), 3.0)
