"""The training loop: a generator that notebook, progress bar and study all drive."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from resfold_nb.data import Batch
from resfold_nb.diffusion import get_form, get_schedule
from resfold_nb.model import Features, Predictor, ResFold
from resfold_nb.training.losses import draw, training_loss
from resfold_nb.training.recipe import Recipe
from resfold_nb.training.rollout import rollout_loss


@dataclass(frozen=True)
class State:
    """A run after `step` steps, 0 (the network as initialised) to `recipe.steps`; see `Recipe.accumulate`."""

    step: int
    loss: Tensor  # detached, on the device, NaN at step 0; reading it waits for a GPU
    predictor: Predictor  # trained in place: copy it, do not move it while it is trained


class Engine:
    """How steps are carried out: here, as they are written. Those of `resfold_nb.engine` are faster."""

    def model(self, predictor: Predictor, recipe: Recipe) -> Predictor:
        """What the losses call; ValueError for a precision that needs another engine."""
        if recipe.precision != "fp32":
            raise ValueError(f"recipe {recipe.name!r} is in {recipe.precision}: train it with resfold_nb.engine.train")
        return predictor

    def optimiser(self, recipe: Recipe, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        """The recipe's AdamW."""
        return torch.optim.AdamW(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)

    def set_rate(self, optimiser: torch.optim.Optimizer, rate: float) -> None:
        """Give the next step its learning rate."""
        for group in optimiser.param_groups:
            group["lr"] = rate

    def backward(self, loss: Tensor) -> None:
        """Gradients of all weights."""
        loss.backward()

    def run(self, kind: tuple[Any, ...], update: Callable[[], Tensor], noise: torch.Generator) -> Tensor:
        """One step; those of equal `kind` do the same to other numbers."""
        return update()


def build(recipe: Recipe, seed: int = 0, device: torch.device | str = "cpu") -> Predictor:
    """The untrained model of a recipe; leaves torch's global random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        schedule = get_schedule(recipe.schedule, recipe.timesteps)
        network = ResFold(recipe.size, schedule.log_snr, **recipe.network_options)
    return Predictor(network, get_form(recipe.form), schedule).to(device)


def train(recipe: Recipe, batch: Batch, seed: int = 0, device: torch.device | str = "cpu",
          engine: Engine | None = None) -> Iterator[State]:
    """Yield the state before the first step and after each one; weights and noise come from `seed`.

    The same recipe, batch, seed, machine, versions and thread count give the same numbers to the bit. `engine`
    carries the steps out, as written by default. Raises FloatingPointError when the final loss is not finite.
    """
    engine, predictor = engine or Engine(), build(recipe, seed, device)
    model, optimiser = engine.model(predictor, recipe), engine.optimiser(recipe, predictor.parameters())
    parts = [(part, Features.of(part)) for part in batch.to(device).parts(recipe.proteins_per_step)]
    noise = torch.Generator(device).manual_seed(seed + 1_000_003)

    def update(part: Batch, features: Features, calls: int, step: int) -> Tensor:
        drawn = draw(recipe, part, features, noise, step)                     # x0, eps (B n, N, 3), t (B n,)
        loss = (rollout_loss(recipe, model, drawn, features, calls, noise) if calls else
                training_loss(recipe, model, drawn, features))
        engine.backward(loss / recipe.accumulate)
        if step % recipe.accumulate == 0:
            if recipe.clip is not None:
                nn.utils.clip_grad_norm_(predictor.parameters(), recipe.clip)
            optimiser.step()
            optimiser.zero_grad()
        return loss.detach()

    yield State(0, torch.full((), math.nan, device=device), predictor)
    for step, (i, calls) in enumerate(plan(recipe, len(parts), seed), start=1):
        predictor.train()
        engine.set_rate(optimiser, recipe.learning_rate * learning_rate(recipe, (step - 1) // recipe.accumulate))
        kind = i, calls, recipe.timesteps_at(step), step % recipe.accumulate
        loss = engine.run(kind, partial(update, *parts[i], calls, step), noise)
        if step == recipe.steps and not torch.isfinite(loss):  # only here: each look makes a GPU wait
            raise FloatingPointError(f"recipe {recipe.name!r} (form {recipe.form}, seed {seed}) ended with a loss "
                                     f"of {float(loss)}; lower learning_rate, or set clip=1.0")
        yield State(step, loss, predictor)


def plan(recipe: Recipe, parts: int, seed: int) -> Iterator[tuple[int, int]]:
    """Of each step, which part of the batch it trains on, and the calls of its rollout, 0 without one."""
    dice, order = random.Random(seed), []
    for step in range(1, recipe.steps + 1):
        order = order or (dice.sample(range(parts), parts) if parts > 1 else [0])
        yield order.pop(), recipe.rollout.length_at(step, dice) if recipe.rollout else 0


def learning_rate(recipe: Recipe, updates: int) -> float:
    """Share of the recipe's learning rate after `updates`: linear warm-up, then a half cosine to the last."""
    if updates < recipe.warmup or not recipe.cosine_decay:
        return min(1.0, (updates + 1) / max(1, recipe.warmup))
    planned = recipe.planned_updates or recipe.updates
    done = min(1.0, (updates - recipe.warmup) / max(1, planned - recipe.warmup))
    last = recipe.last_learning_rate / recipe.learning_rate
    return last + (1 - last) * (0.5 * (1 + math.cos(math.pi * done)))
