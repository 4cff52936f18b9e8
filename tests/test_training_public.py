"""The public code's recipes, derived anew from its table of facts in numpy, on a dimer with unequal chains."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from resfold_nb.data import Structure, catalogue, load, make_batch
from resfold_nb.diffusion import ddim, ddpm, linear
from resfold_nb.measure import sample
from resfold_nb.model import Features, NetworkSize, count_parameters
from resfold_nb.studies import batch_for
from resfold_nb.training import Engine, Recipe, build, draw, learning_rate, named_recipe, train, training_loss
from resfold_nb.training.losses import contact_error, pair_distance_error
from resfold_nb.training.rollout import rollout_loss

SMALL = dict(width=32, trunk_layers=1, denoiser_blocks=1, heads=4)
SCRIPTS = ("train_resfold", "train_resfold_e2e", "e2e_single_steps")


def dimer() -> str:
    """The smallest training complex whose chains differ in length by ten residues or more."""
    complexes = [load(e.id) for e in catalogue(kind="complex", split="train", max_length=120)]
    unequal = [c for c in complexes if abs(2 * int(c.chain_index.sum()) - len(c)) >= 10]
    return min(unequal, key=len).id


DIMER = load(dimer())


def kabsch(moving: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    p, q = moving - moving.mean(0), fixed - fixed.mean(0)
    u, _, vt = np.linalg.svd(p.T @ q)
    return p @ (u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt) + fixed.mean(0)


def public_loss(predicted: np.ndarray, truth: np.ndarray, chain: np.ndarray, contact: float) -> float:
    """Of one noise level, in the words of the table: loops and float64."""
    n = len(truth)
    total = ((predicted - kabsch(truth, predicted)) ** 2).sum(axis=1).mean()
    between = np.linalg.norm(predicted[:, None] - predicted[None], axis=-1)
    true = np.linalg.norm(truth[:, None] - truth[None], axis=-1)
    total += 0.1 * ((between - true) ** 2).sum() / n**2
    found = [(2 if chain[i] != chain[j] else 1) * (between[i, j] - true[i, j]) ** 2
             for i in range(n) for j in range(i + 1, n)
             if true[i, j] < 1 and (chain[i] != chain[j] or j - i > 5)]
    return float(total + contact * np.mean(found)) if contact else float(total)


def test_sizes_of_the_networks() -> None:
    full, e2e = (count_parameters(build(named_recipe(name)).network) for name in SCRIPTS[:2])
    assert round(full / 1e6, 2) == 13.76 and round(e2e / 1e6, 1) == 7.5


def test_every_row_of_the_table() -> None:
    resfold, e2e, twin = (named_recipe(name) for name in SCRIPTS)
    assert [r.size for r in (resfold, e2e)] == [NetworkSize(256, 9, 7, 8), NetworkSize(192, 5, 10, 4)]
    assert [(r.noise_levels, r.accumulate, r.steps, r.updates) for r in (resfold, e2e, twin)] == [
        (64, 1, 500, 500), (1, 4, 500, 125), (4, 1, 125, 125)]
    assert [(r.learning_rate, r.weight_decay, r.clip) for r in (resfold, e2e)] == [(1e-3, 0.0, 1.0), (1e-3, 0.01, 1.0)]
    assert [r.first_timestep for r in (resfold, e2e, twin)] == [0, 1, 0]
    assert resfold.rollout is None is twin.rollout and (e2e.rollout.calls, e2e.rollout.share) == (5, 0.2)
    assert e2e.rollout.through and not e2e.rollout.random
    assert [r.contact for r in (resfold, e2e, twin)] == [0.0, 0.1, 0.1]
    for recipe in (resfold, e2e, twin):
        assert (recipe.x0_clamp, recipe.rotate, recipe.warmup, recipe.schedule) == (3.0, False, 0, "linear")
    for name in SCRIPTS:  # at full size in every profile: only the steps are fewer
        for profile in ("ci", "gpu"):
            assert named_recipe(name, profile, steps=500) == named_recipe(name, steps=500)


@pytest.mark.parametrize("updates", [1, 125, 500, 10_000])
def test_rate(updates: int) -> None:
    expected = 1e-5 + (1e-3 - 1e-5) * (1 + math.cos(math.pi * updates / 10_000)) / 2
    for name in SCRIPTS:
        recipe = named_recipe(name)
        assert recipe.learning_rate * learning_rate(recipe, updates) == pytest.approx(expected, rel=1e-12)
    fallen = named_recipe("train_resfold_e2e", planned_updates=None)
    assert fallen.learning_rate * learning_rate(fallen, 125) == pytest.approx(1e-5)


def test_units_and_positions() -> None:
    recipe = named_recipe("train_resfold_e2e")
    batch = batch_for(recipe, DIMER.id)
    atoms = DIMER.backbone.reshape(-1, 3).astype(float)
    expected = np.sqrt(((atoms - atoms.mean(0)) ** 2).sum() / (atoms.size - 1))
    assert float(batch.scale[0]) == pytest.approx(expected, rel=1e-6)
    centroids = DIMER.backbone.astype(float).mean(1)
    np.testing.assert_allclose(batch.x0[0], (centroids - centroids.mean(0)) / expected, atol=1e-5)
    assert batch.position[0].tolist() == list(range(len(DIMER))) and set(batch.chain[0].tolist()) == {0, 1}


@pytest.mark.parametrize("name", SCRIPTS)
def test_noisy_input_loss_and_clipped_gradient(name: str) -> None:
    recipe = named_recipe(name, **SMALL).but(noise_levels=2)
    batch, model = batch_for(recipe, DIMER.id), build(recipe, 3).double()
    batch = batch.to(dtype=torch.float64)
    features = Features.of(batch)
    drawn = draw(recipe, batch, features, torch.Generator().manual_seed(1))
    x_t = model.add_noise(drawn.x0, drawn.eps, drawn.t)
    share = drawn.t.double().view(-1, 1, 1) / 50
    # the model's own tables of a and s are float32's
    torch.testing.assert_close(x_t, (1 - share).sqrt() * drawn.x0 + share.sqrt() * drawn.eps, atol=1e-6, rtol=1e-6)

    loss = training_loss(recipe, model, drawn, features)
    predicted, truth = model(x_t, drawn.t, features).detach().numpy(), batch.x0[0].numpy()
    each = [public_loss(x, truth, DIMER.chain_index, recipe.contact) for x in predicted]
    assert loss.item() == pytest.approx(np.mean(each), rel=1e-7)

    loss.backward()
    norm = math.sqrt(sum(float(p.grad.square().sum()) for p in model.parameters()))
    torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
    clipped = math.sqrt(sum(float(p.grad.square().sum()) for p in model.parameters()))
    assert clipped == pytest.approx(min(norm, 1.0), rel=1e-5) and norm > 1


def test_gradient_of_the_summed_error_is_analytic() -> None:
    recipe = named_recipe("train_resfold", pair_distance=0.0, superposed=False, form="x0", noise_levels=1, **SMALL)
    batch = batch_for(recipe, DIMER.id)
    model, features = build(recipe), Features.of(batch)
    drawn = draw(recipe, batch, features, torch.Generator().manual_seed(1))
    said = []
    model.network.register_forward_hook(lambda module, inputs, output: (said.append(output), output.retain_grad())[0])
    training_loss(recipe, model, drawn, features).backward()
    torch.testing.assert_close(said[0].grad, 2 * (said[0].detach() - drawn.x0) / len(DIMER))


class Noted(Engine):
    """Keeps the gradient of each step, as it is before the weights change."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.changes = 0

    def set_rate(self, optimiser: torch.optim.Optimizer, rate: float) -> None:
        self.rates.append(rate)
        super().set_rate(optimiser, rate)

    def optimiser(self, recipe: Recipe, parameters: object) -> torch.optim.Optimizer:
        made = super().optimiser(recipe, parameters)
        step = made.step
        made.step = lambda: (setattr(self, "changes", self.changes + 1), step())
        return made


def test_four_micro_steps_make_one_update_of_their_mean_gradient() -> None:
    recipe = named_recipe("train_resfold_e2e", steps=8, **SMALL).but(rollout=None)
    batch, engine = batch_for(recipe, DIMER.id), Noted()
    weights, losses = [], []
    for state in train(recipe, batch, 0, engine=engine):
        weights.append(state.predictor.network.denoiser.head.weight.detach().clone())
        losses.append(float(state.loss))
    moved = [not torch.equal(x, y) for x, y in zip(weights, weights[1:])]
    assert moved == [False, False, False, True] * 2 and engine.changes == 2
    expected = [1e-5 + (1e-3 - 1e-5) * (1 + math.cos(math.pi * n / 10_000)) / 2 for n in (0, 0, 0, 0, 1, 1, 1, 1)]
    assert engine.rates == pytest.approx(expected, rel=1e-12)

    # the same four draws as one batch of an update: the same first step
    twin = recipe.but(accumulate=1, noise_levels=4, steps=1)
    noise, features, model = torch.Generator().manual_seed(1_000_003), Features.of(batch), build(recipe, 0)
    four = [draw(recipe, batch, features, noise) for _ in range(4)]
    joined = four[0]._replace(**{k: torch.cat([getattr(d, k) for d in four]) for k in ("x0", "eps", "t")})
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    loss = training_loss(twin, model, joined, features)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    assert loss.item() == pytest.approx(np.mean(losses[1:5]), rel=1e-5)
    torch.testing.assert_close(model.network.denoiser.head.weight, weights[4], atol=2e-5, rtol=1e-3)


def test_a_rollout_is_clamped_inside_and_judged_on_its_last_prediction() -> None:
    recipe = named_recipe("train_resfold_e2e", **SMALL)
    batch, model = batch_for(recipe, DIMER.id), build(recipe)
    features, noise = Features.of(batch), torch.Generator().manual_seed(5)
    drawn = draw(recipe, batch, features, noise)
    state = noise.get_state()
    loss = rollout_loss(recipe, model, drawn, features, 5, noise)
    noise.set_state(state)
    x = drawn.eps
    for t in (49, 48, 47, 46):
        x0 = model(x, torch.tensor([t]), features).clamp(-3, 3)
        alpha_bar, before = 1 - t / 50, 1 - (t - 1) / 50
        alpha = alpha_bar / before
        mean = (math.sqrt(before) * (1 - alpha) * x0 + math.sqrt(alpha) * (1 - before) * x) / (1 - alpha_bar)
        z = torch.randn(x.shape, generator=noise)
        x = mean + math.sqrt((1 - before) / (1 - alpha_bar) * (1 - alpha)) * z
    last = model(x, torch.tensor([45]), features)[0].detach().double().numpy()
    expected = public_loss(last, batch.x0[0].double().numpy(), DIMER.chain_index, 0.1)
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_fifty_calls_end_with_the_prediction_at_t_0() -> None:
    recipe = named_recipe("train_resfold", form="x0", **SMALL)
    batch, model = batch_for(recipe, DIMER.id), build(recipe)
    usual = sample(model, batch, copies=2, x0_clamp=3.0)
    longer = sample(model, batch, copies=2, x0_clamp=3.0, timesteps=range(49, -1, -1))
    assert longer.t == (*range(49, -1, -1), 0) and len(longer.x0_pred) == 50
    torch.testing.assert_close(longer.x[:-1], usual.x)
    with torch.no_grad():
        again = model(usual.final, torch.zeros(2, dtype=torch.long), Features.of(batch)).clamp(-3, 3)
    torch.testing.assert_close(longer.final, again)
    for sampler in (ddpm, ddim):
        walk = sampler(lambda x, t: 0 * x + t.view(-1, 1, 1), linear(), torch.zeros(1, 2, 3), timesteps=[3, 0])
        assert walk.final.eq(0).all()
        with pytest.raises(ValueError, match=r"must fall within 49 \.\.\. 0"):
            sampler(lambda x, t: x, linear(), torch.zeros(1, 2, 3), timesteps=[3, -1])


def test_losses_leave_padding_out() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(2, 12, 3), 0.4 * torch.randn(2, 12, 3)
    chain = (torch.arange(12) > 6).long().expand(2, -1)
    mask = torch.arange(12).expand(2, -1) < 10
    cut = x[:, :10], y[:, :10]
    torch.testing.assert_close(contact_error(x, y, chain, mask), contact_error(*cut, chain[:, :10]))
    torch.testing.assert_close(pair_distance_error(x, y, mask, diagonal=True), pair_distance_error(*cut, diagonal=True))
    whole = (torch.cdist(*[cut[0]] * 2) - torch.cdist(*[cut[1]] * 2)).square().mean()
    torch.testing.assert_close(pair_distance_error(*cut, diagonal=True), whole, atol=1e-5, rtol=1e-4)
    apart = 100 * torch.arange(12.0)[:, None].expand(1, 12, 3)  # no contact at all
    assert contact_error(x[:1], apart, chain[:1]) == 0


@pytest.mark.parametrize(("changes", "reason"), [
    ({"accumulate": 0}, "accumulate must be at least 1"),
    ({"steps": 10}, "steps is 10, of which 4 make an update; give a multiple"),
    ({"planned_updates": 100}, "planned_updates is 100; .* at least as many as its 125"),
    ({"positions": "all"}, "positions is 'all'; use one of chain, across"),
    ({"loss_space": "F"}, "pair distances and contacts need x0"),
    ({"loss_space": "F", "superposed": False, "pair_distance": 0.0}, "contacts need x0"),
    ({"scale": "tiny"}, "scale is 'tiny'; use 'own', 'atoms'")])
def test_what_cannot_be_is_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        named_recipe("train_resfold_e2e", **changes)


def test_a_batch_refuses_unknown_positions_and_a_scale_of_nothing() -> None:
    with pytest.raises(ValueError, match="positions are 'all'; choose one of chain, across"):
        make_batch(DIMER, positions="all")
    flat: Structure = replace(DIMER, backbone=np.zeros_like(DIMER.backbone))
    with pytest.raises(ValueError, match="scale is 0.0 Å"):
        make_batch(flat, scale="atoms")
