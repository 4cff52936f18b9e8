"""What a machine can check of a good notebook; DESIGN's list, a test each."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pytest
from checkouts import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LONGEST_CELL = 25


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> nbformat.NotebookNode:
    return nbformat.read(request.param, 4)


def text_of(notebook: nbformat.NotebookNode) -> str:
    return "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")


def code_of(notebook: nbformat.NotebookNode) -> list[str]:
    return [c.source for c in notebook.cells if c.cell_type == "code"]


def tagged(notebook: nbformat.NotebookNode, tag: str) -> list[nbformat.NotebookNode]:
    return [c for c in notebook.cells if tag in c.metadata.get("tags", [])]


def test_one_heading_of_the_first_level(notebook: nbformat.NotebookNode) -> None:
    assert len(re.findall(r"^# ", text_of(notebook), re.MULTILINE)) == 1


def test_it_says_what_it_teaches_how_long_it_takes_and_where_words_are(
    notebook: nbformat.NotebookNode,
) -> None:
    text = text_of(notebook)
    for part in ("**You will learn**", "**Time:**", "(reference.md)"):
        assert part in text, part


def test_a_prediction_is_asked_for(notebook: nbformat.NotebookNode) -> None:
    assert re.search(r"predict first", text_of(notebook), re.IGNORECASE)


def test_cells_fit_a_screen(notebook: nbformat.NotebookNode) -> None:
    longest = max(code_of(notebook), key=lambda source: source.count("\n"))
    assert longest.count("\n") < LONGEST_CELL, longest


def test_two_or_three_exercises_each_with_a_hidden_solution_and_a_check(
    notebook: nbformat.NotebookNode,
) -> None:
    counts = {len(tagged(notebook, tag)) for tag in ("exercise", "solution", "check")}
    assert counts in ({2}, {3})
    for cell in tagged(notebook, "solution"):
        assert cell.metadata.jupyter.source_hidden
        assert cell.source.startswith("# Solution\n"), "a folded cell shows its first line"


def test_it_records_what_it_measured(notebook: nbformat.NotebookNode) -> None:
    assert "metric(" in code_of(notebook)[-1]


def test_no_cell_uses_what_hangs_or_bloats(notebook: nbformat.NotebookNode) -> None:
    for source in code_of(notebook):
        names = {n.attr if isinstance(n, ast.Attribute) else n.id
                 for n in ast.walk(ast.parse(source)) if isinstance(n, (ast.Attribute, ast.Name))}
        assert not names & {"Output", "interact", "interactive", "FigureWidget"}
        assert not re.search(r"https?://", source), "no cell needs the network"


def test_links_lead_somewhere(notebook: nbformat.NotebookNode) -> None:
    folder = ROOT / "notebooks"
    for address in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text_of(notebook)):
        assert (folder / address).exists(), address


def test_every_notebook_is_in_the_readme_and_the_tour() -> None:
    texts = [(ROOT / "README.md").read_text(), (ROOT / "notebooks/src/00_tour.py").read_text()]
    for path in NOTEBOOKS:
        for text in texts:
            assert path.name in text or path.stem == "00_tour", path.name


def test_the_readmes_links_lead_somewhere() -> None:
    for readme in (ROOT / "README.md", *(ROOT / "data").rglob("README.md")):
        for address in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", readme.read_text()):
            assert (Path(readme).parent / address).exists(), f"{readme}: {address}"
