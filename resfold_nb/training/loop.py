"""The training loop: a generator that notebook, progress bar and study all drive."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from resfold_nb.data import Batch, random_rotations
from resfold_nb.diffusion import get_form, get_schedule
from resfold_nb.model import Features, Predictor, ResFold
from resfold_nb.training.losses import Draw, training_loss, x0_loss
from resfold_nb.training.recipe import Recipe
from resfold_nb.training.rollout import roll_out


@dataclass(frozen=True)
class State:
    """A run after `step` optimiser steps.

    Attributes
    ----------
    step : optimiser steps done, from 0 (the network as initialised) to `recipe.steps`.
    loss : scalar on the device, detached; NaN at step 0. Reading it waits for a GPU.
    predictor : the model, trained in place: a later state holds the same object.
    """

    step: int
    loss: Tensor
    predictor: Predictor


def best_device() -> torch.device:
    """CUDA if there is one, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def build(recipe: Recipe, seed: int = 0, device: torch.device | str = "cpu") -> Predictor:
    """The untrained model of a recipe; leaves torch's global random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        schedule = get_schedule(recipe.schedule, recipe.size.timesteps)
        network = ResFold(recipe.size, schedule.log_snr)
    return Predictor(network, get_form(recipe.form), schedule).to(device)


def train(recipe: Recipe, batch: Batch, seed: int = 0,
          device: torch.device | str = "cpu") -> Iterator[State]:
    """Yield the state before the first step and after each one.

    The same recipe, batch, seed, machine, versions and thread count give the same numbers to the
    bit. Weights come from `seed`, noise from `seed` too but from another stream.

    Raises FloatingPointError when the final loss is not finite.
    """
    predictor = build(recipe, seed, device)
    parts = parts_of(batch.to(device), recipe.proteins)
    generator = torch.Generator(device).manual_seed(seed + 1_000_003)
    dice = random.Random(seed)  # rollout lengths, drawn where no device has to wait for them
    optimiser = _optimiser(recipe, predictor)
    plan = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: learning_rate(recipe, step))
    loss = torch.full((), math.nan, device=device)
    yield State(0, loss, predictor)
    order: list[int] = []
    for step in range(1, recipe.steps + 1):
        predictor.train()
        if not order:
            order = dice.sample(range(len(parts)), len(parts)) if len(parts) > 1 else [0]
        batch, features = parts[order.pop()]
        drawn = draw(recipe, batch, features, generator, step)
        if recipe.rollout is not None and recipe.rollout.falls_on(step):
            calls = recipe.rollout.length(dice)
            loss = _rollout_loss(recipe, predictor, drawn, features, generator, calls)
        else:
            loss = training_loss(recipe, predictor, drawn, features)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if recipe.clip is not None:
            nn.utils.clip_grad_norm_(predictor.parameters(), recipe.clip)
        optimiser.step()
        plan.step()
        if step == recipe.steps:  # only here: each look at the loss makes a GPU wait
            _require_finite(recipe, seed, loss.detach())
        yield State(step, loss.detach(), predictor)


def parts_of(batch: Batch, proteins: int | None) -> list[tuple[Batch, Features]]:
    """The batch in parts of `proteins` of similar length, so that little of a part is padding."""
    if proteins is None or proteins >= len(batch):
        return [(batch, Features.of(batch))]
    rows = batch.mask.sum(1).argsort(stable=True).tolist()
    chosen = [batch.select(rows[i : i + proteins]) for i in range(0, len(rows), proteins)]
    return [(part, Features.of(part)) for part in chosen]


def draw(recipe: Recipe, batch: Batch, features: Features, generator: torch.Generator,
         step: int | None = None) -> Draw:
    """Fresh timesteps and noise: `recipe.noise_levels` of each protein.

    `step` is what a curriculum goes by; without it the whole range of t is drawn from.
    """
    n, first, end = recipe.noise_levels, recipe.first_timestep, recipe.size.timesteps
    if recipe.curriculum is not None and step is not None:
        end = recipe.curriculum.timesteps(step, recipe.steps, first, end)
    x0 = batch.x0.repeat_interleave(n, 0)
    t = torch.randint(first, end, (len(x0),), generator=generator, device=x0.device)
    eps = torch.randn(x0.shape, generator=generator, device=x0.device, dtype=x0.dtype)
    if recipe.rotate:
        x0 = x0 @ random_rotations(len(x0), generator, x0)
    mask = None if features.mask is None else batch.point_mask.repeat_interleave(n, 0)
    return Draw(x0, eps, t, mask)


def _rollout_loss(recipe: Recipe, predictor: Predictor, drawn: Draw, features: Features,
                  generator: torch.Generator, calls: int) -> Tensor:
    """Error of the last prediction of a rollout; the draw's noise is where it starts."""
    def noise() -> Tensor:
        return torch.randn(drawn.eps.shape, generator=generator, device=drawn.eps.device,
                           dtype=drawn.eps.dtype)

    x0_pred = roll_out(recipe, predictor, features, drawn.eps, calls, noise)
    return x0_loss(recipe, x0_pred, drawn.x0, drawn.mask)


def learning_rate(recipe: Recipe, step: int) -> float:
    """Share of the recipe's learning rate at a step: linear warm-up, then a half cosine to 0."""
    if step < recipe.warmup:
        return (step + 1) / recipe.warmup
    if not recipe.decay:
        return 1.0
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def _require_finite(recipe: Recipe, seed: int, loss: Tensor) -> None:
    if not torch.isfinite(loss):
        raise FloatingPointError(
            f"recipe {recipe.name!r} (form {recipe.form}, seed {seed}) ended with a loss of "
            f"{float(loss)}; lower learning_rate, or set clip=1.0"
        )


def _optimiser(recipe: Recipe, predictor: Predictor) -> torch.optim.Optimizer:
    device = next(predictor.parameters()).device.type
    return torch.optim.AdamW(
        predictor.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay,
        fused=device in ("cpu", "cuda"),
    )
