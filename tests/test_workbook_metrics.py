"""metric and goal, in a notebook and outside of one."""

from __future__ import annotations

import nbformat
import numpy as np
import pytest
import torch
from checkouts import Checkout
from hypothesis import given
from hypothesis import strategies as st

from resfold_nb.workbook import goal, metric
from resfold_nb.workbook.one_notebook import Job
from resfold_nb.workbook.run_notebooks import run_all
from resfold_nb.workbook.metrics import MIME, quantity


def test_outside_a_notebook_the_text_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    metric("error", 0.123456, "Å")
    metric("count", np.int64(3))
    metric("mean", torch.tensor([2.5]))
    assert capsys.readouterr().out.splitlines() == ["error: 0.1235 Å", "count: 3", "mean: 2.5"]


def test_in_a_notebook_the_number_is_kept_whole(checkout: Checkout) -> None:
    source = 'from resfold_nb.workbook import goal, metric\nmetric("error", 1 / 3, "Å")\n'
    path = checkout.add_notebook("01_a", source + 'goal("close", 0.5, "<", 1, "Å")')
    target = path.with_name("done.ipynb")
    ((_, result),) = run_all([Job(str(path), str(target), {"seed": 1})], at_once=1)
    assert result.clean and len(result.metrics) == 2
    kept, held = (output.data for output in nbformat.read(target, 4).cells[-1].outputs)
    assert kept[MIME] == {"kind": "metric", "name": "error", "value": 1 / 3, "unit": "Å"}
    assert held[MIME]["held"] is True and held[MIME]["limit"] == 1
    assert set(kept) == set(held) == {MIME}, "nothing for a reader"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "finite"),
        (float("inf"), "finite"),
        (torch.tensor(float("-inf")), "finite"),
        (torch.zeros(2), "one number"),
        (np.zeros(2), "one number"),
        (None, "one number"),
        (True, "not True"),
        ("3", "not '3'"),
    ],
)
def test_what_is_no_number_is_refused(value: object, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^error: record .*{reason}"):
        metric("error", value)


@pytest.mark.parametrize("name", ["", "  ", None])
def test_a_name_is_needed(name: object) -> None:
    with pytest.raises(ValueError, match="needs a name"):
        metric(name, 1)


@given(st.floats(-10, 10), st.floats(-10, 10), st.sampled_from(["<", "<=", "==", ">=", ">"]))
def test_goal_raises_exactly_when_it_does_not_hold(value: float, limit: float, op: str) -> None:
    if eval(f"{value!r} {op} {limit!r}"):
        goal("g", value, op, limit)
    else:
        with pytest.raises(AssertionError, match="goal missed · g"):
            goal("g", value, op, limit)


def test_goal_refuses_unknown_operators_and_no_numbers() -> None:
    with pytest.raises(ValueError, match="unknown operator '!='"):
        goal("g", 1, "!=", 2)
    with pytest.raises(ValueError, match="limit of g"):
        goal("g", 1, "<", float("nan"))
    with pytest.raises(ValueError, match="finite"):
        goal("g", float("nan"), "<", 1)


def test_quantity_without_a_unit_has_no_trailing_space() -> None:
    assert quantity(1234567.0, "") == "1.235e+06"
