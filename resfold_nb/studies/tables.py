"""A study's results as the tidy tables that are committed and read back by `frames`."""

from __future__ import annotations

import csv
import gzip
import io
import json
import platform
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import resfold_nb
from resfold_nb.data.atomic import write_whole
from resfold_nb.measure.cost import Cost
from resfold_nb.measure.run import Run
from resfold_nb.model import count_parameters
from resfold_nb.studies.plans import Cell
from resfold_nb.studies.store import Result

KEY = ("recipe", "form", "hash", "protein", "seed")
TABLE_FIELDS = (*KEY, "step", "t", "rmse", "rmsd")
RUN_FIELDS = (*KEY, "profile", "steps", "noise_levels", "parameters", "calls", "teraflop", "megabytes", "seconds",
              "device", "threads", "torch", "python", "machine", "numpy", "package", "host")


def about(cell: Cell, finished: Run, device: str, cost: Cost) -> dict[str, Any]:
    """The row of a run in NAME_runs.csv."""
    recipe, named = cell.recipe, device
    if device.startswith("cuda"):
        named = f"cuda, {torch.cuda.get_device_name(device)}"
    values = (*_key(cell), cell.profile, recipe.steps, recipe.noise_levels, count_parameters(finished.predictor),
              recipe.network_calls, round(cost.teraflop, 4), round(cost.megabytes, 2),
              round(finished.train_seconds, 2), named, torch.get_num_threads(), torch.__version__,
              platform.python_version(), platform.machine(), np.__version__, resfold_nb.__version__, platform.node())
    return dict(zip(RUN_FIELDS, values, strict=True))


def error_rows(finished: Run) -> Iterator[tuple[Any, ...]]:
    """(step, t or "sampled", RMSE, RMSD), in Å to a thousandth."""
    for mark in finished.marks:
        errors = mark.errors
        for t, plain, superposed in zip(errors.t, errors.rmse, errors.rmsd, strict=True):
            yield mark.step, int(t), round(float(plain), 3), round(float(superposed), 3)
        yield mark.step, "sampled", round(mark.sampled_rmse, 3), round(mark.sampled_rmsd, 3)


def write_tables(out: Path, name: str, results: list[Result]) -> None:
    """NAME.csv.gz (errors by step and t), NAME_quantities.csv.gz (what was measured at the end), NAME_runs.csv (every
    run), NAME_recipes.json and, if structures were kept, NAME_samples.npz."""
    keys = [(tuple(r["about"][field] for field in KEY), r) for r in results]
    rows = _csv(TABLE_FIELDS, ((*key, *row) for key, r in keys for row in r["rows"]))
    write_whole(out / f"{name}.csv.gz", gzip.compress(rows, mtime=0))
    # to a ten-thousandth, which is finer than any seed's spread
    ends = ((*key, what, round(x, 4)) for key, r in keys for what, x in r.get("quantities", {}).items())
    write_whole(out / f"{name}_quantities.csv.gz", gzip.compress(_csv((*KEY, "quantity", "value"), ends), mtime=0))
    runs = ([r["about"].get(field, "") for field in RUN_FIELDS] for r in results)
    write_whole(out / f"{name}_runs.csv", _csv(RUN_FIELDS, runs))
    recipes = {r["about"]["hash"]: r["recipe"] for r in results}
    write_whole(out / f"{name}_recipes.json", (json.dumps(recipes, indent=1) + "\n").encode())
    if arrays := _sample_arrays(results):
        packed = io.BytesIO()
        np.savez_compressed(packed, **arrays)
        write_whole(out / f"{name}_samples.npz", packed.getvalue())


def write_failures(out: Path, name: str, failed: Sequence[tuple[Cell, str]]) -> None:
    """NAME_failed.csv, a row a run that failed; no file when none did."""
    path = out / f"{name}_failed.csv"
    if failed:
        write_whole(path, _csv((*KEY, "reason"), ((*_key(cell), reason) for cell, reason in failed)))
    else:
        path.unlink(missing_ok=True)


def rows_in(out: Path, name: str) -> int:
    """How many runs a table holds."""
    path = out / f"{name}_runs.csv"
    return len(path.read_text().splitlines()) - 1 if path.exists() else 0


def _key(cell: Cell) -> tuple[str, str, str, str, int]:
    return cell.recipe.name, cell.recipe.form, cell.recipe.hash, cell.protein, cell.seed


def _sample_arrays(results: list[Result]) -> dict[str, np.ndarray]:
    """One flat array of 0.01 Å a run, and for each protein set the ids and lengths, in order."""
    arrays: dict[str, np.ndarray] = {}
    for samples, of in ((r["samples"], r["about"]) for r in results if r.get("samples")):
        arrays[f"ids-{of['protein']}"] = np.array(list(samples))
        arrays[f"lengths-{of['protein']}"] = np.array([len(flat) // 3 for flat in samples.values()], dtype=np.int16)
        flat = np.array([x for each in samples.values() for x in each])
        arrays[f"{of['hash']}-{of['protein']}-{of['seed']}"] = flat.clip(-32768, 32767).astype(np.int16)
    return arrays


def _csv(fields: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([fields, *rows])
    return text.getvalue().encode()
