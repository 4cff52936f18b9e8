"""Trajectories in 3D: panes side by side under one slider, played in the browser alone."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import anywidget
import ipywidgets
import traitlets
from numpy.typing import ArrayLike

from resfold_nb.show.bundle import library, source
from resfold_nb.show.player_checks import (Frames, as_bytes, as_numpy, camera, checked, checked_chain, checked_mode,
                                           checked_panes, palettes_of, residue_names, split_labels)
from resfold_nb.show.still import View, still_image
from resfold_nb.show.theme import caption_html, index_colours, require_alt


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

    _esm = "".join(map(source, ("pane_extras.js", "pdb_text.js", "pane.js")))
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

    _esm = source("scrubber.js")
    _css = source("player.css")
    panes = traitlets.List(traitlets.Instance(ipywidgets.Widget)).tag(sync=True, **ipywidgets.widget_serialization)
    count = traitlets.Int(1).tag(sync=True)
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    interval = traitlets.Int(120).tag(sync=True)        # ms between frames while playing
    loop = traitlets.Bool(False).tag(sync=True)
    frame = traitlets.Int(0).tag(sync=True)


class Player(View):
    """Panes, scrubber and caption; shows a still picture where widgets cannot run."""

    kind = "3D player"

    def __init__(self, panes: Sequence[Trajectory], scrubber: Scrubber, alt: str, still: str) -> None:
        row = ipywidgets.HBox(list(panes), layout=dict(
            flex_flow="row wrap", align_items="flex-end", width="100%"))  # headings may wrap
        caption = ipywidgets.HTML(caption_html(alt))
        children = [row, scrubber, caption] if scrubber.count > 1 else [row, caption]
        super().__init__(children, alt, still)
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
    made = [
        Trajectory(frames, truth=b"" if ghost is None else as_bytes(ghost), chain=chain,
                   palettes=palettes, colour=mode, trail=trail,
                   error_most=error_most, residues=residues,
                   captions=own.get(name, blank), heading=name,
                   alt=f"{name}. {alt}", centre=centre, radius=radius, height=height,
                   layout=dict(flex="1 1 240px", min_width="200px"))
        for name, frames in stacks.items()
    ]
    for pane in made:
        pane.group = made[0].model_id
    scrubber = Scrubber(panes=made, count=count, labels=shared, interval=interval)
    last = {name: frames[-1] for name, frames in stacks.items()}
    still = still_image(last, ghost, chain, palettes.get(mode, palettes["index"]), alt)
    return Player(made, scrubber, alt, still)
