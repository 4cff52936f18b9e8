"""How long the notebooks of a profile take, and `make test` with its parts, as a reader waits for them.

    python -m benchmarks.walls ci      # one part: laptop, ci or tests; each has a table of its own
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import torch
from benchmarks.harness import record

from resfold_nb.workbook import ROOT, metrics

AT_ONCE, RED = 2, ("failed", "not clean")
NOTEBOOK, PROFILE, TESTS = {"laptop": 60.0}, {"ci": 360.0}, 900.0  # the targets, in seconds


def row(what: str, part: str, seconds: float, target: float | None = None, outcome: str = "") -> dict[str, Any]:
    """One line; "met" stays empty where there is no target. A red run meets none: it may have stopped early."""
    met = None if target is None else seconds <= target and not outcome.startswith(RED)
    return {"what": what, "part": part, "s": seconds, "target": target, "met": met, "outcome": outcome}


def waited(*arguments: str) -> tuple[float, str]:
    """Seconds of `python -m resfold_nb ...` and how it ended. A red run was still waited for."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "resfold_nb", *arguments], cwd=ROOT)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{arguments} ended with status {done.returncode}")
    return time.perf_counter() - start, "passed" if done.returncode == 0 else "failed"


def notebooks(profile: str) -> Iterator[dict[str, Any]]:
    """A row a notebook, its page included, and one for all of them, two at once."""
    what = f"notebooks, {profile}"
    with tempfile.TemporaryDirectory() as folder:
        seconds, outcome = waited("run", "--profile", profile, "--jobs", str(AT_ONCE), "--out", folder)
        each = [metrics.read(path) for path in sorted(Path(folder, profile).glob("*.ipynb"))]
    for one in each:
        yield row(what, one.notebook, one.seconds, NOTEBOOK.get(profile), "clean" if one.clean else "not clean")
    yield row(what, f"all, {AT_ONCE} at once", seconds, PROFILE.get(profile), outcome)


def seconds_by_file(cases: Iterable[ElementTree.Element]) -> Counter[str]:
    """Seconds of the tests of each file, summed over the processes that shared them."""
    found: Counter[str] = Counter()
    for case in cases:
        found[case.get("classname", "").removeprefix("tests.")] += float(case.get("time", 0))
    return found


def tests() -> Iterator[dict[str, Any]]:
    """A row a test file, the longest first, and one for `make test` as a whole."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "junit.xml")
        seconds, outcome = waited("test", f"--junitxml={report}")
        cases = list(ElementTree.parse(report).iter("testcase"))
    for name, spent in seconds_by_file(cases).most_common():
        yield row("make test", name, spent)
    skipped = sum(case.find("skipped") is not None for case in cases)
    yield row("make test", "all", seconds, TESTS, f"{outcome}, {len(cases)} tests, {skipped} skipped")


PARTS = {"laptop": lambda: notebooks("laptop"), "ci": lambda: notebooks("ci"), "tests": tests}


def main(parts: Iterable[str] = tuple(PARTS)) -> None:
    """The parts, each into its own table, so that one measured alone leaves the others; about a quarter hour."""
    torch.set_num_threads(1)  # what each of the two processes gets
    for part in parts:
        record(f"walls_{part}", list(PARTS[part]()))


if __name__ == "__main__":
    main(sys.argv[1:] or PARTS)
