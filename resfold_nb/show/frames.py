"""Pictures of frames, recorded or live: error by timestep, error by step, dots with ranges in place of tables.

Frames are those of `resfold_nb.studies`: a row a measured number, with variant, setting, protein, seed, step, t.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from resfold_nb.diffusion import FORMS
from resfold_nb.show.charts import GOAL_DASH, Line, log_axis, panels
from resfold_nb.show.theme import PALETTE, SERIES, figure
from resfold_nb.studies import ends
from resfold_nb.studies.cell import FORM_NAMES

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

BLIND = "A, blind to x_t and t"
GREY = "#777777"
SPARE = (*SERIES[2:], "#7F3C8D", "#3D9970", "#8C6D31")
DASHES = ("solid", "dash", "dashdot", "longdash", "dot")
Lines = Sequence[Line] | Mapping[str, Sequence[Line]]


def look(name: str) -> tuple[str, str]:
    """Colour and dash of a form or a variant, the same in every figure; grey for a name that has none."""
    own = {BLIND: (GREY, "longdash")} | {variant: (PALETTE[form], "solid") for form, variant in FORM_NAMES.items()}
    own |= {key: (PALETTE[key], "solid") for key in FORMS}
    own |= {form.label: (PALETTE[key], "solid") for key, form in FORMS.items()}
    return own.get(name, (GREY, "solid"))


def looks(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Colour and dash of each name in one figure: a form's own, and what is left for variants of it."""
    names = list(dict.fromkeys(names))
    found = {name: look(name) for name in names if look(name) != (GREY, "solid")}
    taken = {colour for colour, _ in found.values()}
    free = [c for c in SPARE if c not in taken] + [c for c in SERIES if c not in taken and c not in SPARE]
    for i, name in enumerate(name for name in names if name not in found):
        found[name] = (free[i % len(free)] if free else GREY, DASHES[1 + i % (len(DASHES) - 1)])
    return {name: found[name] for name in names}


def by_timestep(frame: pd.DataFrame, *, title: str, alt: str, by: str = "variant", panel: str | None = None,
                value: str = "rmse", order: Sequence[str] | None = None, lines: Lines = (), goal: float | None = 1.0,
                log_y: bool = True, x: str = "timestep t", y: str | None = None) -> None:
    """Draw the error after the last step against t: median and range over runs, a line for each `by`.

    Parameters
    ----------
    panel : a column with a panel for each of its values, side by side.
    value : "rmse", "rmsd", "error" (as in `studies.ends`), or another column.
    order : of the names in the legend and, where they occur, of the panels; as they come by default.
    lines : more lines, such as baselines, for every panel or by the panel's name.
    """
    last = ends(frame)
    last = last[last["t"] != "sampled"]
    groups = _groups(last, by, panel, "t", value, order, lines)
    fig = panels(groups, title=title, x=x, y=y or _unit(value), log_y=log_y, goal=goal)
    figure(fig, alt)


def by_step(frame: pd.DataFrame, *, title: str, alt: str, by: str = "variant",
            at: Sequence[int | str] | int | str = (1, 25, 49, "sampled"), panel: str | None = "t", value: str = "rmse",
            order: Sequence[str] | None = None, lines: Lines = (), goal: float | None = 1.0, log_x: bool = True,
            log_y: bool = True, x: str = "optimiser steps", y: str | None = None) -> None:
    """Draw the error against optimiser steps at some t: median and range over runs, a line for each `by`.

    `at` lists timesteps, "sampled" for samples; a panel for each of them, or for each value of a column `panel`.
    The rest as in `by_timestep`.
    """
    wanted = [at] if isinstance(at, int | str) else list(at)
    rows = frame[frame["t"].isin(wanted) & (frame["step"] > 0)]
    names = {t: t if t == "sampled" else f"t = {t}" for t in wanted}
    rows = rows.assign(t=rows["t"].map(names))
    if value == "error":
        free = (rows["t"] == "sampled") | rows["superposed"].astype(bool)
        rows = rows.assign(error=rows["rmsd"].where(free, rows["rmse"]))
    ordered = [*(order or ()), *names.values()] if panel == "t" else order
    groups = _groups(rows, by, panel, "step", value, ordered, lines)
    figure(panels(groups, title=title, x=x, y=y or _unit(value), log_x=log_x, log_y=log_y, goal=goal), alt)


def dots(frame: pd.DataFrame, *, value: str, title: str, alt: str, x: str, rows: str = "variant",
         panel: str | None = None, colour: str | None = None, order: Sequence[str] | None = None, log_x: bool = True,
         goal: float | None = None, reference: float | None = None) -> None:
    """Draw a dot (median) with a bar for each name in `rows`, panels side by side, in place of a table.

    Parameters
    ----------
    value : the column; where the frame has columns `low` and `high` they are the bar, else the range over rows.
    x : title of the axis, with the unit.
    colour : a column whose values share a row, each in its own colour; by default each row has its own.
    order : of rows, panels and colours, as they come by default.
    goal, reference : a dotted and a solid vertical line, such as 1 Å and a ratio of 1.
    """
    from plotly.subplots import make_subplots

    names, heads, shades = (_order(frame, column, order) or [""] for column in (rows, panel, colour))
    fig = make_subplots(cols=len(heads), shared_yaxes=True, horizontal_spacing=0.03,
                        subplot_titles=[str(h) for h in heads] if panel else None)
    for i, head in enumerate(heads, start=1):
        part = frame if panel is None else frame[frame[panel] == head]
        _add_dots(fig, i, part, value, rows, colour, names, shades)
        for at, dash in ((goal, GOAL_DASH), (reference, "solid")):
            if at is not None:
                fig.add_vline(at, line_dash=dash, line_color=PALETTE["ink"], line_width=1, row=1, col=i)
    _dot_axes(fig, names, log_x, frame[[c for c in (value, "low", "high") if c in frame]], 200 / len(heads)**2)
    below = 62 + (34 * -(-len(shades) // 2) if colour else 0)  # two names a row where the page is narrow
    fig.add_annotation(text=x if len(frame) else f"{x}: not recorded", showarrow=False, xref="paper", yref="paper",
                       x=0.5, y=0, yshift=-40, yanchor="top")
    # labels may be long: the title starts at the edge, not over the panels
    fig.update_layout(title=dict(text=title, xref="container", x=0.01), height=150 + below + max(24, 15 * len(shades) + 9) * len(names),
                      margin=dict(t=80 if panel else 60, b=below + 10),
                      legend=dict(orientation="h", x=0, y=0, yref="container", yanchor="bottom"))
    figure(fig, alt)


def scatter(frame: pd.DataFrame, *, x: str, y: str, titles: Mapping[str, str], title: str, alt: str, colour: str,
            colours: Mapping[str, str], shape: str, star: tuple[str, float, float, float]) -> None:
    """Draw every row as a point, on logarithmic axes: two errors of one run against each other.

    `titles` has the axes' and the legend's words, by column; `colour` and `shape` are columns that are told apart by
    `colours` and by symbol. `star` is name, x, y and factor of a point to compare with: within the factor of it is a
    dotted frame.
    """
    import plotly.express as px

    fig = px.scatter(frame, x=x, y=y, color=colour, symbol=shape, color_discrete_map=dict(colours), opacity=0.8,
                     category_orders={colour: list(colours)}, labels=dict(titles),
                     hover_data=["setting", "change", "protein", "seed"])
    name, at_x, at_y, factor = star
    fig.add_shape(type="rect", x0=at_x / factor, x1=at_x * factor, y0=at_y / factor, y1=at_y * factor,
                  line=dict(dash="dot", width=1, color=PALETTE["ink"]))
    fig.update_traces(marker=dict(size=10, line=dict(width=1, color="#FFFFFF")))
    fig.add_scatter(x=[at_x], y=[at_y], mode="markers", name=name, marker=dict(symbol="star", size=18, color="#000000"))
    fig.update_xaxes(log_axis([[at_x], frame[x]]))
    fig.update_yaxes(log_axis([[at_y], frame[y]]))
    figure(fig.update_layout(title=title + ("" if len(frame) else ": not recorded"), height=520), alt)


def _groups(rows: pd.DataFrame, by: str, panel: str | None, x: str, value: str, order: Sequence[str] | None,
            lines: Lines) -> dict[str, list[Line]]:
    """The lines of each panel, extra ones included."""
    style = looks(str(name) for name in _order(rows, by, order))
    found: dict[str, list[Line]] = {}
    for head in _order(rows, panel, order):
        part = rows if panel is None else rows[rows[panel] == head]
        drawn = []
        for name in _order(part, by, order):
            runs = part[part[by] == name].pivot_table(index=["protein", "seed"], columns=x, values=value)
            runs = runs.dropna(axis=1)
            drawn.append(Line(str(name), runs.columns.to_numpy(float), runs.to_numpy(), *style[str(name)]))
        more = lines.get(head, ()) if isinstance(lines, Mapping) else lines
        found["" if panel is None else str(head)] = [*drawn, *more]
    return found or {"": []}


def _order(frame: pd.DataFrame, column: str | None, order: Sequence[str] | None) -> list[object]:
    """The values of a column, those in `order` first; one empty name for no column."""
    if column is None:
        return [""]
    present = list(dict.fromkeys(frame[column]))
    return [v for v in order or () if v in present] + [v for v in present if v not in (order or ())] or [""]


def _add_dots(fig: Figure, column: int, part: pd.DataFrame, value: str, rows: str, colour: str | None,
              names: Sequence[object], shades: Sequence[object]) -> None:
    """A trace for each colour, or for each row where rows have colours of their own."""
    style = looks(str(s) for s in (names if colour is None else shades))
    for k, shade in enumerate(shades):
        chosen = part if colour is None else part[part[colour] == shade]
        for name in names:
            found = chosen[chosen[rows] == name]
            if not len(found):
                continue
            middle = float(found[value].median())
            given = "low" in found and "high" in found
            low, high = (float(found[c].iloc[0]) for c in ("low", "high")) if given else (
                float(found[value].min()), float(found[value].max()))
            shift = (k - (len(shades) - 1) / 2) * min(0.6 / max(len(shades) - 1, 1), 0.25)
            label = str(shade if colour else name)
            new = colour is not None and label not in {trace.legendgroup for trace in fig.data}
            said = f"{name}, {shade}" if colour else str(name)
            fig.add_scatter(
                x=[middle], y=[names.index(name) + shift], mode="markers", name=label, legendgroup=label,
                showlegend=new, marker=dict(size=10, color=style[label][0]), row=1, col=column,
                error_x=dict(type="data", symmetric=False, array=[high - middle], arrayminus=[middle - low],
                             thickness=2, width=4, color=style[label][0]),
                hovertemplate=f"{said}: {middle:.3g} ({low:.3g}–{high:.3g})<extra></extra>")


def _dot_axes(fig: Figure, names: Sequence[object], log_x: bool, values: pd.DataFrame, most: float) -> None:
    fig.update_yaxes(range=[len(names) - 0.5, -0.5], tickvals=list(range(len(names))), ticks="",
                     ticktext=[str(n).replace(" · ", "<br>") for n in names], title_text=None)
    if log_x:
        fig.update_xaxes(log_axis([values], most), showticklabels=names != [""], tickangle=0)
    fig.update_xaxes(matches="x")


def _unit(value: str) -> str:
    return {"rmse": "RMSE (Å)", "rmsd": "RMSD (Å)", "error": "error (Å)"}.get(value, value)
