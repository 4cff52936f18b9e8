"""`run`, on small notebooks through papermill."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import checkouts
import psutil
import pytest
from checkouts import Checkout

from resfold_nb.workbook import bands, metrics
from resfold_nb.workbook.metrics import Metric, Result
from resfold_nb.workbook.summary import Summary

RECORD = "from resfold_nb.workbook import goal, metric\n"


def write_band(checkout: Checkout, notebook: str, name: str, value: float, unit: str = "") -> None:
    band = bands.measure(unit, dict.fromkeys(range(5), value))
    bands.save("ci", {notebook: {name: band}}, {}, checkout.root / "data" / "bands")


def test_leaves_notebooks_pages_metrics_and_summary(checkout: Checkout) -> None:
    checkout.add_notebook("01_a", RECORD + 'metric("error", 2 + seed, "Å")', "print(profile)")
    checkout.add_notebook("02_b", RECORD + 'goal("close", 0.5, "<", 1, "Å")')
    write_band(checkout, "01_a", "error", 5.0, "Å")
    done = checkout.run("run", "--profile", "ci", "--seed", "3")
    assert done.returncode == 0, done.stdout
    assert "done   01_a (seed 3)" in done.stdout and "PASSED" in done.stdout
    folder = checkout.root / "build" / "ci"
    for name in ("01_a.ipynb", "01_a.html", "02_b.ipynb", "02_b.html", "summary.html"):
        assert (folder / name).stat().st_size > 0
    assert '<a href="01_a.html">01_a</a>' in (folder / "summary.html").read_text()
    rows = list(csv.DictReader((folder / "metrics.csv").read_text("utf-8").splitlines()))
    assert [(r["name"], float(r["value"]), r["verdict"]) for r in rows] == [
        ("error", 5.0, "in band"), ("close", 0.5, "goal held")
    ]
    printed = [o for c in json.loads((folder / "01_a.ipynb").read_text())["cells"]
               for o in c.get("outputs", []) if o.get("name") == "stdout"]
    assert [o["text"] for o in printed] == [["ci\n"]]


FAULTY = {
    "01_goal": 'goal("close", 1.5, "<", 1, "Å")',
    "02_band": 'metric("n", 1.1)',
    "03_twice": 'metric("n", 1); metric("n", 1)',
    "04_stderr": 'metric("n", 1); import warnings; warnings.warn("careful")',
    "05_error": "x = {}; x['key']",
    "06_dead": 'metric("n", 1); import os; os._exit(3)',
    "07_slow": 'metric("n", 1); import time; time.sleep(60)',
    "08_fine": 'metric("n", 1)',
}


@pytest.fixture(scope="module")
def faulty_run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The output of one run over notebooks that each have a fault of their own."""
    checkout = checkouts.make(tmp_path_factory.mktemp("faulty"))
    for name, cell in FAULTY.items():
        checkout.add_notebook(name, RECORD + cell)
    band = bands.measure("", dict.fromkeys(range(5), 1.0))
    names = [name for name in FAULTY if name != "01_goal"]
    bands.save("ci", {name: {"n": band} for name in names}, {}, checkout.root / "data" / "bands")
    done = checkout.run("run", "--profile", "ci", "--timeout", "5")
    assert done.returncode == 1 and done.stdout.rstrip().splitlines()[-3] == "FAILED"
    assert (checkout.root / "build" / "ci" / "01_goal.html").exists()
    return done.stdout


@pytest.mark.parametrize(
    "complaint",
    [
        "01_goal failed: cell [3] `from resfold_nb.workbook import goal, metric`: AssertionError: "
        "goal missed · close: 1.5 Å < 1 Å does not hold",
        "Band missed: 02_band · n: 1.1 is outside its band 1 … 1",
        "03_twice failed: recorded more than once: n",
        "04_stderr warned: cell [3] wrote to its error stream: ",
        "UserWarning: careful",
        "05_error failed: cell [3] `from resfold_nb.workbook import goal, metric`: KeyError: 'key'",
        "06_dead failed: cell",
        "`from resfold_nb.workbook import goal, metric`: DeadKernelError: Kernel died",
        "07_slow failed: cell",
        "`from resfold_nb.workbook import goal, metric`: CellTimeoutError: A cell timed out",
    ],
)
def test_turns_red(faulty_run: str, complaint: str) -> None:
    assert complaint in faulty_run


def test_a_failure_does_not_touch_the_others(faulty_run: str) -> None:
    assert "done   08_fine" in faulty_run
    assert "08_fine failed" not in faulty_run and "missed: 08_fine" not in faulty_run


@pytest.mark.parametrize(("profile", "passed"), [("ci", False), ("laptop", False), ("gpu", True)])
def test_bands_that_miss_are_said_and_needed_but_not_for_gpu(profile: str, passed: bool) -> None:
    run = Summary(profile, 0, (Result("01_a", 1.0, (Metric("01_a", "n", 1.0),)),), None)
    assert f"No bands recorded for profile {profile}" in run.text()
    assert run.passed is passed


def test_missed_goal_fails_the_run_even_if_the_notebook_caught_it() -> None:
    missed = Metric("01_a", "g", 2.0, kind="goal", op="<", limit=1.0, held=False)
    run = Summary("gpu", 0, (Result("01_a", 1.0, (missed,)),), None)
    assert not run.passed and "GOAL MISSED" in run.text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--profile", "big"), "invalid choice: 'big'"),
        (("--only", "07"), "no notebook 07; there are 01_a"),
        (("--jobs", "0"), "--jobs must be at least 1, not 0"),
        (("--colour", "red"), "unknown argument(s) for run: --colour red"),
    ],
)
def test_wrong_arguments_are_told_before_anything_runs(
    checkout: Checkout, arguments: tuple[str, ...], message: str
) -> None:
    checkout.add_notebook("01_a", "1")
    done = checkout.run("run", *arguments)
    assert done.returncode == 2 and message in done.stdout
    assert not (checkout.root / "build").exists()


def test_notebook_without_the_parameters_is_told_before_anything_runs(checkout: Checkout) -> None:
    checkout.add_notebook("01_a", "1")
    path = checkout.add_notebook("02_b", "profile = 1", parameters=False)
    done = checkout.run("run", "--profile", "ci")
    assert done.returncode == 2 and f"{path} has no parameter profile, seed" in done.stdout
    assert not (checkout.root / "build").exists()


def test_no_notebooks_at_all(checkout: Checkout) -> None:
    done = checkout.run("run")
    assert done.returncode == 2 and "notebooks build" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_ends_every_kernel(checkout: Checkout, number: signal.Signals) -> None:
    started = [checkout.root / f"started_{n}" for n in (1, 2)]
    for n, flag in enumerate(started):
        source = f"import pathlib, time; pathlib.Path({str(flag)!r}).touch(); time.sleep(120)"
        checkout.add_notebook(f"0{n}_slow", source)
    process = subprocess.Popen(
        checkout.command("run", "--profile", "ci", "--jobs", "2"), cwd=checkout.root,
        env=checkout.variables(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=heed_interrupts if os.name == "posix" else None,
    )
    wait_for(started)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 4  # two runs and their kernels
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130 and "Stopped." in output and "Traceback" not in output
    _, family = psutil.wait_procs(family, timeout=3)  # what has ended lacks a command line, but counts as running
    assert not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def heed_interrupts() -> None:
    """A test run that was started in the background hands an ignored ctrl-C on to its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(paths: list[Path], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not all(path.exists() for path in paths):
        assert time.monotonic() < deadline, f"{paths} did not appear"
        time.sleep(0.1)


def test_unfinished_notebook_holds_no_result(checkout: Checkout) -> None:
    path = checkout.add_notebook("01_a", "1")
    assert metrics.stamp(path) is None
    with pytest.raises(ValueError, match="holds no finished run"):
        metrics.read(path)
