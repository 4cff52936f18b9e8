"""The picture of the speed table: how many times as fast, lowest to highest, beside the targets.

    python -m resfold_nb bench figure

Drawn by plotly in Chromium from the recorded tables of `training` and `sampling`.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import plotly.io as pio
from benchmarks.chromium import opened
from benchmarks.harness import RECORDED
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from plotly.graph_objects import Figure

from resfold_nb.show import setup
from resfold_nb.show.theme import PALETTE
from resfold_nb.studies import benchmark

PICTURE = RECORDED / "speed.png"
TARGET_LINE = dict(dash="4px,3px", width=3, color=PALETTE["ink"])
KEY, COLOURS = "rows", 64
TABLES = {"training": (PALETTE["x0"], "circle"), "sampling": (PALETTE["residual"], "diamond")}
WIDTH, ROW, TOP, BOTTOM = 980, 30, 90, 70  # pixels

TARGETS = {("full", "ours, noisy trunk"): 1.3, ("full", "ours, clean trunk once"): 2.4,
           ("full", "ours, clean trunk once, bf16"): 3.3, ("small", "ours, noisy trunk"): 2.0,
           ("small", "ours, clean trunk once"): 2.0}
"""Of training: (size, side) -> times as fast as the side that it is held against."""


class Row(NamedTuple):
    """One ratio of the picture."""

    table: str
    label: str
    ratio: float
    low: float
    high: float
    target: float | None


def rows() -> Iterator[Row]:
    """The recorded ratios, but for those of a side over itself."""
    for table in TABLES:
        for row in benchmark(table).to_dict("records"):
            size = row["benchmark"].split(",")[0].split()[0]
            target = TARGETS.get((size, row["side"])) if table == "training" else None
            if row["side"] != row["against"]:
                yield Row(table, f"{size}: {row['side']} / {row['against']}",
                          *(float(row[k]) for k in ("times as fast", "low", "high")), target)


def chart(shown: list[Row]) -> Figure:
    """A dot a ratio, a bar from its lowest to its highest, a dashed line at its target."""
    fig = Figure()
    places = {id(row): -k - 0.6 * (row.table != shown[0].table) for k, row in enumerate(shown)}
    for table, (colour, symbol) in TABLES.items():
        mine = [row for row in shown if row.table == table]
        fig.add_scatter(x=[row.ratio for row in mine], y=[places[id(row)] for row in mine], name=table,
                        mode="markers", marker=dict(size=12, color=colour, symbol=symbol),
                        error_x=dict(type="data", symmetric=False, thickness=2, width=5,
                                     array=[row.high - row.ratio for row in mine],
                                     arrayminus=[row.ratio - row.low for row in mine]))
    for row in filter(lambda row: row.target, shown):
        fig.add_shape(type="line", x0=row.target, x1=row.target, y0=places[id(row)] - 0.45,
                      y1=places[id(row)] + 0.45, line=TARGET_LINE)
    fig.add_vline(1, line_color=PALETTE["baseline"], line_width=1)
    fig.add_scatter(x=[None], y=[None], mode="lines", name="target", line=TARGET_LINE)
    fig.update_yaxes(tickvals=list(places.values()), ticktext=[row.label for row in shown], showgrid=False)
    return _laid_out(fig, len(shown))


def digest(shown: list[Row]) -> str:
    """Names the numbers of a picture, which carries it: a test tells whether they are today's."""
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:12]


def take_picture(picture: Path = PICTURE) -> Path:
    """Draw the chart as a PNG.

    Raises ValueError when no ratio was recorded, FileNotFoundError when there is no Chromium.
    """
    shown = list(rows())
    if not shown:
        raise ValueError("no ratios are recorded: run `python -m resfold_nb bench training sampling` first")
    setup()
    with tempfile.TemporaryDirectory() as folder:
        page_path = Path(folder, "figure.html")
        pio.write_html(chart(shown), page_path, include_plotlyjs=True, config={"staticPlot": True})
        with opened(page_path, viewport={"width": WIDTH + 20, "height": 2000}, device_scale_factor=1.5) as page:
            page.locator(".js-plotly-plot .main-svg").first.wait_for()
            drawn = Image.open(io.BytesIO(page.locator(".js-plotly-plot").screenshot()))
    note = PngInfo()
    note.add_text(KEY, digest(shown))
    drawn.convert("RGB").quantize(COLOURS).save(picture, optimize=True, pnginfo=note)
    return picture


def main() -> None:
    """Take it and say where it is."""
    print(take_picture())


def _laid_out(fig: Figure, count: int) -> Figure:
    fig.update_xaxes(title_text="times as fast (log scale)", type="log", tickvals=[0.3, 0.5, 1, 2, 3, 4],
                     ticktext=["0.3", "0.5", "1", "2", "3", "4"])
    return fig.update_layout(
        title=dict(text="How many times as fast: side / what it is held against", xref="container", x=0.02),
        width=WIDTH, height=ROW * count + TOP + BOTTOM, font_size=13, margin=dict(t=TOP, b=BOTTOM),
        legend=dict(orientation="h", x=0, xanchor="left", y=1.0, yanchor="bottom"))


if __name__ == "__main__":
    main()
