"""What decides about studies `frame` and `weight`, written before their first recorded runs.

`frame`. Each run is sampled three ways: as it is, aligned, aligned and recentred. Two numbers find the fault in any
model: `turn`, the plain over the superposed error of single steps, which is 1 where the network keeps the orientation;
and `excess`, the superposed error of samples over that of single steps. Errors of single steps are means over t = 1 ...
49.

    walks away   the whole interval of `excess` (geometric mean over proteins, `measure.student`) lies above 1.5;
                 "does not" where it lies below; else "open"
    last         added after the first runs had been seen: the same over the single step at t = 1, the call that makes
                 a sample. A form that copies x_t errs little there, and may have an excess without any turn
    a repair     what it does to the superposed error of samples, as `verdict.paired` answers it. It *mends* a cell that
                 walks away where it is better, and *harms* where it is worse.

`weight`. What another loss does to the error at t = 1, t = 49 and of samples from 49 and from 5 calls, in each form and
task, as `verdict.paired` answers it; and likewise C with its loss on F over A and over B with theirs. One protein and
the ten chains are one set each: their intervals are over seeds, and speak of that set alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resfold_nb.measure import Interval, student
from resfold_nb.verdict.paired import PAIR, paired

if TYPE_CHECKING:
    import pandas as pd

WALKS = 1.5
CELL = ["variant", "loss", "turns", "sampling"]
REPAIRS = {"aligned sampling": ("sampling", "as it is", "aligned"),
           "aligned and recentred": ("sampling", "as it is", "recentred"),
           "random rotations in training": ("turns", "as it lies", "random rotations"),
           "a plain loss": ("loss", "superposed loss", "plain loss")}

WEIGHTING = ["setting", "form", "loss"]
REWEIGHTED = {"loss on F": ("loss", "loss on x0", "loss on F"), "min-SNR": ("loss", "loss on x0", "min-SNR")}
PUBLISHED = {"C, not A": ("own", "A, loss on x0", "C, loss on F"), "C, not B": ("own", "B, loss on F", "C, loss on F"),
             "C as published, not on x0": ("own", "C, loss on x0", "C, loss on F")}
AT = ["t = 1", "t = 49", "sampled", "5 calls"]


def frame_runs(errors: pd.DataFrame, quantities: pd.DataFrame) -> pd.DataFrame:
    """A row a run and way of sampling: CELL, PAIR, `single`, `sampled` (Å, superposed), `turn`, `excess`, `last`.

    The arguments are the tables "errors" and "quantities" of study `frame`.
    """
    import pandas as pd

    keys = ["variant", "setting", *PAIR]
    last = errors[errors["step"] == errors["steps"]]
    steps = last[last["t"].isin(list(range(1, 50)))].groupby(keys, sort=False)[["rmse", "rmsd"]].mean()
    steps["first"] = last[last["t"] == 1].set_index(keys)["rmsd"]
    ways = {"as it is": last[last["t"] == "sampled"].set_index(keys)["rmsd"]}
    for way in ("aligned", "recentred"):
        rows = quantities[quantities["quantity"] == f"sampled, {way}, RMSD (Å)"]
        ways[way] = rows.set_index(keys)["value"]
    sampled = pd.concat(ways, names=["sampling"]).rename("sampled").reset_index()
    found = sampled.merge(steps.reset_index(), on=keys).rename(columns={"rmsd": "single"})
    parts = found["setting"].str.extract("(.*), (.*)")
    found = found.assign(loss=parts[0], turns=parts[1], turn=found["rmse"] / found["single"],
                         excess=found["sampled"] / found["single"], last=found["sampled"] / found["first"])
    return found[[*CELL, *PAIR, "single", "sampled", "turn", "excess", "last"]]


def walks_away(runs: pd.DataFrame) -> pd.DataFrame:
    """Of each cell: proteins, geometric means of `turn`, `last` and `excess`, its `low` and `high`, the `answer`."""
    import pandas as pd

    rows = []
    for cell, same in runs.groupby(CELL, sort=False):
        groups = [np.log(group.to_numpy()) for _, group in same.groupby("protein")["excess"]]
        if len(groups) > 2 or len(same) > len(groups):
            found = Interval(*np.exp(student(groups)))
            word = "walks away" if found.low > WALKS else "does not" if found.high < WALKS else "open"
            rows.append((*cell, len(groups), *np.exp(np.log(same[["turn", "last"]]).mean()), *found, word))
    return pd.DataFrame(rows, columns=[*CELL, "proteins", "turn", "last", "excess", "low", "high", "answer"])


def repairs(runs: pd.DataFrame) -> pd.DataFrame:
    """What each of `REPAIRS` does to the superposed error of samples in each cell."""
    import pandas as pd

    return pd.concat([paired(runs, name, change, "sampled", CELL) for name, change in REPAIRS.items()],
                     ignore_index=True)


def weight_runs(errors: pd.DataFrame, quantities: pd.DataFrame) -> pd.DataFrame:
    """A row a run of study `weight`: WEIGHTING, `own` (form and loss), protein, seed, and errors `AT` in Å.

    Plain errors of single steps, superposed ones of samples; superposed all under random rotations.
    """
    keys = ["variant", "setting", *PAIR]
    last = errors[(errors["step"] == errors["steps"]) & errors["t"].isin([1, 49, "sampled"])]
    free = last["rotate"].astype(bool) | (last["t"] == "sampled")
    last = last.assign(error=last["rmsd"].where(free, last["rmse"]), t=last["t"].map(
        {1: "t = 1", 49: "t = 49", "sampled": "sampled"}))
    wide = last.pivot(index=keys, columns="t", values="error").reindex(columns=AT[:3])
    few = quantities[quantities["quantity"] == "ddim, 5 calls, RMSD (Å)"].set_index(keys)["value"]
    wide = wide.join(few.rename("5 calls")).astype(float).reset_index().rename_axis(columns=None)
    parts = wide["variant"].str.extract("(.*), (.*)")
    return wide.assign(form=parts[0], loss=parts[1], own=wide["variant"])


def weights(runs: pd.DataFrame) -> pd.DataFrame:
    """What another loss does, and C as published over A and B; a row a change, setting and error."""
    import pandas as pd

    found = [paired(runs, name, change, at, names).assign(at=at)
             for at in AT for changes, names in ((REWEIGHTED, WEIGHTING), (PUBLISHED, ["setting", "own"]))
             for name, change in changes.items()]
    return pd.concat(found, ignore_index=True)
