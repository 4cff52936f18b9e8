"""A tiny study for processes that are killed: imported by workers, by scripts and by the tests."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from resfold_nb.workers import local_lanes
from resfold_nb.studies.plans import Cell
from resfold_nb.studies.store import Result, Store
from resfold_nb.studies.runner import conduct, run_cell
from resfold_nb.model import NetworkSize
from resfold_nb.training import Recipe

TINY = Recipe("tiny", size=NetworkSize(16, 1, 1, 2), steps=8, noise_levels=2)
CELLS = [Cell(TINY.but(form=form), "1K61_C", seed, "ci", marks=2, measured="none")
         for form in ("residual", "x0") for seed in (0, 1, 2)]


def signed(cell: Cell, device: str, threads: int | None) -> Result:
    """A run that leaves the number of its process beside others' while it works."""
    mark = Path(os.environ["RESFOLD_TEST_MARKS"]) / f"{cell.key}.{os.getpid()}"
    mark.touch()
    time.sleep(float(os.environ.get("RESFOLD_TEST_PAUSE", "0.3")))  # long enough to be killed in
    result = run_cell(cell, device, threads)
    mark.unlink()
    return result


def deadly(cell: Cell, device: str, threads: int | None) -> Result:
    """A run that kills its own worker, for one cell; the others work."""
    if cell.key == CELLS[1].key:
        os.kill(os.getpid(), signal.SIGKILL)
    return run_cell(cell, device, threads)


def main(folder: str) -> None:
    """Conduct the study in a folder with two workers, a line an outcome."""
    for outcome in conduct(CELLS, Store(Path(folder)), local_lanes(2), work=signed):
        print(json.dumps([outcome.cell.key, outcome.error]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
