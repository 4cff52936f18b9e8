"""The gradient scope: how much gradient arrives by timestep and step, and what it made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import anywidget
import ipywidgets
import numpy as np
import traitlets

from resfold_nb.data import Batch, rmse
from resfold_nb.measure import gradient_by_timestep
from resfold_nb.show.bundle import source
from resfold_nb.show.curves import Marker, curves
from resfold_nb.show.heatmap import heatmap
from resfold_nb.show.player import player
from resfold_nb.show.still import View
from resfold_nb.show.theme import caption_html, require_alt
from resfold_nb.show.timestep import one_step
from resfold_nb.training import State


@dataclass(frozen=True)
class Scope:
    """What was seen during a training, at some steps and timesteps."""

    steps: np.ndarray  # steps, t: (S,) optimiser steps and (n,) timesteps
    t: np.ndarray
    gradient: np.ndarray  # (n, S) norm of the gradient over all weights
    x0_pred: np.ndarray  # (n, S, L, 3) Å, the prediction from one noise draw
    rmse: np.ndarray  # (n, S) Å, its error

    def __post_init__(self) -> None:
        """Raise ValueError unless the arrays share one grid of timesteps and steps."""
        grid = len(self.t), len(self.steps)
        shapes = {n: getattr(self, n).shape[:2] for n in ("gradient", "x0_pred", "rmse")}
        if 0 in grid or any(shape != grid for shape in shapes.values()):
            raise ValueError(f"a scope of {grid[0]} timesteps and {grid[1]} steps cannot hold "
                             f"{shapes}")

    @classmethod
    def joined(cls, scopes: Sequence[Scope]) -> Scope:
        """One scope of what was seen at several states, at the same timesteps."""
        parts = {name: np.concatenate([getattr(s, name) for s in scopes], axis=1)
                 for name in ("gradient", "x0_pred", "rmse")}
        return cls(np.concatenate([s.steps for s in scopes]), scopes[0].t, **parts)


def watch(states: Iterable[State], batch: Batch, marks: Sequence[int], timesteps: Sequence[int]) -> Scope:
    """Drive a training and look at it at some steps. The batch holds one protein.

    Raises ValueError when no state has a step of `marks`.
    """
    seen = [scope_of(state, batch, timesteps) for state in states if state.step in set(marks)]
    if not seen:
        raise ValueError(f"none of the steps {list(marks)} was reached; give steps of the recipe")
    return Scope.joined(seen)


def scope_of(state: State, batch: Batch, timesteps: Sequence[int]) -> Scope:
    """What is seen at one state of a training; `Scope.joined` puts several together."""
    if len(batch.ids) != 1:
        raise ValueError(f"the scope takes a batch of one protein, got {len(batch.ids)}")
    predictor = state.predictor
    norms = gradient_by_timestep(predictor, batch, draws=1, timesteps=timesteps).at_weights
    x0_pred, scale = one_step(predictor, batch, timesteps), float(batch.scale[0])
    errors = scale * rmse(x0_pred, batch.x0.cpu().expand_as(x0_pred))
    return Scope(np.array([state.step]), np.array(timesteps), norms[:, None],
                 (scale * x0_pred).numpy()[:, None], errors.numpy()[:, None])


class Cells(anywidget.AnyWidget):
    """Two sliders over the cells of a grid; views follow in the browser."""

    _esm = source("scope.js")
    _css = source("views.css")
    views = traitlets.List(traitlets.Instance(ipywidgets.Widget)).tag(sync=True, **ipywidgets.widget_serialization)
    chart = traitlets.Instance(ipywidgets.Widget).tag(sync=True, **ipywidgets.widget_serialization)
    rows = traitlets.List(traitlets.Unicode()).tag(sync=True)
    columns = traitlets.List(traitlets.Unicode()).tag(sync=True)
    row_name = traitlets.Unicode("").tag(sync=True)
    column_name = traitlets.Unicode("").tag(sync=True)
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)


class ScopeView(View):
    """Heat map, 3D view, sliders and caption."""

    kind = "gradient scope"


def gradient_scope(scope: Scope, batch: Batch, *, title: str, alt: str) -> ScopeView:
    """Heat map of the gradient by timestep and step, with the chosen cell's prediction in 3D.

    Parameters
    ----------
    scope : from `watch`.
    batch : the protein that was trained on; its points are drawn in grey.
    title : of the heat map.
    alt : what is seen, in a sentence.
    """
    require_alt(alt, "gradient scope")
    rows, columns = len(scope.t), len(scope.steps)
    chart = _chart(scope, title, alt)
    views = player({"prediction": scope.x0_pred.reshape(rows * columns, -1, 3)}, alt=alt,
                   truth=batch.angstrom(batch.x0)[0], chain_index=batch.chain[0], height=400)
    labels = [f"t = {t}, step {step}: gradient {g:.3g}, RMSE {e:.2f} Å"
              for t, gs, es in zip(scope.t, scope.gradient, scope.rmse, strict=True)
              for step, g, e in zip(scope.steps, gs, es, strict=True)]
    cells = Cells(views=list(views.panes), chart=chart, labels=labels, row_name="timestep",
                  column_name="training step", rows=[f"t = {t}" for t in scope.t],
                  columns=[f"step {step}" for step in scope.steps])
    chart.layout, views.panes[0].layout = (dict(flex=f"{n} 1 320px") for n in (3, 2))
    row = ipywidgets.HBox([chart, views.panes[0]], layout=dict(
        flex_flow="row wrap", align_items="flex-end", width="100%"))
    return ScopeView([row, cells, ipywidgets.HTML(caption_html(alt))], alt, views.still)


def _chart(scope: Scope, title: str, alt: str) -> anywidget.AnyWidget:
    """The heat map of log10 of the gradient, with a marker that follows the chosen cell."""
    names = [str(step) for step in scope.steps], [str(t) for t in scope.t]
    with np.errstate(divide="ignore"):
        values = np.where(scope.gradient > 0, np.log10(scope.gradient), np.nan)
    fig = heatmap(values, title=title, x="training step", y="timestep t", value="log10 of norm")
    fig.update_xaxes(tickvals=list(range(len(names[0]))), ticktext=names[0])
    fig.update_yaxes(tickvals=list(range(len(names[1]))), ticktext=names[1])
    i, j = np.divmod(np.arange(values.size), values.shape[1])
    return curves(fig, alt=alt, marks=[Marker(0, j, i)])
