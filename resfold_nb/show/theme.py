"""Colours, the plotly template, figures and tables with text alternatives."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.display import HTML, display

if TYPE_CHECKING:
    import pandas
    from plotly.graph_objects import Figure
    from plotly.graph_objs.layout import Template

# Okabe & Ito 2008, "Color Universal Design": told apart by readers with any form of colour blindness. Their yellow
# gives way to brown, because thin lines in it vanish on white. The tests simulate three kinds of colour blindness.
PALETTE = {"residual": "#D55E00", "x0": "#0072B2", "eps": "#E69F00", "v": "#009E73", "edm": "#CC79A7",
           "skip_unscaled": "#56B4E9", "scaled_no_skip": "#662200", "truth": "#BDBDBD", "baseline": "#424242",
           "ink": "#222222"}
SERIES = [PALETTE[name] for name in ("x0", "residual", "v", "eps", "edm", "skip_unscaled", "scaled_no_skip")]

# Eight samples of matplotlib's viridis, which rises steadily in lightness; the palest end is
# cut off so that the last residues stay visible on white.
_RAMP = ("#440154", "#46327E", "#365C8D", "#277F8E", "#1FA187", "#4AC16D", "#9FDA3A", "#D8D219")

PLOTLY_MIME = "application/vnd.plotly.v1+json"
FIGURE_CONFIG = {"responsive": True, "displaylogo": False,
                 "toImageButtonOptions": {"format": "svg", "filename": "resfold"}}
FIGURE_HEIGHT = 420  # pixels, unless the figure says otherwise
CAPTION_CSS = ("font:14px/1.45 system-ui,sans-serif;color:var(--jp-ui-font-color1,#222);margin:.25em 0 .75em;"
               "max-width:60em")


def setup() -> None:
    """Make "resfold" the default plotly template and keep figures small in saved notebooks."""
    import plotly.io as pio

    pio.templates["resfold"] = _template()
    pio.templates.default = "resfold"
    pio.renderers.default = "plotly_mimetype"


def figure(fig: Figure, alt: str) -> None:
    """Display a plotly figure over a visible caption, which is also its text alternative.

    Parameters
    ----------
    fig : any plotly figure (not a FigureWidget, which would carry 5 MB of script).
    alt : what the figure shows, in a sentence; ValueError when empty.
    """
    alt = require_alt(alt, "figure")
    content = json.loads(fig.to_json())
    content["config"] = FIGURE_CONFIG
    content["layout"].setdefault("height", FIGURE_HEIGHT)  # plotly.js ignores a template's height
    display({PLOTLY_MIME: content, "text/plain": f"[figure] {alt}"}, raw=True)
    display(HTML(_labelling_caption(alt, content["layout"]["height"])))


def table(rows: pandas.DataFrame | Iterable[Mapping[str, Any]], caption: str) -> None:
    """Display a tidy table under its caption.

    Parameters
    ----------
    rows : a pandas DataFrame or a list of dicts with the same keys; ValueError when empty.
    caption : one sentence over the table; ValueError when empty.
    """
    import pandas as pd

    caption = require_alt(caption, "table")
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame([dict(row) for row in rows])
    if frame.empty:
        raise ValueError(f"table {caption!r} has no rows; give at least one")
    named = frame.index.name is not None
    body = frame.to_html(index=named, border=0, float_format=lambda x: f"{x:.4g}",
                         justify="left", classes="resfold-table")
    title = f"<caption>{html.escape(caption)}</caption>"
    style = (Path(__file__).parent / "tables.css").read_text(encoding="utf-8")
    display(HTML(f"<style>{style}</style>" + body.replace("<thead>", title + "<thead>", 1)))


def index_colours(length: int) -> list[str]:
    """``length`` colours from dark violet (first residue) over green to yellow (last)."""
    from plotly.colors import sample_colorscale

    places = [i / max(1, length - 1) for i in range(length)]
    return ["#" + "".join(f"{round(255 * part):02x}" for part in colour)
            for colour in sample_colorscale(_RAMP, places, colortype="tuple")]


def chain_colours(chain_index: Iterable[int]) -> list[str]:
    """One colour per residue, the same within a chain; repeats after seven chains."""
    return [SERIES[int(chain) % len(SERIES)] for chain in chain_index]


def require_alt(text: str, what: str) -> str:
    """``text`` stripped, or ValueError: nobody who cannot see the picture is left out."""
    if not text or not text.strip():
        raise ValueError(f"{what} needs a text that says what it shows; got {text!r}")
    return text.strip()


def caption_html(text: str) -> str:
    """The visible caption under a figure or a 3D view."""
    return f'<div class="resfold-caption" style="{CAPTION_CSS}">{html.escape(text)}</div>'


def _template() -> Template:
    """Light, large type, thin grid; white paper so that it stays legible on a dark theme."""
    from plotly.graph_objects import Layout, Scatter
    from plotly.graph_objs.layout import Template

    axis = dict(showline=True, linecolor="#888", gridcolor="#E6E6E6", zeroline=False,
                ticks="outside", tickcolor="#888", automargin=True, title_standoff=12)
    layout = Layout(font=dict(family="system-ui, sans-serif", size=16, color=PALETTE["ink"]),
                    title=dict(font_size=19, x=0, xref="paper"), colorway=SERIES, paper_bgcolor="white",
                    plot_bgcolor="white", hovermode="closest", xaxis=axis, yaxis=axis,
                    legend=dict(bgcolor="rgba(255,255,255,.8)", font_size=15), margin=dict(l=70, r=25, t=60, b=60),
                    colorscale=dict(sequential="Viridis", diverging="RdBu"))
    return Template(layout=layout, data=dict(scatter=[Scatter(line_width=2.5)]))


# JupyterLab's plotly renderer draws in the output before this one. It gives the figure no name
# for screen readers, and no height of its own: a figure that is out of sight for a moment, as
# while the theme changes, would shrink to nothing and stay so.
_LABEL_SCRIPT = """<script>(() => {
  const own = document.currentScript?.closest(".jp-OutputArea-child");
  const drawn = own?.previousElementSibling?.querySelector(".jp-OutputArea-output");
  if (!drawn) return;
  drawn.setAttribute("role", "figure");
  drawn.setAttribute("aria-label", %s);
  drawn.style.minHeight = "%dpx";
})()</script>"""


def _labelling_caption(alt: str, height: int) -> str:
    """Visible caption plus the script that names the figure before it and holds its height."""
    text = json.dumps(alt).replace("</", "<\\/")
    return caption_html(alt) + _LABEL_SCRIPT % (text, height)
