"""Training in pieces, so that a kernel can hear its buttons and a reader can look; and its two charts."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resfold_nb.data import Batch, residue_centroids, superpose
from resfold_nb.engine import train
from resfold_nb.measure import Mark, Run, baselines, error_by_timestep, sample, sample_errors
from resfold_nb.show.charts import Line, baseline_lines, chart
from resfold_nb.show.theme import PALETTE
from resfold_nb.training import Recipe, State

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MEASUREMENTS = 10  # of a run whose `every` was not given


class Driver:
    """One run of `train`, which can be paused between any two steps.

    Attributes
    ----------
    state : the last state; `state.predictor` can be used whenever `advance` has returned.
    run : recipe, seed, predictor, marks and losses so far, as `resfold_nb.measure.run` has them.
    samples : one structure (L, 3) in Å for each mark, superposed on the first protein.
    truth : centroids (L, 3) of the batch's first protein in Å.
    phase : "ready", "running", "paused", "stopped", "finished" or "failed".
    error : what made it fail, or None.
    worked : seconds spent in `advance`, measurements included.
    """

    def __init__(self, recipe: Recipe, batch: Batch, seed: int = 0, *, device: torch.device | str = "cpu",
                 every: int | None = None, draws: int = 2) -> None:
        """Build the untrained model and measure it; arguments as in `show.live_training`."""
        for name, value in (("every", every), ("draws", draws)):
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; give a whole number of at least 1")
        self.recipe, self.batch, self.draws = recipe, batch, draws
        self.every = every or math.ceil(recipe.steps / MEASUREMENTS)
        self.phase, self.worked = "ready", 0.0
        self.error: Exception | None = None
        self.samples: list[NDArray[np.float32]] = []
        self._shown = batch.select([0])
        self.truth = self._in_angstrom(self._shown.x0)
        states = train(recipe, batch, seed, device)
        self.state = next(states)
        self.run = Run(recipe, seed, self.state.predictor, losses=[math.nan])
        self._unread: list[Tensor] = []  # losses still on the device
        self._work = self._pieces(states)
        self.measure()

    def start(self) -> None:
        """Let `advance` work; nothing changes once the run has ended."""
        if self.phase in ("ready", "paused"):
            self.phase = "running"

    def pause(self) -> None:
        """Leave the loop where it is, after the step in hand."""
        if self.phase == "running":
            self.phase = "paused"

    def stop(self) -> None:
        """End the run after the step in hand; the model stays, the optimiser is let go."""
        if self.phase in ("ready", "running", "paused"):
            self.phase, self._work = "stopped", iter(())

    def fail(self, error: Exception) -> None:
        """End the run because of an error."""
        self.phase, self.error, self._work = "failed", error, iter(())

    def advance(self, seconds: float = math.inf, until: float = math.inf) -> None:
        """Work for about `seconds`, at most up to step `until`, while the phase is "running".

        At least one piece is done, a step or half a measurement. Errors end in `error`, and an interrupt (SIGINT,
        Ctrl-C) pauses the run after the step in hand.
        """
        start = time.perf_counter()
        try:
            with _interrupt_calls(self.pause):
                self._advance(start + seconds, until)
        except Exception as error:  # the widget shows it; raised in a task, nobody would see it
            self.fail(error)
        self._read_losses()
        self.worked += time.perf_counter() - start

    def measure(self) -> None:
        """Measure the model as it stands, unless that was done."""
        for _ in self._measurement():
            pass

    @property
    def seconds_left(self) -> float | None:
        """Rough time to the last step at the pace so far, or None before the first step."""
        done = self.state.step
        return self.worked / done * (self.recipe.steps - done) if done else None

    def _advance(self, end: float, until: float) -> None:
        """Piece by piece; the loop stays suspended where this leaves it."""
        while self.phase == "running" and self.state.step < until:
            if next(self._work, "end") == "end":
                self.phase = "finished"
            if time.perf_counter() >= end:
                return

    def _pieces(self, states: Iterator[State]) -> Iterator[None]:
        """Yield after every training step and after each part of a measurement."""
        while True:
            start = time.perf_counter()
            state = next(states, None)
            if state is None:
                return
            self.run.train_seconds += time.perf_counter() - start
            self.state = state
            self._unread.append(state.loss)
            yield
            if state.step % self.every == 0 or state.step == self.recipe.steps:
                yield from self._measurement()

    def _measurement(self) -> Iterator[None]:
        """Add a mark and its sample in two parts."""
        recipe, step, predictor = self.recipe, self.state.step, self.state.predictor
        if self.run.marks and self.run.last.step == step:
            return
        final = sample(predictor, self._shown, copies=1, x0_clamp=recipe.x0_clamp).final
        yield
        errors = error_by_timestep(predictor, self.batch, draws=self.draws, rotate=recipe.rotate)
        plain, superposed = sample_errors(final, self._shown)
        self.samples.append(self._in_angstrom(superpose(final.cpu(), self._shown.x0.cpu())))
        self.run.marks.append(Mark(step, errors, float(plain.mean()), float(superposed.mean())))
        yield

    def _in_angstrom(self, points: Tensor) -> NDArray[np.float32]:
        """Centroids (L, 3) in Å of normalised points (1, N, 3) of the first protein."""
        each = self._shown.points_per_residue
        centroids = residue_centroids(points, each) if each > 1 else points
        return self._shown.to("cpu").angstrom(centroids.cpu())[0].float().numpy()

    def _read_losses(self) -> None:
        """Move the losses since the last call in one go, and fail if they are no longer finite.

        `train` itself looks only at the last one, because each look makes a GPU wait.
        """
        if not self._unread:
            return
        losses = self.run.losses
        losses += torch.stack(self._unread).tolist()
        self._unread.clear()
        if self.error is None and not math.isfinite(losses[-1]):
            step = next(i for i, loss in enumerate(losses) if i and not math.isfinite(loss))
            self.fail(FloatingPointError(f"the loss is {losses[step]} at step {step}; lower "
                                         "learning_rate, or set clip=1.0"))


@contextmanager
def _interrupt_calls(action: Callable[[], None]) -> Iterator[None]:
    """Let SIGINT call `action` meanwhile: raised in mid-step it would leave half a step.

    Between messages ipykernel ignores the signal, so that nobody else would hear it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda *_: action())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)


POINTS = 400  # of the loss curve; more steps are averaged
LOSS, NOW = 0, 1  # the traces that move, of the loss chart and of the error chart


def thinned(losses: list[float]) -> tuple[list[float], list[float]]:
    """Steps and losses of a curve of at most `POINTS` points, each the mean of as many steps."""
    each = -(-len(losses) // POINTS)
    blocks = [losses[i : i + each] for i in range(0, len(losses), each)]
    centres = [i * each + (len(block) + 1) / 2 for i, block in enumerate(blocks)]
    return centres, [sum(block) / len(block) for block in blocks]


def loss_figure(driver: Driver) -> Figure:
    """The loss chart, empty before the first step."""
    fig = chart([Line("loss", [], [], PALETTE[driver.recipe.form])], title="Loss", x="step",
                y="loss (no unit)", log_y=True)
    return _compact(fig, below=60).update_layout(showlegend=False)


def error_figure(driver: Driver) -> Figure:
    """Error by timestep: untrained, now, and what predictors that learn nothing would have."""
    errors, colour = driver.run.last.errors, PALETTE[driver.recipe.form]
    base = baselines(driver.state.predictor.schedule, 1.0, float(driver.batch.scale.mean()))
    lines = [Line("untrained", errors.t, errors.rmse, colour, "dot"),
             Line("now", errors.t, errors.rmse, colour), *baseline_lines(base)]
    fig = chart(lines, title="Error by timestep", x="timestep t", y="RMSE (Å)", log_y=True)
    return _compact(fig, below=155)


def _compact(fig: Figure, below: int) -> Figure:
    """Room for three views side by side; the legend stands at the foot, in up to three rows."""
    return fig.update_layout(height=400, margin=dict(l=60, r=15, t=50, b=below),
                             legend=dict(orientation="h", x=0, y=0, yref="container", yanchor="bottom"))
