"""Scrubber, scope, explorer: markers move, lines change, the figure is not drawn anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat
import papermill
import pytest
from browser.checking import DARK, RUN_ALL, check_page, check_sliders
from browser.watching import Watch

from resfold_nb.show import export_html
from resfold_nb.workbook import ROOT

pytestmark = pytest.mark.xdist_group("browser")
CELLS = ("""from resfold_nb import show, training
from resfold_nb.data import load, make_batch
show.setup()
batch = make_batch(load("1WY3_A"))
recipe = training.named_recipe("well_fed", "ci").but(steps=2)
models = {form: training.build(recipe.but(form=form)) for form in ("residual", "x0")}
scope = show.Scope.joined([show.scope_of(state, batch, (0, 25, 49)) for state in training.train(recipe, batch)
                           if state.step in (0, 2)])""",
         "show.denoising(models, batch, alt='Two models denoise.')",
         "show.explorer(alt='Schedules and forms.')",
         "show.gradient_scope(scope, batch, title='Gradient', alt='Gradient by t and step.')")
LIVE = ("""import plotly.graph_objects as go
from resfold_nb import show
show.setup()
first = show.curves(go.Figure(go.Scatter(x=[0, 1], y=[0, 1])), alt="One line.")
other = show.curves(go.Figure(go.Scatter(x=[0, 1], y=[5, 5])), alt="Another line.")
first""", "other", "first.set_lines({0: ([0, 1, 2], [7, 8, None])})", "first",
        "print('all cells ran')")
DATA = """(k) => { const p = document.querySelectorAll('.resfold-curves')[k];
  return p._fullData.map((d) => [Array.from(d.x ?? []), Array.from(d.y ?? [])]); }"""


@pytest.fixture(scope="module")
def page_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The views, executed and exported."""
    folder = tmp_path_factory.mktemp("curves")
    papermill.execute_notebook(write_notebook(folder / "in.ipynb", CELLS),
                               folder / "out.ipynb", progress_bar=False,
                               cwd=ROOT, execution_timeout=60)
    return export_html(folder / "out.ipynb", folder / "views.html")


def test_everything_follows_its_slider(page_path: Path, open_offline: Callable,
                                       screenshots: Path) -> None:
    page, watch = open_offline(page_path)
    check_page(page)
    check_sliders(page, watch)
    scrub(page)
    explore(page)
    choose_a_cell(page)
    page.screenshot(path=screenshots / "curves.png", full_page=True)
    assert not watch.errors and not watch.outside, (watch.errors, watch.outside)


def test_new_lines_show_at_once_and_in_a_later_view(
    notebook: Path, open_lab: Callable[..., tuple[object, Watch]], screenshots: Path
) -> None:
    """They travel alone, and so does the library, once for both charts."""
    write_notebook(notebook.parent / "curves.ipynb", LIVE)
    page, watch = open_lab("curves.ipynb", height=1800)
    page.evaluate(RUN_ALL)
    page.get_by_text("all cells ran", exact=True).wait_for(timeout=60_000)
    page.wait_for_function("document.querySelectorAll('.resfold-curves .main-svg .lines')"
                           ".length === 3", timeout=30_000)
    for k in (0, 2):
        assert page.evaluate(DATA, k) == [[[0, 1, 2], [7, 8, None]]]
    assert page.evaluate(DATA, 1) == [[[0, 1], [5, 5]]]
    received = [m if isinstance(m, bytes) else m.encode() for m in watch.received]
    assert sum(len(m) > 1_000_000 for m in received) == 1, "plotly.js came more than once"
    page.evaluate(DARK)
    page.wait_for_selector("body[data-jp-theme-light='false']", state="attached")
    check_page(page)
    page.screenshot(path=screenshots / "curves-dark.png")
    assert not watch.errors and not watch.outside, (watch.errors, watch.outside)


def write_notebook(path: Path, sources: Sequence[str]) -> Path:
    """A notebook of code cells under a heading."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [nbformat.v4.new_markdown_cell("# Views"), *map(nbformat.v4.new_code_cell, sources)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def scrub(page: object) -> None:
    """The markers stand at the slider's t on their lines; the lines stay as they were."""
    before = page.evaluate(DATA, 0)
    slider = page.locator(".resfold-scrubber input[type=range]").first
    slider.focus()
    slider.press("End")
    page.wait_for_function("document.querySelector('.resfold-curves').dataset.frame === '49'")
    after = page.evaluate(DATA, 0)
    assert after[:-2] == before[:-2], "the lines changed"
    for line, marker in zip(after[:2], after[-2:], strict=True):
        assert marker == [[49], [line[1][49]]]


def explore(page: object) -> None:
    """Another form has other coefficients."""
    first, output = page.evaluate(DATA, 1), page.locator(".resfold-bar output").first
    page.get_by_label("Form", exact=True).select_option("B: epsilon")
    page.get_by_label("Schedule", exact=True).select_option("cosine")
    page.get_by_label("timestep t").press("End")
    second = page.evaluate(DATA, 1)
    assert all(a[1] != b[1] for a, b in zip(first[:4], second[:4], strict=True))
    assert output.inner_text().startswith("t = 49: ᾱ")


def choose_a_cell(page: object) -> None:
    """By slider, and by a click in the heat map."""
    output = page.locator(".resfold-bar output").last
    assert output.inner_text().startswith("t = 49, step 2")
    page.get_by_label("timestep", exact=True).press("ArrowLeft")
    assert output.inner_text().startswith("t = 25, step 2")
    box = page.locator(".resfold-curves").last.locator(".nsewdrag").bounding_box()
    spot = box["x"] + box["width"] / 4, box["y"] + box["height"] / 6
    page.mouse.move(*spot, steps=3)
    page.wait_for_timeout(200)
    page.mouse.down()
    page.mouse.up()
    choose_it_again(page, spot, page.get_by_label("timestep", exact=True))


def choose_it_again(page: object, spot: tuple[float, float], slider: object) -> None:
    """The same cell, after the slider went elsewhere."""
    wait_for_first_cell(page)
    slider.press("ArrowRight")
    assert page.locator(".resfold-bar output").last.inner_text().startswith("t = 25, step 0")
    page.mouse.move(spot[0] + 5, spot[1], steps=3)
    page.wait_for_timeout(200)
    page.mouse.down()
    page.mouse.up()
    wait_for_first_cell(page)


def wait_for_first_cell(page: object) -> None:
    page.wait_for_function("[...document.querySelectorAll('.resfold-bar output')].at(-1)"
                           ".textContent.startsWith('t = 0, step 0')", timeout=5000)
