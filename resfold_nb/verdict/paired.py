"""One change at a time: the ratio of errors of runs that differ in one thing, and what its interval says.

Runs are paired by protein and seed. The ratio is the geometric mean over proteins, with Student's interval
(`measure.student`); a tenth is the zone of equivalence:

    better      the whole interval lies below 1 / 1.1
    worse       the whole interval lies above 1.1
    equivalent  the whole interval lies between them
    open        everything else
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from resfold_nb.measure import student

if TYPE_CHECKING:
    import pandas as pd

ZONE = 1.1
PAIR = ["protein", "seed"]
FIELDS = ["what", "setting", "proteins", "pairs", "ratio", "low", "high", "answer"]


def paired(runs: pd.DataFrame, what: str, change: tuple[str, str, str], at: str, setting: Sequence[str]
           ) -> pd.DataFrame:
    """A row for each setting in which both sides were run often enough for an interval: `FIELDS`.

    `runs` has a row a run: the columns of `setting`, PAIR and `at`, an error. `change` is the column that differs, its
    value before and after. What stays equal makes the setting.
    """
    import pandas as pd

    column, before, after = change
    rest, rows = [name for name in setting if name != column], []
    both = runs[runs[column] == after].merge(runs[runs[column] == before], on=[*rest, *PAIR])
    for name, same in both.groupby(rest, sort=False):
        logs = np.log(same[f"{at}_x"] / same[f"{at}_y"])
        groups = [group.to_numpy() for _, group in logs.groupby(same["protein"])]
        if len(groups) > 2 or len(same) > len(groups):
            ratio, low, high = np.exp(student(groups))
            rows.append((what, ", ".join(name), len(groups), len(same), ratio, low, high, answer(low, high)))
    return pd.DataFrame(rows, columns=FIELDS)


def answer(low: float, high: float) -> str:
    """What the interval of a ratio of errors says, with a zone of equivalence of a tenth."""
    if high < 1 / ZONE:
        return "better"
    if low > ZONE:
        return "worse"
    return "equivalent" if 1 / ZONE <= low and high <= ZONE else "open"
