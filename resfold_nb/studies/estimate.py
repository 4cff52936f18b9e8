"""What a study will cost, before it starts: counted operations, and seconds from a few steps."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from resfold_nb.data import Batch
from resfold_nb.engine import train
from resfold_nb.measure.cost import training_cost
from resfold_nb.measure.errors import error_by_timestep
from resfold_nb.model import Predictor
from resfold_nb.studies.groups import looks
from resfold_nb.studies.plans import Cell
from resfold_nb.studies.proteins import batch_for
from resfold_nb.training import Recipe

TIMED, WARM = 2, 2  # steps of each shape, after some that are not timed: a GPU records the second


@dataclass(frozen=True)
class Estimate:
    """What the runs that are to be done will take, trained one by one (a GPU trains some together, and is faster)."""

    runs: int
    steps: int  # of the optimiser, in all runs
    draws: int  # noise levels drawn of one protein, in all runs
    teraflop: float  # counted 10^12 operations of training
    seconds: dict[str, float]  # by `Cell.key`, of one process, training and measuring
    shapes: int  # how many kinds of step were timed

    def sentence(self, at_once: int) -> str:
        """In words, with the time that `at_once` processes would take."""
        minutes = sum(self.seconds.values()) / at_once / 60
        return (f"{self.runs} runs, {self.steps:,} optimiser steps, {self.draws:,} noise levels "
                f"drawn, {self.teraflop:,.1f} TFLOP; about {minutes:.0f} min, from "
                f"{TIMED} timed steps of each of {self.shapes} kinds of run")


def estimated(cells: Sequence[Cell], device: str = "cpu") -> Estimate:
    """Count and time a few steps of each kind of run; takes a fraction of a second for each."""
    kinds = {(shape(cell.recipe), cell.protein): cell for cell in cells}
    costs = {kind: _cost_of(*kind, looks(cell, batch_for(*kind)), device) for kind, cell in kinds.items()}
    teraflop, seconds = 0.0, {}
    for cell in cells:
        flop, step, look = costs[shape(cell.recipe), cell.protein]
        marks = looks(cell, batch_for(cell.recipe, cell.protein))["marks"]
        teraflop += cell.recipe.steps * flop
        seconds[cell.key] = cell.recipe.steps * step + max(1, len(marks)) * look
    return Estimate(len(cells), sum(c.recipe.steps for c in cells),
                 sum(c.recipe.steps * c.recipe.noise_levels for c in cells), teraflop, seconds, len(kinds))


def shape(recipe: Recipe) -> Recipe:
    """The recipe without what costs nothing, so that recipes of equal cost are one."""
    return recipe.but(name="shape", form="x0", steps=WARM + TIMED + 1, learning_rate=1e-3, warmup=0, clip=None,
                      loss_space="x0", schedule="linear", first_timestep=0, x0_clamp=None, curriculum=None,
                      rotate=False, zero_init_output=False, weight_decay=0.0, cosine_decay=False, scale="own",
                      planned_updates=None, last_learning_rate=0.0, accumulate=1, positions="chain")


def _cost_of(recipe: Recipe, protein: str, look: dict[str, Any], device: str) -> tuple[float, float, float]:
    """TFLOP and seconds of one step, and seconds of measuring once."""
    batch, plan = batch_for(recipe, protein), recipe.rollout
    predictor, step = _timed(recipe.but(rollout=None), batch, device)
    if plan is not None:
        rolled = recipe.but(rollout=dataclasses.replace(plan, share=1.0))
        step += plan.share * (_timed(rolled, batch, device)[1] - step)
    measuring = 0.0  # once: the network is called at 50 timesteps with the draws, and at 49 with the copies
    for at_once, calls in (("draws", 50), ("copies", 49)):
        start = time.perf_counter()
        error_by_timestep(predictor, batch, draws=look[at_once], timesteps=(25, 49))
        measuring += calls * (time.perf_counter() - start) / 2
    return training_cost(recipe, batch).teraflop / recipe.steps, step, measuring


def _timed(recipe: Recipe, batch: Batch, device: str) -> tuple[Predictor, float]:
    """The model, and seconds of one step after some that are not timed."""
    states = train(recipe, batch, device=device)
    first = list(itertools.islice(states, 1 + WARM))[-1]
    float(first.loss)  # a GPU is waited for, before and after
    start = time.perf_counter()
    last = list(itertools.islice(states, TIMED))[-1]
    float(last.loss)
    return last.predictor, (time.perf_counter() - start) / TIMED
