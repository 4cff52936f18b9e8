"""Six forms x five seeds of the well-fed recipe on two cores, wall time of the study runner."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.harness import record

from resfold_nb.workers import local_lanes
from resfold_nb.studies.plans import Cell
from resfold_nb.studies.store import Store
from resfold_nb.studies.runner import conduct
from resfold_nb.training import named_recipe

FORMS = ("residual", "x0", "eps", "v", "skip_unscaled", "edm")


def main() -> None:
    """Train, measure each run at its end, and say how long it took."""
    cells = [Cell(named_recipe("well_fed", form=form), "1HZ6_A", seed, "laptop", marks=0,
                  measured="none") for seed in range(5) for form in FORMS]
    with tempfile.TemporaryDirectory() as folder:
        store, start = Store(Path(folder)), time.perf_counter()
        done = sum(outcome.error is None for outcome in conduct(cells, store, local_lanes(2)))
        seconds = time.perf_counter() - start
        worst = [max(row[2] for row in store.read(cell)["rows"] if row[1] != "sampled")
                 for cell in cells if cell.recipe.form == "x0"]
    record("six_forms", [{"runs": done, "processes": 2, "s": seconds,
                          "worst RMSE over t of A (Å)": max(worst)}])


if __name__ == "__main__":
    main()
