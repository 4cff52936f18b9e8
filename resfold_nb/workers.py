"""The one runner of studies and notebooks: tasks on workers that may die, be interrupted, or sit on a cluster.

A lane of this machine is one process, so that a crash breaks that lane alone and is blamed on the task that was in
it: a pool of several, joblib's loky too, breaks as a whole. A cluster is one lane that takes as many tasks as it has
threads. Needs the standard library alone.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import (FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor,
                                wait)
from concurrent.futures import TimeoutError as Late
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")
START_SECONDS = 60  # a worker that imports torch on a slow machine


class Settled(NamedTuple, Generic[T]):
    """What became of a task just now."""

    task: T
    value: Any  # what the work returned; None where there is an error
    error: BaseException | None
    lost: bool  # whether the error is the worker's death, not the work's
    again: bool  # whether it is tried once more


class Lane:
    """An executor, how many tasks it takes at once, and how to make it anew.

    Parameters
    ----------
    make : starts the executor.
    capacity : tasks at once.
    lost : errors that mean "the worker died", not "the work failed".
    local : whether its one worker is a process of this machine that can be ended at once.
    at_end : called when the lane is closed.
    """

    def __init__(self, make: Callable[[], Executor], capacity: int = 1, *, local: bool = False,
                 lost: tuple[type[BaseException], ...] = (), at_end: Callable[[], object] = bool) -> None:
        self.make, self.capacity, self.local, self.at_end = make, capacity, local, at_end
        self.lost = (BrokenExecutor, CancelledError, *lost)
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
        """End the executor; `at_once` does not wait for the task in it, and ends what its worker started, too."""
        if at_once and self.pid is not None:
            try:
                _end_tree(self.pid.result(timeout=START_SECONDS))
            except (Late, CancelledError, BrokenExecutor, ProcessLookupError):
                pass  # it has not come up, or has gone already
        if self.executor is not None:
            self.executor.shutdown(wait=not at_once or self.local)
        self.executor = self.pid = None
        self.at_end()


def carry_out(tasks: Iterable[T], lanes: Sequence[Lane], work: Callable[..., Any], *arguments: Any, tries: int = 1,
              seconds: float = float("inf")) -> Iterator[Settled[T]]:
    """Call `work(task, *arguments)` for every task, and yield what became of each as it comes.

    A task whose worker died is tried up to `tries` times; none is started after `seconds`. An interrupt, or closing
    the iterator, ends the workers at once.
    """
    queue, tried, end = deque(enumerate(tasks)), Counter[int](), time.monotonic() + seconds
    running: dict[Future[Any], tuple[int, T, Lane, Executor | None]] = {}
    try:
        while True:
            taken = Counter(id(lane) for _, _, lane, _ in running.values())
            for lane in lanes:
                for _ in range(lane.capacity - taken[id(lane)]):
                    if queue and time.monotonic() < end:
                        number, task = queue.popleft()
                        running[lane.submit(work, task, *arguments)] = number, task, lane, lane.executor
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                number, task, lane, executor = running.pop(future)
                error = _error_of(future)
                lost = isinstance(error, lane.lost)
                if lost and lane.executor is executor:
                    lane.drop()
                tried[number] += 1
                again = lost and tried[number] < tries
                if again:
                    queue.append((number, task))
                yield Settled(task, None if error else future.result(), error, lost, again)
    finally:
        for future in running:
            future.cancel()
        for lane in lanes:
            lane.close(at_once=bool(running))


def _error_of(future: Future[Any]) -> BaseException | None:
    try:
        return future.exception()
    except CancelledError as cancelled:
        return cancelled


class InProcess(Executor):
    """Runs each call at once in this process: for a GPU, which processes would fight over."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """The finished call; an interrupt passes through."""
        future: Future[Any] = Future()
        try:
            future.set_result(work(*arguments, **named))
        except Exception as error:  # whatever the work raised is its result
            future.set_exception(error)
        return future


def local_lanes(count: int, log: str | None = None) -> list[Lane]:
    """One process each. What their workers print goes to the file `log`, if it is given."""
    # A forked child would inherit torch's threads and any CUDA context, and both break there.
    return [Lane(lambda: ProcessPoolExecutor(1, get_context("spawn"), _begin, (log,)), local=True)
            for _ in range(count)]


def in_process_lane() -> Lane:
    """This process itself."""
    return Lane(InProcess)


def cluster_lane(address: str) -> Lane:
    """A Dask cluster, by its scheduler's address; Dask tries a killed worker's task elsewhere first.

    Raises ModuleNotFoundError with the remedy where distributed is not installed.
    """
    try:
        from distributed import Client, KilledWorker
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{error.name} is not installed; a cluster needs: pip install 'resfold-nb[cluster]'") from error
    client = Client(address)
    threads = sum(client.nthreads().values())
    return Lane(client.get_executor, max(1, threads), at_end=client.close, lost=(KilledWorker,))


@contextmanager
def terminated_like_ctrl_c(variables: Mapping[str, str] | None = None) -> Iterator[None]:
    """Let SIGTERM raise KeyboardInterrupt, so that no worker outlives this process; set `variables` meanwhile."""
    before = dict(os.environ)
    os.environ.update(variables or {})
    mine = threading.current_thread() is threading.main_thread()
    previous = signal.signal(signal.SIGTERM, _interrupt) if mine else None
    try:
        yield
    finally:
        if mine:
            signal.signal(signal.SIGTERM, previous)
        os.environ.clear()
        os.environ.update(before)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _end_tree(pid: int) -> None:
    """Terminate a worker with what it started, and kill what stays; a worker alone where psutil is not there."""
    try:
        import psutil
    except ModuleNotFoundError:
        os.kill(pid, signal.SIGTERM)
        return
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for process in family:
            try:
                end(process)
            except psutil.NoSuchProcess:
                continue
        _, family = psutil.wait_procs(family, timeout=3)


def _begin(log: str | None) -> None:
    """In a new worker: leave ctrl-C to the parent, do not outlive it, print where it says."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if log is not None:
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(file, stream)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
