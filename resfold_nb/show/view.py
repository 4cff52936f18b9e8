"""What every view is made of: browser libraries, a still picture for where no script may run."""

from __future__ import annotations

import base64
import functools
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import numpy as np
import traitlets
from numpy.typing import NDArray

from resfold_nb.show.theme import caption_html, require_alt

HERE = Path(__file__).parent
STATIC = HERE / "static"
# What the small plotly build can draw; anything else takes the whole library, 3 MB more.
CARTESIAN = {"bar", "box", "contour", "heatmap", "histogram", "histogram2d", "histogram2dcontour", "image", "pie",
             "scatter", "violin"}


def library(name: str, static: Path | None = None) -> str:
    """Text of the browser library ``name``.

    Raises FileNotFoundError, naming the remedy, when the bundle was not built.
    """
    path = (static or STATIC) / name
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: the browser libraries were not built. Run `python -m resfold_nb "
                                "setup`, or `python hatch_build.py` in the repository, then restart the kernel.")
    return path.read_text(encoding="utf-8")


def source(*names: str) -> str:
    """Text of our own front-end files, which lie beside this module, one after the other."""
    return "".join((HERE / name).read_text(encoding="utf-8") for name in names)


def inline(script: str) -> str:
    """``script`` made safe to stand inside an HTML script element."""
    return script.replace("</script", r"<\/script").replace("<!--", r"<\!--")


SIZE = 260  # pixels of one panel
Points = NDArray[np.float32]


class View(ipywidgets.VBox):
    """Widgets over one another, with words `alt` and a picture `still`, HTML without a script, saved beside them."""

    def __init__(self, children: Sequence[ipywidgets.Widget], alt: str, still: str = "", *, kind: str) -> None:
        super().__init__(list(children))
        self.alt, self.still, self.kind = require_alt(alt, kind), still, kind

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any] | tuple[dict[str, Any], Any]:
        """The widget, and what an untrusted or stateless saved notebook shows in its place."""
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        data["text/plain"] = f"[{self.kind}] {self.alt}"
        data["text/html"] = self.picture() + caption_html(self.alt)
        return bundle

    def picture(self) -> str:
        """HTML of what is on show now, without a script."""
        return self.still


def still_image(panels: Mapping[str, Points], truth: Points | None, chain: Sequence[int], colours: Sequence[str],
                alt: str) -> str:
    """An HTML image of each panel's points (L, 3) seen from the front, ``truth`` in grey."""
    reference = next(iter(panels.values())) if truth is None else truth
    drawn = [_panel(i, name, points, truth, reference, chain, colours)
             for i, (name, points) in enumerate(panels.items())]
    return svg_image("".join(drawn), SIZE * len(drawn), SIZE + 24, alt)


def svg_image(content: str, width: int, height: int, alt: str) -> str:
    """An HTML image of SVG elements on white, in a data URL, which Jupyter keeps even where it drops scripts."""
    svg = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           'font-family="sans-serif" font-size="13">'
           f'<rect width="{width}" height="{height}" fill="white"/>{content}</svg>')
    data = base64.b64encode(svg.encode()).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/svg+xml;base64,{data}">'


def _panel(place: int, name: str, points: Points, truth: Points | None, reference: Points, chain: Sequence[int],
           colours: Sequence[str]) -> str:
    """Heading and sticks of one panel, shifted to its place in the row."""
    sticks = [] if truth is None else _sticks(truth, reference, chain, ["#c4c4c4"] * len(chain))
    sticks += _sticks(points, reference, chain, colours)
    title = f'<text x="10" y="18" font-family="sans-serif" font-size="15">{html.escape(name)}'
    return f'<g transform="translate({place * SIZE} 0)">{title}</text>{"".join(sticks)}</g>'


def _sticks(points: Points, reference: Points, chain: Sequence[int], colours: Sequence[str]) -> list[str]:
    """One line per bond, the far ones first so that the near ones cover them."""
    flat = _project(points, reference)
    bonds = [(float(points[i:i + 2, 2].mean()), i) for i in range(len(points) - 1) if chain[i] == chain[i + 1]]
    return [f'<line x1="{flat[i, 0]:.1f}" y1="{flat[i, 1]:.1f}" x2="{flat[i + 1, 0]:.1f}" '
            f'y2="{flat[i + 1, 1]:.1f}" stroke="{colours[i]}" stroke-width="3" '
            'stroke-linecap="round"/>'
            for _, i in sorted(bonds)]


def _project(points: Points, reference: Points) -> NDArray[np.float64]:
    """Pixel positions (L, 2) along z; the reference fills three quarters of the panel."""
    centre = reference.mean(axis=0)
    reach = max(3.0, float(np.linalg.norm(reference - centre, axis=1).max()))
    flat = (points - centre)[:, :2] * np.array([1.0, -1.0]) * (0.375 * SIZE / reach)
    return flat + np.array([SIZE / 2, SIZE / 2 + 24])


class Library(anywidget.AnyWidget):
    """Hidden model that carries 3Dmol.js to the browser once per kernel."""

    _esm = "export default {}"
    source = traitlets.Unicode().tag(sync=True)


@functools.lru_cache(maxsize=1)
def shared_library() -> Library:
    """The kernel's only copy of 3Dmol.js; FileNotFoundError when the bundle was not built."""
    return Library(source=library("3Dmol.js"))
