"""What must hold of any page with our views, in JupyterLab or exported."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

RUN_ALL = "window.jupyterapp.commands.execute('notebook:run-all-cells')"
DARK = "window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
CAMERAS = """() => [...document.querySelectorAll('.resfold-stage')]
  .filter((b) => b.resfoldViewer).map((b) => b.resfoldViewer.getView())"""
FRAMES = "() => [...document.querySelectorAll('.resfold-stage')].map((b) => b.dataset.frame)"
SETTLED = """() => [...document.querySelectorAll('.resfold-stage')]
  .every((b) => b.dataset.frame !== undefined || b.classList.contains('resfold-failed')) &&
  [...document.querySelectorAll('.js-plotly-plot')]
  .every((p) => !p.offsetHeight || p.querySelector('.main-svg'))"""
NAMED = "(e) => e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.title"
NAMELESS = f"""() => [...document.querySelectorAll('button, input, select')].filter((e) =>
  e.closest('[class*="resfold-"]') && !(({NAMED})(e) || e.textContent.trim() || e.labels?.length)
  ).map((e) => e.outerHTML)"""
WORDLESS = f"""() => [...document.querySelectorAll('img, [role="img"], [role="figure"]')].filter((e) =>
  e.offsetParent !== null && !(({NAMED})(e) || e.getAttribute('alt') ||
  e.closest('[aria-hidden="true"]'))).map((e) => e.outerHTML.slice(0, 200))"""


def pixels_of(locator: object) -> np.ndarray:
    """Screenshot of one element, (height, width, 3)."""
    return np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("RGB")).astype(int)


def coloured(locator: object) -> float:
    """Share of an element's pixels that are neither white, grey nor black."""
    pixels = pixels_of(locator)
    return float((pixels.max(axis=2) - pixels.min(axis=2) > 40).mean())


def check_page(page: object) -> None:
    """Nothing is blank or broken, everything has a name, and a slider moves what it drives."""
    page.wait_for_function(SETTLED, timeout=60_000)
    page.wait_for_timeout(500)
    assert page.locator(".resfold-failed").count() == 0
    for fault, search in (("without a name", NAMELESS), ("without words", WORDLESS)):
        found = page.evaluate(search)
        assert not found, f"{fault}: {found}"
    for selector in (".resfold-stage", ".resfold-3d"):
        for view in page.locator(selector).all():
            if view.is_visible():
                assert coloured(view) > 0.003, f"{selector} is blank"
    for figure in page.locator(".js-plotly-plot").all():
        if figure.is_visible():
            drawn = pixels_of(figure)
            assert drawn.std() > 3, "a figure is blank"


def check_sliders(page: object, watch: object) -> None:
    """Each slider answers the keyboard, moves its views and not their cameras, asks nobody."""
    watch.clear()
    for slider in page.locator(".resfold-scrubber input[type=range]").all():
        if not slider.is_visible() or not slider.is_enabled():
            continue
        slider.focus()
        slider.press("Home")
        page.wait_for_timeout(300)
        frames, cameras = page.evaluate(FRAMES), page.evaluate(CAMERAS)
        slider.press("ArrowRight")
        page.wait_for_function("(old) => JSON.stringify((%s)()) !== JSON.stringify(old)" % FRAMES,
                               arg=frames, timeout=10_000)
        assert np.allclose(page.evaluate(CAMERAS), cameras), "the camera moved"
    assert not watch.sent, "a slider talked to the kernel"
