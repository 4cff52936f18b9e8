"""Charts as widgets: a marker follows the slider, and lines change without the chart being sent."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anywidget
import ipywidgets
import numpy as np
import traitlets
from numpy.typing import ArrayLike

from resfold_nb.show.bundle import CARTESIAN, library, source
from resfold_nb.show.player import Library
from resfold_nb.show.theme import FIGURE_HEIGHT, require_alt

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@functools.lru_cache(maxsize=1)
def shared_plotly() -> Library:
    """The kernel's only copy of plotly.js; FileNotFoundError when the bundle was not built."""
    return Library(source=library("plotly-cartesian.js"))


@dataclass(frozen=True)
class Marker:
    """Where the marker of a trace stands at each frame."""

    trace: int  # which trace of the figure it belongs to; it takes its colour
    x: ArrayLike  # x, y: (F,) in the units of the trace's axes
    y: ArrayLike


class Curves(anywidget.AnyWidget):
    """A plotly figure that is sent once. `frame` moves its markers, in the browser alone.

    Attributes
    ----------
    picked : in the browser, the last point that was clicked: its index, x and y.
    """

    _esm = source("plotly.js") + source("curves.js")
    library = traitlets.Instance(ipywidgets.Widget).tag(sync=True, **ipywidgets.widget_serialization)
    figure = traitlets.Dict().tag(sync=True)
    marks = traitlets.List(traitlets.Dict()).tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)
    height = traitlets.Int(FIGURE_HEIGHT).tag(sync=True)
    frame = traitlets.Int(0).tag(sync=True)
    picked = traitlets.Dict().tag(sync=True)

    def set_lines(self, lines: Mapping[int, tuple[ArrayLike, ArrayLike]]) -> None:
        """Give some traces new points: trace -> (x, y). Nothing else travels.

        Raises ValueError for an unknown trace or unequal lengths.
        """
        traces, sent = self.figure["data"], {}
        for trace, (x, y) in lines.items():
            if not 0 <= trace < len(traces):
                raise ValueError(f"trace {trace} is unknown; the chart has {len(traces)}")
            sent[trace] = dict(zip("xy", _pair(x, y, f"trace {trace}"), strict=True))
            traces[trace].update(sent[trace])  # for whoever opens the notebook later
        self.send({"lines": sent})


def curves(fig: Figure, *, alt: str, marks: Sequence[Marker] = ()) -> Curves:
    """A figure as a widget.

    Parameters
    ----------
    fig : of lines, bars, boxes, heat maps and the like; nothing in 3D, nothing on a map.
    alt : what it shows, in a sentence.
    marks : markers that follow the frame; all with the same number of frames.

    Raises ValueError for another kind of trace, marks that do not fit, or an empty `alt`.
    """
    content = json.loads(fig.to_json())
    kinds = {trace.get("type", "scatter") for trace in content["data"]} - CARTESIAN
    if kinds:
        raise ValueError(f"curves cannot draw {sorted(kinds)}; show.figure can")
    content["layout"].setdefault("height", FIGURE_HEIGHT)  # plotly.js ignores a template's height
    return Curves(library=shared_plotly(), figure=content, marks=_checked(marks, len(fig.data)),
                  alt=require_alt(alt, "chart"), height=content["layout"]["height"])


def _checked(marks: Sequence[Marker], traces: int) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for mark in marks:
        if not 0 <= mark.trace < traces:
            raise ValueError(f"a mark belongs to trace {mark.trace}; the chart has {traces}")
        x, y = _pair(mark.x, mark.y, f"the mark of trace {mark.trace}")
        if made and len(x) != len(made[0]["x"]):
            raise ValueError(f"marks have {len(made[0]['x'])} and {len(x)} frames; give equal ones")
        made.append({"trace": mark.trace, "x": x, "y": y})
    return made


def _pair(x: ArrayLike, y: ArrayLike, what: str) -> tuple[list[float | None], list[float | None]]:
    """Both as lists of one length; what is not finite becomes a gap."""
    both = [np.asarray(v, dtype=float).ravel() for v in (x, y)]
    if len(both[0]) != len(both[1]):
        raise ValueError(f"{what} has {len(both[0])} x for {len(both[1])} y")
    first, second = ([float(v) if np.isfinite(v) else None for v in each] for each in both)
    return first, second
