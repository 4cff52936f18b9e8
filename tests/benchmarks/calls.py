"""Error of samples against the number of network calls, from the recorded studies; nothing is trained.

Of many proteins the ten chains are what there is: the runs on a hundred chains were not sampled with
fewer calls. Ten chains can be known by heart, and then one call is as good as many; random rotations of
one protein stand beside them, because there no answer by heart will do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from benchmarks.harness import record

from resfold_nb.studies import load
from resfold_nb.studies.plans import PLANS
from resfold_nb.studies.quantities import CALLS

MANY, TURNED = "ten chains", "random rotations"  # turned: no orientation of a sample is the right one
SAMPLERS, MOST = ("ddpm", "ddim"), 49
TARGET = MOST // 3  # "the same error from a third of the calls"


class Recorded(NamedTuple):
    """A variant's errors in Å, calls -> (seeds,), and where they were recorded."""

    setting: str
    study: str
    variant: str
    sampler: str
    rmsd: Mapping[int, np.ndarray]
    rmse: Mapping[int, np.ndarray]

    @property
    def what(self) -> dict[str, str]:
        """The columns that name it."""
        return {k: getattr(self, k) for k in ("setting", "study", "variant", "sampler")}


def fewest_calls(errors: Mapping[int, np.ndarray]) -> int:
    """The smallest number of calls whose median is at most the worst seed's error at the most calls."""
    limit = np.max(errors[max(errors)])
    return min(calls for calls, values in errors.items() if np.median(values) <= limit)


def planned(setting: str) -> Iterator[tuple[str, str]]:
    """(study, variant) of a setting, each variant once: studies that share a run recorded it alike."""
    seen = set()
    for study, plan in PLANS.items():
        for names, settings in plan:
            for name in names if setting in settings else ():
                if name not in seen:
                    seen.add(name)
                    yield study, name


def recorded(setting: str) -> Iterator[Recorded]:
    """Every variant of a setting with samples of every number of calls, by sampler."""
    for study, name in planned(setting):
        frame = load(study, table="quantities")
        here = frame[(frame["variant"] == name) & (frame["setting"] == setting)].sort_values("seed")
        values = {quantity: rows["value"].to_numpy() for quantity, rows in here.groupby("quantity")}
        for sampler in SAMPLERS:
            found = [{calls: values.get(f"{sampler}, {calls} calls, {measure} (Å)") for calls in CALLS}
                     for measure in ("RMSD", "RMSE")]
            if all(errors is not None for by_calls in found for errors in by_calls.values()):
                yield Recorded(setting, study, name, sampler, *found)


def error_rows(one: Recorded) -> Iterator[dict[str, Any]]:
    """A row a number of calls; no RMSE where it means nothing."""
    for calls in CALLS:
        row: dict[str, Any] = one.what | {"calls": calls, "seeds": len(one.rmsd[calls])}
        for measure, errors in (("RMSD", one.rmsd), ("RMSE", one.rmse)):
            middle, values = float(np.median(errors[calls])), errors[calls]
            found = (middle, float(values.min()), float(values.max()), middle / float(np.median(errors[MOST])))
            names = (f"{measure} (Å)", f"{measure}, lowest", f"{measure}, highest",
                     f"{measure} over that of {MOST} calls")
            told = measure == "RMSD" or one.setting != TURNED
            row |= zip(names, found if told else [None] * 4, strict=True)
        yield row


def enough_row(one: Recorded) -> dict[str, Any]:
    """How few calls are as good as the most, and whether that is a third of them."""
    by_rmsd = fewest_calls(one.rmsd)
    by_rmse = None if one.setting == TURNED else fewest_calls(one.rmse)
    needed = max(by_rmsd, by_rmse or 0)
    return one.what | {f"RMSD of {MOST} calls (Å)": float(np.median(one.rmsd[MOST])),
                       "enough by RMSD": by_rmsd, "enough by RMSE": by_rmse,
                       "enough": needed, "target": TARGET, "met": needed <= TARGET}


def main() -> None:
    """Two tables; seconds."""
    found = [one for setting in (MANY, TURNED) for one in recorded(setting)]
    record("calls", [row for one in found for row in error_rows(one)])
    record("calls_enough", [enough_row(one) for one in found])


if __name__ == "__main__":
    main()
