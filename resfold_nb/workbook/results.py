"""What an executed notebook left: its recorded numbers, its error, its warnings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from resfold_nb.workbook.one_notebook import KEY
from resfold_nb.workbook.metrics import MIME, quantity


@dataclass(frozen=True)
class Metric:
    """A recorded number. A goal has also `op`, `limit` and `held`."""

    notebook: str
    name: str
    value: float
    unit: str = ""
    kind: str = "metric"
    op: str = ""
    limit: float | None = None
    held: bool | None = None

    @property
    def condition(self) -> str:
        """The goal's condition, such as "< 1 Å"; empty for a metric."""
        return "" if self.limit is None else f"{self.op} {quantity(self.limit, self.unit)}"


@dataclass(frozen=True)
class Result:
    """One notebook's run."""

    notebook: str
    seconds: float
    metrics: tuple[Metric, ...] = ()
    error: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether it ran to its end and wrote nothing to its error stream."""
        return not self.error and not self.warnings


def read(path: Path) -> Result:
    """The result kept in an executed notebook.

    Raises ValueError: the notebook was not executed to its end or its error.
    """
    notebook = nbformat.read(path, 4)
    outcome = notebook.metadata.get(KEY)
    if outcome is None:
        raise ValueError(f"{path} holds no finished run")
    metrics = tuple(_metrics(path.stem, notebook))
    error = _error_text(notebook, outcome["error"]) or _repeated(metrics)
    return Result(path.stem, outcome["seconds"], metrics, error, tuple(_warnings(notebook)))


def stamp(path: Path) -> str | None:
    """The stamp of a finished run without error; None if there is no such run."""
    try:
        outcome = nbformat.read(path, 4).metadata.get(KEY)
    except (OSError, ValueError, nbformat.ValidationError):
        return None
    return outcome["stamp"] if outcome and not outcome["error"] else None


def _outputs(notebook: NotebookNode) -> Iterator[tuple[str, NotebookNode]]:
    """Each output with the place of its cell, for a reader to find."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            yield f"cell [{cell.execution_count}]", output


def _metrics(name: str, notebook: NotebookNode) -> Iterator[Metric]:
    for _, output in _outputs(notebook):
        if MIME in output.get("data", {}):
            yield Metric(notebook=name, **output["data"][MIME])


def _warnings(notebook: NotebookNode) -> Iterator[str]:
    for place, output in _outputs(notebook):
        if output.output_type == "stream" and output.name == "stderr":
            yield f"{place} wrote to its error stream: {output.text.strip()}"


def _error_text(notebook: NotebookNode, error: dict[str, Any] | None) -> str:
    if error is None:
        return ""
    text = next((line for line in error["text"].splitlines() if line.strip()), "")
    return f"{_place(notebook, error['at'])}{error['name']}: {text}"


def _place(notebook: NotebookNode, at: str) -> str:
    """Execution count and first line of the cell that failed, or of the last one that started."""
    marked = [(cell, cell.metadata.get("papermill", {})) for cell in notebook.cells]
    failed = [cell for cell, mark in marked if mark.get("status") == "failed"]
    begun = [cell for cell, mark in marked if mark.get("start_time") and cell.source.strip()]
    cells = {"failed": failed, "last": begun}.get(at)
    if not cells:
        return ""
    line = cells[-1].source.strip().splitlines()[0]
    return f"cell [{cells[-1].execution_count or '*'}] `{line}`: "


def _repeated(metrics: tuple[Metric, ...]) -> str:
    twice = sorted(name for name, count in Counter(m.name for m in metrics).items() if count > 1)
    return f"recorded more than once: {', '.join(twice)}" if twice else ""
