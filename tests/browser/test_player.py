"""The structure player's controls, on a page from disk; new data, in JupyterLab."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat
import numpy as np
import papermill
import pytest
from browser.checking import CAMERAS, DARK, RUN_ALL, check_page, pixels_of
from browser.watching import Watch

from resfold_nb.show import export_html
from resfold_nb.workbook import ROOT

pytestmark = pytest.mark.xdist_group("browser")
START = """import numpy as np
from resfold_nb import show
from resfold_nb.data import load
protein = load("1R69_A")
truth = protein.centroids - protein.centroids.mean(axis=0)
noise = np.random.default_rng(0).normal(size=truth.shape) * truth.std()
steps = np.linspace(1, 0, 50)
one = np.stack([truth * np.sqrt(1 - s) + noise * np.sqrt(s) for s in steps])
known = dict(truth=truth, secondary=protein.secondary_structure, sequence=protein.sequence)
seen = show.player({"one": one, "two": one[::-1]}, **known, alt="Two panes fold.")
seen"""
FAR = """show.player({"far": [truth, truth + 1e5]}, truth=truth, alt="Too far for a PDB file.",
            height=200)"""
LONG = """walk = np.cumsum(np.random.default_rng(1).normal(size=(50, 200, 3)), axis=1) * 2
show.player({"long": walk}, alt="A long chain.", height=340)"""
MANY = """from ipywidgets import VBox
VBox([show.player({str(i): one}, alt="One of many.", height=120) for i in range(7)])"""
MEASURE = """async (k) => {
  const box = document.querySelectorAll('.resfold-stage')[k];
  const slider = document.querySelectorAll('.resfold-scrubber input[type=range]')[2];
  const times = [], tick = () => new Promise(requestAnimationFrame);
  for (let f = 1; f < 50; f++) {
    const start = performance.now();
    slider.value = f;
    slider.dispatchEvent(new Event('input'));
    while (box.dataset.frame !== String(f)) await tick();
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[24];
}"""


def write_notebook(path: Path, sources: Sequence[str]) -> Path:
    """A notebook of code cells under a heading."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [nbformat.v4.new_markdown_cell("# Player"), *map(nbformat.v4.new_code_cell, sources)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def test_the_controls_work_without_a_kernel(
    tmp_path: Path, open_offline: Callable, screenshots: Path
) -> None:
    done = tmp_path / "out.ipynb"
    papermill.execute_notebook(write_notebook(tmp_path / "in.ipynb", (START, FAR, LONG, MANY)),
                               done, progress_bar=False, cwd=ROOT, execution_timeout=60)
    page, watch = open_offline(export_html(done, tmp_path / "player.html"))
    check_page(page)
    assert page.locator(".resfold-stage[data-frame] canvas").count() == 11
    cameras = page.evaluate(CAMERAS)
    check_keys(page)
    check_play(page)
    check_looks(page)
    assert np.allclose(page.evaluate(CAMERAS), cameras), "the camera moved"
    check_scale(page)
    check_downloads(page)
    page.screenshot(path=screenshots / "player.png", full_page=True)
    check_memory(page)
    check_bad_data(page)
    page.set_viewport_size({"width": 480, "height": 900})
    page.wait_for_timeout(300)
    page.screenshot(path=screenshots / "player-narrow.png", full_page=True)
    assert not watch.errors and not watch.outside, (watch.errors, watch.outside)


def check_bad_data(page: object) -> None:
    """A frame that cannot be drawn leaves words in the place of the view, and the rest works."""
    page.evaluate("""() => { const boxes = document.querySelectorAll('.resfold-stage');
      boxes[3].resfoldModel.set('frames', new DataView(new Float32Array(7).buffer)); }""")
    failed = page.locator(".resfold-stage.resfold-failed")
    failed.wait_for(timeout=5000)
    assert "do not fit 200 residues" in failed.inner_text()


def check_memory(page: object) -> None:
    """Drawing costs little and leaves nothing behind, scrub after scrub."""
    print(f"median draw of 50 frames, 200 residues: {page.evaluate(MEASURE, 3):.1f} ms")
    client = page.context.new_cdp_session(page)
    client.send("HeapProfiler.collectGarbage")
    before = client.send("Runtime.getHeapUsage")["usedSize"]
    page.evaluate(MEASURE, 3)
    page.evaluate(MEASURE, 3)
    client.send("HeapProfiler.collectGarbage")
    grown = client.send("Runtime.getHeapUsage")["usedSize"] - before
    print(f"heap after 100 scrubs: {grown / 1e6:+.2f} MB of {before / 1e6:.1f} MB")
    assert grown < 3e6


def check_keys(page: object) -> None:
    """Arrows, pages, Home and End, also from a button of the bar."""
    output = page.locator(".resfold-scrubber output").first
    loop = page.get_by_role("button", name="Loop").first
    loop.focus()
    for key, frame in (("PageDown", 10), ("ArrowRight", 11), ("PageUp", 1), ("ArrowLeft", 0),
                       ("End", 49), ("Home", 0)):
        page.keyboard.press(key)
        assert output.inner_text() == f"frame {frame} of 49", key


def check_play(page: object) -> None:
    """Space plays and pauses; Loop goes on from the start."""
    page.locator(".resfold-scrubber input[type=range]").first.focus()
    page.keyboard.press("End")
    loop = page.get_by_role("button", name="Loop").first
    loop.click()
    assert loop.get_attribute("aria-pressed") == "true"
    page.get_by_label("Speed").first.select_option("4")
    page.locator(".resfold-scrubber input[type=range]").first.focus()
    page.keyboard.press("Space")
    output = page.locator(".resfold-scrubber output").first
    assert output.get_attribute("aria-live") == "off"
    page.wait_for_function("document.querySelector('.resfold-stage').dataset.frame > 3")
    page.keyboard.press("Space")
    assert output.get_attribute("aria-live") == "polite"
    page.keyboard.press("Home")


def check_looks(page: object) -> None:
    """Every way of colouring, the ghost and the trail change the picture."""
    stage = page.locator(".resfold-stage").first
    page.locator(".resfold-more summary").first.click()
    page.keyboard.press("PageDown")
    page.locator(".resfold-scrubber input[type=range]").first.press("PageDown")
    changes = [lambda m=m: page.get_by_label("Colour by").first.select_option(m)
               for m in ("chain", "structure", "error")]
    changes += [page.get_by_label("Truth in grey").first.uncheck,
                page.get_by_label("Trail of earlier frames").first.check]
    for i, change in enumerate(changes):
        page.wait_for_timeout(200)
        before = pixels_of(stage)
        change()
        page.wait_for_timeout(200)
        assert (np.abs(pixels_of(stage) - before).max(axis=2) > 20).mean() > 0.001, i
    assert page.locator(".resfold-legend").first.is_visible()
    page.get_by_label("Truth in grey").first.check()


def check_scale(page: object) -> None:
    """The bar is as long as so many Å are, at another zoom too."""
    size = """() => { const b = document.querySelector('.resfold-stage'), v = b.resfoldViewer;
      const s = b.querySelector('.resfold-scale').dataset;
      const at = (x) => v.modelToScreen({ x, y: -v.getView()[1], z: -v.getView()[2] });
      const a = at(0), c = at(10);
      return [s.pixels / s.length, Math.hypot(a.x - c.x, a.y - c.y) / 10]; }"""
    for _ in range(2):
        shown, true = page.evaluate(size)
        assert shown == pytest.approx(true, rel=0.05)
        page.evaluate("document.querySelector('.resfold-stage').resfoldViewer.zoom(1.7)")
    page.evaluate("document.querySelector('.resfold-stage').resfoldViewer.zoom(1 / 2.89)")


def check_downloads(page: object) -> None:
    """PDB files hold what is shown; what does not fit is said."""
    for name, models in (("PDB of this frame", 1), ("PDB of all frames", 50)):
        with page.expect_download() as info:
            page.get_by_role("button", name=name).first.click()
        text = Path(info.value.path()).read_text()
        assert text.count("MODEL ") == models and text.count("ENDMDL") == models
        atom = next(line for line in text.splitlines() if line.startswith("ATOM"))
        assert len(atom) >= 78 and atom[12:16] == " CA " and float(atom[30:38]) != 0
    page.locator(".resfold-more summary").nth(1).click()
    page.get_by_role("button", name="PDB of all frames").nth(1).click()
    page.get_by_text("A PDB file cannot hold the coordinate").wait_for(timeout=5000)


def test_new_data_keep_the_camera_and_the_theme_changes_the_stage(
    notebook: Path, open_lab: Callable[..., tuple[object, Watch]], screenshots: Path
) -> None:
    change = """size = globals().get("size", 1.5) - 0.5
seen.set_frames({"one": one[:7] * size, "two": one[:7]})
seen.panes[0].set_truth(truth * size)
print('all cells ran')"""
    write_notebook(notebook.parent / "player.ipynb", (START, change))
    page, watch = open_lab("player.ipynb", height=1200)
    page.evaluate(RUN_ALL)
    page.get_by_text("all cells ran", exact=True).wait_for(timeout=60_000)
    check_page(page)
    page.evaluate("document.querySelector('.resfold-stage').resfoldViewer.rotate(40)")
    cameras = page.evaluate(CAMERAS)
    before = pixels_of(page.locator(".resfold-stage").first)
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-cell')")
    page.get_by_text("[3]:").wait_for(timeout=10_000)
    page.wait_for_timeout(500)
    assert page.locator(".resfold-scrubber input[type=range]").get_attribute("max") == "6"
    moved = np.abs(pixels_of(page.locator(".resfold-stage").first) - before).max(axis=2) > 40
    assert moved.mean() > 0.01, "the new frames were not drawn"
    watch.clear()
    page.locator(".resfold-scrubber input[type=range]").press("End")
    page.wait_for_function("document.querySelector('.resfold-stage').dataset.frame === '6'")
    assert np.allclose(page.evaluate(CAMERAS), cameras), "the camera moved"
    assert not watch.sent, "the slider talked to the kernel"
    page.evaluate(DARK)
    page.wait_for_selector("body[data-jp-theme-light='false']", state="attached")
    page.wait_for_timeout(800)
    assert pixels_of(page.locator(".resfold-stage").first)[5:40, 5:40].mean() < 60
    page.screenshot(path=screenshots / "player-dark.png")
    assert not watch.errors and not watch.outside, (watch.errors, watch.outside)
