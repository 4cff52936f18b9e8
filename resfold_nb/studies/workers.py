"""Where runs are worked on: lanes, each an executor of `concurrent.futures` that can be replaced.

A lane of this machine is one process, so that a crash breaks that lane alone and is blamed on the run that was in it.
A cluster is one lane that takes as many runs as it has threads.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor
from concurrent.futures import TimeoutError as Late
from multiprocessing import connection, get_context, parent_process
from typing import Any

START_SECONDS = 60  # a worker that imports torch on a slow machine


class Lane:
    """An executor, how many runs it takes at once, and how to make it anew.

    Parameters
    ----------
    make : starts the executor.
    capacity : runs at once.
    lost : errors that mean "the worker died", not "the run failed".
    local : whether its one worker is a process of this machine that can be ended at once.
    at_end : called when the lane is closed.
    """

    def __init__(self, make: Callable[[], Executor], capacity: int = 1, *,
                 lost: tuple[type[BaseException], ...] = (BrokenExecutor,),
                 local: bool = False, at_end: Callable[[], object] = bool) -> None:
        self.make, self.capacity, self.lost, self.local = make, capacity, lost, local
        self.at_end = at_end
        self.executor: Executor | None = None
        self.pid: Future[int] | None = None

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Hand over a call; starts the executor if it is not there, or broke while it was idle."""
        try:
            return self._ready().submit(work, *arguments)
        except BrokenExecutor:
            self.drop()
            return self._ready().submit(work, *arguments)

    def _ready(self) -> Executor:
        if self.executor is None:
            self.executor = self.make()
            self.pid = self.executor.submit(os.getpid) if self.local else None
        return self.executor

    def drop(self) -> None:
        """Give up a broken executor; the next call starts another."""
        if self.executor is not None:
            self.executor.shutdown(wait=False)
        self.executor = self.pid = None

    def close(self, at_once: bool) -> None:
        """End the executor; `at_once` does not wait for the run in it."""
        if at_once and self.pid is not None:
            self._end_worker(self.pid)
        if self.executor is not None:
            self.executor.shutdown(wait=not at_once or self.local)
        self.executor = self.pid = None
        self.at_end()

    @staticmethod
    def _end_worker(pid: Future[int]) -> None:
        try:
            os.kill(pid.result(timeout=START_SECONDS), signal.SIGTERM)
        except (Late, CancelledError, BrokenExecutor, ProcessLookupError):
            pass  # it has not come up, or has gone already


class InProcess(Executor):
    """Runs each call at once in this process: for a GPU, which processes would fight over."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """The finished call; an interrupt passes through."""
        future: Future[Any] = Future()
        try:
            future.set_result(work(*arguments, **named))
        except Exception as error:  # whatever the run raised is the run's result
            future.set_exception(error)
        return future


def local_lanes(jobs: int) -> list[Lane]:
    """One process each, with one thread: faster than threads that share the cores."""
    # A forked child would inherit torch's threads and any CUDA context, and both break there.
    return [Lane(lambda: ProcessPoolExecutor(1, get_context("spawn"), _begin), local=True) for _ in range(jobs)]


def in_process_lane() -> Lane:
    """This process itself."""
    return Lane(InProcess)


def cluster_lane(address: str) -> Lane:
    """A Dask cluster, by its scheduler's address; Dask tries a killed worker's run elsewhere first.

    Raises ModuleNotFoundError with the remedy where distributed is not installed.
    """
    try:
        from distributed import Client, KilledWorker
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{error.name} is not installed; a cluster needs: pip install 'resfold-nb[cluster]'"
        ) from error
    client = Client(address)
    threads = sum(client.nthreads().values())
    return Lane(client.get_executor, max(1, threads), at_end=client.close,
                lost=(BrokenExecutor, CancelledError, KilledWorker))


def _begin() -> None:
    """In a new worker: leave ctrl-C to the parent, and do not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
