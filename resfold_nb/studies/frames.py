"""Recorded studies and live runs as pandas frames, a row a measured number, to ask with `groupby` and `pivot`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from resfold_nb.data import data_directory
from resfold_nb.measure import Run
from resfold_nb.studies.plans import STUDIES
from resfold_nb.training import Recipe

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = {"errors": ".csv.gz", "quantities": "_quantities.csv.gz", "runs": "_runs.csv"}
KEY = ["hash", "protein"]
MEASURED = {"errors": ["step", "t", "rmse", "rmsd"], "quantities": ["quantity", "value"],
            "runs": ["parameters", "calls", "teraflop", "megabytes", "seconds", "device"]}


def table_name(study: str, profile: str) -> str:
    """What a study's tables are called: by the study alone in profile laptop."""
    return study if profile == "laptop" else f"{study}_{profile}"


def load(study: str, profile: str = "laptop", table: str = "errors") -> pd.DataFrame:
    """A study's recorded numbers, checked against the recipes of today's plan.

    Columns of every table: study, variant, setting, change, recipe, form, hash, protein, seed, and the recipe's
    fields. A row whose recipe has changed since is dropped, and said. Empty where nothing was recorded. `table` is
    "errors", a row for each run, step and t (0 ... 49, or "sampled"), with rmse and rmsd in Å; "quantities", what was
    measured when the runs had ended, with quantity and value; or "runs", what a run cost and where it ran.

    Raises ValueError for an unknown study or table.
    """
    for what, name, known in (("study", study, STUDIES), ("table", table, SUFFIXES)):
        if name not in known:
            raise ValueError(f"{what} {name!r} is unknown; choose one of {', '.join(known)}")
    frame, dropped = _read(data_directory() / "recorded", study, profile, table)
    if dropped:
        print(f"study {study}: {dropped} recorded runs are left out, because their recipes have changed since")
    return frame.copy()


@lru_cache(maxsize=16)
def _read(folder: Path, study: str, profile: str, table: str) -> tuple[pd.DataFrame, int]:
    """The frame, and how many of its runs were dropped; `folder` is part of the cache's key."""
    import pandas as pd

    kinds = {(cell.recipe.hash, cell.protein): cell for cell in STUDIES[study](profile)}
    known = pd.DataFrame([{"study": study, "variant": c.variant, "setting": c.setting, "change": c.change,
                           "protein": c.protein} | _fields(c.recipe) for c in kinds.values()])
    path = folder / f"{table_name(study, profile)}{SUFFIXES[table]}"
    if not path.exists():
        return pd.DataFrame(columns=[*known.columns, "seed", *MEASURED[table]]), 0
    rows = pd.read_csv(path, dtype={"t": str})
    if table == "errors":
        rows["t"] = rows["t"].map({"sampled": "sampled"} | {str(t): t for t in range(50)}).astype(object)
    rows = rows[[*KEY, *(c for c in rows.columns if c not in known.columns)]]
    found = rows.merge(known, on=KEY, how="inner")
    runs = [len(frame.drop_duplicates([*KEY, "seed"])) for frame in (rows, found)]
    return found[[*known.columns, *rows.columns[len(KEY):]]], runs[0] - runs[1]


def _fields(recipe: Recipe) -> dict[str, Any]:
    """The recipe as columns: its name is `recipe`; size apart."""
    fields = {f.name: getattr(recipe, f.name) for f in dataclasses.fields(recipe) if f.name not in ("name", "size")}
    return {"recipe": recipe.name, "hash": recipe.hash} | fields | dataclasses.asdict(recipe.size)


def ends(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows after the last step, with `error` in Å: RMSD of samples and where training superposed, else RMSE."""
    last = frame[frame["step"] == frame["steps"]]
    free = (last["t"] == "sampled") | last["superposed"].astype(bool)
    return last.assign(error=last["rmsd"].where(free, last["rmse"]))


def frame_of(runs: Mapping[str, Run]) -> pd.DataFrame:
    """Live runs, name -> `measure.train_and_measure`, as the errors frame of `load`; the name is the variant."""
    import pandas as pd

    return pd.DataFrame([
        {"study": "live", "variant": name, "setting": run.recipe.name, "change": "", "protein": "", "seed": run.seed,
         "step": mark.step, "t": t, "rmse": rmse, "rmsd": rmsd} | _fields(run.recipe)
        for name, run in runs.items() for mark in run.marks
        for t, rmse, rmsd in (*zip(mark.errors.t.tolist(), mark.errors.rmse, mark.errors.rmsd, strict=True),
                              ("sampled", mark.sampled_rmse, mark.sampled_rmsd))])


def benchmark(name: str) -> pd.DataFrame:
    """The rows of a benchmark's table, with the machine it ran on; empty where it was not recorded."""
    import pandas as pd

    path = data_directory() / "recorded" / "benchmarks" / f"{name}.csv"
    return pd.read_csv(path) if path.exists() else pd.DataFrame()


def samples(study: str, recipe: Recipe, protein: str, profile: str = "laptop") -> dict[int, dict[str, np.ndarray]]:
    """Structures sampled at the end of each run: seed -> id -> (L, 3) in Å; empty where they were not recorded.

    One structure of each chain, of those trained on and of those held out.
    """
    path = data_directory() / "recorded" / f"{table_name(study, profile)}_samples.npz"
    if not path.exists():
        return {}
    with np.load(path) as stored:
        start = f"{recipe.hash}-{protein}-"
        seeds = sorted(int(key.removeprefix(start)) for key in stored.files if key.startswith(start))
        points = {seed: stored[f"{start}{seed}"].reshape(-1, 3) / 100 for seed in seeds}
        ids, at = (stored[f"ids-{protein}"], np.cumsum(stored[f"lengths-{protein}"])[:-1]) if seeds else ((), 0)
        return {seed: dict(zip(map(str, ids), np.split(x, at), strict=True)) for seed, x in points.items()}


def steps_to_pass(steps: np.ndarray, values: np.ndarray, limit: float) -> float:
    """First step at which a curve is at or below `limit` and stays there; inf if it never is."""
    above = np.flatnonzero(values > limit)
    first = above[-1] + 1 if len(above) else 0
    return float(steps[first]) if first < len(steps) else float("inf")
