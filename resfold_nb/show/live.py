"""Training that answers while it runs: Start, Pause, Stop, curves and a sample that follow it."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anywidget
import ipywidgets
import numpy as np
import torch
import traitlets

from resfold_nb.data import Batch
from resfold_nb.measure import Run
from resfold_nb.model import Predictor
from resfold_nb.show.charts import Curves, curves
from resfold_nb.show.live_driver import LOSS, NOW, Driver, error_figure, loss_figure, thinned
from resfold_nb.show.theme import caption_html, require_alt
from resfold_nb.show.trajectory import Player, as_bytes, player
from resfold_nb.show.view import View, source, still_image
from resfold_nb.training import Recipe, State

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SLICE = 0.08    # seconds of work between two looks for messages
TURNS = 5       # of the event loop between two slices: a message needs several to get through
REPORT = 0.5    # seconds between two updates of what is seen
_ALL: weakref.WeakSet[LiveTraining] = weakref.WeakSet()


class Controls(anywidget.AnyWidget):
    """Three buttons, a progress bar and a line that says what goes on."""

    _esm = source("shared.js", "live.js")
    _css = source("live.css")
    phase = traitlets.Unicode("ready").tag(sync=True)   # as in Driver
    step = traitlets.Int(0).tag(sync=True)
    steps = traitlets.Int(1).tag(sync=True)
    loss = traitlets.Float(None, allow_none=True).tag(sync=True)
    left = traitlets.Float(None, allow_none=True).tag(sync=True)  # seconds
    error = traitlets.Unicode("").tag(sync=True)


class LiveTraining(View):
    """A training with its controls, the curves of loss and error, and a sample in 3D.

    It trains in a task on the kernel's event loop, never while a cell runs; so a cell that uses `predictor` finds it
    between two steps.
    """

    def __init__(self, driver: Driver, alt: str) -> None:
        self.driver = driver
        self.controls = Controls(steps=driver.recipe.steps)
        self._loss = _curves(loss_figure(driver), f"Loss against the step. {alt}")
        self._errors = _curves(error_figure(driver), f"Error by timestep. {alt}")
        self._sample = _sample_view(driver, alt)
        self._drawn = 1  # marks on show
        self._task: asyncio.Task[None] | None = None
        self._loop = _running_loop()
        self.origin: tuple[str | None, str | None] = (None, None)  # cell and execution
        row = ipywidgets.HBox([self._loss, self._errors, self._sample.panes[0]], layout=dict(
            flex_flow="row wrap", align_items="flex-start", width="100%"))
        super().__init__([self.controls, row, ipywidgets.HTML(caption_html(alt))], alt, kind="live training")
        self.controls.on_msg(self._obey)

    @property
    def predictor(self) -> Predictor:
        """The model as trained so far."""
        return self.driver.state.predictor

    @property
    def state(self) -> State:
        """The loop's last state."""
        return self.driver.state

    @property
    def run(self) -> Run:
        """Marks and losses so far."""
        return self.driver.run

    def start(self) -> None:
        """Train, or go on after a pause; RuntimeError outside an event loop."""
        self._loop = _running_loop() or self._loop
        if self._loop is None:
            raise RuntimeError("live training needs a notebook's event loop; use wait=True")
        self.driver.start()
        if self._task is None or self._task.done():
            self._task = self._loop.create_task(self._drive())
        self._tell()

    def pause(self) -> None:
        """Leave the training where it is, after the step in hand."""
        self.driver.pause()
        self._tell()

    def stop(self) -> None:
        """End the training after the step in hand; the model stays usable."""
        self.driver.stop()
        self._tell()

    def close(self) -> None:
        """End the training with the widget."""
        self.driver.stop()
        super().close()

    async def settled(self) -> None:
        """Wait while it runs: until a pause, the end or an error."""
        if self._task is not None:
            await self._task

    def train_now(self, steps: int | None = None) -> None:
        """Train here and now, up to step `steps` or to the end, and show the final state."""
        whole = steps is None or steps >= self.driver.recipe.steps
        self.driver.start()
        self.driver.advance(until=np.inf if whole else steps)
        self.driver.pause()
        if self.driver.error is None:
            self.driver.measure()
        self._tell()

    def picture(self) -> str:
        """The last sample."""
        pane, sample = self._sample.panes[0], {_caption(self.driver): self.driver.samples[-1]}
        return still_image(sample, self.driver.truth, pane.chain, pane.palettes["index"], self.alt)

    def _obey(self, _: Any, content: dict[str, str], buffers: Any) -> None:
        """A button was pressed. Lab may bring the message in a thread of its own."""
        actions: dict[str, Callable[[], None]] = {"start": self.start, "pause": self.pause, "stop": self.stop}
        action = actions.get(content.get("do", ""))
        if action is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(action)

    async def _drive(self) -> None:
        """Work and rest in turn, until the phase is no longer "running"."""
        told = 0.0
        while self.driver.phase == "running":
            try:
                self.driver.advance(SLICE)
                if time.perf_counter() - told > REPORT:
                    self._tell()
                    told = time.perf_counter()
            except Exception as error:  # a task's error would go unseen
                self.driver.fail(error)
            for _ in range(TURNS):  # a real pause would hand the processor to other programs
                await asyncio.sleep(0)
        self._tell()

    def _tell(self) -> None:
        """Bring everything on show up to date."""
        driver, losses = self.driver, self.driver.run.losses[1:]
        with self.controls.hold_sync():
            self.controls.phase, self.controls.step = driver.phase, driver.state.step
            self.controls.left = driver.seconds_left
            self.controls.loss = losses[-1] if losses and np.isfinite(losses[-1]) else None
            self.controls.error = f"{type(driver.error).__name__}: {driver.error}" if driver.error else ""
        if losses:
            self._loss.set_lines({LOSS: thinned(losses)})
        if len(driver.run.marks) > self._drawn:
            self._show_mark()
        if driver.phase != "running":  # for the saved notebook, which has seen the figures alone
            self._loss.send_state("figure")
            self._errors.send_state("figure")

    def _show_mark(self) -> None:
        """Draw the last measurement: its error curve, and its sample under the same camera."""
        errors, pane = self.driver.run.last.errors, self._sample.panes[0]
        self._errors.set_lines({NOW: (errors.t, errors.rmse)})
        with pane.hold_sync():
            pane.captions = [_caption(self.driver)]
            pane.frames = as_bytes(self.driver.samples[-1])
        self._drawn = len(self.driver.run.marks)


def live_training(recipe: Recipe, batch: Batch, seed: int = 0, *, alt: str, every: int | None = None, draws: int = 2,
                  device: torch.device | str = "cpu", wait: bool | None = None,
                  steps: int | None = None) -> LiveTraining:
    """Train a recipe with Start, Pause and Stop, which answer while it trains.

    Loss, error by timestep and a sample of the batch's first protein are drawn as they come. The numbers are those of
    `training.train`, bit for bit, however often it is paused. Running the cell again stops the training that it
    showed before.

    Parameters
    ----------
    recipe, batch, seed, device : as for `training.train`.
    alt : what is trained here, in a sentence: visible caption and text alternative.
    every : steps between two measurements, a tenth of the run by default.
    draws : noise draws for each protein and timestep of a measurement.
    wait : train now, in this cell, without waiting for Start. By default that is done where nobody sits at the
        keyboard: papermill, nbclient, a script.
    steps : how many steps to train then; all of them by default.

    An interrupt pauses it after the step in hand. Raises ValueError for an empty `alt`, or for `every`, `draws` or
    `steps` below 1; with `wait` also what made the training fail. Without, that stands in the widget and in
    `driver.error`.
    """
    alt = require_alt(alt, "live training")
    if steps is not None and steps < 1:
        raise ValueError(f"steps is {steps}; give a whole number of at least 1")
    live = LiveTraining(Driver(recipe, batch, seed, device=device, every=every, draws=draws), alt)
    _replace_earlier(live)
    if not _attended() if wait is None else wait:
        live.train_now(steps)
        if live.driver.error is not None:  # where nobody looks at the widget, a run must not pass
            raise live.driver.error
    return live


def _request() -> dict[str, Any]:
    """The message that asked for the running cell, or nothing outside a kernel."""
    from IPython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    return {} if kernel is None else kernel.get_parent()


def _attended() -> bool:
    """Whether whoever runs the cell could answer a question: papermill and nbclient could not."""
    return bool(_request().get("content", {}).get("allow_stdin"))


def _replace_earlier(live: LiveTraining) -> None:
    """Stop what an earlier execution of the same cell left training."""
    request = _request()
    cell = request.get("metadata", {}).get("cellId")
    live.origin = (cell, request.get("header", {}).get("msg_id"))
    for other in list(_ALL):
        if cell and other.origin[0] == cell and other.origin != live.origin:
            other.stop()
    _ALL.add(live)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _curves(figure: Figure, alt: str) -> Curves:
    made = curves(figure, alt=alt)
    made.layout = dict(flex="1 1 300px", min_width="260px")
    return made


def _sample_view(driver: Driver, alt: str) -> Player:
    """The last sample over the truth, in grey."""
    view = player({"Sample": driver.samples[-1]}, truth=driver.truth, alt=alt,
                  chain_index=driver.batch.select([0]).chain[0].tolist(), labels={"Sample": [_caption(driver)]})
    view.panes[0].layout = dict(flex="1 1 260px", min_width="220px")
    return view


def _caption(driver: Driver) -> str:
    mark = driver.run.last
    return (f"sampled after step {mark.step}: RMSE {mark.sampled_rmse:.1f} Å, "
            f"superposed {mark.sampled_rmsd:.1f} Å")
