"""Every notebook in a real JupyterLab and every exported page, in profile `ci`.

`make test` opens a few; `make test-all` (option --every) opens them all.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from browser.checking import RUN_ALL, check_page, check_sliders

from resfold_nb.workbook import run_notebooks
from resfold_nb.workbook import BUILD, NOTEBOOKS, ROOT

PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
IN_LAB = ("00_tour", "02_forward_process", "05_training_and_sampling")
PAGES = ("00_tour", "16_verdict")
END = "every cell of this notebook ran"
FAILED = "[data-mime-type='application/vnd.jupyter.error'], [data-mime-type$='stderr'] .traceback"


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    """A notebook; skipped where neither --every nor the short list asks for it."""
    few = IN_LAB if "lab" in request.node.originalname else PAGES
    if not request.config.getoption("--every") and request.param.stem not in few:
        pytest.skip("opened by make test-all")
    return request.param


def test_in_lab(path: Path, open_lab: Callable, notebook: Path, screenshots: Path) -> None:
    """Runs whole in JupyterLab, draws everything, scrubs without the kernel, logs no error."""
    folder = notebook.parent  # that JupyterLab serves
    shutil.copytree(NOTEBOOKS / "images", folder / "images", dirs_exist_ok=True)
    nbformat.write(in_profile_ci(path), folder / path.name)
    page, watch = open_lab(path.name, height=2400)
    page.evaluate(RUN_ALL)
    page.get_by_text(END, exact=True).last.wait_for(timeout=240_000)
    assert page.locator(FAILED).count() == 0
    check_page(page)
    check_sliders(page, watch)
    page.screenshot(path=screenshots / f"lab-{path.stem}.png")
    assert not watch.errors and not watch.outside, (watch.errors, watch.outside)


def test_page(path: Path, open_offline: Callable, tmp_path: Path, screenshots: Path) -> None:
    """Live from disk with the network off."""
    page, watch = open_offline(page_of(path, tmp_path))
    check_page(page)
    check_sliders(page, watch)
    assert page.locator("h1").count() == 1
    page.screenshot(path=screenshots / f"page-{path.stem}.png")
    assert not watch.errors and not watch.outside, (watch.errors, watch.outside)


def in_profile_ci(path: Path) -> nbformat.NotebookNode:
    """The notebook with its parameter set, and a last cell that says so."""
    copy = nbformat.read(path, 4)
    parameters = next(c for c in copy.cells if "parameters" in c.metadata.get("tags", []))
    parameters.source = parameters.source.replace('"laptop"', '"ci"')
    copy.cells.append(nbformat.v4.new_code_cell(f"print({END!r})"))
    return copy


def page_of(path: Path, folder: Path) -> Path:
    """The page that the notebooks' own tests left, if it is newer than all code; else a new one."""
    left = BUILD / "ci" / f"{path.stem}.html"
    package = (ROOT / "resfold_nb").rglob("*")
    code = [path, *(p for p in package if p.suffix in (".py", ".js", ".css"))]
    if left.exists() and left.stat().st_mtime > max(p.stat().st_mtime for p in code):
        return left
    job = run_notebooks.job_for(path, folder, "ci", seed=0, html=True)
    ((_, result),) = run_notebooks.run_all([job], at_once=1)
    assert result.error == ""
    return folder / f"{path.stem}.html"
