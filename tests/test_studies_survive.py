"""Studies under real signals: killed workers, a killed parent, a killed Dask worker, an interrupt."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import study_workers
import torch
from study_workers import CELLS, TINY, deadly, signed

from resfold_nb.studies import runner as study
from resfold_nb.workers import Lane, cluster_lane, in_process_lane, local_lanes
from resfold_nb.studies.store import Result, Store
from resfold_nb.studies.runner import conduct, run_cell
from resfold_nb.data import load, make_batch
from resfold_nb.training import train

PATIENCE = 90  # seconds; workers import torch, on a busy machine


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    """What the study gives when nobody disturbs it."""
    store = Store(tmp_path_factory.mktemp("undisturbed"))
    outcomes = list(conduct(CELLS, store, local_lanes(2)))
    assert [o.error for o in outcomes] == [None] * len(CELLS)
    return [found(store, cell) for cell in CELLS]


@pytest.fixture
def marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where runs leave the number of their process."""
    folder = tmp_path / "marks"
    folder.mkdir()
    monkeypatch.setenv("RESFOLD_TEST_MARKS", str(folder))
    path = [str(Path(study_workers.__file__).parent), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    return folder


def found(store: Store, cell: study.Cell) -> Result:
    result = store.read(cell)
    assert result is not None
    return result


def same(results: list[Result], others: list[Result]) -> None:
    """Equal but for time and host."""
    apart = {"seconds", "host"}
    for one, other in zip(results, others, strict=True):
        assert [tuple(r) for r in one["rows"]] == [tuple(r) for r in other["rows"]]
        assert one["recipe"] == other["recipe"] and one["quantities"] == other["quantities"]
        for field in one["about"].keys() - apart:
            assert one["about"][field] == other["about"][field], field


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for something, but not for ever."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited {PATIENCE} s for {what}"
        time.sleep(0.02)


def working(marks: Path) -> list[int]:
    """Processes that are in a run now."""
    return [int(path.suffix[1:]) for path in marks.iterdir()]


def kill_first(outcomes: Iterator[study.Outcome], marks: Path) -> list[study.Outcome]:
    """Kill a worker after the first outcome, while it is in a run, and go on."""
    seen = [next(outcomes)]
    until(lambda: working(marks), "a run to begin")
    os.kill(working(marks)[0], signal.SIGKILL)
    return seen + list(outcomes)


def test_a_killed_worker_costs_one_try(tmp_path: Path, marks: Path, undisturbed: list[Result]
                                       ) -> None:
    store = Store(tmp_path / "runs")
    seen = kill_first(conduct(CELLS, store, local_lanes(2), work=signed), marks)
    again = [o for o in seen if o.again]
    assert len(again) == 1 and again[0].error == "its worker was killed"
    assert seen[-1].done == seen[-1].total == len(CELLS) and seen[-1].left == 0
    same([found(store, cell) for cell in CELLS], undisturbed)


def test_a_run_that_kills_its_worker_twice_is_recorded_as_failed(
        tmp_path: Path, marks: Path, undisturbed: list[Result], capsys) -> None:
    """One lane, so that the blame must be exact for the others to get through."""
    store = Store(tmp_path / "runs")
    seen = list(conduct(CELLS, store, local_lanes(1), work=deadly))
    assert [o.again for o in seen if o.cell == CELLS[1]] == [True, False]
    assert store.failure(CELLS[1]) == "its worker was killed"
    others = [i for i in range(len(CELLS)) if i != 1]
    same([found(store, CELLS[i]) for i in others], [undisturbed[i] for i in others])
    assert list(conduct(CELLS, store, local_lanes(1))) == [], "a failed run is not run again"
    store.forget_failures(CELLS)
    assert [o.cell for o in conduct(CELLS, store, local_lanes(1))] == [CELLS[1]]
    same([found(store, CELLS[1])], [undisturbed[1]])


def test_a_killed_parent_leaves_no_worker_and_loses_only_runs_in_flight(
        tmp_path: Path, marks: Path, undisturbed: list[Result]) -> None:
    store = Store(tmp_path / "runs")
    with started(store.folder) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())[1] is None  # one run is done
        workers = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    psutil.wait_procs(workers, timeout=PATIENCE)
    assert not [w for w in workers if w.is_running() and w.status() != psutil.STATUS_ZOMBIE]
    kept = {p.name: p.stat().st_mtime_ns for p in store.folder.glob("*.json")}
    assert 1 <= len(kept) < len(CELLS)
    seen = list(conduct(CELLS, store, local_lanes(2)))
    assert len(seen) == len(CELLS) - len(kept), "nothing is trained twice"
    assert kept.items() <= {p.name: p.stat().st_mtime_ns for p in store.folder.iterdir()}.items()
    same([found(store, cell) for cell in CELLS], undisturbed)


def test_an_interrupt_ends_the_workers_at_once(tmp_path: Path, marks: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    """The stop button is a SIGINT to the parent; its workers are in runs of a minute."""
    monkeypatch.setenv("RESFOLD_TEST_PAUSE", "60")
    with started(tmp_path / "runs") as process:
        until(lambda: len(working(marks)) == 2, "two runs to begin")
        workers = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive


def started(folder: Path) -> subprocess.Popen[str]:
    """The study in a process of its own, where SIGINT works even if the tests' own is ignored."""
    script = ("import signal, study_workers, sys; "
              "signal.signal(signal.SIGINT, signal.default_int_handler); "
              "study_workers.main(sys.argv[1])")
    return subprocess.Popen([sys.executable, "-c", script, str(folder)],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


@pytest.mark.filterwarnings("ignore")  # distributed's own, of sockets and loops it closes late
def test_a_killed_dask_worker_is_survived(tmp_path: Path, marks: Path,
                                          undisturbed: list[Result]) -> None:
    """A real cluster of two worker processes, one of them killed in a run."""
    distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    store = Store(tmp_path / "runs")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True,
                                  dashboard_address=None) as cluster:
        lane = cluster_lane(cluster.scheduler_address)
        assert lane.capacity == 2
        seen = kill_first(conduct(CELLS, store, [lane], work=signed), marks)
    assert seen[-1].done == len(CELLS) and all(o.error is None or o.again for o in seen)
    same([found(store, cell) for cell in CELLS], undisturbed)


def test_a_cluster_without_its_library_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ModuleNotFoundError, match=r"resfold-nb\[cluster\]"):
        cluster_lane("tcp://127.0.0.1:1")


def test_any_executor_will_do(tmp_path: Path, undisturbed: list[Result]) -> None:
    """In this process, as beside a GPU; and a thread pool of somebody's own."""
    from concurrent.futures import ThreadPoolExecutor

    for name, lane in (("here", in_process_lane()), ("threads", Lane(lambda: ThreadPoolExecutor(1)))):
        store = Store(tmp_path / name)
        assert len(list(conduct(CELLS[:2], store, [lane]))) == 2
        same([found(store, cell) for cell in CELLS[:2]], undisturbed[:2])


def test_a_full_disk_stops_the_study_and_keeps_what_is_there(tmp_path: Path, monkeypatch, capsys
                                                             ) -> None:
    monkeypatch.setitem(study.STUDIES, "tiny", lambda profile: CELLS)
    monkeypatch.setattr(study, "local_lanes", lambda jobs: [in_process_lane()])
    written, real = [], os.fsync

    def fsync(file: int) -> None:
        written.append(file)
        if len(written) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    assert study.main(["tiny", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "No space left" in said and "free space" in said and "kept" in said
    left = list((tmp_path / ".runs").iterdir())
    assert [p.suffix for p in left] == [".json"], "one result, and nothing half written"


def test_what_a_killed_writer_left_is_cleared(tmp_path: Path) -> None:
    old, young = tmp_path / "a.json.unfinished-1", tmp_path / "b.json.unfinished-2"
    for path in (old, young):
        path.touch()
    os.utime(old, (0, 0))
    Store(tmp_path)
    assert not old.exists() and young.exists()


def test_the_plan_is_said_before_the_start(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(study.STUDIES, "tiny", lambda profile: CELLS)
    study.main(["tiny", "--out", str(tmp_path), "--minutes", "0"])
    said = capsys.readouterr().out
    assert "6 runs, 48 optimiser steps, 96 noise levels drawn" in said
    assert "TFLOP" in said and "of each of 1 kinds of run" in said


def test_the_same_numbers_on_one_thread_and_a_band_on_two() -> None:
    """Bit-equal at one thread count; weights 1e-4 apart across counts, after 8 steps."""
    one, other = run_cell(CELLS[0], "cpu", 1), run_cell(CELLS[0], "cpu", 1)
    assert one["rows"] == other["rows"] and one["quantities"] == other["quantities"]
    before, batch, finals = torch.get_num_threads(), make_batch(load("1K61_C")), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            *_, last = train(TINY, batch)
            finals.append(torch.cat([p.detach().flatten() for p in last.predictor.parameters()]))
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(*finals, atol=1e-4, rtol=0)
