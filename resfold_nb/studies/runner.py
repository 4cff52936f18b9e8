"""Studies: recipes x proteins x seeds, run by any executor, resumable, kept as tidy tables.

    python -m resfold_nb study core --out data/recorded

Each finished run is kept at once, whole or not at all, under its recipe's hash; a second start trains nothing twice.
A killed worker costs the run that was in it, which is tried once more. Needs torch and numpy alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from resfold_nb import PROFILES
from resfold_nb.data import Batch
from resfold_nb.engine import best_device
from resfold_nb.measure.cost import Cost, training_cost
from resfold_nb.measure.errors import sample
from resfold_nb.measure.run import Run, train_and_measure
from resfold_nb.studies.estimate import Estimate, estimated
from resfold_nb.studies.frames import table_name
from resfold_nb.studies.groups import InGroups, looks
from resfold_nb.studies.plans import STUDIES, Cell
from resfold_nb.studies.proteins import batch_for, held_out_batch
from resfold_nb.studies.quantities import quantities
from resfold_nb.studies.store import Result, Store
from resfold_nb.studies.tables import about, error_rows, rows_in, write_failures, write_tables
from resfold_nb.training import Recipe
from resfold_nb.workers import Lane, carry_out, cluster_lane, in_process_lane, local_lanes, terminated_like_ctrl_c

TRIES = 2  # of a run whose worker was killed
SHOWN = 30  # of the training chains, as many are sampled at the end

Work = Callable[[Cell, str, int | None], Result]
"""What a worker does: (cell, device, threads) -> result."""


@dataclass(frozen=True)
class Outcome:
    """What became of a run just now."""

    cell: Cell  # which run
    error: str | None  # None when it is done; else why it failed, or why it is tried again
    again: bool  # whether it is tried again
    done: int  # done, total: runs settled in this start, and runs there were to do
    total: int
    left: float  # seconds that the rest will take, from the time and the planned cost so far

    def __str__(self) -> str:
        """As the command prints it."""
        state = "done" if self.error is None else f"{'again' if self.again else 'FAILED'}: {self.error}"
        c = self.cell
        return (f"[{self.done}/{self.total}, {self.left / 60:.0f} min left] {c.recipe.name}, "
                f"{c.recipe.form}, {c.protein}, seed {c.seed}: {state}")


def conduct(cells: Iterable[Cell], store: Store, lanes: Sequence[Lane], *, device: str = "cpu", threads: int | None = 1,
            minutes: float | None = None, weights: dict[str, float] | None = None, work: Work | None = None
            ) -> Iterator[Outcome]:
    """Run what the store lacks, and yield each run's outcome as it comes.

    Parameters
    ----------
    lanes : executors; `local_lanes`, `in_process_lane` or `cluster_lane` make them.
    threads : of torch in a worker; None leaves them as they are.
    minutes : start no run after this time.
    weights : planned seconds by `cell.key`, for the time left.
    work : what a worker does with a cell; `run_cell` by default.

    An interrupt, or closing the iterator, ends the workers at once; finished runs are kept. An OSError while a result
    is written (a full disk) does the same and is raised.
    """
    todo = [c for c in cells if store.read(c) is None and store.failure(c) is None]
    seconds, start = float("inf") if minutes is None else 60 * minutes, time.monotonic()
    planned = {cell.key: (weights or {}).get(cell.key, 1.0) for cell in todo}
    left, whole = dict(planned), sum(planned.values())
    settled = carry_out(todo, lanes, work or run_cell, device, threads, tries=TRIES, seconds=seconds)
    with closing(settled):
        for cell, result, error, lost, again in settled:
            reason = None if error is None else "its worker was killed" if lost else f"{type(error).__name__}: {error}"
            if reason is None:
                store.write(cell, result)
            elif not again:
                store.fail(cell, reason)
            if not again:
                del left[cell.key]
            rest = sum(left.values())
            pace = (time.monotonic() - start) / (whole - rest) if whole > rest else 0.0
            yield Outcome(cell, reason, again, len(todo) - len(left), len(todo), pace * rest)


def run_cell(cell: Cell, device: str = "cpu", threads: int | None = None) -> Result:
    """Run one cell, in whatever process this is; `threads` of torch, None as they are."""
    if threads is not None:
        torch.set_num_threads(threads)
    batch = batch_for(cell.recipe, cell.protein)
    finished = train_and_measure(cell.recipe, batch, cell.seed, device=device, **looks(cell, batch))
    return result_of(cell, finished, device)


def result_of(cell: Cell, finished: Run, device: str) -> Result:
    """What is kept of a run, with what is measured at its end."""
    batch = batch_for(cell.recipe, cell.protein)
    cost = _cost(cell.recipe.but(form="x0", name=""), cell.protein)
    result = {"about": about(cell, finished, device, cost),
              "recipe": cell.recipe.as_dict(), "rows": list(error_rows(finished)),
              "quantities": quantities(finished, batch, looks(cell, batch)["copies"], cell.measured)}
    if cell.measured == "structures":
        result["samples"] = sampled_structures(finished, batch)
    return result


@lru_cache(maxsize=32)
def _cost(recipe: Recipe, protein: str) -> Cost:
    """Counted once for all seeds and forms, which cost the same."""
    return training_cost(recipe, batch_for(recipe, protein))


def sampled_structures(finished: Run, batch: Batch) -> dict[str, list[int]]:
    """One sampled structure of each chain, trained on and held out: id -> L x 3 in 0.01 Å."""
    trained = batch.select(range(min(SHOWN, len(batch))))
    found = {}
    for chains in (trained, held_out_batch(batch)):
        points = sample(finished.predictor, chains, copies=1, x0_clamp=finished.recipe.x0_clamp).final.cpu()
        for name, x, mask in zip(chains.ids, chains.angstrom(points), chains.mask, strict=True):
            found[name] = (100 * x[mask]).round().int().flatten().tolist()
    return found


def main(argv: Sequence[str]) -> int:
    """The command `python -m resfold_nb study`; 0 when every run is recorded."""
    options = _parse(argv)
    cells, out = STUDIES[options.name](options.profile), Path(options.out)
    try:
        lanes, device = _lanes(options)
        store = Store(out / ".runs")
        if options.retry_failed:
            store.forget_failures(cells)
        with terminated_like_ctrl_c():
            _go(options, cells, store, lanes, device)
        return _record(options, cells, store, out)
    except ModuleNotFoundError as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(f"stopped: {error}. Finished runs are kept; free space, or choose another --out, "
              "and start again", file=sys.stderr, flush=True)
    return 1


def _lanes(options: argparse.Namespace) -> tuple[list[Lane], str]:
    if options.scheduler:
        return [cluster_lane(options.scheduler)], "cpu"
    device = best_device()
    if device.type != "cpu":
        return [in_process_lane()], str(device)
    return local_lanes(options.jobs or os.cpu_count() or 1), str(device)


def _go(options: argparse.Namespace, cells: Sequence[Cell], store: Store, lanes: Sequence[Lane], device: str) -> None:
    """Say what is planned, then do it; an interrupt ends it early."""
    todo = [c for c in cells if store.read(c) is None and store.failure(c) is None]
    at_once = sum(lane.capacity for lane in lanes)
    print(f"study {options.name}, profile {options.profile}: {len(cells)} runs, "
          f"{len(cells) - len(todo)} done before or failed, {at_once} at once on {device}",
          flush=True)
    try:
        planned = estimated(todo, device)
        if todo:
            print(f"to do: {planned.sentence(at_once)}", flush=True)
        groups = InGroups(todo, run_cell, result_of, store.write)
        work = groups if device.startswith("cuda") else run_cell
        with closing(conduct(todo, store, lanes, device=device, minutes=options.minutes,
                             threads=1 if device == "cpu" else None, work=work,
                             weights=planned.seconds)) as outcomes:
            _show(outcomes, planned)
    except KeyboardInterrupt:
        print("interrupted: finished runs are kept, start again to go on", flush=True)


def _show(outcomes: Iterator[Outcome], planned: Estimate) -> None:
    """A bar where there is a terminal and tqdm, else a line a run."""
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        tqdm = None
    if tqdm is None or not sys.stderr.isatty():
        for outcome in outcomes:
            print(outcome, flush=True)
        return
    with tqdm(total=planned.runs, unit="run") as bar:
        for outcome in outcomes:
            bar.update(outcome.done - bar.n)
            bar.set_postfix_str(f"{outcome.left / 60:.0f} min left by planned cost")
            if outcome.error is not None:
                bar.write(str(outcome))


def _record(options: argparse.Namespace, cells: Sequence[Cell], store: Store, out: Path) -> int:
    """Write the tables, unless those in the folder hold more runs than this study has now."""
    table = table_name(options.name, options.profile)
    results = [r for cell in cells if (r := store.read(cell)) is not None]
    write_failures(out, table, [(c, why) for c in cells if (why := store.failure(c)) is not None])
    before = rows_in(out, table)
    if len(results) < before:
        print(f"{len(results)} of {len(cells)} runs done; the tables in {out} hold {before} and "
              "stay as they are until this study has as many", flush=True)
        return 1
    write_tables(out, table, results)
    print(f"{len(results)} of {len(cells)} runs recorded in {out}", flush=True)
    return 0 if len(results) == len(cells) else 1


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m resfold_nb study", description=__doc__)
    parser.add_argument("name", choices=sorted(STUDIES))
    parser.add_argument("--profile", default="laptop", choices=PROFILES)
    parser.add_argument("--out", default="build/study", help="folder of the tables")
    parser.add_argument("--jobs", type=int, help="processes; one a core by default")
    parser.add_argument("--minutes", type=float, help="start no run after this time")
    parser.add_argument("--scheduler", help="address of a Dask scheduler to run on")
    parser.add_argument("--retry-failed", action="store_true", help="try failed runs again")
    return parser.parse_args(argv)
