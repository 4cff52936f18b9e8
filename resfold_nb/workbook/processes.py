"""Several notebooks at once, a process each, stopped together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import psutil

from resfold_nb.workbook import results
from resfold_nb.workbook.environment import python_path
from resfold_nb.workbook.one_notebook import Job, to_json
from resfold_nb.workbook.results import Result

_LOG_TAIL = 2000  # characters of a crashed process's last words


def run_all(jobs: Sequence[Job], at_once: int) -> Iterator[tuple[Job, Result]]:
    """Execute the jobs, `at_once` at a time, and yield each as it finishes.

    An interrupt (ctrl-C, or SIGTERM) or an abandoned iterator ends every process, kernels too.
    """
    pool, crew = ThreadPoolExecutor(at_once), _Crew(threads_each(at_once))
    with _terminated_like_ctrl_c():
        try:
            futures = {pool.submit(crew.run, job): job for job in jobs}
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            crew.stop()
            pool.shutdown(cancel_futures=True)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_each(at_once: int) -> int:
    """Threads for each of several processes: more than the cores slow every one of them down."""
    return max(1, cores() // at_once)


class _Crew:
    """The running processes, so that all can be ended."""

    def __init__(self, threads: int) -> None:
        self._variables = os.environ | {
            "PYTHONPATH": python_path(),
            "OMP_NUM_THREADS": str(threads),
            "MKL_NUM_THREADS": str(threads),
            "JUPYTER_PREFER_ENV_PATH": "1",  # a kernel of this Python, not one in the home folder
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopping = False

    def run(self, job: Job) -> Result:
        """Execute one job to its end and read what it left."""
        started = time.monotonic()
        target = Path(job.target)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        # A file, not a pipe: a kernel that outlives its parent would keep a pipe open.
        with tempfile.TemporaryFile() as log:
            process = self._start(job, log.fileno())
            if process is None:
                return Result(job.name, 0.0, error="not started: the run was stopped")
            status = process.wait()
            self._processes.discard(process)
            log.seek(0)
            words = log.read().decode(errors="replace")
        if status:
            seconds = time.monotonic() - started
            return Result(job.name, seconds, error=_crash(status, words))
        return results.read(target)

    def stop(self) -> None:
        """End every process and what it started; later jobs do not start."""
        with self._lock:
            self._stopping = True
            running = [process for process in self._processes if process.poll() is None]
        _end_trees(process.pid for process in running)

    def _start(self, job: Job, log: int) -> subprocess.Popen[bytes] | None:
        command = [sys.executable, "-m", "resfold_nb.workbook.one_notebook"]
        with self._lock:
            if self._stopping:
                return None
            # A session of its own keeps ctrl-C from it: it is ended once, by `stop`.
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=self._variables,
                                       start_new_session=True,
                                       creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0))
            self._processes.add(process)
        process.stdin.write(to_json(job).encode())
        process.stdin.close()
        return process


def _crash(status: int, words: str) -> str:
    end = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
    return f"its process ended ({end})\n{words.strip()[-_LOG_TAIL:]}".strip()


def _end_trees(pids: Iterable[int]) -> None:
    """Terminate processes with their descendants, and kill those that stay."""
    family = []
    for pid in pids:
        try:
            process = psutil.Process(pid)
            family += [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
    for end in ("terminate", "kill"):
        for process in family:
            try:
                getattr(process, end)()
            except psutil.NoSuchProcess:
                continue
        _, family = psutil.wait_procs(family, timeout=3)


@contextmanager
def _terminated_like_ctrl_c() -> Iterator[None]:
    """Let SIGTERM raise KeyboardInterrupt, so that no kernel outlives the run."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
