"""What decides about study `report_run`, written before its first recorded run.

Errors are superposed, as the public code's were, in Å at the end of each run: of one step at t = 49 and of samples
from 49 calls. Every run is judged alike:

    near       a run whose two errors both lie within a factor 1.5 of the report's
    explains   a script at one rate, with the scaled residual: at least half of its runs are near; "can" if any is;
               else "does not"
    change     of one thing, and what it does to the errors: as `verdict.paired` answers it

Added after the first runs had been seen, and shown as such: the same with plain errors, because the report writes
RMSE and does not say how it was taken; and a small dimer's errors over its radius of gyration beside a large one's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resfold_nb.data import load, standard_deviation
from resfold_nb.studies.proteins import dimers
from resfold_nb.studies.repairs import FALLS, PLANNED
from resfold_nb.verdict.paired import FIELDS, PAIR, paired

if TYPE_CHECKING:
    import pandas as pd

REPORT = {"t = 49": 9.17, "sampled": 6.91}
"""The report's figures after 500 steps, in Å; the third is 0.00 at t = 0."""

NEAR = 1.5

SETTING = ["setting", "change", "variant"]
BASE = {"change": PLANNED, "variant": "scaled residual"}

CHANGES: dict[str, tuple[str, str, str]] = {
    "the rate falls within the run": ("change", PLANNED, FALLS),
    "four draws an update, not one (equal draws)": ("setting", "e2e, 1 draw", "e2e"),
    "no rollouts, and t from 0": ("setting", "e2e", "e2e, single steps"),
    "64 draws an update, not one (equal updates)": ("setting", "resfold, 1 draw", "resfold, 64 draws"),
    "A": ("variant", "scaled residual", "A"),
    "skip, no scale": ("variant", "scaled residual", "skip, no scale"),
    "scale, no skip": ("variant", "scaled residual", "scale, no skip"),
    "B, own loss": ("variant", "scaled residual", "B, own loss"),
    "C, own loss": ("variant", "scaled residual", "C, own loss"),
    "a small dimer, not a large one (over Rg)": ("size", "large", "small")}
"""One change at a time from the report's form at the planned rate: column of `runs_of`, from, to."""


def runs_of(frame: pd.DataFrame, step: int | None = None, value: str = "rmsd") -> pd.DataFrame:
    """A row a run: SETTING, protein, seed, and its errors in Å, "t = 0", "t = 1", "t = 49" and "sampled".

    `frame` is `studies.load("report_run")`; `step` a measured step, the last of each run by default; `value` "rmsd",
    as the rules have it, or "rmse".
    """
    names = {0: "t = 0", 1: "t = 1", 49: "t = 49", "sampled": "sampled"}
    at = frame[(frame["step"] == (frame["steps"] if step is None else step)) & frame["t"].isin(list(names))]
    wide = at.assign(t=at["t"].map(names)).pivot(index=[*SETTING, *PAIR], columns="t", values=value)
    return wide.reindex(columns=[*names.values()]).astype(float).reset_index().rename_axis(columns=None)


def near(runs: pd.DataFrame) -> pd.Series:
    """Whether each row of `runs_of` has both errors within a factor `NEAR` of the report's."""
    return (np.log(runs[list(REPORT)] / REPORT).abs() <= np.log(NEAR)).all(axis=1)


def explains(runs: pd.DataFrame) -> pd.DataFrame:
    """Of each script and rate with the scaled residual: `count` of runs, `share` near the report, and the `word`."""
    own = runs[runs["variant"] == "scaled residual"].assign(near=near)
    found = own.groupby(SETTING[:2], sort=False)["near"].agg(["count", "mean"]).rename(columns={"mean": "share"})
    words = np.select([found["share"] >= 0.5, found["share"] > 0], ["explains", "can"], "does not")
    return found.assign(word=words).reset_index()


def changes(runs: pd.DataFrame, at: str) -> pd.DataFrame:
    """What each of `CHANGES` does to a column of `runs_of` in each setting, as `verdict.paired` has it.

    Small dimers are paired with large ones as they are listed, each error over its protein's standard deviation.
    """
    import pandas as pd

    found = []
    for change, (column, before, after) in CHANGES.items():
        table = runs
        for name, value in BASE.items():
            table = table if name == column else table[table[name] == value]
        if column == "size":
            size = {protein: standard_deviation(load(protein)) for protein in dimers()}
            place = {protein: (i % 2, ("small", "large")[i // 2]) for i, protein in enumerate(dimers())}
            pairs = table["protein"].map(place)
            table = table.assign(**{at: table[at] / table["protein"].map(size), "protein": pairs.str[0],
                                    "size": pairs.str[1]})
        found.append(paired(table, change, (column, before, after), at, SETTING))
    return pd.concat(found, ignore_index=True)[FIELDS]


def headline(runs: pd.DataFrame, plain: pd.DataFrame) -> str:
    """What the study says, in three Markdown items; that it was not recorded where there is no run.

    `plain` are the runs by their plain errors.
    """
    own, own_plain = (each[each["variant"] == "scaled residual"] for each in (runs, plain))
    if own.empty:
        return "Study `report_run`: **not recorded**."
    where = [f"{row.setting}, {row.change}: {row.share:.0%} of {row.count}" for row in explains(plain).itertuples()
             if row.share]
    does = [f"{at}: " + "; ".join(f"*{what}* {_typical(rows)}" for what, rows in found.groupby("what", sort=False))
            for at in REPORT if len(found := changes(runs, at))]
    seeds = own["seed"].nunique()
    return (f"- **The report's {' and '.join(f'{x} Å' for x in REPORT.values())}** (t = 49, sampled). Of {len(own)} "
            f"runs with its own form, rebuilt from the public code on {own['protein'].nunique()} dimers "
            f"({seeds} seed{'s' * (seeds > 1)} at most), {near(own).sum()} lie within a factor {NEAR} of both after "
            f"superposition, as the public code measured, and {near(own_plain).sum()} without.\n"
            f"- **Where those without lie**: {'; '.join(where) or 'nowhere'}.\n"
            f"- **One change at a time**, superposed errors after over before. {'. '.join(does) or 'Not recorded'}.")


def _typical(rows: pd.DataFrame) -> str:
    """A change's ratio: its interval in one setting, or median and range over several."""
    if len(rows) == 1:
        return "{ratio:.2f} (95 % interval {low:.2f} to {high:.2f}: {answer})".format_map(rows.iloc[0])
    ratio, said = rows["ratio"], rows["answer"].value_counts()
    return (f"{ratio.median():.2f} ({ratio.min():.2f} to {ratio.max():.2f} in {len(rows)} settings: "
            f"{', '.join(f'{n} {word}' for word, n in said.items())})")
