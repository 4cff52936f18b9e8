"""Live training in a real JupyterLab, and what is left of it on a page without a kernel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import papermill
import pytest
from browser.checking import DARK, RUN_ALL, check_page
from browser.watching import Watch

from resfold_nb.show import export_html

pytestmark = pytest.mark.xdist_group("browser")
ROOT = Path(__file__).resolve().parents[2]
CELLS = ["""from resfold_nb import show
from resfold_nb.studies import batch_for
from resfold_nb.show.live import live_training
from resfold_nb.training import well_fed
show.setup()
STEPS = 2000
recipe = well_fed("ci").but(steps=STEPS, noise_levels=2)
batch = batch_for(recipe, "1R69_A")""", """live = live_training(recipe, batch, every=25, steps=30,
    alt="A small network learns the protein 1R69 by heart.")
live""", "print('all cells ran')"]


def write_notebook(path: Path) -> Path:
    """A notebook that trains live."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [nbformat.v4.new_code_cell(text) for text in CELLS]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def step_of(page: object) -> int:
    """Where the progress bar stands."""
    return int(page.locator(".resfold-live progress").evaluate("(bar) => bar.value"))


def wait_past(page: object, step: int) -> None:
    page.wait_for_function(
        "(step) => document.querySelector('.resfold-live progress').value > step",
        arg=step, timeout=30_000)


def press(page: object, button: str, then: str) -> None:
    """Press a button by keyboard and wait for the status that it should bring."""
    page.locator(".resfold-live").get_by_role("button", name=button).focus()
    page.keyboard.press("Enter")
    page.locator(".resfold-live-status", has_text=then).wait_for(timeout=10_000)


def test_the_buttons_answer_while_it_trains(
    notebook: Path, open_lab: Callable[..., tuple[object, Watch]], screenshots: Path
) -> None:
    write_notebook(notebook.parent / "live.ipynb")
    page, watch = open_lab("live.ipynb", height=1300)
    page.evaluate(RUN_ALL)
    page.get_by_text("all cells ran", exact=True).wait_for(timeout=60_000)
    press(page, "Start", "Training")
    wait_past(page, 30)  # past a measurement, which redraws the curve and the sample
    press(page, "Pause", "Paused after step")
    paused = step_of(page)
    page.wait_for_timeout(1000)
    assert step_of(page) == paused, "it trained on"
    assert "after step 0:" not in page.locator(".resfold-note").inner_text()
    check_page(page)
    page.screenshot(path=screenshots / "live.png")
    check_continue_and_stop(page, screenshots)
    assert not watch.errors and not watch.outside


def check_continue_and_stop(page: object, screenshots: Path) -> None:
    """It goes on from the pause, in the dark theme too, and ends for good."""
    paused = step_of(page)
    page.evaluate(DARK)
    press(page, "Continue", "Training")
    wait_past(page, paused)
    page.screenshot(path=screenshots / "live-dark.png")
    press(page, "Stop", "Stopped after step")
    stopped = step_of(page)
    page.wait_for_timeout(500)
    assert paused < step_of(page) == stopped < 2000
    assert page.locator(".resfold-live button:enabled").count() == 0


def test_a_page_shows_the_final_state_without_a_kernel(
    tmp_path: Path, open_offline: Callable[[Path], tuple[object, Watch]], screenshots: Path
) -> None:
    done = tmp_path / "done.ipynb"
    papermill.execute_notebook(write_notebook(tmp_path / "live.ipynb"), done, cwd=ROOT,
                               progress_bar=False, execution_timeout=60)
    page, watch = open_offline(export_html(done, tmp_path / "live.html"))
    status = page.locator(".resfold-live-status", has_text="Paused after step 30")
    status.wait_for(timeout=30_000)
    assert "need a running kernel" in status.inner_text()
    assert page.locator(".resfold-live button:disabled").count() == 3
    assert step_of(page) == 30
    check_page(page)
    assert "after step 30" in page.locator(".resfold-note").inner_text()
    drawn = page.locator(".resfold-curves").first.evaluate("(chart) => chart.data[0].y.length")
    assert drawn == 30, "the loss curve is not the final one"
    page.screenshot(path=screenshots / "live-page.png", full_page=True)
    assert not watch.errors and not watch.outside
