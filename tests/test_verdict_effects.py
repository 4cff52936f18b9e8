"""The 2 x 2's effects, the map of the forms, and what it predicts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from resfold_nb.diffusion import FORMS, edm, get_schedule
from resfold_nb.verdict.effects import CELLS, calibrated, main_effects, place_on_map, steps_below

SCHEDULE = get_schedule("linear")


def planted(skip: float, scale: float, together: float, noise: float = 0.0) -> dict[str, list[np.ndarray]]:
    """Errors of two proteins x five seeds made by known factors of dropping skip and scale."""
    dice = np.random.default_rng(0)
    base = [5 * np.exp(dice.normal(0, 1, 5)) for _ in range(2)]
    made = {}
    for form, (has_skip, has_scale) in CELLS.items():
        factor = (1 if has_skip else skip) * (1 if has_scale else scale)
        factor *= 1 if has_skip or has_scale else together
        made[form] = [b * factor * np.exp(dice.normal(0, noise, 5)) for b in base]
    return made


def test_planted_effects_come_back_exactly_without_noise() -> None:
    """The spread of seeds cancels, because the cells are paired."""
    found = main_effects(planted(0.25, 2.0, 1.0))
    assert found["drop the skip"] == pytest.approx((0.25,) * 3)
    assert found["drop the scale"] == pytest.approx((2.0,) * 3)
    assert found["interaction"] == pytest.approx((1.0,) * 3)


def test_an_interaction_is_the_factor_that_remains() -> None:
    """And each main effect carries its root: the mean over with and without the other."""
    found = main_effects(planted(0.25, 2.0, 9.0))
    assert found["interaction"].estimate == pytest.approx(9.0)
    assert found["drop the skip"].estimate == pytest.approx(0.25 * 3)


def test_with_noise_the_effect_comes_back_nearly_and_its_interval_has_width() -> None:
    """Ten pairs of spread 0.2 leave a standard error of about 0.06."""
    found = main_effects(planted(0.5, 1.0, 1.0, noise=0.2))["drop the skip"]
    assert abs(np.log(found.estimate / 0.5)) < 0.2
    assert found.low < found.estimate < found.high and found.high / found.low > 1.05


@pytest.mark.parametrize("broken", [0.0, -1.0, float("nan")])
def test_an_error_that_is_not_positive_is_refused(broken: float) -> None:
    cells = planted(1, 1, 1)
    cells["x0"][0][2] = broken
    with pytest.raises(ValueError, match="above zero"):
        main_effects(cells)


@pytest.mark.parametrize("sd", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("form", ["residual", "eps", "v", "skip_unscaled", "x0"])
def test_the_map_is_what_random_data_show(form: str, sd: float) -> None:
    """Sizes of the two parts of F*, by regression of F* on x0 and eps."""
    generator = torch.Generator().manual_seed(1)
    x0, eps = torch.randn(2, 40_000, generator=generator, dtype=torch.float64)
    x0 = sd * x0
    place = place_on_map(FORMS[form], SCHEDULE, sd)
    for t in (1, 25, 49):
        a, s = SCHEDULE.a[t], SCHEDULE.s[t]
        f = FORMS[form].output_for(x0, a * x0 + s * eps, a, s).numpy()
        design = np.stack([x0.numpy(), eps.numpy()], 1)
        on_x0, on_eps = np.abs(np.linalg.lstsq(design, f, rcond=None)[0])
        assert on_eps == pytest.approx(place.copied[t], abs=1e-9)
        assert sd * on_x0 == pytest.approx(place.constant[t], abs=1e-9)


def test_edm_at_the_datas_deviation_has_an_output_of_size_one() -> None:
    place = place_on_map(edm(2.0), SCHEDULE, 2.0)
    assert np.allclose(np.hypot(place.copied, place.constant), 1)


def test_edm_at_one_stands_where_c_stands() -> None:
    ours, theirs = (place_on_map(FORMS[name], SCHEDULE) for name in ("edm", "v"))
    for name in ("copied", "constant", "amplified", "weight", "push"):
        assert np.allclose(getattr(ours, name), getattr(theirs, name)), name


def test_the_push_is_the_gradient_at_zero_output() -> None:
    """By autograd of the x0-space squared error, at a t for each of three forms."""
    generator = torch.Generator().manual_seed(2)
    x0, eps = torch.randn(2, 40_000, generator=generator, dtype=torch.float64)
    for name, t in (("residual", 1), ("v", 25), ("eps", 49)):
        a, s = SCHEDULE.a[t], SCHEDULE.s[t]
        f = torch.zeros_like(x0, requires_grad=True)
        (FORMS[name].x0(a * x0 + s * eps, f, a, s) - x0).square().sum().backward()
        found = float(f.grad.square().mean().sqrt())
        assert found == pytest.approx(place_on_map(FORMS[name], SCHEDULE).push[t], rel=0.02)


def test_calibration_reproduces_the_two_errors_it_was_given() -> None:
    residual, direct = (place_on_map(FORMS[n], SCHEDULE) for n in ("residual", "x0"))
    copying, holding = calibrated(residual, direct, {"residual": 6.0, "x0": 0.5}, 49, scale=10.0)
    assert 10 * residual.error(copying, holding)[49] == pytest.approx(6.0)
    assert 10 * direct.error(copying, holding)[49] == pytest.approx(0.5)
    assert calibrated(residual, direct, {"residual": 0.1, "x0": 5.0}, 49, 10.0)[0] == 0


@pytest.mark.parametrize("sd", [0.0, -1.0, float("nan")])
def test_a_deviation_that_is_not_positive_is_refused(sd: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        place_on_map(FORMS["x0"], SCHEDULE, sd)


def test_the_worst_timestep_decides_when_a_goal_is_met_for_good() -> None:
    steps = np.array([0, 10, 20, 30])
    curves = {1: np.array([[9.0, 0.5, 0.5, 0.5], [9.0, 0.5, 0.5, 0.5]]),
              2: np.array([[9.0, 2.0, 0.5, 0.5], [9.0, 0.5, 2.0, 2.0]])}
    rows = pd.DataFrame([{"seed": seed, "step": step, "t": t, "rmse": curves[t][seed, i]}
                         for t in curves for seed in (0, 1) for i, step in enumerate(steps)])
    assert steps_below(rows, 1.0, (1, 2)).tolist() == [20, float("inf")]
    assert steps_below(rows, 1.0, (1, 3)) is None
