"""The README's picture: the two models of the tour at the end of sampling.

    python -m resfold_nb run --only 00
    python -m resfold_nb.workbook.picture

Taken in Chromium from the exported page, so it shows what the workbook computed.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from resfold_nb.workbook.paths import BUILD, ROOT

PAGE = BUILD / "laptop" / "00_tour.html"
PICTURE = ROOT / "notebooks" / "images" / "tour.png"
FLAGS = ["--no-sandbox", "--enable-unsafe-swiftshader"]
DRAWING_MS = 3000
ZOOM_CLICKS = 3


def take_picture(page: Path = PAGE, picture: Path = PICTURE) -> Path:
    """Write the last frame of the page's first player as a PNG.

    Raises FileNotFoundError when the page or Chromium is missing.
    """
    from playwright.sync_api import sync_playwright

    if not page.is_file():
        raise FileNotFoundError(f"no page {page}: run `python -m resfold_nb run --only 00` first")
    picture.parent.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=_chromium(), args=FLAGS)
        view = browser.new_page(viewport={"width": 980, "height": 900}, device_scale_factor=1.5)
        view.goto(page.as_uri())
        slider = view.locator(".resfold-scrubber input[type=range]").first
        slider.scroll_into_view_if_needed()
        slider.press("End")
        view.locator(".resfold-stage").first.hover()
        for _ in range(ZOOM_CLICKS):  # the noise, which is no longer there, needed the room
            view.mouse.wheel(0, 100)
        view.wait_for_timeout(DRAWING_MS)
        player = view.locator(".widget-vbox:has(.resfold-scrubber)").first
        player.screenshot(path=picture)
        browser.close()
    return picture


def _chromium() -> str:
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        raise FileNotFoundError("no Chromium: install it, or name it in the variable CHROMIUM")
    return found


if __name__ == "__main__":
    print(take_picture())
    sys.exit(0)
