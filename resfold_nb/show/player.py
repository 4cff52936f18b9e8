"""Trajectories in 3D: panes side by side under one slider, played in the browser alone."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import anywidget
import ipywidgets
import numpy as np
import traitlets
from numpy.typing import ArrayLike, NDArray

from resfold_nb.show.bundle import library, source
from resfold_nb.show.still import still_image
from resfold_nb.show.theme import caption_html, chain_colours, index_colours, require_alt

MAX_RESIDUES = 2000
MAX_PANES = 4
Frames = NDArray[np.float32]


class Library(anywidget.AnyWidget):
    """Hidden model that carries 3Dmol.js to the browser once per kernel."""

    _esm = "export default {}"
    source = traitlets.Unicode().tag(sync=True)


@functools.lru_cache(maxsize=1)
def shared_library() -> Library:
    """The kernel's only copy of 3Dmol.js; FileNotFoundError when the bundle was not built."""
    return Library(source=library("3Dmol.js"))


class Trajectory(anywidget.AnyWidget):
    """One 3D pane. All frames travel once, as one float32 buffer; ``frame`` picks one."""

    _esm = source("pane.js")
    _css = source("player.css")
    library = traitlets.Instance(ipywidgets.Widget).tag(
        sync=True, **ipywidgets.widget_serialization)
    frames = traitlets.Bytes(b"").tag(sync=True)        # float32, (F, L, 3), Å
    truth = traitlets.Bytes(b"").tag(sync=True)         # float32, (L, 3), Å, or empty
    chain = traitlets.List(traitlets.Int()).tag(sync=True)
    colours = traitlets.List(traitlets.Unicode()).tag(sync=True)
    captions = traitlets.List(traitlets.Unicode()).tag(sync=True)
    heading = traitlets.Unicode("").tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)
    centre = traitlets.List(traitlets.Float()).tag(sync=True)
    radius = traitlets.Float(10.0).tag(sync=True)       # Å, what the camera takes in
    group = traitlets.Unicode("").tag(sync=True)        # panes of one group share a camera
    height = traitlets.Int(340).tag(sync=True)
    frame = traitlets.Int(0).tag(sync=True)

    def __init__(self, frames: Frames, **traits: Any) -> None:
        super().__init__(library=shared_library(), frames=_buffer(frames), **traits)


class Scrubber(anywidget.AnyWidget):
    """Slider and play button. It moves its panes in the browser and never calls the kernel."""

    _esm = source("scrubber.js")
    _css = source("player.css")
    panes = traitlets.List(traitlets.Instance(ipywidgets.Widget)).tag(
        sync=True, **ipywidgets.widget_serialization)
    count = traitlets.Int(1).tag(sync=True)
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    interval = traitlets.Int(120).tag(sync=True)        # ms between frames while playing
    frame = traitlets.Int(0).tag(sync=True)


class Player(ipywidgets.VBox):
    """Panes, scrubber and caption; shows a still picture where widgets cannot run."""

    def __init__(self, panes: Sequence[Trajectory], scrubber: Scrubber, alt: str,
                 still: str) -> None:
        row = ipywidgets.HBox(list(panes), layout=dict(
            flex_flow="row wrap", align_items="flex-end", width="100%"))  # headings may wrap
        caption = ipywidgets.HTML(caption_html(alt))
        children = [row, scrubber, caption] if scrubber.count > 1 else [row, caption]
        super().__init__(children)
        self.panes, self.scrubber, self.alt, self.still = tuple(panes), scrubber, alt, still

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any] | tuple[dict[str, Any], Any]:
        """The widget, and a still picture for an untrusted or stateless saved notebook."""
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        data["text/plain"] = f"[3D player] {self.alt}"
        data["text/html"] = self.still + caption_html(self.alt)
        return bundle


def player(
    panes: Mapping[str, ArrayLike],
    *,
    truth: ArrayLike | None = None,
    chain_index: ArrayLike | None = None,
    labels: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
    alt: str,
    colour: str = "index",
    height: int = 340,
    interval: int = 120,
) -> Player:
    """Trajectories side by side in 3D, under one slider that works without the kernel.

    Parameters
    ----------
    panes : heading -> (F, L, 3) points in Å, or (L, 3) for a single frame; one to four panes
        with equal F and L. Superpose them before, where that is wanted.
    truth : (L, 3) Å, drawn in grey in each pane.
    chain_index : (L,) integers; no stick joins residues of different chains.
    labels : F texts beside the slider, or heading -> F texts under that pane.
    alt : what the player shows, in a sentence: visible caption and text alternative.
    colour : "index" (dark first residue to light last one) or "chain".
    height : of a pane, in pixels.
    interval : milliseconds between frames while playing.

    Raises ValueError for coordinates that are not finite, no frame, unequal shapes, more than
    2000 residues, labels that do not fit the frames or an unknown colour.
    """
    alt = require_alt(alt, "player")
    stacks = _checked_panes(panes)
    count, length = next(iter(stacks.values())).shape[:2]
    ghost = None if truth is None else _checked("truth", truth, (length, 3))
    chain = _checked_chain(chain_index, length)
    shared, own = _split_labels(labels, list(stacks), count)
    centre, radius = _camera(stacks, ghost)
    colours = _colours(colour, chain)
    blank = [""] * count if own else []  # keeps panes with and without captions level
    made = [
        Trajectory(frames, truth=b"" if ghost is None else _buffer(ghost), chain=chain,
                   colours=colours, captions=own.get(name, blank), heading=name,
                   alt=f"{name}. {alt}", centre=centre, radius=radius, height=height,
                   layout=dict(flex="1 1 240px", min_width="200px"))
        for name, frames in stacks.items()
    ]
    for pane in made:
        pane.group = made[0].model_id
    scrubber = Scrubber(panes=made, count=count, labels=shared, interval=interval)
    last = {name: frames[-1] for name, frames in stacks.items()}
    return Player(made, scrubber, alt, still_image(last, ghost, chain, colours, alt))


def _buffer(array: ArrayLike) -> bytes:
    """Little-endian float32 bytes, which the browser reads without parsing."""
    return np.ascontiguousarray(array, dtype="<f4").tobytes()


def _checked_panes(panes: Mapping[str, ArrayLike]) -> dict[str, Frames]:
    """Every pane as finite float32 (F, L, 3), all of one shape."""
    if not 1 <= len(panes) <= MAX_PANES:
        raise ValueError(f"player takes 1 to {MAX_PANES} panes, got {len(panes)}")
    stacks: dict[str, Frames] = {}
    for name, frames in panes.items():
        array = _as_numpy(frames)
        array = array[None] if array.ndim == 2 else array
        first = next(iter(stacks.values()), array)
        stacks[name] = _checked(f"pane {name!r}", array, (*first.shape[:-1], 3))
    _check_size(next(iter(stacks.values())).shape)
    return stacks


def _check_size(shape: tuple[int, ...]) -> None:
    """ValueError unless there is something to draw and a browser can draw it."""
    if len(shape) != 3:
        raise ValueError(f"player takes frames of shape (F, L, 3), got {shape}")
    if shape[0] == 0 or shape[1] == 0:
        raise ValueError(f"player needs at least one frame and one residue, got shape {shape}")
    if shape[1] > MAX_RESIDUES:
        raise ValueError(
            f"player draws at most {MAX_RESIDUES} residues, got {shape[1]}; show a part of them")


def _checked(what: str, values: ArrayLike, shape: tuple[int, ...]) -> Frames:
    """``values`` as finite float32 of that shape, or ValueError that says what is wrong."""
    array = _as_numpy(values)
    if array.shape != shape:
        raise ValueError(f"{what} has shape {array.shape}, expected {shape}")
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        raise ValueError(
            f"{what} holds {len(bad)} values that are not finite, the first at index "
            f"{tuple(int(i) for i in bad[0])}; look for the step that made it diverge")
    return array


def _as_numpy(values: ArrayLike) -> Frames:
    """float32 numpy from anything array-like, torch tensors that need gradients included."""
    detach = getattr(values, "detach", None)
    return np.asarray(values if detach is None else detach().cpu(), dtype=np.float32)


def _checked_chain(chain_index: ArrayLike | None, length: int) -> list[int]:
    """One integer per residue; a single chain unless told otherwise."""
    if chain_index is None:
        return [0] * length
    chain = [int(c) for c in np.asarray(chain_index).ravel()]
    if len(chain) != length:
        raise ValueError(f"chain_index has {len(chain)} entries for {length} residues")
    return chain


def _split_labels(
    labels: Sequence[str] | Mapping[str, Sequence[str]] | None, names: list[str], count: int
) -> tuple[list[str], dict[str, list[str]]]:
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


def _colours(colour: str, chain: list[int]) -> list[str]:
    """One colour per residue."""
    if colour == "index":
        return index_colours(len(chain))
    if colour == "chain":
        return chain_colours(chain)
    raise ValueError(f"colour must be 'index' or 'chain', got {colour!r}")


def _camera(stacks: Mapping[str, Frames], truth: Frames | None) -> tuple[list[float], float]:
    """Centre and radius in Å that the camera keeps for all frames of all panes.

    98 % of the points fit; a diverging pane may widen the view to 1.5 times the reference's
    size and no further, because the reference would shrink to a dot.
    """
    reference = next(iter(stacks.values()))[-1] if truth is None else truth
    centre = reference.mean(axis=0)
    points = np.concatenate([frames.reshape(-1, 3) for frames in stacks.values()])
    size = float(np.linalg.norm(reference - centre, axis=1).max())
    most = float(np.quantile(np.linalg.norm(points - centre, axis=1), 0.98))
    return [float(c) for c in centre], max(size, min(most, 1.5 * size), 3.0)
