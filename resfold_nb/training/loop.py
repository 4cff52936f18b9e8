"""The training loop: a generator that notebook, progress bar and study all drive."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from resfold_nb.data import Batch, random_rotations
from resfold_nb.diffusion import get_form, get_schedule
from resfold_nb.model import Features, Predictor, Replay, ResFold
from resfold_nb.training.losses import Draw, training_loss, x0_loss
from resfold_nb.training.precision import gradient_products
from resfold_nb.training.recipe import Recipe
from resfold_nb.training.rollout import roll_out


@dataclass(frozen=True)
class State:
    """A run after `step` optimiser steps.

    Attributes
    ----------
    step : optimiser steps done, from 0 (the network as initialised) to `recipe.steps`.
    loss : scalar on the device, detached; NaN at step 0. Reading it waits for a GPU.
    predictor : the model, trained in place: a later state holds the same object. Do not move it to
        another device while it is trained, copy it: a GPU's recorded steps know its addresses.
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
    optimiser = optimiser_for(recipe, predictor.parameters(), device)
    yield State(0, torch.full((), math.nan, device=device), predictor)
    works: dict[tuple[int, int | None, int], Replay] = {}
    order: list[int] = []
    for step in range(1, recipe.steps + 1):
        predictor.train()
        if not order:
            order = dice.sample(range(len(parts)), len(parts)) if len(parts) > 1 else [0]
        part, calls = order.pop(), None
        if recipe.rollout is not None and recipe.rollout.falls_on(step):
            calls = recipe.rollout.length(dice)
        kind = part, calls, timesteps_at(recipe, step)  # steps of a kind launch the same kernels
        if kind not in works:
            work = partial(_step, recipe, predictor, optimiser, *parts[part], generator, step, calls)
            works[kind] = Replay(work, device if can_replay(recipe) else "cpu", [generator])
        set_rate(optimiser, recipe.learning_rate * learning_rate(recipe, step - 1))
        loss = works[kind]()
        if step == recipe.steps:  # only here: each look at the loss makes a GPU wait
            _require_finite(recipe, seed, loss)
        yield State(step, loss, predictor)


def _step(recipe: Recipe, predictor: Predictor, optimiser: torch.optim.Optimizer, batch: Batch,
          features: Features, generator: torch.Generator, step: int, calls: int | None) -> Tensor:
    """One optimiser step on one part of the batch; the loss, detached."""
    drawn = draw(recipe, batch, features, generator, step)
    if calls is None:
        loss = training_loss(recipe, predictor, drawn, features)
    else:
        loss = _rollout_loss(recipe, predictor, drawn, features, generator, calls)
    optimiser.zero_grad(set_to_none=True)
    with gradient_products(recipe.precision):
        loss.backward()
    if recipe.clip is not None:
        nn.utils.clip_grad_norm_(predictor.parameters(), recipe.clip)
    optimiser.step()
    return loss.detach()


def can_replay(recipe: Recipe) -> bool:
    """Whether a GPU can repeat a step alone: torch's SVD, which superposes, asks the host."""
    return not recipe.superposed


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
    n, first, end = recipe.noise_levels, recipe.first_timestep, timesteps_at(recipe, step)
    x0 = batch.x0.repeat_interleave(n, 0)
    t = torch.randint(first, end, (len(x0),), generator=generator, device=x0.device)
    eps = torch.randn(x0.shape, generator=generator, device=x0.device, dtype=x0.dtype)
    if recipe.rotate:
        x0 = x0 @ random_rotations(len(x0), generator, x0)
    mask = None if features.mask is None else batch.point_mask.repeat_interleave(n, 0)
    return Draw(x0, eps, t, mask)


def timesteps_at(recipe: Recipe, step: int | None) -> int:
    """One above the largest t that a step may draw; None stands for no curriculum."""
    if recipe.curriculum is None or step is None:
        return recipe.size.timesteps
    return recipe.curriculum.timesteps(step, recipe.steps, recipe.first_timestep,
                                       recipe.size.timesteps)


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


def optimiser_for(recipe: Recipe, parameters: Iterable[Tensor], device: torch.device | str
                  ) -> torch.optim.Optimizer:
    """The recipe's AdamW. On a GPU the rate is a number there, so that a replayed step reads it."""
    kind = torch.device(device).type
    rate = torch.tensor(recipe.learning_rate, device=device) if kind == "cuda" else recipe.learning_rate
    return torch.optim.AdamW(parameters, lr=rate, weight_decay=recipe.weight_decay,
                             fused=kind in ("cpu", "cuda"), capturable=kind == "cuda")


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give the next step its learning rate, without waiting for the device."""
    for group in optimiser.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
