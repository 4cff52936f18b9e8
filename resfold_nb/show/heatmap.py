"""Matrices as pictures: tokens by residue, attention, gradients by timestep and step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def heatmap(matrix: ArrayLike, *, title: str, x: str, y: str, value: str,
            diverging: bool = False, height: int = 440) -> Figure:
    """One matrix (rows, columns); `value` names the colour bar, with its unit."""
    return heatmaps({"": matrix}, title=title, x=x, y=y, value=value, diverging=diverging, height=height)


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
