"""`site`: the exported pages of a run in one folder with an index, for any web server; and README's pictures."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat

from resfold_nb.workbook import BUILD, NOTEBOOKS

SITE = BUILD / "site"
INTRODUCTION = """# The ResFold workbook

How diffusion models for protein structure go wrong, and how to find out why. These pages need
neither a kernel nor the network; sliders and 3D views are live. They were executed in profile
*{profile}*.

"""
FLAGS = ["--no-sandbox", "--enable-unsafe-swiftshader"]
DRAWING_MS = 3000
ZOOM_CLICKS = 3


def main(profile: str, run: Path = BUILD, site: Path = SITE, notebooks: Path = NOTEBOOKS) -> int:
    """Gather the pages of `run`/`profile` in `site`; 0 when every notebook has its page."""
    present = sorted(notebooks.glob("*.ipynb"))
    pages = [run / profile / f"{path.stem}.html" for path in present]
    missing = [page.name for page in pages if not page.exists()]
    if missing:
        print(f"no page of {', '.join(missing)} in {run / profile}: run `python -m resfold_nb run "
              f"--profile {profile}` first", file=sys.stderr)
        return 1
    site.mkdir(parents=True, exist_ok=True)
    for page in sorted((run / profile).glob("*.html")):
        shutil.copy2(page, site)
    _write_index(INTRODUCTION.format(profile=profile) + "\n".join(_lines(present)), site)
    print(f"{len(pages)} pages and index.html: {site}")
    return 0


def _lines(notebooks: list[Path]) -> Iterator[str]:
    """A table of the notebooks: title, and the first sentence after it, without links."""
    yield "| notebook | |\n|---|---|"
    for path in notebooks:
        title, _, rest = nbformat.read(path, 4).cells[0].source.partition("\n")
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(rest.split()))
        sentence = re.split(r"(?<=[.?!])\s", text)[0]
        yield f"| [{title.removeprefix('# ')}]({path.name}) | {sentence} |"
    yield "\n[Notation, glossary and bibliography](reference.md)"


def _write_index(markdown: str, site: Path) -> None:
    from resfold_nb.show.export import export_text

    with tempfile.TemporaryDirectory() as scratch:
        text = Path(scratch) / "index.md"
        text.write_text(markdown, encoding="utf-8")
        export_text(text, site / "index.html")


def take_pictures(page: Path = BUILD / "laptop" / "00_tour.html", folder: Path = NOTEBOOKS / "images") -> list[Path]:
    """Write the page's first figure and the last frame of its first player as PNGs: they show what it computed.

    Raises FileNotFoundError when the page or Chromium is missing.
    """
    from playwright.sync_api import sync_playwright

    if not page.is_file():
        raise FileNotFoundError(f"no page {page}: run `python -m resfold_nb run --only 00` first")
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        raise FileNotFoundError("no Chromium: install it, or name it in the variable CHROMIUM")
    folder.mkdir(parents=True, exist_ok=True)
    made = [folder / "report_run.png", folder / "tour.png"]
    with sync_playwright() as driver, driver.chromium.launch(executable_path=chromium, args=FLAGS) as browser:
        view = browser.new_page(viewport={"width": 980, "height": 900}, device_scale_factor=1.5)
        view.goto(page.as_uri())
        view.wait_for_timeout(DRAWING_MS)
        view.locator(".js-plotly-plot").first.screenshot(path=made[0])
        slider = view.locator(".resfold-scrubber input[type=range]").first
        slider.scroll_into_view_if_needed()
        slider.press("End")
        view.locator(".resfold-stage").first.hover()
        for _ in range(ZOOM_CLICKS):  # the noise, which is no longer there, needed the room
            view.mouse.wheel(0, 100)
        view.wait_for_timeout(DRAWING_MS)
        view.locator(".widget-vbox:has(.resfold-scrubber)").first.screenshot(path=made[1])
    return made
