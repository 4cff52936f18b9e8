"""One run: train a recipe, measuring on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch

from resfold_nb.data import Batch
from resfold_nb.engine import Member, Together, train, train_together
from resfold_nb.measure.errors import ErrorByTimestep, error_by_timestep, sample, sample_errors
from resfold_nb.model import Predictor
from resfold_nb.training import Recipe, State

T = TypeVar("T", State, Together)

Progress = Callable[[Iterable[State], int], Iterable[State]]
"""Wraps the loop to show progress: (states, how many) -> states."""


@dataclass(frozen=True)
class Mark:
    """What was measured after `step` steps, in Å."""

    step: int  # optimiser steps done
    errors: ErrorByTimestep  # single-step error by timestep
    sampled_rmse: float  # mean over sampled structures
    sampled_rmsd: float  # the same after superposition


@dataclass
class Run:
    """A finished run and its measurements, in the order of steps."""

    recipe: Recipe
    seed: int
    predictor: Predictor
    marks: list[Mark] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    train_seconds: float = 0.0

    @property
    def last(self) -> Mark:
        """The measurement after the last step."""
        return self.marks[-1]


def marks_for(steps: int, count: int = 12, first: int = 10) -> tuple[int, ...]:
    """Steps at which to measure: 0, about `count` spaced evenly in their logarithm, the last."""
    spaced = np.geomspace(min(first, steps), steps, count).round().astype(int)
    return tuple(sorted({0, *spaced.tolist(), steps}))


def train_and_measure(recipe: Recipe, batch: Batch, seed: int = 0, *, device: torch.device | str = "cpu",
                      marks: Iterable[int] | None = None, draws: int = 2, copies: int = 4,
                      progress: Progress | None = None) -> Run:
    """Train a recipe on a batch and measure at `marks` (`marks_for(recipe.steps)` by default).

    Interrupting it (KeyboardInterrupt) leaves nothing behind; the time of the measurements is not part of
    `train_seconds`.
    """
    wanted = set(marks_for(recipe.steps) if marks is None else marks) | {recipe.steps}
    states = train(recipe, batch, seed, device)
    shown = states if progress is None else progress(states, recipe.steps + 1)
    result, losses = None, []
    for state, seconds in _timed(shown, wanted):
        if result is None:
            result = Run(recipe, seed, state.predictor)
        result.train_seconds += seconds
        losses.append(state.loss)
        if state.step in wanted:
            result.marks.append(measure_state(recipe, state, batch, draws, copies))
    result.losses = torch.stack(losses).tolist()
    return result


def run_together(recipe: Recipe, members: Sequence[Member], batch: Batch, *, device: torch.device | str,
                 marks: Iterable[int], draws: int = 2, copies: int = 4) -> list[Run]:
    """As `run` for each member, trained side by side; each has an equal share of the seconds.

    Raises ValueError for a recipe that `can_train_together` refuses.
    """
    wanted, losses, seconds = set(marks) | {recipe.steps}, [], 0.0
    runs: list[Run] = []
    for now, spent in _timed(train_together(recipe, members, batch, device), wanted):
        seconds += spent
        losses.append(now.losses)
        for i, member in enumerate(members if now.step in wanted else ()):
            state = State(now.step, now.losses[i], now.predictor(i))
            if len(runs) < len(members):
                runs.append(Run(recipe.but(form=member.form), member.seed, state.predictor))
            runs[i].marks.append(measure_state(recipe, state, batch, draws, copies))
    for one, column in zip(runs, torch.stack(losses, dim=1).tolist(), strict=True):
        one.losses, one.train_seconds = column, seconds / len(runs)
    return runs


def measure_state(recipe: Recipe, state: State, batch: Batch, draws: int = 2, copies: int = 4) -> Mark:
    """Error by timestep and of samples at one state of a run."""
    samples = sample(state.predictor, batch, copies=copies, x0_clamp=recipe.x0_clamp)
    plain, superposed = sample_errors(samples.final, batch)
    errors = error_by_timestep(state.predictor, batch, draws=draws, rotate=recipe.rotate)
    return Mark(state.step, errors, float(plain.mean()), float(superposed.mean()))


def _timed(states: Iterable[T], wanted: Container[int]) -> Iterator[tuple[T, float]]:
    """Each state with the seconds it took to come, the time between states left out.

    A GPU is waited for at the steps in `wanted`, where the clock is read for what is to come.
    """
    iterator, start = iter(states), time.perf_counter()
    for state in iterator:
        if state.step in wanted and torch.cuda.is_initialized():
            torch.cuda.synchronize()
        yield state, time.perf_counter() - start
        start = time.perf_counter()
