"""What was recorded: the committed tables of studies, looked up by the recipe's hash."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from resfold_nb.data import data_directory
from resfold_nb.studies.frames import steps_to_pass, table_name
from resfold_nb.training import Recipe


@dataclass(frozen=True)
class Curve:
    """Error against steps of one recipe, protein and quantity, a row a seed."""

    steps: np.ndarray  # (n,) optimiser steps
    rmse: np.ndarray  # rmse, rmsd: (seeds, n) in Å
    rmsd: np.ndarray
    seeds: tuple[int, ...]  # which


def recorded_curve(study: str, recipe: Recipe, protein: str, t: int | str) -> Curve | None:
    """The recorded curve at timestep t, or of samples (t = "sampled"); None if not recorded.

    Looked up by the recipe's hash, so a recipe that has changed since is *not recorded*.
    """
    rows = _index(study).get((recipe.hash, protein, str(t)))
    if not rows:
        return None
    seeds = tuple(sorted({row[0] for row in rows}))
    steps = tuple(sorted({row[1] for row in rows}))
    values = {(seed, step): (plain, superposed) for seed, step, plain, superposed in rows}
    grid = np.array([[values[seed, step] for step in steps] for seed in seeds])
    return Curve(np.array(steps), grid[..., 0], grid[..., 1], seeds)


def recorded_ends(study: str, recipe: Recipe, proteins: Sequence[str], t: int | str, *,
                  superposed: bool = False) -> np.ndarray | None:
    """(runs,) errors in Å at the end of each run, proteins and seeds together; None if any lacks.

    `t` as in `recorded_curve`; RMSD instead of RMSE when `superposed`.
    """
    curves = [recorded_curve(study, recipe, protein, t) for protein in proteins]
    if any(curve is None for curve in curves):
        return None
    return np.concatenate([(c.rmsd if superposed else c.rmse)[:, -1] for c in curves])


def recorded_quantity(study: str, recipe: Recipe, protein: str, quantity: str) -> np.ndarray | None:
    """(seeds,) of what was measured when the runs had ended; None if it was not recorded.

    Names are those of `resfold_nb.studies.quantities`, with their unit.
    """
    found = _quantities(study).get((recipe.hash, protein, quantity))
    return None if found is None else np.array([found[seed] for seed in sorted(found)])


def recorded_budget(study: str, recipe: Recipe, protein: str) -> dict[str, float] | None:
    """What a run cost: parameters, steps, calls, teraflop, megabytes, seconds (medians).

    "calls" are network calls for each protein; operations and memory are those of `measure.cost`; seconds are those
    of a machine that did other work too. None if not recorded.
    """
    key = (recipe.hash, protein)
    rows = [row for row in recorded_runs(study) if (row["hash"], row["protein"]) == key]
    names = ("parameters", "steps", "calls", "teraflop", "megabytes", "seconds")
    return {k: float(np.median([float(row[k]) for row in rows])) for k in names} if rows else None


def recorded_samples(study: str, recipe: Recipe, protein: str) -> dict[int, dict[str, np.ndarray]] | None:
    """Structures sampled at the end of each run: seed -> id -> (L, 3) in Å; None if not recorded.

    One structure of each chain, of those trained on and of those held out.
    """
    path, start = _folder() / f"{study}_samples.npz", f"{recipe.hash}-{protein}-"
    if not path.exists():
        return None
    with np.load(path) as stored:
        keys = [key for key in stored.files if key.startswith(start)]
        if not keys:
            return None
        ids, ends = stored[f"ids-{protein}"], np.cumsum(stored[f"lengths-{protein}"])
        points = {int(key.removeprefix(start)): stored[key].reshape(-1, 3) / 100 for key in keys}
    return {seed: dict(zip(ids.tolist(), np.split(x, ends[:-1]), strict=True)) for seed, x in sorted(points.items())}


def recorded_runs(study: str) -> list[dict[str, str]]:
    """One row a run: recipe, seed, protein, device, versions, seconds; empty if not recorded."""
    return list(_rows(f"{study}_runs.csv"))


def recorded_benchmark(name: str) -> list[dict[str, str]]:
    """The rows of a benchmark's table, with the machine it ran on; empty if not recorded."""
    return list(_rows(f"benchmarks/{name}.csv"))


def median_range(values: np.ndarray | None) -> str:
    """"median (lowest–highest)" to a hundredth, or "not recorded" for None."""
    if values is None:
        return "not recorded"
    return f"{np.median(values):.2f} ({np.min(values):.2f}–{np.max(values):.2f})"


def _folder() -> Path:
    return data_directory() / "recorded"


@lru_cache(maxsize=16)
def _index(study: str) -> dict[tuple[str, str, str], list[tuple[int, int, float, float]]]:
    found: dict[tuple[str, str, str], list[tuple[int, int, float, float]]] = {}
    for row in _rows(f"{study}.csv.gz"):
        key = row["hash"], row["protein"], row["t"]
        values = int(row["seed"]), int(row["step"]), float(row["rmse"]), float(row["rmsd"])
        found.setdefault(key, []).append(values)
    return found


@lru_cache(maxsize=16)
def _quantities(study: str) -> dict[tuple[str, str, str], dict[int, float]]:
    found: dict[tuple[str, str, str], dict[int, float]] = {}
    for row in _rows(f"{study}_quantities.csv.gz"):
        key = row["hash"], row["protein"], row["quantity"]
        found.setdefault(key, {})[int(row["seed"])] = float(row["value"])
    return found


def _rows(name: str) -> Iterator[dict[str, str]]:
    """The rows of a table of the folder, packed or not; none where it is missing."""
    path = _folder() / name
    if path.exists():
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", newline="") as file:
            yield from csv.DictReader(file)
