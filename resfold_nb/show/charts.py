"""Charts: lines, heat maps, charts as widgets whose markers follow a slider, a progress bar."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import anywidget
import ipywidgets
import numpy as np
import traitlets
from IPython.display import Markdown, display
from numpy.typing import ArrayLike

from resfold_nb.diffusion import FORMS
from resfold_nb.show.theme import FIGURE_HEIGHT, PALETTE, require_alt
from resfold_nb.show.view import CARTESIAN, Library, library, source

if TYPE_CHECKING:
    from plotly.graph_objects import Figure, Scatter

GOAL_DASH, BASELINE_DASH = "dot", "dash"
_BASELINES = {"predict zero": "#777777", "copy x_t": "#A0A0A0", "best linear": "#444444"}


@dataclass(frozen=True)
class Line:
    """One line of a chart."""

    label: str  # in the legend
    x: ArrayLike  # (n,)
    y: ArrayLike  # (n,), or (seeds, n): then the median is drawn, and the range as a band
    colour: str  # hex
    dash: str = "solid"  # plotly's name of a dash pattern


def form_line(form: str, x: ArrayLike, y: ArrayLike, suffix: str = "", dash: str = "solid") -> Line:
    """A line in the colour and with the label of a row of the table of forms."""
    return Line(FORMS[form].label + suffix, x, y, PALETTE[form], dash)


def baseline_lines(baselines: Mapping[str, ArrayLike]) -> list[Line]:
    """Dashed grey lines over timesteps 0, 1, ... for `resfold_nb.measure.baselines`."""
    return [Line(name, np.arange(len(np.asarray(y))), y, _BASELINES[name], BASELINE_DASH)
            for name, y in baselines.items()]


def chart(lines: Sequence[Line], **options: Any) -> Figure:
    """One set of lines; options as in `panels`."""
    return panels({"": lines}, **options)


def panels(groups: Mapping[str, Sequence[Line]], *, title: str, x: str, y: str, log_x: bool = False,
           log_y: bool = False, goal: float | None = None, y_range: tuple[float, float] | None = None) -> Figure:
    """Sets of lines side by side on one y axis, a heading over each, one legend for all.

    Titles carry the units; `goal` is a dotted horizontal line.
    """
    from plotly.subplots import make_subplots

    fig = make_subplots(cols=len(groups), shared_yaxes=True, horizontal_spacing=0.03,
                        subplot_titles=[name for name in groups if name] or None)
    named: set[str] = set()
    for column, lines in enumerate(groups.values(), start=1):
        lines = [line for line in lines if np.ndim(line.y) < 2 or np.size(line.y)]  # no runs, no line
        for line in lines:
            for trace in _traces(line, named, log_y):
                fig.add_trace(trace, row=1, col=column)
        fig.update_xaxes(title_text=x, row=1, col=column)
        if not lines:
            _mark_empty(fig, column)
        if goal is not None:
            fig.add_hline(goal, line_dash=GOAL_DASH, line_color=PALETTE["ink"], row=1, col=column)
    fig.update_yaxes(title_text=y, row=1, col=1)
    drawn = [line for lines in groups.values() for line in lines]
    if log_x:
        fig.update_xaxes(log_axis([line.x for line in drawn], 1000 if len(groups) == 1 else 100 / len(groups)))
    if log_y:
        fig.update_yaxes(log_axis([line.y for line in drawn]))
    if y_range is not None:
        fig.update_yaxes(range=np.log10(y_range) if log_y else y_range)
    wide = len(groups) > 1  # then the legend stands under the plot, where no line runs; else beside it
    fig.update_layout(title=title, height=460 if wide else 440, legend=(
        dict(orientation="h", y=-0.28, x=0, yanchor="top") if wide else dict(y=1, x=1.02, yanchor="top")))
    return fig


def log_axis(values: Sequence[ArrayLike], most: float = 300) -> dict[str, Any]:
    """A logarithmic axis for these numbers: ticks at 1, 2 and 5 of each decade.

    At 1 and 3 beyond `most`-fold, at decades beyond ten times that; within a factor of 5, where one tick would be
    left, at more.
    """
    found = np.concatenate([np.zeros(0), *(np.ravel(np.asarray(v, dtype=float)) for v in values)])
    found = found[np.isfinite(found) & (found > 0)]
    spread = found.max() / found.min() if len(found) else 1
    digits = (1, 1.5, 2, 3, 5, 7) if spread < 5 else (1, 2, 5) if spread <= most else (1, 3)
    ticks = dict(dtick=1) if spread > 10 * most else dict(tickvals=[d * 10.0**k for k in range(-9, 10) for d in digits])
    return dict(type="log", tickformat="~g", exponentformat="none") | ticks


def say(text: str) -> None:
    """Display Markdown: for sentences whose numbers come from code."""
    display(Markdown(text))


def _traces(line: Line, named: set[str], log_y: bool) -> list[Scatter]:
    from plotly.graph_objects import Scatter

    x, y = np.asarray(line.x), np.asarray(line.y, dtype=float)
    if log_y:
        y = np.where(y > 0, y, np.nan)  # plotly would draw a zero as a line to the frame
    first = line.label not in named
    named.add(line.label)
    style = dict(color=line.colour, dash=line.dash, width=1.8 if line.dash != "solid" else 2.8)
    middle = Scatter(x=x, y=y if y.ndim == 1 else np.median(y, axis=0), name=line.label,
                     legendgroup=line.label, showlegend=first, mode="lines", line=style)
    if y.ndim == 1 or len(y) == 1:
        return [middle]
    edge = dict(legendgroup=line.label, showlegend=False, hoverinfo="skip", mode="lines", line_width=0)
    faint = "rgba({},{},{},0.18)".format(*(int(line.colour[i : i + 2], 16) for i in (1, 3, 5)))
    upper = Scatter(x=x, y=y.max(0), fill="tonexty", fillcolor=faint, **edge)
    return [Scatter(x=x, y=y.min(0), **edge), upper, middle]


def _mark_empty(fig: Figure, column: int) -> None:
    """Say in a panel without lines that there is nothing; plotly drops axes that hold no trace."""
    fig.add_scatter(x=[None], y=[None], showlegend=False, hoverinfo="skip", row=1, col=column)
    fig.update_xaxes(showticklabels=False, showgrid=False, ticks="", row=1, col=column)
    axis = "x" if column == 1 else f"x{column}"
    fig.add_annotation(text="not recorded", showarrow=False, x=0.5, y=0.5, xref=f"{axis} domain", yref="paper")


def heatmap(matrix: ArrayLike, **options: Any) -> Figure:
    """One matrix (rows, columns); options as in `heatmaps`."""
    return heatmaps({"": matrix}, **options)


def heatmaps(matrices: Mapping[str, ArrayLike], *, title: str, x: str, y: str, value: str, diverging: bool = False,
             height: int = 440, x_ticks: Sequence[float] | None = None,
             y_ticks: Sequence[float] | None = None) -> Figure:
    """Matrices side by side on one colour scale, a heading over each; row 0 is at the top.

    Parameters
    ----------
    matrices : heading -> (rows, columns).
    title, x, y : of the figure and its axes.
    value : of the colour bar, with its unit.
    diverging : a scale from blue over white (zero) to red, for values of both signs; otherwise viridis, which
        survives colour blindness and grey printing. So does blue against red.
    height : pixels.
    x_ticks, y_ticks : what columns and rows stand for; counted from 0 by default.

    Raises ValueError for a matrix that is not two-dimensional.
    """
    from plotly.graph_objects import Heatmap
    from plotly.subplots import make_subplots

    grids = {name: np.asarray(m, dtype=float) for name, m in matrices.items()}
    for name, grid in grids.items():
        if grid.ndim != 2:
            raise ValueError(f"heatmap {name!r} has shape {grid.shape}; give rows and columns")
    fig = make_subplots(cols=len(grids), shared_yaxes=True, horizontal_spacing=0.03,
                        subplot_titles=[name for name in grids if name] or None)
    for column, grid in enumerate(grids.values(), start=1):
        # float32, because a saved notebook holds every number of the picture
        fig.add_trace(Heatmap(z=grid.astype(np.float32), x=x_ticks, y=y_ticks,
                              coloraxis="coloraxis"), row=1, col=column)
        fig.update_xaxes(title_text=x, row=1, col=column)
    fig.update_yaxes(autorange="reversed")
    fig.update_yaxes(title_text=y, row=1, col=1)
    fig.update_layout(title=title, height=height, margin_t=90,
                      coloraxis=_colours(list(grids.values()), value, diverging))
    return fig


def _colours(grids: Sequence[np.ndarray], value: str, diverging: bool) -> dict[str, object]:
    bar = dict(title=dict(text=value, side="top"), thickness=16)
    if not diverging:
        return dict(colorscale="Viridis", colorbar=bar)
    reach = max(float(np.nanmax(np.abs(grid))) for grid in grids)
    return dict(colorscale="RdBu_r", cmin=-reach, cmax=reach, colorbar=bar)


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

    _esm = source("shared.js", "plotly.js", "curves.js")
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


T = TypeVar("T")


def progress(states: Iterable[T], total: int) -> Iterable[T]:
    """The states of a training loop as they come, with a bar; `total` is how many there will be."""
    from tqdm.auto import tqdm

    return tqdm(states, total=total, mininterval=1, desc="training")
