"""Line charts of the workbook: error by timestep, error against steps, schedules, gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from IPython.display import Markdown, display
from numpy.typing import ArrayLike

from resfold_nb.diffusion import FORMS
from resfold_nb.show.theme import PALETTE

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


def chart(lines: Sequence[Line], *, title: str, x: str, y: str, log_x: bool = False,
          log_y: bool = False, goal: float | None = None) -> Figure:
    """One set of lines; `goal` is a dotted horizontal line. Titles carry the units."""
    return panels({"": lines}, title=title, x=x, y=y, log_x=log_x, log_y=log_y, goal=goal)


def panels(groups: Mapping[str, Sequence[Line]], *, title: str, x: str, y: str, log_x: bool = False,
           log_y: bool = False, goal: float | None = None, y_range: tuple[float, float] | None = None) -> Figure:
    """Sets of lines side by side on one y axis, a heading over each, one legend for all."""
    from plotly.subplots import make_subplots

    fig = make_subplots(cols=len(groups), shared_yaxes=True, horizontal_spacing=0.03,
                        subplot_titles=[name for name in groups if name] or None)
    named: set[str] = set()
    for column, lines in enumerate(groups.values(), start=1):
        for line in lines:
            for trace in _traces(line, named, log_y):
                fig.add_trace(trace, row=1, col=column)
        fig.update_xaxes(title_text=x, row=1, col=column)
        if not lines:
            _mark_empty(fig, column)
        if goal is not None:
            fig.add_hline(goal, line_dash=GOAL_DASH, line_color=PALETTE["ink"], row=1, col=column)
    _axes(fig, y, log_x, log_y, y_range)
    fig.update_layout(title=title, legend=_legend_below(len(groups) > 1), height=460 if len(groups) > 1 else 440)
    return fig


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
    band = [Scatter(x=x, y=y.min(0), **edge),
            Scatter(x=x, y=y.max(0), fill="tonexty", fillcolor=_faint(line.colour), **edge)]
    return [*band, middle]


def _mark_empty(fig: Figure, column: int) -> None:
    """Say in a panel without lines that there is nothing; plotly drops axes that hold no trace."""
    fig.add_scatter(x=[None], y=[None], showlegend=False, hoverinfo="skip", row=1, col=column)
    fig.update_xaxes(showticklabels=False, showgrid=False, ticks="", row=1, col=column)
    axis = "x" if column == 1 else f"x{column}"
    fig.add_annotation(text="not recorded", showarrow=False, x=0.5, y=0.5, xref=f"{axis} domain", yref="paper")


def _axes(fig: Figure, y: str, log_x: bool, log_y: bool, y_range: tuple[float, float] | None) -> None:
    fig.update_yaxes(title_text=y, row=1, col=1)
    if log_x:
        fig.update_xaxes(type="log", dtick="D2", exponentformat="none")
    if log_y:
        fig.update_yaxes(type="log", dtick="D2", exponentformat="none")
    if y_range is not None:
        fig.update_yaxes(range=np.log10(y_range) if log_y else y_range)


def _legend_below(wide: bool) -> dict[str, object]:
    """Under the plot, where no line runs; a chart of one panel has room beside it."""
    if wide:
        return dict(orientation="h", y=-0.28, x=0, yanchor="top")
    return dict(orientation="v", y=1, x=1.02, yanchor="top")


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"
