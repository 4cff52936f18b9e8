"""Trajectories in 3D: panes side by side under one slider, played in the browser alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import anywidget
import ipywidgets
import numpy as np
import traitlets
from numpy.typing import ArrayLike, NDArray

from resfold_nb.show.theme import PALETTE, caption_html, chain_colours, index_colours, require_alt
from resfold_nb.show.view import View, shared_library, source, still_image

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
    shape = next(iter(stacks.values())).shape
    if len(shape) != 3:
        raise ValueError(f"player takes frames of shape (F, L, 3), got {shape}")
    if shape[0] == 0 or shape[1] == 0:
        raise ValueError(f"player needs at least one frame and one residue, got shape {shape}")
    if shape[1] > MAX_RESIDUES:
        raise ValueError(f"player draws at most {MAX_RESIDUES} residues, got {shape[1]}; show a part of them")
    return stacks


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


class Trajectory(anywidget.AnyWidget):
    """One 3D pane. All frames travel once, as one float32 buffer; ``frame`` picks one."""

    _esm = source("shared.js", "scene.js", "pdb_text.js", "pane.js")
    _css = source("player.css")
    library = traitlets.Instance(ipywidgets.Widget).tag(sync=True, **ipywidgets.widget_serialization)
    frames = traitlets.Bytes(b"").tag(sync=True)        # float32, (F, L, 3), Å
    truth = traitlets.Bytes(b"").tag(sync=True)         # float32, (L, 3), Å, or empty
    chain = traitlets.List(traitlets.Int()).tag(sync=True)
    palettes = traitlets.Dict().tag(sync=True)          # way of colouring -> L colours
    colour = traitlets.Unicode("").tag(sync=True)       # a key of palettes, or "error"
    ramp = traitlets.List(traitlets.Unicode(), index_colours(32)).tag(sync=True)
    error_most = traitlets.Float(10.0).tag(sync=True)   # Å, the end of the scale of errors
    ghost = traitlets.Bool(True).tag(sync=True)         # whether the truth is drawn
    trail = traitlets.Bool(False).tag(sync=True)
    residues = traitlets.List(traitlets.Unicode()).tag(sync=True)   # for PDB files
    captions = traitlets.List(traitlets.Unicode()).tag(sync=True)
    heading = traitlets.Unicode("").tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)
    centre = traitlets.List(traitlets.Float()).tag(sync=True)
    radius = traitlets.Float(10.0).tag(sync=True)       # Å, what the camera takes in
    group = traitlets.Unicode("").tag(sync=True)        # panes of one group share a camera
    height = traitlets.Int(340).tag(sync=True)
    frame = traitlets.Int(0).tag(sync=True)

    def __init__(self, frames: Frames, **traits: Any) -> None:
        super().__init__(library=shared_library(), frames=as_bytes(frames), **traits)

    def set_frames(self, frames: ArrayLike) -> int:
        """Show other frames (F, L, 3) or (L, 3) in Å under the same camera; returns F.

        Raises ValueError for another number of residues or values that are not finite.
        """
        stack = as_numpy(frames)
        stack = stack[None] if stack.ndim == 2 else stack
        checked("frames", stack, (max(1, len(stack)), len(self.chain), 3))
        self.frames = as_bytes(stack)
        return len(stack)

    def set_truth(self, truth: ArrayLike) -> None:
        """Another truth (L, 3) in Å; ValueError for another shape or values not finite."""
        self.truth = as_bytes(checked("truth", truth, (len(self.chain), 3)))


class Scrubber(anywidget.AnyWidget):
    """Slider and play button. It moves its panes in the browser and never calls the kernel."""

    _esm = source("shared.js", "scrubber.js")
    _css = source("player.css")
    panes = traitlets.List(traitlets.Instance(ipywidgets.Widget)).tag(sync=True, **ipywidgets.widget_serialization)
    count = traitlets.Int(1).tag(sync=True)
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    interval = traitlets.Int(120).tag(sync=True)        # ms between frames while playing
    loop = traitlets.Bool(False).tag(sync=True)
    frame = traitlets.Int(0).tag(sync=True)


class Player(View):
    """Panes, scrubber and caption; shows a still picture where widgets cannot run."""

    def __init__(self, panes: Sequence[Trajectory], scrubber: Scrubber, alt: str, still: str) -> None:
        row = ipywidgets.HBox(list(panes), layout=dict(
            flex_flow="row wrap", align_items="flex-end", width="100%"))  # headings may wrap
        caption = ipywidgets.HTML(caption_html(alt))
        children = [row, scrubber, caption] if scrubber.count > 1 else [row, caption]
        super().__init__(children, alt, still, kind="3D player")
        self.panes, self.scrubber = tuple(panes), scrubber

    def set_frames(self, panes: Mapping[str, ArrayLike], *, labels: Sequence[str] | None = None) -> None:
        """Other frames for every pane, by heading; the camera stays where the reader put it.

        Arrays and labels as in `player`, with as many residues as before. Raises ValueError when a pane is missing or
        has another shape; then nothing changes.
        """
        if set(panes) != {pane.heading for pane in self.panes}:
            raise ValueError(f"frames for {sorted(panes)}, but the panes are "
                             f"{[pane.heading for pane in self.panes]}")
        stacks = checked_panes(panes)
        count, length = next(iter(stacks.values())).shape[:2]
        if length != len(self.panes[0].chain):
            raise ValueError(f"{length} residues, but the player shows {len(self.panes[0].chain)}")
        shared, _ = split_labels(labels, list(stacks), count)
        for pane in self.panes:
            pane.set_frames(stacks[pane.heading])
        with self.scrubber.hold_sync():
            self.scrubber.labels, self.scrubber.count = shared, count


def player(panes: Mapping[str, ArrayLike], *, truth: ArrayLike | None = None, chain_index: ArrayLike | None = None,
           labels: Sequence[str] | Mapping[str, Sequence[str]] | None = None, alt: str, colour: str = "index",
           height: int = 340, interval: int = 120, secondary: str | None = None, sequence: str | None = None,
           trail: bool = False, error_most: float = 10.0) -> Player:
    """Trajectories side by side in 3D, under one slider that works without the kernel.

    Parameters
    ----------
    panes : heading -> (F, L, 3) points in Å, or (L, 3) for a single frame; one to four panes with equal F and L.
        Superpose them before, where that is wanted.
    truth : (L, 3) Å, drawn in grey in each pane.
    chain_index : (L,) integers; no stick joins residues of different chains.
    labels : F texts beside the slider, or heading -> F texts under that pane.
    alt : what the player shows, in a sentence: visible caption and text alternative.
    colour : "index" (dark first residue to light last one), "chain", "structure" (helix, strand, neither) or "error"
        (distance to the truth in Å in the frame shown).
    height : of a pane, in pixels.
    interval : milliseconds between frames while playing.
    secondary : L letters of DSSP, such as "HHHEEE---", which colour "structure" needs.
    sequence : L one-letter codes for PDB downloads; UNK without them.
    trail : whether the last few frames stay visible as thin lines.
    error_most : Å, the end of the error's colour scale.

    Raises ValueError for coordinates that are not finite, no frame, unequal shapes, more than 2000 residues, labels
    that do not fit the frames, or a colour that is unknown or lacks its data.
    """
    alt = require_alt(alt, "player")
    stacks = checked_panes(panes)
    count, length = next(iter(stacks.values())).shape[:2]
    ghost = None if truth is None else checked("truth", truth, (length, 3))
    chain = checked_chain(chain_index, length)
    shared, own = split_labels(labels, list(stacks), count)
    centre, radius = camera(stacks, ghost)
    mode, palettes = checked_mode(colour, secondary, ghost), palettes_of(chain, secondary)
    residues = residue_names(sequence, length)
    blank = [""] * count if own else []  # keeps panes with and without captions level
    made = [Trajectory(frames, truth=b"" if ghost is None else as_bytes(ghost), chain=chain,
                       palettes=palettes, colour=mode, trail=trail,
                       error_most=error_most, residues=residues,
                       captions=own.get(name, blank), heading=name,
                       alt=f"{name}. {alt}", centre=centre, radius=radius, height=height,
                       layout=dict(flex="1 1 240px", min_width="200px"))
            for name, frames in stacks.items()]
    for pane in made:
        pane.group = made[0].model_id
    scrubber = Scrubber(panes=made, count=count, labels=shared, interval=interval)
    last = {name: frames[-1] for name, frames in stacks.items()}
    still = still_image(last, ghost, chain, palettes.get(mode, palettes["index"]), alt)
    return Player(made, scrubber, alt, still)
