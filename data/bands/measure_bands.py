"""`bands`: measure the bands anew, every notebook under several seeds."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

from resfold_nb.workbook.bands import FEWEST_SEEDS, Band, Bands
from resfold_nb.workbook.one_notebook import Job, check_parameters
from resfold_nb.workbook import BUILD, ROOT, bands, metrics, run_notebooks
from resfold_nb.workbook.metrics import Result

# What no number depends on; the other rooms, the data and the notebook are in the stamp.
_NOT_STAMPED = ("show", "workbook")


def main(options: argparse.Namespace) -> int:
    """Run as the command line asks; 0 if every notebook got its bands."""
    try:
        if options.seeds < FEWEST_SEEDS:
            raise ValueError(f"a band takes at least {FEWEST_SEEDS} seeds, not {options.seeds}")
        notebooks = run_notebooks.select(options.only)
        at_once = run_notebooks.check_at_once(options.jobs, options.profile)
        jobs = plan(notebooks, options, at_once)
        for job in jobs:
            check_parameters(job)
        old = bands.load(options.profile) or {}
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    todo = [job for job in jobs if metrics.stamp(Path(job.target)) != job.stamp]
    if len(todo) < len(jobs):
        print(f"{len(jobs) - len(todo)} of {len(jobs)} runs are kept from before.")
    run_notebooks.execute_all(todo, at_once, note="runs")
    measured, failures = gather(jobs, old)
    there = {path.stem for path in run_notebooks.select()}
    keep = {name: old[name] for name in old if name in there}
    note = {"torch": version("torch"), "numpy": version("numpy"), "threads": run_notebooks.threads_each(at_once)}
    file = bands.save(options.profile, keep | measured, note)
    print("\n".join([f"wrote {file}", *_remarks(measured), *failures]))
    return 1 if failures else 0


def plan(notebooks: Sequence[Path], options: argparse.Namespace, at_once: int) -> list[Job]:
    """A job for each seed and notebook."""
    folder = BUILD / "bands" / options.profile
    common = _package_stamp(run_notebooks.threads_each(at_once))
    return [run_notebooks.job_for(notebook, folder / f"seed-{seed}", options.profile, seed, options.timeout,
                                  stamp=_stamp([notebook], common))
            for seed in range(options.seeds) for notebook in notebooks]


def gather(jobs: Sequence[Job], old: Bands) -> tuple[Bands, list[str]]:
    """The bands of the notebooks whose every seed ran clean, and what is wrong with the others."""
    runs: dict[str, dict[int, Result]] = defaultdict(dict)
    for job in jobs:
        runs[job.name][job.parameters["seed"]] = _result(job)
    measured, failures = {}, []
    for name, by_seed in runs.items():
        faults = _faults(name, by_seed)
        failures += faults
        if not faults:
            measured[name] = _bands_of(by_seed, old.get(name, {}))
    return measured, failures


def _result(job: Job) -> Result:
    try:
        return metrics.read(Path(job.target))
    except (OSError, ValueError) as error:
        return Result(job.name, 0.0, error=str(error))


def _faults(name: str, by_seed: dict[int, Result]) -> list[str]:
    failed = [f"{name}, seed {seed}: {r.error}" for seed, r in by_seed.items() if r.error]
    if failed:
        return [*failed, f"{name} keeps its old bands"]
    sets = {frozenset(_numbers(result)) for result in by_seed.values()}
    if len(sets) == 1:
        return []
    some = sorted(frozenset.union(*sets) - frozenset.intersection(*sets))
    return [f"{name}: not recorded under every seed: {', '.join(some)}; it keeps its old bands"]


def _numbers(result: Result) -> dict[str, tuple[float, str]]:
    return {m.name: (m.value, m.unit) for m in result.metrics if m.kind == "metric"}


def _bands_of(by_seed: dict[int, Result], old: dict[str, Band]) -> dict[str, Band]:
    numbers = {seed: _numbers(result) for seed, result in by_seed.items()}
    return {name: bands.measure(unit, {seed: values[name][0] for seed, values in numbers.items()}, old.get(name))
            for name, (_, unit) in next(iter(numbers.values())).items()}


def _remarks(measured: Bands) -> list[str]:
    """What the author should look at before committing the bands."""
    remarks = []
    for notebook, entries in measured.items():
        for name, band in entries.items():
            head = f"{notebook} · {name}: {band}"
            remarks += [f"{head}: {fault}; write it into the file" for fault in band.faults()]
            outside = [s for s, v in zip(band.seeds, band.values, strict=True) if v not in band]
            if outside:
                remarks.append(f"{head}: seed {', '.join(map(str, outside))} is outside the band")
    return remarks


def _package_stamp(threads: int) -> str:
    package = ROOT / "resfold_nb"
    files = [path for path in sorted(package.rglob("*.py")) if path.relative_to(package).parts[0] not in _NOT_STAMPED]
    files += sorted((ROOT / "data").glob("*.*"))
    return _stamp(files, f"{version('torch')} {version('numpy')} {threads}")


def _stamp(files: Iterable[Path], start: str) -> str:
    digest = hashlib.sha256(start.encode())
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
