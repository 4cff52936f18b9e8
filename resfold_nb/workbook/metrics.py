"""Numbers that a notebook measured, kept in its output where the runner finds them."""

from __future__ import annotations

import math
import operator
from typing import Any, SupportsFloat

MIME = "application/vnd.resfold.metric+json"

_COMPARE = {"<": operator.lt, "<=": operator.le, "==": operator.eq, ">=": operator.ge, ">": operator.gt}


def metric(name: str, value: SupportsFloat, unit: str = "") -> None:
    """Keep a measured number, for the runner to compare with its band; nothing is shown in a notebook.

    Parameters
    ----------
    name : one of a kind within the notebook, such as "worst error, fix A".
    value : a finite number; a tensor or array of one element will do.
    unit : such as "Å" or "steps"; empty for a pure number.

    Raises ValueError: no name, or a value that is not a finite number.
    """
    number = _number(name, value)
    text = f"{name}: {quantity(number, unit)}"
    _keep({"kind": "metric", "name": name, "value": number, "unit": unit}, text)


def goal(name: str, value: SupportsFloat, op: str, limit: SupportsFloat, unit: str = "") -> None:
    """Assert that `value op limit` holds, such as an error below 1 Å.

    Goals are the workbook's promises, and say nothing while they are kept. They are recorded apart from the metrics,
    have no band and are never regenerated.

    Parameters
    ----------
    name, value, unit : as for `metric`.
    op : "<", "<=", "==", ">=" or ">".
    limit : what the value is held against, in the same unit.

    Raises
    ------
    AssertionError : the goal does not hold.
    ValueError : an unknown operator, or a value or limit that is not a finite number.
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
        kind = type(value).__name__
        raise ValueError(f"{name}: record one number, not {kind}: {error}") from None
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
