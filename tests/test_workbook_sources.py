"""Sources and notebooks: built, checked, pulled."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from resfold_nb.workbook import sources

SOURCE = """# %% [markdown]
# # A title
#
# Text with $x_t$ and `code`.

# %% tags=["parameters"]
profile = "laptop"
seed = 0

# %%
1 + 1

# %%
1 + 1

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
answer = 2

# %% tags=["plot"]
answer
"""


@pytest.fixture
def notebooks(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "01_a.py").write_text(SOURCE)
    sources.build(tmp_path)
    return tmp_path


def test_notebook_follows_from_its_source_alone(notebooks: Path) -> None:
    text = (notebooks / "01_a.ipynb").read_text()
    assert sources.build(notebooks) == []
    (notebooks / "01_a.ipynb").unlink()
    assert sources.build(notebooks) == [notebooks / "01_a.ipynb"]
    assert (notebooks / "01_a.ipynb").read_text() == text
    nbformat.validate(nbformat.reads(text, 4))


def test_cells_keep_tags_and_solutions_and_plots_are_folded(notebooks: Path) -> None:
    cells = nbformat.read(notebooks / "01_a.ipynb", 4).cells
    assert len({cell.id for cell in cells}) == len(cells) == 7
    tags = [cell.metadata.get("tags") for cell in cells]
    assert tags == [None, ["parameters"], None, None, ["exercise"], ["solution"], ["plot"]]
    folded = [cell.metadata.get("jupyter") for cell in cells]
    assert folded == [None] * 5 + [{"source_hidden": True}] * 2


def test_id_of_a_cell_does_not_depend_on_the_cells_before_it(notebooks: Path) -> None:
    before = {cell.source: cell.id for cell in nbformat.read(notebooks / "01_a.ipynb", 4).cells}
    (notebooks / "src" / "01_a.py").write_text("# %%\nnew = 1\n\n" + SOURCE)
    sources.build(notebooks)
    after = {cell.source: cell.id for cell in nbformat.read(notebooks / "01_a.ipynb", 4).cells}
    assert before.items() <= after.items()


def test_check_shows_what_differs(notebooks: Path) -> None:
    assert sources.check(notebooks) == []
    path = notebooks / "01_a.ipynb"
    path.write_text(path.read_text().replace("# A title", "# Another title"))
    (problem,) = sources.check(notebooks)
    assert "01_a.ipynb differs from src/01_a.py" in problem
    assert '-    "# A title' in problem and '+    "# Another title' in problem

    path.unlink()
    assert sources.check(notebooks) == ["01_a.ipynb is missing: run `notebooks build`"]
    path.with_name("02_b.ipynb").write_text("{}")
    assert "02_b.ipynb has no source: run `notebooks pull`" in sources.check(notebooks)


def test_pull_brings_edits_back_without_outputs(notebooks: Path) -> None:
    assert sources.pull(notebooks) == []
    path = notebooks / "01_a.ipynb"
    edited = nbformat.read(path, 4)
    edited.cells[2].source = "2 + 2"
    edited.cells[2].execution_count = 7
    edited.cells[2].outputs = [nbformat.v4.new_output("stream", text="4")]
    edited.metadata["widgets"] = {}
    nbformat.write(edited, path)
    assert sources.pull(notebooks) == [notebooks / "src" / "01_a.py", path]
    assert (notebooks / "src" / "01_a.py").read_text() == SOURCE.replace("1 + 1", "2 + 2", 1)
    assert json.loads(path.read_text())["cells"][2]["outputs"] == []
    assert sources.check(notebooks) == []


def test_pull_makes_the_source_of_a_new_notebook(notebooks: Path) -> None:
    cell = nbformat.v4.new_code_cell("x = 1")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), notebooks / "02_new.ipynb")
    sources.pull(notebooks)
    assert (notebooks / "src" / "02_new.py").read_text() == "# %%\nx = 1\n"
    assert sources.check(notebooks) == []
