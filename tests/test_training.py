"""Recipes, losses, the loop and checkpoints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import roma
import torch

from resfold_nb.data import load, make_batch
from resfold_nb.model import Features, NetworkSize
from resfold_nb.training import (
    Draw,
    Recipe,
    build,
    draw,
    learning_rate,
    load_checkpoint,
    mean_squared_error,
    named_recipe,
    pair_distance_error,
    save_checkpoint,
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
    assert {learning_rate(recipe.but(decay=False), s) for s in range(10, 101)} == {1.0}


def test_timesteps_are_drawn_from_zero_as_the_report_does_or_from_one() -> None:
    features, generator = Features.of(BATCH), torch.Generator().manual_seed(0)
    drawn = draw(TINY.but(noise_levels=4000), BATCH, features, generator).t
    assert sorted(set(drawn.tolist())) == list(range(50))
    assert float((drawn == 0).float().mean()) == pytest.approx(0.02, abs=0.01)
    later = draw(TINY.but(noise_levels=4000, first_timestep=1), BATCH, features, generator).t
    assert int(later.min()) == 1


def test_a_diverging_run_says_so() -> None:
    recipe = TINY.but(learning_rate=1e30, decay=False)
    with pytest.raises(FloatingPointError, match="lower learning_rate"):
        list(train(recipe, BATCH))


@pytest.mark.parametrize(("changes", "message"), [
    ({"form": "flow"}, "'flow' is unknown"),
    ({"schedule": "sigmoid"}, "'sigmoid' is unknown"),
    ({"steps": 0}, "steps must be at least 1"),
    ({"first_timestep": 50}, "first_timestep 50"),
    ({"loss_space": "eps"}, "'x0' or 'F'"),
    ({"loss_space": "F", "superposed": True}, "need x0"),
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
    recipe = named_recipe("as_published", "gpu")
    assert recipe.size == NetworkSize.full() and recipe.noise_levels == 64
    assert (recipe.superposed, recipe.pair_distance, recipe.x0_clamp) == (True, 0.1, 3.0)
    assert (recipe.learning_rate, recipe.warmup, recipe.clip) == (1e-3, 0, None)


def test_checkpoints_come_back_whole(tmp_path: Path) -> None:
    *_, state = train(TINY, BATCH)
    path = save_checkpoint(tmp_path / "deep" / "a.safetensors", state.predictor, TINY, seed=0,
                           step=12)
    predictor, recipe = load_checkpoint(path)
    assert recipe == TINY and [p.name for p in path.parent.iterdir()] == ["a.safetensors"]
    t = torch.tensor([25])
    expected = state.predictor(BATCH.x0, t, Features.of(BATCH))
    torch.testing.assert_close(predictor(BATCH.x0, t, Features.of(BATCH)), expected)


def test_damaged_and_foreign_checkpoints_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    good = save_checkpoint(tmp_path / "a.safetensors", build(TINY), TINY, seed=0, step=0)
    (tmp_path / "cut.safetensors").write_bytes(good.read_bytes()[:500])
    save_file({"w": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    torch.save({"w": torch.zeros(1)}, tmp_path / "pickle.safetensors")
    for name in ("cut", "foreign", "pickle"):
        with pytest.raises(ValueError, match=f"{name}.safetensors is not a checkpoint"):
            load_checkpoint(tmp_path / f"{name}.safetensors")
    with pytest.raises(FileNotFoundError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "none.safetensors")
