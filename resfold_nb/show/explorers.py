"""The gradient scope, and every schedule with every form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anywidget
import ipywidgets
import numpy as np
import traitlets

from resfold_nb.data import Batch, rmse
from resfold_nb.diffusion import FORMS, Parameterisation, Schedule, edm, get_schedule
from resfold_nb.diffusion.schedule import SCHEDULES
from resfold_nb.measure import gradient_by_timestep
from resfold_nb.show.charts import Marker, curves, heatmap, shared_plotly
from resfold_nb.show.theme import PALETTE, SERIES, caption_html, require_alt
from resfold_nb.show.timestep import one_step
from resfold_nb.show.trajectory import player
from resfold_nb.show.view import Library, View, source
from resfold_nb.training import State
from resfold_nb.verdict.effects import place_on_map

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

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

    _esm = source("shared.js", "scope.js")
    _css = source("views.css")
    views = traitlets.List(traitlets.Instance(ipywidgets.Widget)).tag(sync=True, **ipywidgets.widget_serialization)
    chart = traitlets.Instance(ipywidgets.Widget).tag(sync=True, **ipywidgets.widget_serialization)
    rows = traitlets.List(traitlets.Unicode()).tag(sync=True)
    columns = traitlets.List(traitlets.Unicode()).tag(sync=True)
    row_name = traitlets.Unicode("").tag(sync=True)
    column_name = traitlets.Unicode("").tag(sync=True)
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)


def gradient_scope(scope: Scope, batch: Batch, *, title: str, alt: str) -> View:
    """Heat map of the gradient by timestep and step, with the chosen cell's prediction in 3D.

    Parameters
    ----------
    scope : from `scope_of`, or several joined.
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
    return View([row, cells, ipywidgets.HTML(caption_html(alt))], alt, views.still, kind="gradient scope")


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


NAMES = ("ᾱ", "SNR", "c_skip", "c_out", "noise error")
HEADINGS = ("signal ᾱ", "SNR", "c_skip", "c_out", "noise error")
HEIGHT = 400


class Explorer(anywidget.AnyWidget):
    """Selects for schedule and form, a slider for t; all curves are sent once."""

    _esm = source("shared.js", "plotly.js", "explorer.js")
    _css = source("views.css")
    library = traitlets.Instance(Library).tag(sync=True, **ipywidgets.widget_serialization)
    figure = traitlets.Dict().tag(sync=True)
    curves = traitlets.Dict().tag(sync=True)        # "schedule|form" -> five curves over t
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    schedules = traitlets.List(traitlets.Unicode()).tag(sync=True)
    forms = traitlets.List(traitlets.Unicode()).tag(sync=True)
    steps = traitlets.Int(1).tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)
    height = traitlets.Int(HEIGHT).tag(sync=True)


def explorer(*, alt: str, timesteps: int = 50) -> View:
    """Choose a schedule and a form and read ᾱ, SNR, c_skip, c_out and the cost of noise at each t.

    All forms of the table, and EDM for data of deviation 0.5 and 2. The last curve is |c_out| times the noise that F
    must copy (notebook 14), for data of deviation 1 (EDM: its own).
    """
    require_alt(alt, "explorer")
    schedules = {name: get_schedule(name, timesteps) for name in SCHEDULES}
    forms = {form.label: (form, 1.0) for form in FORMS.values()}
    forms |= {edm(sd).label: (edm(sd), sd) for sd in (0.5, 2.0)}
    curves = {f"{name}|{label}": _curves(schedule, *form)
              for name, schedule in schedules.items() for label, form in forms.items()}
    made = Explorer(library=shared_plotly(), figure=json.loads(_figure(timesteps).to_json()), curves=curves,
                    names=list(NAMES), schedules=list(schedules), forms=list(forms), steps=timesteps, alt=alt)
    return View([made, ipywidgets.HTML(caption_html(alt))], alt, kind="schedule explorer")


def _curves(schedule: Schedule, form: Parameterisation, sd: float) -> list[list[float | None]]:
    """The five curves over t; None where a value is not finite."""
    place = place_on_map(form, schedule, sd)
    with np.errstate(invalid="ignore"):
        cost = place.amplified * place.copied
    each = (schedule.alpha_bar, schedule.snr, form.c_skip(schedule.a, schedule.s),
            form.c_out(schedule.a, schedule.s), cost)
    return [[float(f"{v:.6g}") if np.isfinite(v) else None for v in np.asarray(curve)] for curve in each]


def _figure(timesteps: int) -> Figure:
    """Five empty panels, a line and a marker each."""
    from plotly.subplots import make_subplots

    fig = make_subplots(cols=len(NAMES), subplot_titles=HEADINGS, horizontal_spacing=0.085)
    t = list(range(timesteps))
    for column in range(1, len(NAMES) + 1):
        fig.add_scatter(x=t, y=t, mode="lines", line_color=SERIES[0], row=1, col=column)
    for column in range(1, len(NAMES) + 1):
        fig.add_scatter(x=[0], y=[0], mode="markers", row=1, col=column, marker=dict(
            size=13, color=PALETTE["residual"], line=dict(width=2, color="black")))
    # the panels are narrow in a notebook: few ticks, upright
    fig.update_xaxes(title_text="t", dtick=20, tickangle=0)
    fig.update_yaxes(type="log", exponentformat="power", dtick=1, tickfont_size=12, row=1, col=2)
    return fig.update_layout(title="Schedule and form", showlegend=False, height=HEIGHT)
