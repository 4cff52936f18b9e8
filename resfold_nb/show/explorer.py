"""Every schedule with every form: what is left of the signal, and what the form makes of F."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anywidget
import ipywidgets
import numpy as np
import traitlets

from resfold_nb.diffusion import FORMS, Parameterisation, Schedule, edm, get_schedule
from resfold_nb.diffusion.schedule import SCHEDULES
from resfold_nb.show.bundle import source
from resfold_nb.show.curves import shared_plotly
from resfold_nb.show.player import Library
from resfold_nb.show.still import View
from resfold_nb.show.theme import PALETTE, SERIES, caption_html, require_alt
from resfold_nb.verdict.effects import place_on_map

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

NAMES = ("ᾱ", "SNR", "c_skip", "c_out", "noise error")
HEADINGS = ("signal ᾱ", "SNR", "c_skip", "c_out", "noise error")
HEIGHT = 400


class Explorer(anywidget.AnyWidget):
    """Selects for schedule and form, a slider for t; all curves are sent once."""

    _esm = source("plotly.js") + source("explorer.js")
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


class ExplorerView(View):
    """The explorer over its caption."""

    kind = "schedule explorer"


def explorer(*, alt: str, timesteps: int = 50) -> ExplorerView:
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
    made = Explorer(library=shared_plotly(), figure=_content(timesteps), curves=curves, names=list(NAMES),
                    schedules=list(schedules), forms=list(forms), steps=timesteps, alt=alt)
    return ExplorerView([made, ipywidgets.HTML(caption_html(alt))], alt)


def _curves(schedule: Schedule, form: Parameterisation, sd: float) -> list[list[float | None]]:
    """The five curves over t; None where a value is not finite."""
    place = place_on_map(form, schedule, sd)
    with np.errstate(invalid="ignore"):
        cost = place.amplified * place.copied
    each = (schedule.alpha_bar, schedule.snr, form.c_skip(schedule.a, schedule.s),
            form.c_out(schedule.a, schedule.s), cost)
    return [[float(f"{v:.6g}") if np.isfinite(v) else None for v in np.asarray(curve)] for curve in each]


def _content(timesteps: int) -> dict[str, object]:
    """The empty figure: five panels, a line and a marker each."""
    return json.loads(_figure(timesteps).to_json())


def _figure(timesteps: int) -> Figure:
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
