"""The browser libraries that ``hatch_build.py`` put beside this file."""

from __future__ import annotations

from pathlib import Path

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
        raise FileNotFoundError(
            f"{path} is missing: the browser libraries were not built. Run `python -m resfold_nb "
            "setup`, or `python hatch_build.py` in the repository, then restart the kernel."
        )
    return path.read_text(encoding="utf-8")


def source(name: str) -> str:
    """Text of one of our own front-end files, which lie beside this module."""
    return (HERE / name).read_text(encoding="utf-8")


def inline(script: str) -> str:
    """``script`` made safe to stand inside an HTML script element."""
    return script.replace("</script", r"<\/script").replace("<!--", r"<\!--")
