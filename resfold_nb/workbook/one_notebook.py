"""Executing one notebook through papermill.

What happened is kept in the executed notebook's metadata, under "resfold", which is written last: a notebook that has
it ran to its end or to its error.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

KEY = "resfold"
START_TIMEOUT = 120  # seconds for a kernel to start on a busy machine


@dataclass(frozen=True)
class Job:
    """One notebook to execute: from where to where, with which parameters.

    `timeout` is in seconds a cell; `html` is the page to write beside the notebook, if any; `stamp` names the state
    of the sources, for a later run to tell whether it may be reused.
    """

    source: str
    target: str
    parameters: dict[str, Any] = field(default_factory=dict)
    timeout: int = 600
    html: str | None = None
    stamp: str = ""

    @property
    def name(self) -> str:
        """The notebook's name without its suffix."""
        return Path(self.source).stem


def check_parameters(job: Job) -> None:
    """Raise ValueError unless the notebook has every parameter that the job sets.

    papermill itself only warns, and the notebook would run with its own values.
    """
    import papermill

    known = papermill.inspect_notebook(job.source)
    unknown = sorted(set(job.parameters) - set(known))
    if unknown:
        raise ValueError(f"{job.source} has no parameter {', '.join(unknown)}: its cell tagged 'parameters' "
                         f"sets {', '.join(sorted(known)) or 'nothing, or is missing'}")


def execute(job: Job) -> None:
    """Execute the notebook and write it, then its page; errors of a cell are kept, not raised."""
    started, target = time.monotonic(), Path(job.target)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    error = _papermill(job)
    if job.html and target.exists():
        page_error = _page(job)  # a notebook that failed has a page too, up to its error
        error = error or page_error
    seconds = round(time.monotonic() - started, 2)
    outcome = {"error": error, "seconds": seconds, "stamp": job.stamp}
    _keep(job, outcome | {"parameters": job.parameters})


def _papermill(job: Job) -> dict[str, Any] | None:
    """Run the cells; None, or what went wrong as {at, name, text}.

    `at` tells which cell: the "failed" one, the "last" one that started, or none ("").
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    _wake_after_sending()
    try:
        papermill.execute_notebook(job.source, job.target, parameters=job.parameters,
                                   cwd=str(Path(job.source).parent), kernel_name="python3", progress_bar=False,
                                   execution_timeout=job.timeout, start_timeout=START_TIMEOUT)
    except PapermillExecutionError as error:
        return {"at": "failed", "name": error.ename, "text": error.evalue}
    except Exception as error:  # a dead kernel, a timeout, an unwritable folder: all are reported
        return {"at": "last", "name": type(error).__name__, "text": str(error)}
    return None


def _page(job: Job) -> dict[str, Any] | None:
    from resfold_nb.show.export import export_html

    try:
        export_html(job.target, job.html, written_in=Path(job.source).parent)
    except Exception as error:  # the notebook stands; its page is reported as missing
        return {"at": "", "name": type(error).__name__, "text": f"no HTML page: {error}"}
    return None


def _keep(job: Job, outcome: dict[str, Any]) -> None:
    import nbformat

    target = Path(job.target)
    notebook = nbformat.read(target if target.exists() else job.source, 4)
    notebook.metadata[KEY] = outcome
    nbformat.write(notebook, target)


def _wake_after_sending() -> None:
    """Make nbclient's socket look for replies after each message that it sends.

    When nbclient answers an Output widget, the wake-up for the kernel's next reply can be lost, and the cell then
    hangs until its timeout (nbclient #311, #312). pyzmq schedules the look by `_schedule_remaining_events`, which
    sending alone does not call.
    """
    from jupyter_client.channels import AsyncZMQSocketChannel as Channel

    inherited: Callable[[Any, dict[str, Any]], None] = Channel.send
    if getattr(inherited, "wakes", False):
        return

    def send(self: Any, message: dict[str, Any]) -> None:
        inherited(self, message)
        wake = getattr(self.socket, "_schedule_remaining_events", None)
        if wake is not None:
            wake()

    send.wakes = True
    Channel.send = send
