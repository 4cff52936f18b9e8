"""Forms and seeds of one recipe trained side by side, as one network with a row for each member.

Each member keeps its own weights, noise and gradient, and comes out as it would alone, to the rounding of the
products; the device is asked for one large step in place of many small ones.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from resfold_nb.data import Batch
from resfold_nb.diffusion import Parameterisation
from resfold_nb.engine.engine import FastEngine
from resfold_nb.engine.precision import matrix_products
from resfold_nb.model import Features, Predictor
from resfold_nb.training import Draw, Recipe, build, draw, learning_rate, training_loss


class Member(NamedTuple):
    """One run among those trained together."""

    form: str
    seed: int


@dataclass(frozen=True)
class Together:
    """All members after `step` optimiser steps."""

    step: int  # as in `State`
    losses: Tensor  # (M,) on the device, detached; NaN at step 0
    members: tuple[Member, ...]  # which, in order
    ensemble: Ensemble  # all their weights, trained in place

    def predictor(self, index: int) -> Predictor:
        """A member's own model, brought up to date; the next call for it changes the same object."""
        return self.ensemble.predictor(index)


def can_train_together(recipe: Recipe, batch: Batch) -> bool:
    """Whether a recipe's runs take equal steps: no rollouts, and an update by every protein in each step.

    Nor in bf16: inside `vmap` torch (2.11) lacks the gradient of a softmax that is cast.
    """
    whole = recipe.proteins_per_step is None or recipe.proteins_per_step >= len(batch)
    return recipe.rollout is None and recipe.accumulate == 1 and whole and recipe.precision != "bf16"


def train_together(recipe: Recipe, members: Sequence[Member], batch: Batch,
                   device: torch.device | str = "cpu") -> Iterator[Together]:
    """As `train` for each member, in one loop; `recipe.form` and its name do not count.

    Members of equal seed start from equal weights and see equal noise, as they do alone. A loss that is not finite is
    left to the caller: the others are none the worse for it.

    Raises ValueError for no members, or a recipe that `can_train_together` refuses.
    """
    if not members:
        raise ValueError("train_together was given no members; give it at least one")
    batch = batch.to(device)
    if not can_train_together(recipe, batch):
        raise ValueError(f"recipe {recipe.name!r} draws rollouts, or parts of its proteins, which "
                         "differ from seed to seed, or accumulates gradients, or is in bf16: use train for each run")
    ensemble = Ensemble(recipe, members, batch, device)
    yield Together(0, torch.full((len(members),), math.nan, device=device), tuple(members), ensemble)
    engine = ensemble.engine
    for step in range(1, recipe.steps + 1):
        engine.set_rate(ensemble.optimiser, recipe.learning_rate * learning_rate(recipe, step - 1))
        losses = engine.run((recipe.timesteps_at(step),), partial(ensemble.step, step), *ensemble.generators.values())
        yield Together(step, losses, tuple(members), ensemble)


class Ensemble:
    """Weights (M, ...) of M members, their noise and their optimiser."""

    def __init__(self, recipe: Recipe, members: Sequence[Member], batch: Batch, device: torch.device | str) -> None:
        self.recipe, self.batch, self.features = recipe, batch, Features.of(batch)
        self.predictors = [build(recipe.but(form=m.form), m.seed, device) for m in members]
        self.weights, self.buffers = stack_module_state([p.network for p in self.predictors])
        self.curves = torch.stack([_curves(p) for p in self.predictors])
        # what is called in place of each network, with the weights of that network
        self.network = copy.deepcopy(self.predictors[0].network).to("meta")
        seeds = list(dict.fromkeys(m.seed for m in members))
        self.generators = {seed: torch.Generator(device).manual_seed(seed + 1_000_003) for seed in seeds}
        self.row = torch.tensor([seeds.index(m.seed) for m in members], device=device)
        self.engine = FastEngine(recipe, device)
        self.optimiser = self.engine.optimiser(recipe, self.weights.values())

    def step(self, step: int) -> Tensor:
        """One optimiser step of every member; (M,) losses, detached."""
        drawn = [draw(self.recipe, self.batch, self.features, generator, step)
                 for generator in self.generators.values()]
        losses = self.losses(Draw(*(torch.stack(x)[self.row] for x in list(zip(*drawn))[:3]), drawn[0].mask))
        self.optimiser.zero_grad(set_to_none=True)
        self.engine.backward(losses.sum())
        if self.recipe.clip is not None:
            clip_each(self.weights.values(), self.recipe.clip)
        self.optimiser.step()
        return losses.detach()

    def losses(self, drawn: Draw) -> Tensor:
        """(M,) training losses of draws with a leading axis of M, but for the mask."""
        def one(weights: dict[str, Tensor], buffers: dict[str, Tensor], curves: Tensor, x0: Tensor,
                eps: Tensor, t: Tensor) -> Tensor:
            member = _Member(self, weights, buffers, curves[:, t])
            return training_loss(self.recipe, member, Draw(x0, eps, t, drawn.mask), self.features)

        with sdpa_kernel(SDPBackend.MATH):  # fused attention fails with a leading axis of members
            return vmap(one)(self.weights, self.buffers, self.curves, *drawn[:3])

    def predictor(self, index: int) -> Predictor:
        """As `Together.predictor`."""
        predictor = self.predictors[index]
        with torch.no_grad():
            for name, weight in predictor.network.named_parameters():
                weight.copy_(self.weights[name][index])
        return predictor


class _Member:
    """What `training_loss` asks of a model, for one member inside `vmap`."""

    def __init__(self, ensemble: Ensemble, weights: dict[str, Tensor], buffers: dict[str, Tensor],
                 curves: Tensor) -> None:
        self.network, self.state = ensemble.network, (weights, buffers)
        self.precision = ensemble.recipe.precision
        self.amplitudes = ensemble.predictors[0].amplitudes
        self.add_noise = ensemble.predictors[0].add_noise
        values = [curve.view(-1, 1, 1) for curve in curves]
        self.form = Parameterisation("member", "member", *(lambda a, s, value=value: value for value in values))

    def raw(self, x_t: Tensor, t: Tensor, features: Features) -> Tensor:
        """As `Predictor.raw`."""
        scaled = self.form.c_in(x_t, x_t) * x_t
        with matrix_products(self.precision, x_t.device):
            return functional_call(self.network, self.state, (scaled, t, features))


def _curves(predictor: Predictor) -> Tensor:
    """(5, T) the values of a form's curves at every t, in the order of `Parameterisation`."""
    form, a, s = predictor.form, predictor.a, predictor.s
    curves = (form.c_skip, form.c_out, form.target_x0, form.target_eps, form.c_in)
    return torch.stack([curve(a, s) for curve in curves])


def clip_each(weights: Iterable[nn.Parameter], largest: float) -> None:
    """`clip_grad_norm_` for each row of weights (M, ...), in place."""
    gradients = [w.grad for w in weights if w.grad is not None]
    norms = torch.stack([g.flatten(1).norm(dim=1) for g in gradients]).norm(dim=0)
    factor = (largest / (norms + 1e-6)).clamp(max=1.0)
    for g in gradients:
        g.mul_(factor.view(-1, *[1] * (g.ndim - 1)))
