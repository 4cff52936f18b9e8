"""What decides about study `report_run`, written before its first recorded run.

Errors are superposed, as the public code's were, in Å at the end of each run: of one step at t = 49 and of samples
from 49 calls. Every run is judged alike:

    near       a run whose two errors both lie within a factor 1.5 of the report's
    explains   a script at one rate, with the scaled residual: at least half of its runs are near; "can" if any is;
               else "does not"
    change     of one thing, and what it does to the errors: as `verdict.paired` answers it
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resfold_nb.studies.repairs import FALLS, PLANNED
from resfold_nb.verdict.paired import PAIR, paired
from resfold_nb.studies.proteins import dimers

if TYPE_CHECKING:
    import pandas as pd

REPORT = {"t = 49": 9.17, "sampled": 6.91}
"""The report's figures after 500 steps, in Å; the third is 0.00 at t = 0."""

NEAR = 1.5

SETTING = ["setting", "change", "variant"]

CHANGES: dict[str, tuple[str, str, str]] = {
    "the rate falls within the run": ("change", PLANNED, FALLS),
    "four draws an update, not one": ("setting", "e2e, 1 draw", "e2e"),
    "no rollouts, t from 0": ("setting", "e2e", "e2e, single steps"),
    "64 draws an update, not one": ("setting", "resfold, 1 draw", "resfold, 64 draws"),
    "A": ("variant", "scaled residual", "A"),
    "skip, no scale": ("variant", "scaled residual", "skip, no scale"),
    "scale, no skip": ("variant", "scaled residual", "scale, no skip"),
    "B, own loss": ("variant", "scaled residual", "B, own loss"),
    "C, own loss": ("variant", "scaled residual", "C, own loss"),
    "a small dimer, not a large one": ("protein", "large", "small")}
"""One change at a time: column of `runs_of`, from, to. Small dimers pair with large ones as they are listed."""


def runs_of(frame: pd.DataFrame, step: int | None = None) -> pd.DataFrame:
    """A row a run: SETTING, protein, seed, and its superposed errors in Å, "t = 0", "t = 1", "t = 49" and "sampled".

    `frame` is `studies.load("report_run")`; `step` a measured step, the last of each run by default.
    """
    names = {0: "t = 0", 1: "t = 1", 49: "t = 49", "sampled": "sampled"}
    at = frame[(frame["step"] == (frame["steps"] if step is None else step)) & frame["t"].isin(list(names))]
    wide = at.assign(t=at["t"].map(names)).pivot(index=[*SETTING, *PAIR], columns="t", values="rmsd")
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
    """What each of `CHANGES` does to a column of `runs_of` in each setting, as `verdict.paired` has it."""
    import pandas as pd

    sizes = {name: ("small", "large")[i // 2] for i, name in enumerate(dimers())}
    places = {name: i % 2 for i, name in enumerate(dimers())}
    by_size = runs.assign(protein=runs["protein"].map(places), size=runs["protein"].map(sizes))
    return pd.concat([paired(by_size if column == "protein" else runs, change,
                             ("size" if column == "protein" else column, before, after), at, SETTING)
                      for change, (column, before, after) in CHANGES.items()], ignore_index=True)


def headline(runs: pd.DataFrame) -> str:
    """What the study says, in three Markdown items; that it was not recorded where there is no run."""
    own = runs[runs["variant"] == "scaled residual"]
    if own.empty:
        return "Study `report_run`: **not recorded**."
    where = [f"{row.setting}, {row.change}: {row.share:.0%} of {row.count}" for row in explains(runs).itertuples()]
    both = [changes(runs, at).groupby("what", sort=False)["ratio"].median() for at in REPORT]
    does = [f"*{what}* {both[0][what]:.2f} and {both[1][what]:.2f}" for what in both[0].index]
    return (f"- **The report's figures, {' and '.join(f'{x} Å' for x in REPORT.values())}**: {near(own).sum()} of "
            f"{len(own)} runs with its own form, rebuilt from the public code on {own['protein'].nunique()} dimers "
            f"with {own['seed'].nunique()} seeds, lie within a factor {NEAR} of both, at t = 49 and sampled.\n"
            f"- **Under which recipe**: {'; '.join(where)}.\n"
            f"- **One change at a time** makes the errors at t = 49 and of samples so many times as large (median over "
            f"settings): {'; '.join(does) or 'not recorded'}.")
