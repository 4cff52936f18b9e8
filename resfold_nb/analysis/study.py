"""Studies: recipes x proteins x seeds, run by worker processes, resumable, kept as tidy tables.

    python -m resfold_nb study contrast --out data/recorded

Each finished run is written at once, whole or not at all, under its recipe's hash; a second start
trains nothing twice. Needs torch and numpy alone.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import itertools
import json
import os
import platform
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from resfold_nb.analysis.cost import Cost, training_cost
from resfold_nb.analysis.measure import sample
from resfold_nb.analysis.plans import STUDIES, Cell
from resfold_nb.analysis.quantities import quantities
from resfold_nb.analysis.run import Run, marks_for, run
from resfold_nb.analysis.settings import batch_for, held_out_batch
from resfold_nb.model import count_parameters
from resfold_nb.training import best_device
from resfold_nb.training.recipes import PROFILES

TABLE_FIELDS = ("recipe", "form", "hash", "protein", "seed", "step", "t", "rmse", "rmsd")
RUN_FIELDS = ("recipe", "form", "hash", "protein", "seed", "profile", "steps", "noise_levels",
              "parameters", "calls", "teraflop", "megabytes", "seconds", "device", "threads",
              "torch", "python", "machine")
QUANTITY_FIELDS = ("recipe", "form", "hash", "protein", "seed", "quantity", "value")


def main(argv: Sequence[str]) -> int:
    """The command `python -m resfold_nb study`; 0 when every run is recorded."""
    options = _parse(argv)
    cells, out = STUDIES[options.name](options.profile), Path(options.out)
    store = out / ".runs"
    store.mkdir(parents=True, exist_ok=True)
    device = best_device()
    jobs = options.jobs or (1 if device.type == "cuda" else os.cpu_count() or 1)
    todo = [cell for cell in cells if read_result(store, cell) is None]
    print(f"study {options.name}, profile {options.profile}: {len(cells)} runs, "
          f"{len(cells) - len(todo)} done before, {jobs} at once on {device}", flush=True)
    _run_all(todo, store, jobs, str(device), options.minutes)
    results = [r for cell in cells if (r := read_result(store, cell)) is not None]
    table = options.name if options.profile == "laptop" else f"{options.name}_{options.profile}"
    before = _runs_in_table(out, table)
    if len(results) < before:
        print(f"{len(results)} of {len(cells)} runs done; the tables in {out} hold {before} and "
              "stay as they are until this study has as many", flush=True)
        return 1
    write_tables(out, table, results)
    print(f"{len(results)} of {len(cells)} runs recorded in {out}", flush=True)
    return 0 if len(results) == len(cells) else 1


def _runs_in_table(out: Path, name: str) -> int:
    path = out / f"{name}_runs.csv"
    return len(path.read_text().splitlines()) - 1 if path.exists() else 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m resfold_nb study", description=__doc__)
    parser.add_argument("name", choices=sorted(STUDIES))
    parser.add_argument("--profile", default="laptop", choices=PROFILES)
    parser.add_argument("--out", default="build/study", help="folder of the tables")
    parser.add_argument("--jobs", type=int, help="runs at once; one a core by default")
    parser.add_argument("--minutes", type=float, help="start no run after this time")
    return parser.parse_args(argv)


def _run_all(cells: list[Cell], store: Path, jobs: int, device: str,
             minutes: float | None) -> None:
    """Run what is missing; an interrupt or the time limit costs the runs in flight at most."""
    end = time.monotonic() + 60 * minutes if minutes else float("inf")
    queue, started, done = iter(cells), time.monotonic(), 0
    # A forked child would inherit torch's threads and any CUDA context, and both break there.
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), torch.set_num_threads, (1,))
    with pool:
        running: dict[Future[None], Cell] = {}
        try:
            while True:
                for cell in itertools.islice(queue, jobs - len(running)):
                    if time.monotonic() < end:
                        running[pool.submit(run_cell, cell, store, device)] = cell
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    cell, done = running.pop(future), done + 1
                    _report(cell, future, done, len(cells), time.monotonic() - started)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            print("interrupted: finished runs are kept, start again to go on", flush=True)


def _report(cell: Cell, future: Future[None], done: int, total: int, seconds: float) -> None:
    error = future.exception()
    state = "done" if error is None else f"FAILED: {error}"
    left = seconds / done * (total - done) / 60
    print(f"[{done}/{total}, {left:.0f} min left] {cell.recipe.name}, {cell.recipe.form}, "
          f"{cell.protein}, seed {cell.seed}: {state}", flush=True)


def run_cell(cell: Cell, store: Path, device: str) -> None:
    """Run one cell and write its result, whole or not at all."""
    batch = batch_for(cell.recipe, cell.protein)
    single = len(batch) == 1
    draws, copies = (2, 4) if single else (1, 1)  # of each protein
    marks = marks_for(cell.recipe.steps, cell.marks if single else 8) if cell.marks else ()
    finished = run(cell.recipe, batch, cell.seed, device=device, draws=draws, copies=copies,
                   marks=marks)
    about = _about(cell, finished, device, training_cost(cell.recipe, batch))
    result = {"about": about, "recipe": cell.recipe.as_dict(), "rows": list(_rows(finished)),
              "quantities": quantities(finished, batch, copies, cell.measured)}
    if cell.measured == "structures":
        result["samples"] = sampled_structures(finished, batch)
    path = store / f"{cell.key}.json"
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_text(json.dumps(result))
    os.replace(unfinished, path)


SHOWN = 30  # of the training chains, as many are sampled at the end


def sampled_structures(finished: Run, batch: Batch) -> dict[str, list[int]]:
    """One sampled structure of each chain, trained on and held out: id -> L x 3 in 0.01 Å."""
    trained = batch.select(range(min(SHOWN, len(batch))))
    found = {}
    for chains in (trained, held_out_batch(batch)):
        points = sample(finished.predictor, chains, copies=1,
                        x0_clamp=finished.recipe.x0_clamp).final.cpu()
        for name, x, mask in zip(chains.ids, chains.angstrom(points), chains.mask, strict=True):
            found[name] = (100 * x[mask]).round().int().flatten().tolist()
    return found


def read_result(store: Path, cell: Cell) -> dict[str, Any] | None:
    """The stored result of a cell; None when there is none. A damaged one is said and removed."""
    path = store / f"{cell.key}.json"
    try:
        result = json.loads(path.read_text())
        return result if result["about"]["hash"] == cell.recipe.hash else None
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        print(f"{path} is damaged ({error}); the run is done again", flush=True)
        path.unlink()
        return None


def _about(cell: Cell, finished: Run, device: str, cost: Cost) -> dict[str, Any]:
    recipe = cell.recipe
    values = (recipe.name, recipe.form, recipe.hash, cell.protein, cell.seed, cell.profile,
              recipe.steps, recipe.noise_levels,
              count_parameters(finished.predictor), recipe.network_calls,
              round(cost.teraflop, 4), round(cost.megabytes, 2),
              round(finished.train_seconds, 2), device, torch.get_num_threads(),
              torch.__version__, platform.python_version(), platform.machine())
    return dict(zip(RUN_FIELDS, values, strict=True))


def _rows(finished: Run) -> Iterator[tuple[Any, ...]]:
    """(step, t or "sampled", RMSE, RMSD), in Å to a thousandth."""
    for mark in finished.marks:
        errors = mark.errors
        for t, plain, superposed in zip(errors.t, errors.rmse, errors.rmsd, strict=True):
            yield mark.step, int(t), round(float(plain), 3), round(float(superposed), 3)
        yield mark.step, "sampled", round(mark.sampled_rmse, 3), round(mark.sampled_rmsd, 3)


def write_tables(out: Path, name: str, results: list[dict[str, Any]]) -> None:
    """NAME.csv.gz (errors by step and t), NAME_quantities.csv.gz (what was measured at the end),
    NAME_runs.csv (every run), NAME_recipes.json."""
    table = [
        dict(zip(TABLE_FIELDS, (*(r["about"][k] for k in TABLE_FIELDS[:5]), *row), strict=True))
        for r in results for row in r["rows"]
    ]
    _write(out / f"{name}.csv.gz", gzip.compress(_csv(TABLE_FIELDS, table), mtime=0))
    ends = [
        dict(zip(QUANTITY_FIELDS, (*(r["about"][k] for k in TABLE_FIELDS[:5]), *pair), strict=True))
        for r in results for pair in _rounded(r.get("quantities", {}))
    ]
    _write(out / f"{name}_quantities.csv.gz", gzip.compress(_csv(QUANTITY_FIELDS, ends), mtime=0))
    _write(out / f"{name}_runs.csv", _csv(RUN_FIELDS, [r["about"] for r in results]))
    recipes = {r["about"]["hash"]: r["recipe"] for r in results}
    _write(out / f"{name}_recipes.json", (json.dumps(recipes, indent=1) + "\n").encode())


def _rounded(found: dict[str, float]) -> Iterator[tuple[str, float]]:
    """To a ten-thousandth, which is finer than any seed's spread."""
    return ((name, round(value, 4)) for name, value in found.items())


def _csv(fields: Sequence[str], rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_bytes(content)
    os.replace(unfinished, path)
