"""3D views, figures and the slider, in a real JupyterLab and in a page on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from browser.checking import DARK, RUN_ALL, coloured, pixels_of
from browser.watching import Watch

from resfold_nb.show import export_html

pytestmark = pytest.mark.xdist_group("browser")
SESSION_IDLE = ("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status"
                " === 'idle'")
STEPS = 12


def cameras(page: object) -> list[list[float]]:
    """Camera of each pane of the player."""
    return page.evaluate(
        "[...document.querySelectorAll('.resfold-stage')].map((b) => b.resfoldViewer.getView())")


def wait_until_drawn(page: object, figures: int = 2) -> None:
    """Both panes, three structures and the figures, at their full height."""
    page.wait_for_function("""(arg) =>
      document.querySelectorAll('.resfold-stage[data-frame] canvas').length === 2 &&
      document.querySelectorAll('.resfold-3d canvas').length === 3 &&
      [...document.querySelectorAll('.js-plotly-plot')].filter((p) =>
        p.offsetHeight > 400 && p.querySelector('.main-svg .lines')).length >= arg""",
        arg=figures, timeout=60_000)
    page.wait_for_timeout(500)


def check_drawn(page: object) -> None:
    """No 3D view is blank, none hides behind its still picture, captions and names are there."""
    for selector, count in ((".resfold-stage", 2), (".resfold-3d", 3)):
        views = page.locator(selector)
        assert views.count() == count
        for i in range(count):
            assert coloured(views.nth(i)) > 0.01, f"{selector} {i} is blank"
    for drawn in page.get_by_role("figure").all():
        assert coloured(drawn) > 0.003, "a figure is blank"
    assert not page.locator(".resfold-still").first.is_visible()
    assert page.get_by_text("Two samples fold from noise").last.is_visible()
    assert page.locator(".resfold-stage").first.get_attribute("aria-label").startswith("fix A. Two")
    assert page.get_by_role("figure", name="Seven curves of error").count() == 1


def check_scrubbing(page: object) -> None:
    """Arrow keys move both panes, show the frame's label and leave the camera alone."""
    panes = page.locator(".resfold-stage")
    before = [pixels_of(panes.nth(i)) for i in range(2)]
    camera = cameras(page)
    slider = page.locator(".resfold-scrubber input[type=range]")
    slider.focus()
    for _ in range(STEPS):
        slider.press("ArrowRight")
    page.wait_for_function(
        f"document.querySelectorAll('.resfold-stage[data-frame=\"{STEPS}\"]').length === 2")
    assert page.locator(".resfold-scrubber output").inner_text() == "t = 20"
    assert slider.get_attribute("aria-valuetext") == "t = 20"
    for i in range(2):
        changed = np.abs(pixels_of(panes.nth(i)) - before[i]).max(axis=2) > 40
        assert changed.mean() > 0.005, f"pane {i} did not move"
    assert np.allclose(cameras(page), camera)


def check_shared_camera(page: object) -> None:
    """Dragging in one pane turns both."""
    first, _ = cameras(page)
    box = page.locator(".resfold-stage").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 80, y + 30, steps=4)
    page.mouse.up()
    page.wait_for_timeout(300)
    turned, followed = cameras(page)
    assert not np.allclose(turned, first, atol=0.01)
    assert np.allclose(turned, followed)


def libraries_sent(watch: object) -> int:
    """How many of the kernel's messages carried 3Dmol.js as a widget model."""
    frames = (m if isinstance(m, bytes) else m.encode() for m in watch.received)
    return sum(b"show.view.Library" in m and b"comm_open" in m for m in frames)


def run_all(page: object) -> None:
    """Run every cell and wait for the last one."""
    page.evaluate("window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    assert page.evaluate(RUN_ALL) is not False
    page.get_by_text("all cells ran", exact=True).wait_for(timeout=90_000)
    wait_until_drawn(page)
    page.wait_for_function(SESSION_IDLE)


def test_views_in_jupyterlab(open_lab: Callable, screenshots: Path) -> None:
    page, watch = open_lab("views.ipynb")
    run_all(page)
    check_drawn(page)
    page.screenshot(path=screenshots / "lab.png")
    assert libraries_sent(watch) == 1
    watch.clear()
    check_scrubbing(page)
    check_shared_camera(page)
    assert not watch.sent and not watch.received, "scrubbing talked to the kernel"
    run_all(page)  # a second time, on the same page and kernel
    check_drawn(page)
    assert libraries_sent(watch) == 0
    page.evaluate(DARK)
    page.wait_for_selector("body[data-jp-theme-light='false']", state="attached")
    wait_until_drawn(page)
    check_drawn(page)
    page.screenshot(path=screenshots / "lab-dark.png")
    assert not watch.errors and not watch.outside


def test_views_in_a_page_on_disk(
    executed: Path, open_offline: Callable, tmp_path: Path, screenshots: Path
) -> None:
    target = export_html(executed, tmp_path / "views.html")
    assert target.stat().st_size < 9e6
    page, watch = open_offline(target)
    assert not page.get_by_role("figure", name="The same curves again").is_visible()
    page.locator("details:not(.resfold-more) > summary").click()
    wait_until_drawn(page)
    check_drawn(page)
    assert page.locator("mjx-container svg").count() == 2
    page.screenshot(path=screenshots / "page.png", full_page=True)
    check_scrubbing(page)
    check_shared_camera(page)
    assert not watch.errors and not watch.outside


def test_a_browser_without_webgl_says_so(
    executed: Path, playwright: object, chromium: str, tmp_path: Path, screenshots: Path
) -> None:
    page_path = export_html(executed, tmp_path / "views.html")
    switches = ["--no-sandbox", "--disable-gpu", "--disable-software-rasterizer"]
    plain = playwright.chromium.launch(executable_path=chromium, args=switches)
    page, watch = plain.new_page(viewport={"width": 1200, "height": 900}), Watch()
    watch.attach(page, "file:")
    page.goto(page_path.as_uri())
    failed = page.locator(".resfold-stage.resfold-failed")
    failed.nth(1).wait_for()
    assert "no WebGL" in failed.first.inner_text()
    assert "Two samples fold from noise" in failed.first.inner_text()
    stills = page.locator(".resfold-still")
    stills.first.wait_for()
    assert all(coloured(stills.nth(i)) > 0.005 for i in range(3)), "no still picture instead"
    page.screenshot(path=screenshots / "no-webgl.png", full_page=True)
    assert not watch.errors and not watch.outside
    plain.close()
