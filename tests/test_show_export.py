"""Exported pages hold what they need and nothing from the network."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from resfold_nb.show import export_html
from resfold_nb.show.export import export_text
from resfold_nb.show.molecule import library_script
from resfold_nb.show.theme import PLOTLY_MIME

LIBRARY_START = "__webpack_modules__={3("


def page_of(tmp_path: Path, *cells: nbformat.NotebookNode) -> str:
    """The exported page of a notebook of these cells."""
    nbformat.write(new_notebook(cells=list(cells)), tmp_path / "n.ipynb")
    return export_html(tmp_path / "n.ipynb", tmp_path / "deep" / "er" / "n.html").read_text()


def code(data: dict[str, object], tags: tuple[str, ...] = ()) -> nbformat.NotebookNode:
    """A cell whose output is ``data``."""
    output = new_output("display_data", data=data)
    return new_code_cell("show()", outputs=[output], metadata={"tags": list(tags)})


def test_a_plain_notebook_stays_small_and_takes_its_heading_as_title(tmp_path: Path) -> None:
    page = page_of(tmp_path, new_markdown_cell("# Noise & more"), code({"text/plain": "1"}))
    assert "<title>Noise &amp; more</title>" in page
    assert len(page) < 600_000, "no library is needed here"


def test_copies_of_the_library_become_one(tmp_path: Path) -> None:
    view = {"text/html": library_script() + "<p>a view</p>"}
    assert LIBRARY_START in view["text/html"]
    page = page_of(tmp_path, code(view), code(view), code(view))
    assert page.count(LIBRARY_START) == 1 and page.count("<p>a view</p>") == 3


@pytest.mark.parametrize(("trace", "least", "most"), [
    ("scatter", 1.4e6, 3e6), ("scatter3d", 4e6, 7e6)])
def test_figures_bring_the_smallest_library_that_draws_them(
    tmp_path: Path, trace: str, least: float, most: float
) -> None:
    figure = {PLOTLY_MIME: {"data": [{"type": trace, "y": [1, 2]}], "layout": {}}}
    page = page_of(tmp_path, code(figure), code(figure))
    assert least < len(page) < most
    assert page.count('class="resfold-plot"') == 2


def test_a_figure_cannot_break_out_of_its_element(tmp_path: Path) -> None:
    figure = {PLOTLY_MIME: {"data": [], "layout": {"title": {"text": "</script><b>x"}}}}
    assert "</script><b>x" not in page_of(tmp_path, code(figure))


def test_solutions_are_folded_away(tmp_path: Path) -> None:
    page = page_of(tmp_path, code({"text/plain": "open"}),
                   code({"text/plain": "hidden"}, tags=("solution",)))
    folded = page.split("<details", 1)[1].split("</details>")[0]
    assert page.count("<details") == 1 and "hidden" in folded
    assert "<details" not in page.split("open")[0]


def test_a_widget_whose_state_was_not_saved_leaves_its_still_picture(tmp_path: Path) -> None:
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "lost"},
            "text/html": "<img alt='still'>"}
    page = page_of(tmp_path, code(view))
    assert 'alt="still"' in page and '"lost"' not in page


@pytest.mark.parametrize("loading", [
    '<script src="https://example.org/a.js"></script>',
    '<link rel="stylesheet" href="//example.org/a.css">',
    '<img src="http://example.org/a.png">',
    '<style>@import "https://example.org/a.css";</style>',
    '<style>@font-face { src: url(https://example.org/a.woff2) }</style>',
])
def test_what_would_load_from_the_network_is_refused(tmp_path: Path, loading: str) -> None:
    with pytest.raises(ValueError, match=r"n\.ipynb loads .*example\.org/a\."):
        page_of(tmp_path, code({"text/html": loading}))


def test_links_lead_to_pages_and_files_as_seen_from_the_page(tmp_path: Path) -> None:
    notebooks, pages = tmp_path / "notebooks", tmp_path / "build" / "ci"
    notebooks.mkdir()
    text = ("[a](01_a.ipynb#Top) [b](reference.md) [c](../data/README.md) [d](https://example.org/e)"
            " [e](#here)")
    cells = [new_markdown_cell(text), new_code_cell("x = '[a](b.ipynb)'")]
    nbformat.write(new_notebook(cells=cells), notebooks / "n.ipynb")
    page = export_html(notebooks / "n.ipynb", pages / "n.html", written_in=notebooks).read_text()
    for address in ("01_a.html#Top", "reference.html", "../../data/README.md",
                    "https://example.org/e", "#here"):
        assert f'href="{address}"' in page, address
    (notebooks / "reference.md").write_text("# Words\n\n[back](n.ipynb)\n")
    other = export_text(notebooks / "reference.md", pages / "reference.html").read_text()
    assert 'href="n.html"' in other and "<title>Words</title>" in other


def test_links_to_click_on_are_fine(tmp_path: Path) -> None:
    assert "https://example.org" in page_of(tmp_path, new_markdown_cell(
        "[a paper](https://example.org)"))
