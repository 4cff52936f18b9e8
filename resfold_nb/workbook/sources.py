"""Notebook sources: reviewed py:percent text, and the output-free notebooks built from it.

`notebooks/src/NN_name.py` is what people review; `notebooks/NN_name.ipynb` is what they open. The notebook is a
function of the text alone: same text, same bytes, cell ids included.
"""

from __future__ import annotations

import difflib
import hashlib
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from resfold_nb.workbook import NOTEBOOKS

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
_HINT_LINES = 12


def build(notebooks: Path = NOTEBOOKS) -> list[Path]:
    """Write the notebook of each source whose notebook is missing or differs; return those."""
    written = []
    for source in _sources(notebooks):
        target, text = notebooks / f"{source.stem}.ipynb", notebook_text(source)
        if _read(target) != text:
            _write(target, text)
            written.append(target)
    return written


def check(notebooks: Path = NOTEBOOKS) -> list[str]:
    """What is out of step between sources and notebooks, a text each; empty when all agree."""
    problems = []
    for source in _sources(notebooks):
        target, text = notebooks / f"{source.stem}.ipynb", notebook_text(source)
        if not target.exists():
            problems.append(f"{target.name} is missing: run `notebooks build`")
        elif _read(target) != text:
            problems.append(f"{target.name} differs from src/{source.name}: run `notebooks build` after "
                            f"editing the source, `notebooks pull` after editing in JupyterLab\n"
                            + _difference(text, _read(target), f"src/{source.name}", target.name))
    orphans = {path.stem for path in sorted(notebooks.glob("*.ipynb"))} - {s.stem for s in _sources(notebooks)}
    problems += [f"{stem}.ipynb has no source: run `notebooks pull`" for stem in sorted(orphans)]
    return problems


def pull(notebooks: Path = NOTEBOOKS) -> list[Path]:
    """Write the source of each notebook that was edited in JupyterLab, then rebuild; return both.

    Outputs and execution counts are dropped.
    """
    pulled = []
    for path in sorted(notebooks.glob("*.ipynb")):
        source = notebooks / "src" / f"{path.stem}.py"
        text = source_text(path)
        if _read(source) != text:
            _write(source, text)
            pulled.append(source)
    return pulled + build(notebooks)


def notebook_text(source: Path) -> str:
    """The notebook's JSON for a py:percent source."""
    notebook = normalise(jupytext.read(source, fmt="py:percent"), source.stem)
    return nbformat.writes(notebook) + "\n"


def source_text(path: Path) -> str:
    """The py:percent source of a notebook, without its outputs."""
    notebook = normalise(nbformat.read(path, 4), path.stem)
    # No header: it says nothing that `normalise` does not, and names jupytext's version.
    notebook.metadata = NotebookNode(jupytext={"notebook_metadata_filter": "-all"})
    for cell in notebook.cells:
        cell.metadata.pop("jupyter", None)  # derived from the tag, so it stays out of the text
    return jupytext.writes(notebook, fmt={"extension": ".py", "format_name": "percent"})


def normalise(notebook: NotebookNode, name: str) -> NotebookNode:
    """Reduce a notebook to its sources and tags, with ids that follow from them; in place."""
    notebook.metadata = NotebookNode(kernelspec=KERNEL, language_info={"name": "python"})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        tags = list(cell.metadata.get("tags", []))
        cell.metadata = NotebookNode({"tags": tags} if tags else {})
        if {"solution", "plot"} & {*tags}:
            cell.metadata.jupyter = {"source_hidden": True}  # JupyterLab shows it collapsed
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        twin = seen[cell.source] = seen.get(cell.source, -1) + 1
        cell.id = hashlib.sha256(f"{name}\0{twin}\0{cell.source}".encode()).hexdigest()[:8]
    return notebook


def _sources(notebooks: Path) -> list[Path]:
    return sorted((notebooks / "src").glob("*.py"))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def _difference(wanted: str, found: str, wanted_name: str, found_name: str) -> str:
    lines = difflib.unified_diff(wanted.splitlines(), found.splitlines(), wanted_name, found_name, lineterm="", n=1)
    return "\n".join(f"    {line}" for line in list(lines)[:_HINT_LINES])
