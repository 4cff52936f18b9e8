"""Attention to explore: whom one residue listens to, on the chain, and all as a heat map."""

from __future__ import annotations

from collections.abc import Sequence

import anywidget
import ipywidgets
import numpy as np
import traitlets
from numpy.typing import ArrayLike, NDArray

from resfold_nb.data import Structure
from resfold_nb.show.theme import caption_html, index_colours, require_alt
from resfold_nb.show.trajectory import as_bytes, as_numpy, checked, checked_chain
from resfold_nb.show.view import View, shared_library, source, still_image

MAX_LISTENERS = 256
"""Residues that the heat map and the row of buttons have room for."""
MAX_BYTES = 8_000_000
STEPS = 65535  # a weight is sent as a whole number of 65535ths, so to within 8e-6
SHADES = 64


class Attention(anywidget.AnyWidget):
    """The view itself. All weights travel once; block, head and residue change in the browser."""

    _esm = source("shared.js", "scene.js", "attention.js")
    _css = source("player.css", "views.css", "attention.css")
    library = traitlets.Instance(ipywidgets.Widget).tag(sync=True, **ipywidgets.widget_serialization)
    points = traitlets.Bytes(b"").tag(sync=True)        # float32, (L, 3), Å
    weights = traitlets.Bytes(b"").tag(sync=True)       # uint16, (blocks, heads, L, L)
    heads = traitlets.Int(1).tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    sequence = traitlets.Unicode("").tag(sync=True)
    chain = traitlets.List(traitlets.Int()).tag(sync=True)
    ramp = traitlets.List(traitlets.Unicode()).tag(sync=True)   # light to dark
    heading = traitlets.Unicode("").tag(sync=True)
    captions = traitlets.List(traitlets.Unicode()).tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)
    centre = traitlets.List(traitlets.Float()).tag(sync=True)
    radius = traitlets.Float(10.0).tag(sync=True)       # Å, what the camera takes in
    height = traitlets.Int(400).tag(sync=True)
    block = traitlets.Int(0).tag(sync=True)
    head = traitlets.Int(-1).tag(sync=True)             # -1 is the mean
    residue = traitlets.Int(0).tag(sync=True)


class AttentionView(View):
    """The view over its caption; a still picture where widgets cannot run."""

    def __init__(self, view: Attention, alt: str, still: str) -> None:
        super().__init__([view, ipywidgets.HTML(caption_html(alt))], alt, still, kind="attention")
        self.view = view


def attention_view(points: Structure | ArrayLike, weights: ArrayLike, names: Sequence[str], *,
                   sequence: str | None = None, chain_index: ArrayLike | None = None, alt: str, residue: int = 0,
                   height: int = 400) -> AttentionView:
    """Pick a residue, a block and a head: whom it listens to in 3D, beside the whole heat map.

    Parameters
    ----------
    points : a protein, or its (L, 3) points in Å.
    weights : (blocks, heads, L, L) attention weights, rows summing to 1, as of `measure.attention_maps`; sent once,
        rounded to 1/65535.
    names : of the blocks.
    sequence : L letters; the protein's own by default.
    chain_index : (L,) integers; the protein's own by default.
    alt : what is seen, in a sentence.
    residue : picked at first, from 0.
    height : of the 3D view, in pixels.

    Raises ValueError for shapes that do not fit, values that are no weights, more than 256 residues or more than 8 MB
    of weights.
    """
    alt = require_alt(alt, "attention view")
    if isinstance(points, Structure):
        sequence = points.sequence if sequence is None else sequence
        chain_index = points.chain_index if chain_index is None else chain_index
        points = points.centroids
    place = as_numpy(points)
    if place.ndim != 2 or not 1 <= len(place) <= MAX_LISTENERS:
        raise ValueError(f"attention view takes points (L, 3) of 1 to {MAX_LISTENERS} residues, got shape "
                         f"{place.shape}; show a part of a longer protein")
    length = len(checked("points", place, (len(place), 3)))
    chain, maps = checked_chain(chain_index, length), _checked_weights(weights, names, length)
    if sequence is None:
        raise ValueError("bare points need sequence=, one letter a residue")
    if len(sequence) != length:
        raise ValueError(f"sequence has {len(sequence)} letters for {length} residues")
    if not 0 <= residue < length:
        raise ValueError(f"residue {residue} is not one of 0 to {length - 1}")
    ramp, centre = index_colours(SHADES)[::-1], place.mean(axis=0)
    # as seen from the front, so that the chain fills the view at first
    radius = max(3.0, 1.0 + float(np.linalg.norm((place - centre)[:, :2], axis=1).max()))
    # little-endian uint16: 65535 stands for a weight of 1
    sent = np.rint(np.clip(maps, 0, 1) * STEPS).astype("<u2").tobytes()
    view = Attention(library=shared_library(), points=as_bytes(place), weights=sent, heads=maps.shape[1],
                     names=list(names), sequence=sequence, chain=chain, alt=alt, ramp=ramp, height=height,
                     residue=residue, centre=[float(c) for c in centre], radius=radius)
    heard = maps[0, :, residue].mean(axis=0)
    colours = [ramp[k] for k in np.rint(heard / heard.max() * (SHADES - 1)).astype(int)]
    return AttentionView(view, alt, still_image({"": place}, None, chain, colours, alt))


def _checked_weights(weights: ArrayLike, names: Sequence[str], length: int) -> NDArray[np.float32]:
    """Weights (blocks, heads, L, L) that are weights, and few enough to be sent."""
    maps = as_numpy(weights)
    if maps.ndim != 4 or maps.shape[2:] != (length, length) or not maps.size:
        raise ValueError(f"weights have shape {maps.shape}; {length} residues need (blocks, "
                         f"heads, {length}, {length})")
    if len(names) != len(maps):
        raise ValueError(f"{len(names)} names for {len(maps)} blocks")
    most = MAX_BYTES // (2 * maps[0].size)
    if len(maps) > most:
        raise ValueError(f"{len(maps)} blocks of {maps.shape[1]} heads and {length} residues are "
                         f"over {MAX_BYTES // 10**6} MB; choose fewer blocks, as in weights[:k], "
                         f"names[:k] with k at most {most}, or fewer heads")
    maps = checked("weights", maps, maps.shape)
    if maps.min() < 0 or np.abs(maps.sum(axis=-1) - 1).max() > 0.02:
        raise ValueError("weights must not be negative and each row must sum to 1; pass them as "
                         "they are after the softmax")
    return maps
