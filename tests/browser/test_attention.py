"""The attention view in a page on disk: keys, clicks and selects agree with the weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
import papermill
import pytest
from browser.checking import check_page

from resfold_nb.data import load
from resfold_nb.show import export_html
from resfold_nb.workbook import ROOT

pytestmark = pytest.mark.xdist_group("browser")
CELL = """import torch
from resfold_nb.data import load
from resfold_nb.show.attention import attention_view
protein = load("1WY3_A")
L = len(protein)
scores = torch.randn(3, 4, L, L, generator=torch.Generator().manual_seed(0))
weights = (2 * scores).softmax(-1)
torch.save(weights, "{weights}")
attention_view(protein, weights, ["trunk 1", "trunk 2", "denoiser 1"],
               alt="Who listens to whom in three blocks of random weights.")"""
TEXT = ".resfold-attention output"
SHOWN = "() => [...document.querySelectorAll('.resfold-attention-map image')].at(-1).href.baseVal"
SPOT = """(i) => { const v = document.querySelector('.resfold-stage').resfoldViewer;
  return v.modelToScreen(v.getModel(0).selectedAtoms({})[i]); }"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """The exported page and the weights (blocks, heads, L, L) that it shows."""
    import torch

    folder = tmp_path_factory.mktemp("attention")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cell = CELL.format(weights=folder / "weights.pt")
    cells = [nbformat.v4.new_markdown_cell("# Attention"), nbformat.v4.new_code_cell(cell)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}),
                   folder / "in.ipynb")
    papermill.execute_notebook(folder / "in.ipynb", folder / "out.ipynb", progress_bar=False,
                               cwd=ROOT, execution_timeout=60)
    page = export_html(folder / "out.ipynb", folder / "attention.html")
    return page, torch.load(folder / "weights.pt").numpy()


def words(row: np.ndarray, i: int, name: str) -> str:
    """What the view should say of one row of weights."""
    letters = load("1WY3_A").sequence
    most = ", ".join(f"{j} ({letters[j]}) {row[j]:.3f}" for j in np.argsort(-row)[:3])
    return f"{name}: residue {i} ({letters[i]}) listens most to {most}."


def test_the_view_agrees_with_the_weights(made: tuple[Path, np.ndarray], open_offline: Callable,
                                          screenshots: Path) -> None:
    path, weights = made
    page, watch = open_offline(path)
    check_page(page)
    says = page.locator(TEXT)
    assert says.inner_text().startswith(words(weights[0].mean(0)[0], 0, "trunk 1, mean of heads"))
    first = page.evaluate(SHOWN)
    page.get_by_label("Block", exact=True).select_option("denoiser 1")
    page.get_by_label("Head", exact=True).select_option("head 2")
    rows = weights[2, 2]
    assert says.inner_text().startswith(words(rows[0], 0, "denoiser 1, head 2"))
    assert page.evaluate(SHOWN) != first, "the heat map stayed"
    walk_by_keys(page, rows)
    page.screenshot(path=screenshots / "attention.png", full_page=True)
    click_in_3d(page, rows)
    click_in_map(page, rows)
    assert not watch.errors and not watch.outside, (watch.errors, watch.outside)


def walk_by_keys(page: object, rows: np.ndarray) -> None:
    """Arrows, Home and End move the choice; only the chosen button is in the order of tabs."""
    page.get_by_role("radio", name="residue 0,").focus()
    for key, i in (("ArrowRight", 1), ("End", len(rows) - 1), ("ArrowLeft", len(rows) - 2),
                   ("Home", 0), ("PageDown", 10)):
        page.keyboard.press(key)
        expected = words(rows[i], i, "denoiser 1, head 2")
        assert page.locator(TEXT).inner_text().startswith(expected), key
        assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith(
            f"residue {i},")
    assert page.locator(".resfold-attention [role=radio][tabindex='0']").count() == 1
    assert page.locator(".resfold-attention [aria-checked=true]").count() == 1
    assert page.locator(".resfold-stage").get_attribute("data-frame") == "10"


def click_in_3d(page: object, rows: np.ndarray) -> None:
    """A click on the last residue, which lies at the chain's open end, picks a residue."""
    page.locator(".resfold-stage").scroll_into_view_if_needed()
    spot, scroll = page.evaluate(SPOT, len(rows) - 1), page.evaluate("window.scrollY")
    page.mouse.click(spot["x"], spot["y"] - scroll)
    page.wait_for_function("document.querySelector('.resfold-stage').dataset.frame !== '10'")
    i = int(page.locator(".resfold-stage").get_attribute("data-frame"))
    assert page.locator(TEXT).inner_text().startswith(words(rows[i], i, "denoiser 1, head 2"))


def click_in_map(page: object, rows: np.ndarray) -> None:
    """A click in the heat map picks the listener of that row."""
    box = page.locator(".resfold-attention-map image").bounding_box()
    i = 20
    page.mouse.click(box["x"] + box["width"] / 2,
                     box["y"] + box["height"] * (i + 0.5) / len(rows))
    assert page.locator(TEXT).inner_text().startswith(words(rows[i], i, "denoiser 1, head 2"))
