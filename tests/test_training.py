"""Recipes, losses and the loop."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
import roma
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from resfold_nb.data import load, make_batch
from resfold_nb.diffusion import FORMS, ddpm
from resfold_nb.model import TIME_EMBEDDINGS, AtomSize, Features, NetworkSize
from resfold_nb.engine import train as train_fast
from resfold_nb.engine.precision import matrix_products
from resfold_nb.training import (
    Curriculum,
    Draw,
    Engine,
    Recipe,
    Rollout,
    build,
    draw,
    learning_rate,
    mean_squared_error,
    named_recipe,
    pair_distance_error,
    roll_out,
    train,
    training_loss,
)
from resfold_nb.training.recipes import NAMED

TINY = Recipe("tiny", size=NetworkSize(16, 1, 1, 2), steps=12, noise_levels=3)
BATCH = make_batch(load("1K61_C"))


def last_weights(recipe: Recipe, seed: int = 0) -> dict[str, torch.Tensor]:
    *_, state = train(recipe, BATCH, seed)
    return state.predictor.state_dict()


def test_the_same_recipe_and_seed_give_the_same_bits() -> None:
    first, again, other = last_weights(TINY), last_weights(TINY), last_weights(TINY, seed=1)
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert not all(torch.equal(first[k], other[k]) for k in first)


def test_the_loop_yields_its_start_and_every_step_and_leaves_random_state_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    states = [(s.step, float(s.loss)) for s in train(TINY, BATCH)]
    assert [step for step, _ in states] == list(range(13))
    assert states[0][1] != states[0][1]  # NaN: nothing was trained yet
    assert torch.equal(torch.rand(1), expected)


def test_an_engine_is_handed_in_or_left_out() -> None:
    """Each step passes through it; the fast one's numbers are the plain one's to the bit."""
    class Counting(Engine):
        kinds: list[tuple[int, ...]] = []

        def run(self, kind: Any, update: Any, noise: Any) -> torch.Tensor:
            self.kinds.append(kind)
            return update()

    recipe = TINY.but(steps=4, rollout=Rollout(2))
    counted, plain, fast = ([float(s.loss) for s in states][1:] for states in (
        train(recipe, BATCH, engine=Counting()), train(recipe, BATCH), train_fast(recipe, BATCH)))
    assert counted == plain == fast and Counting.kinds == [(0, 0, 50, 0), (0, 2, 50, 0)] * 2


@pytest.mark.parametrize("changes", [{}, {"rollout": Rollout(2, checkpoint=True)},
                                     {"trunk_sees_points": False, "rollout": Rollout(2)},
                                     {"superposed": True}], ids=str)
def test_bf16_trains_fp32_weights_to_nearly_the_same(changes: dict[str, object]) -> None:
    exact = TINY.but(**changes)
    half = exact.but(precision="bf16")
    losses = {r: torch.stack([s.loss for s in train_fast(r, BATCH)][1:]) for r in (exact, half)}
    with pytest.raises(ValueError, match="is in bf16: train it with resfold_nb.engine.train"):
        next(train(half, BATCH))
    assert not torch.equal(losses[exact], losses[half])
    torch.testing.assert_close(losses[half], losses[exact], rtol=0.1, atol=0.01)
    *_, state = train_fast(half, BATCH)
    assert {w.dtype for w in state.predictor.state_dict().values()} == {torch.float32}


def test_precision_is_part_of_the_recipe_and_leaves_torch_as_it_was() -> None:
    assert TINY.but(precision="fp32").hash == TINY.hash != TINY.but(precision="bf16").hash
    assert Recipe.from_dict(TINY.but(precision="tf32").as_dict()).precision == "tf32"
    with pytest.raises(ValueError, match="precision is 'fp8'; use one of fp32, tf32, bf16"):
        TINY.but(precision="fp8")
    before = torch.backends.cuda.matmul.allow_tf32
    with matrix_products("tf32", "cpu"), pytest.raises(RuntimeError, match="stop"):
        with matrix_products("bf16", "cpu"):
            assert (torch.randn(3, 3) @ torch.randn(3, 3)).dtype == torch.bfloat16
            raise RuntimeError("stop")
    assert torch.backends.cuda.matmul.allow_tf32 == before
    assert (torch.randn(3, 3) @ torch.randn(3, 3)).dtype == torch.float32


@pytest.mark.parametrize("form", ["residual", "x0", "eps", "v", "edm", "skip_unscaled"])
@pytest.mark.parametrize("space", ["x0", "F"])
def test_every_form_learns(form: str, space: str) -> None:
    recipe = TINY.but(form=form, loss_space=space, steps=60, learning_rate=5e-3, first_timestep=1)
    losses = [float(s.loss) for s in train(recipe, BATCH)][1:]
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])


def test_f_space_loss_is_the_x0_loss_over_c_out_squared() -> None:
    recipe = TINY.but(form="v", first_timestep=1)
    predictor, features = build(recipe), Features.of(BATCH)
    drawn = draw(recipe, BATCH, features, torch.Generator().manual_seed(0))
    for n in range(3):
        one = Draw(*(x[n : n + 1] for x in drawn[:3]), None)
        _, s = predictor.amplitudes(one.t)
        in_x0 = training_loss(recipe, predictor, one, features)
        in_f = training_loss(recipe.but(loss_space="F"), predictor, one, features)
        torch.testing.assert_close(in_f, in_x0 / s.squeeze() ** 2)


def test_superposed_loss_ignores_a_rotation_of_the_truth() -> None:
    recipe = TINY.but(superposed=True, pair_distance=0.1)
    predictor, features = build(recipe), Features.of(BATCH)
    drawn = draw(recipe, BATCH, features, torch.Generator().manual_seed(0))
    a, s = predictor.amplitudes(drawn.t)
    x_t = a * drawn.x0 + s * drawn.eps
    turned = drawn.x0 @ roma.random_rotmat().to(drawn.x0.dtype)
    # The noise is chosen so that x_t, what the network sees, is the same.
    same_input = drawn._replace(x0=turned, eps=(x_t - a * turned) / s.clamp(min=1e-9))
    keep = drawn.t > 0
    first, second = (
        training_loss(recipe, predictor, Draw(*(x[keep] for x in d[:3]), None), features)
        for d in (drawn, same_input)
    )
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-5)
    plain = TINY.but(superposed=False)
    assert not torch.isclose(training_loss(plain, predictor, drawn, features),
                             training_loss(plain, predictor, same_input, features))


def test_losses_count_real_points_alone() -> None:
    x, y = torch.randn(2, 3, 9, 3)
    mask = torch.arange(9).expand(3, 9) < 6
    torch.testing.assert_close(
        mean_squared_error(x, y, mask), torch.nn.functional.mse_loss(x[:, :6], y[:, :6])
    )
    inner = torch.stack([(torch.pdist(p[:6]) - torch.pdist(q[:6])).square() for p, q in zip(x, y)])
    torch.testing.assert_close(pair_distance_error(x, y, mask), inner.mean())
    torch.testing.assert_close(
        pair_distance_error(x[:, :6], y[:, :6]), pair_distance_error(x, y, mask)
    )


def test_coinciding_points_give_a_finite_gradient() -> None:
    x = torch.zeros(1, 4, 3, requires_grad=True)
    pair_distance_error(x, torch.randn(1, 4, 3)).backward()
    assert torch.isfinite(x.grad).all()


def test_a_padded_batch_trains_like_its_parts_in_the_loss() -> None:
    pair = make_batch([load("1K61_C"), load("1R69_A")])
    features, predictor = Features.of(pair), build(TINY)
    drawn = draw(TINY, pair, features, torch.Generator().manual_seed(0))
    loss = training_loss(TINY, predictor, drawn, features)
    junk = torch.where(drawn.mask.unsqueeze(-1), drawn.eps, 100 * torch.ones(()))
    other = training_loss(TINY, predictor, drawn._replace(eps=junk), features)
    torch.testing.assert_close(loss, other)


def test_learning_rate_plan() -> None:
    recipe = TINY.but(steps=100, warmup=10)
    shares = [learning_rate(recipe, step) for step in range(101)]
    assert shares[0] == pytest.approx(0.1) and shares[9] == shares[10] == 1.0
    assert shares[55] == pytest.approx(0.5) and shares[100] == pytest.approx(0.0)
    assert {learning_rate(recipe.but(cosine_decay=False), s) for s in range(10, 101)} == {1.0}


def test_timesteps_are_drawn_from_zero_as_the_report_does_or_from_one() -> None:
    features, generator = Features.of(BATCH), torch.Generator().manual_seed(0)
    drawn = draw(TINY.but(noise_levels=4000), BATCH, features, generator).t
    assert sorted(set(drawn.tolist())) == list(range(50))
    assert float((drawn == 0).float().mean()) == pytest.approx(0.02, abs=0.01)
    later = draw(TINY.but(noise_levels=4000, first_timestep=1), BATCH, features, generator).t
    assert int(later.min()) == 1


def test_a_diverging_run_says_so() -> None:
    recipe = TINY.but(learning_rate=1e30, cosine_decay=False)
    with pytest.raises(FloatingPointError, match="lower learning_rate"):
        list(train(recipe, BATCH))


@pytest.mark.parametrize(("changes", "message"), [
    ({"form": "flow"}, "'flow' is unknown"),
    ({"schedule": "sigmoid"}, "'sigmoid' is unknown"),
    ({"steps": 0}, "steps must be at least 1"),
    ({"first_timestep": 50}, "first_timestep 50"),
    ({"loss_space": "eps"}, "loss_space is .* use one of x0, F, min-SNR"),
    ({"loss_space": "F", "superposed": True}, "c_out is 0; set first_timestep=1"),
    ({"loss_space": "F", "pair_distance": 0.1}, "need x0"),
    ({"loss_space": "F", "form": "scaled_no_skip"}, "first_timestep=1"),
])
def test_impossible_recipes_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TINY.but(**changes)


def test_hash_names_the_run_and_not_its_label() -> None:
    assert TINY.hash == TINY.but(name="another label").hash
    changes = [{"form": "x0"}, {"steps": 13}, {"width": 32}, {"trunk_sees_points": False}]
    assert len({TINY.but(**c).hash for c in changes} | {TINY.hash}) == 5
    assert Recipe.from_dict(json.loads(json.dumps(TINY.as_dict()))) == TINY


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("profile", ["ci", "laptop", "gpu"])
def test_named_recipes_exist_in_every_profile(name: str, profile: str) -> None:
    assert named_recipe(name, profile, form="x0").form == "x0"


def test_unknown_names_and_profiles_are_refused() -> None:
    with pytest.raises(ValueError, match="'hungry' is unknown"):
        named_recipe("hungry")
    with pytest.raises(ValueError, match=r"'cloud' is unknown.*'ci'"):
        named_recipe("starved", "cloud")


def test_the_published_recipe_is_whole_on_a_gpu() -> None:
    recipe = named_recipe("superposed_loss", "gpu")
    assert recipe.size == NetworkSize.full() and recipe.noise_levels == 64
    assert (recipe.superposed, recipe.pair_distance, recipe.x0_clamp) == (True, 0.1, 3.0)
    assert (recipe.learning_rate, recipe.warmup, recipe.clip) == (1e-3, 0, None)


def rolled(**changes: object) -> Recipe:
    return TINY.but(form="x0", rollout=Rollout(**{"calls": 3, "share": 1.0} | changes))


def rollout_of(recipe: Recipe) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The last prediction of a rollout from fixed noise, and the gradient of its sum."""
    predictor, generator = build(recipe), torch.Generator().manual_seed(5)

    def noise() -> torch.Tensor:
        return torch.randn(2, 60, 3, generator=generator)

    x0_pred = roll_out(recipe, predictor, Features.of(BATCH), noise(), 3, noise)
    x0_pred.square().sum().backward()
    return x0_pred.detach(), [p.grad for p in predictor.parameters() if p.grad is not None]


@pytest.mark.parametrize("sees", [True, False])
def test_a_rollout_is_the_samplers_first_steps(sees: bool) -> None:
    recipe = rolled().but(trunk_sees_points=sees)
    predictor, features = build(recipe), Features.of(BATCH)
    generator = torch.Generator().manual_seed(5)
    start = torch.randn(2, 60, 3, generator=generator)
    noise = torch.stack([torch.randn(2, 60, 3, generator=generator) for _ in range(49)])
    sampled = ddpm(predictor.denoiser_for(features), predictor.schedule, start, noise=noise)
    torch.testing.assert_close(rollout_of(recipe)[0], sampled.x0_pred[2], rtol=1e-5, atol=1e-5)


def test_checkpointing_changes_memory_and_nothing_else() -> None:
    (plain, first), (again, second) = (rollout_of(rolled(checkpoint=c)) for c in (False, True))
    torch.testing.assert_close(plain, again)
    torch.testing.assert_close(first, second)


def test_a_stopped_gradient_is_that_of_the_last_call_alone() -> None:
    through, stopped = rollout_of(rolled()), rollout_of(rolled(through=False))
    torch.testing.assert_close(through[0], stopped[0])
    assert not all(torch.allclose(a, b, rtol=1e-3) for a, b in zip(through[1], stopped[1]))
    recipe = rolled(through=False)
    predictor, features = build(recipe), Features.of(BATCH)
    generator = torch.Generator().manual_seed(5)
    start = torch.randn(2, 60, 3, generator=generator)
    noise = torch.stack([torch.randn(2, 60, 3, generator=generator) for _ in range(49)])
    reached = ddpm(predictor.denoiser_for(features), predictor.schedule, start, noise=noise).x[2]
    predictor(reached, torch.full((2,), 47), features).square().sum().backward()
    last = [p.grad for p in predictor.parameters() if p.grad is not None]
    torch.testing.assert_close(stopped[1], last, rtol=1e-3, atol=1e-4)


def test_rollouts_fall_on_their_share_of_the_steps_and_have_their_lengths() -> None:
    for share, expected in ((1.0, 100), (0.5, 50), (0.25, 25)):
        assert sum(Rollout(share=share).length_at(s, random.Random(0)) > 0 for s in range(1, 101)) == expected
    dice = random.Random(0)
    lengths = [Rollout(10, random=True, share=1.0).length_at(s, dice) for s in range(1, 501)]
    assert set(lengths) == set(range(1, 11)) and Rollout(4, share=1.0).length_at(1, dice) == 4
    recipe = TINY.but(steps=100, noise_levels=2)
    assert recipe.network_calls == 200
    assert recipe.but(rollout=Rollout(5, share=0.25)).network_calls == 400
    assert recipe.but(rollout=Rollout(9, random=True, share=1.0)).network_calls == 1000


def test_a_curriculum_opens_the_range_of_timesteps_step_by_step() -> None:
    for kind in ("linear", "cosine"):
        plan = Curriculum(kind, 0.5)
        ends = [plan.timesteps(step, 100, 1, 50) for step in range(1, 101)]
        assert ends == sorted(ends) and ends[0] == 2 and set(ends[49:]) == {50}
    assert Curriculum("linear", 0.5).timesteps(25, 100, 0, 50) == 25
    recipe = TINY.but(curriculum=Curriculum(), steps=100, noise_levels=400)
    features, generator = Features.of(BATCH), torch.Generator().manual_seed(0)
    for step, end in ((1, 1), (25, 25), (50, 50)):
        assert int(draw(recipe, BATCH, features, generator, step).t.max()) == end - 1


def test_turned_draws_are_the_protein_turned() -> None:
    recipe = TINY.but(rotate=True, noise_levels=5)
    drawn = draw(recipe, BATCH, Features.of(BATCH), torch.Generator().manual_seed(0))
    moved = (drawn.x0 - BATCH.x0).abs().amax((1, 2))
    assert float(moved.min()) > 0.1
    gram = drawn.x0 @ drawn.x0.transpose(1, 2)
    torch.testing.assert_close(gram, (BATCH.x0 @ BATCH.x0.mT).expand_as(gram), atol=1e-4, rtol=1e-4)
    same = draw(TINY.but(noise_levels=5), BATCH, Features.of(BATCH),
                torch.Generator().manual_seed(0))
    assert torch.equal(same.t, drawn.t) and torch.equal(same.eps, drawn.eps)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(list(FORMS)), st.booleans(), st.sampled_from([None, 0, 1]),
       st.sampled_from([None, Rollout(2, share=0.5), Rollout(3, True, 1.0, checkpoint=True)]),
       st.sampled_from([None, Curriculum("cosine")]), st.sampled_from(sorted(TIME_EMBEDDINGS)),
       st.booleans(), st.booleans())
def test_fixes_combine(form: str, sees: bool, atoms: int | None, rollout: Rollout | None,
                       curriculum: Curriculum | None, time: str, rotate: bool,
                       superposed: bool) -> None:
    size = None if atoms is None else AtomSize(atoms, 8, 2)
    recipe = TINY.but(form=form, trunk_sees_points=sees, atoms=size, rollout=rollout, steps=3,
                      curriculum=curriculum, time_embedding=time, rotate=rotate,
                      superposed=superposed)
    assert Recipe.from_dict(json.loads(json.dumps(recipe.as_dict()))) == recipe
    batch = make_batch([load("1K61_C"), load("1WY3_A")], points=recipe.point_set)
    first, again = ([float(s.loss) for s in train(recipe, batch)][1:] for _ in range(2))
    assert first == again and all(loss == loss for loss in first)


def test_young_fields_count_in_the_hash_when_they_are_used() -> None:
    """The names of results that were recorded before the fields existed."""
    assert named_recipe("well_fed").hash == "e1435c794f9f"
    used = [{"rotate": True}, {"rollout": Rollout()}, {"curriculum": Curriculum()},
            {"time_embedding": "none"}, {"atoms": AtomSize()}, {"atoms": AtomSize(skips=False)},
            {"denoiser_sees_points": False}]
    assert len({TINY.but(**c).hash for c in used} | {TINY.hash}) == len(used) + 1


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Rollout(0), "at least one call"),
    (lambda: Rollout(share=0.0), "share lies above 0"),
    (lambda: Curriculum("step"), "'step'; choose one of linear, cosine"),
    (lambda: Curriculum(share=2.0), "share lies above 0"),
    (lambda: TINY.but(rollout=Rollout(50)), "does not fit T = 50"),
])
def test_impossible_rollouts_and_curricula_are_refused(make: Callable, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
