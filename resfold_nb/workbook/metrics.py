"""Numbers that a notebook measured, kept in its output; and reading them back, with its error and its warnings.

Imported within notebooks, so nbformat is loaded only by what reads.
"""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsFloat

from resfold_nb.workbook.one_notebook import KEY

if TYPE_CHECKING:
    from nbformat import NotebookNode

MIME = "application/vnd.resfold.metric+json"

_COMPARE = {"<": operator.lt, "<=": operator.le, "==": operator.eq, ">=": operator.ge, ">": operator.gt}


def metric(name: str, value: SupportsFloat, unit: str = "") -> None:
    """Keep a measured number, for the runner to compare with its band; nothing is shown in a notebook.

    `name` is one of a kind within the notebook, `value` a finite number (a tensor or array of one element will do),
    `unit` such as "Å" or "steps". Raises ValueError: no name, or a value that is not a finite number.
    """
    number = _number(name, value)
    text = f"{name}: {quantity(number, unit)}"
    _keep({"kind": "metric", "name": name, "value": number, "unit": unit}, text)


def goal(name: str, value: SupportsFloat, op: str, limit: SupportsFloat, unit: str = "") -> None:
    """Assert that `value op limit` holds, such as an error below 1 Å.

    Goals are the workbook's promises, and say nothing while they are kept. They have no band and are never
    regenerated. `op` is "<", "<=", "==", ">=" or ">"; the limit is in the value's unit.

    Raises AssertionError: the goal does not hold; ValueError: an unknown operator, or no finite number.
    """
    if op not in _COMPARE:
        raise ValueError(f"goal {name!r}: unknown operator {op!r}; use one of {' '.join(_COMPARE)}")
    number, bound = _number(name, value), _number(f"limit of {name}", limit)
    held = bool(_COMPARE[op](number, bound))
    claim = f"{name}: {quantity(number, unit)} {op} {quantity(bound, unit)}"
    _keep({"kind": "goal", "name": name, "value": number, "unit": unit} | {"op": op, "limit": bound, "held": held},
          f"goal {'held' if held else 'MISSED'} · {claim}", shown=not held)
    if not held:
        raise AssertionError(f"goal missed · {claim} does not hold")


def quantity(value: float, unit: str) -> str:
    """The value to four significant digits, with its unit."""
    return f"{value:.4g} {unit}".rstrip()


def _number(name: str, value: SupportsFloat) -> float:
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"a recorded number needs a name, got {name!r}")
    if isinstance(value, bool | str):
        raise ValueError(f"{name}: record a number, not {value!r}")
    try:
        number = float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name}: record one number, not {type(value).__name__}: {error}") from None
    if not math.isfinite(number):
        raise ValueError(f"{name}: record a finite number, not {number}")
    return number


def _keep(kept: dict[str, Any], text: str, shown: bool = False) -> None:
    """Put it in the notebook's output, with its text if it is to be shown; print the text where there is no notebook.

    JupyterLab shows nothing of an output whose only type it does not know; an empty text would be an empty line.
    """
    try:
        from IPython import get_ipython
    except ImportError:
        get_ipython = None
    if get_ipython is None or get_ipython() is None:
        print(text)
        return
    from IPython.display import display

    display({MIME: kept} | ({"text/plain": text} if shown else {}), raw=True)


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
    import nbformat

    notebook = nbformat.read(path, 4)
    outcome = notebook.metadata.get(KEY)
    if outcome is None:
        raise ValueError(f"{path} holds no finished run")
    metrics = tuple(Metric(path.stem, **output.data[MIME]) for _, output in _outputs(notebook)
                    if MIME in output.get("data", {}))
    warnings = tuple(f"{place} wrote to its error stream: {output.text.strip()}" for place, output in _outputs(notebook)
                     if output.output_type == "stream" and output.name == "stderr")
    error = _error_text(notebook, outcome["error"]) or _repeated(metrics)
    return Result(path.stem, outcome["seconds"], metrics, error, warnings)


def stamp(path: Path) -> str | None:
    """The stamp of a finished run without error; None if there is no such run."""
    import nbformat

    try:
        outcome = nbformat.read(path, 4).metadata.get(KEY)
    except (OSError, ValueError, nbformat.ValidationError):
        return None
    return outcome["stamp"] if outcome and not outcome["error"] else None


def _outputs(notebook: NotebookNode) -> Iterator[tuple[str, NotebookNode]]:
    """Each output with the place of its cell, for a reader to find."""
    for cell in notebook.cells:
        yield from ((f"cell [{cell.execution_count}]", output) for output in cell.get("outputs", []))


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
