"""Schedules, the table of forms and the samplers, against formulas and against diffusers."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from resfold_nb.diffusion import (
    FORMS,
    cosine,
    ddim,
    ddpm,
    edm,
    get_form,
    get_schedule,
    linear,
    predict_x0,
    spaced_timesteps,
    to_eps,
)

FINITE = [name for name in FORMS if name != "scaled_no_skip"]
EVERY_FORM = [*FORMS.values(), edm(0.3), edm(4.0)]


def points(seed: int = 0, n: int = 50, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(n, 7, 3, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_linear_schedule_is_the_reports() -> None:
    schedule = linear(50)
    for t, alpha_bar in ((0, 1.0), (10, 0.8), (25, 0.5), (40, 0.2), (49, 0.02)):
        assert float(schedule.alpha_bar[t]) == pytest.approx(alpha_bar, abs=1e-12)
        assert float(schedule.s[t]) == pytest.approx(math.sqrt(t / 50), abs=1e-7)


def test_cosine_schedule_follows_its_formula() -> None:
    schedule = cosine(50, offset=0.008)
    f = [math.cos((t / 50 + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(50)]
    assert float(schedule.alpha_bar[0]) == 1.0
    for t in (1, 25, 49):
        assert float(schedule.alpha_bar[t]) == pytest.approx(f[t] / f[0], rel=1e-12)


@pytest.mark.parametrize("schedule", [linear(), cosine()], ids=lambda s: s.name)
def test_signal_falls_noise_rises_and_variance_is_kept(schedule) -> None:
    assert (schedule.alpha_bar.diff() < 0).all()
    torch.testing.assert_close(schedule.a**2 + schedule.s**2, torch.ones(50, dtype=torch.float64))
    torch.testing.assert_close(schedule.snr[1:], schedule.amplitude_ratio[1:] ** 2)
    assert torch.isfinite(schedule.log_snr).all()


def test_unknown_names_are_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match=r"'sigmoid' is unknown.*'cosine', 'linear'"):
        get_schedule("sigmoid")
    with pytest.raises(ValueError, match=r"'flow' is unknown.*'residual'"):
        get_form("flow")
    with pytest.raises(ValueError, match="positive"):
        edm(0.0)


@pytest.mark.parametrize("form", EVERY_FORM, ids=lambda f: f.label)
def test_the_target_reproduces_x0(form) -> None:
    """x0_pred(F*) = x0, at every t where F* exists: all but t = 0 of scale without skip."""
    schedule, x0, eps, t = linear(), points(1), points(2), torch.arange(50)
    a, s = schedule.at(t)
    x_t = schedule.add_noise(x0, eps, t)
    prediction = form.x0(x_t, form.target(x0, eps, a, s), a, s)
    first = 1 if form.name == "scaled_no_skip" else 0
    torch.testing.assert_close(prediction[first:], x0[first:], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("name", "sign"), [("residual", -1), ("eps", 1), ("v", 1)])
def test_limits_of_the_target_at_t_zero(name: str, sign: int) -> None:
    a, s = torch.ones((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    x0, eps = points(3), points(4)
    torch.testing.assert_close(FORMS[name].target(x0, eps, a, s), sign * eps)


def test_scale_without_skip_has_no_target_at_t_zero() -> None:
    a, s = torch.ones(()), torch.zeros(())
    assert not torch.isfinite(FORMS["scaled_no_skip"].target(points(3), points(4), a, s)).all()


def test_the_reports_factor_is_the_noise_amplitude() -> None:
    schedule = linear()
    c_out = FORMS["residual"].c_out(schedule.a, schedule.s)
    torch.testing.assert_close(c_out, (torch.arange(50) / 50).double().sqrt())


def test_edm_at_unit_deviation_is_velocity_with_the_sign_turned() -> None:
    schedule, x0, eps = linear(), points(5), points(6)
    a, s = schedule.at(torch.arange(50))
    torch.testing.assert_close(FORMS["edm"].target(x0, eps, a, s), s * x0 - a * eps)
    for curve in ("c_skip", "c_in"):
        mine, theirs = (getattr(FORMS[n], curve)(a, s) for n in ("edm", "v"))
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("sd", [0.3, 1.0, 4.0])
def test_edm_gives_input_and_target_unit_variance(sd: float) -> None:
    generator = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(2, 200_000, generator=generator, dtype=torch.float64)
    form = edm(sd)
    for t in (1, 25, 49):
        a, s = linear().a[t], linear().s[t]
        x_t = a * sd * x0 + s * eps
        assert float((form.c_in(a, s) * x_t).var()) == pytest.approx(1, abs=0.02)
        assert float(form.target(sd * x0, eps, a, s).var()) == pytest.approx(1, abs=0.02)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(FINITE), st.sampled_from(list(FORMS)), st.integers(1, 49),
       st.integers(0, 10_000))
def test_forms_convert_into_one_another(first: str, second: str, t: int, seed: int) -> None:
    schedule = linear()
    a, s = schedule.a[t], schedule.s[t]
    x_t, f = points(seed, 1), points(seed + 1, 1)
    x0 = FORMS[first].x0(x_t, f, a, s)
    other = FORMS[second].output_for(x0, x_t, a, s)
    again = FORMS[first].output_for(FORMS[second].x0(x_t, other, a, s), x_t, a, s)
    torch.testing.assert_close(again, f, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("form", EVERY_FORM, ids=lambda f: f.label)
def test_autograd_gives_two_c_out_error(form) -> None:
    """dL/dF of |x0_pred - x0|^2 is 2 c_out (x0_pred - x0), at every t."""
    schedule, x0, eps = linear(), points(7), points(8)
    a, s = schedule.at(torch.arange(50))
    x_t = schedule.add_noise(x0, eps, torch.arange(50))
    f = points(9).requires_grad_()
    error = form.x0(x_t, f, a, s) - x0
    error.square().sum().backward()
    torch.testing.assert_close(f.grad, (2 * form.c_out(a, s) * error).detach())


def test_the_reports_form_sends_exactly_no_gradient_at_t_zero() -> None:
    """So do B, C and EDM; direct x0 does not."""
    a, s = linear().at(torch.zeros(1, dtype=torch.long))
    sizes = {}
    for name, form in FORMS.items():
        f = points(9, 1).requires_grad_()
        (form.x0(points(1, 1), f, a, s) - points(2, 1)).square().sum().backward()
        sizes[name] = float(f.grad.abs().max())
    assert all(sizes[name] == 0.0 for name in ("residual", "eps", "v", "edm", "scaled_no_skip"))
    assert sizes["x0"] > 0.1 and sizes["skip_unscaled"] > 0.1


@pytest.mark.parametrize("form", EVERY_FORM, ids=lambda f: f.label)
def test_every_form_can_hold_the_denoiser_of_a_gaussian(form) -> None:
    """E[x0 | x_t] = a sd^2 x_t / (a^2 sd^2 + s^2): converted to F and back it is unchanged."""
    schedule, x_t, sd = linear(), points(3), 1.7
    a, s = (c[1:] for c in schedule.at(torch.arange(50)))
    exact = a * sd**2 * x_t[1:] / (a**2 * sd**2 + s**2)
    f = form.output_for(exact, x_t[1:], a, s)
    torch.testing.assert_close(form.x0(x_t[1:], f, a, s), exact, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("form", EVERY_FORM, ids=lambda f: f.label)
def test_every_form_can_hold_the_denoiser_of_a_point_mass(form) -> None:
    """E[x0 | x_t] is the one x0 there is; no form can at t = 0 where c_out = 0 and no skip is."""
    schedule, truth, x_t = linear(), points(1, 1), points(3)
    a, s = schedule.at(torch.arange(50))
    f = form.output_for(truth, x_t[1:], a[1:], s[1:])
    torch.testing.assert_close(form.x0(x_t[1:], f, a[1:], s[1:]), truth.expand(49, -1, -1),
                               rtol=1e-9, atol=1e-9)
    at_zero = form.x0(truth, points(8, 1), a[:1], s[:1])
    holds = bool(torch.allclose(at_zero, truth))  # whatever F says
    assert holds == (form.name in ("residual", "eps", "v", "edm"))


def exact_denoiser(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Something to sample with that depends on x_t and t, with no network in it."""
    return torch.tanh(x) * (1 + t.view(-1, 1, 1) / 50)


def their_scheduler(kind: str, prediction: str, calls: int):
    diffusers = pytest.importorskip("diffusers")
    alpha_bar = linear().alpha_bar
    betas = 1 - alpha_bar / torch.cat((torch.ones(1, dtype=torch.float64), alpha_bar[:-1]))
    common = dict(num_train_timesteps=50, trained_betas=betas.numpy(), clip_sample=False,
                  prediction_type=prediction, timestep_spacing="trailing")
    if kind == "ddpm":
        scheduler = diffusers.DDPMScheduler(variance_type="fixed_small", **common)
    else:
        scheduler = diffusers.DDIMScheduler(set_alpha_to_one=True, **common)
    scheduler.alphas_cumprod = alpha_bar.clone()  # float64; diffusers rounds to float32
    scheduler.final_alpha_cumprod = torch.ones((), dtype=torch.float64)
    scheduler.set_timesteps(calls)
    return scheduler


def their_output(prediction: str, x0: torch.Tensor, x: torch.Tensor, t: int) -> torch.Tensor:
    a, s = linear().a[t], linear().s[t]
    eps = to_eps(x0, x, a, s)
    return {"sample": x0, "epsilon": eps, "v_prediction": a * eps - s * x0}[prediction]


@pytest.mark.parametrize("calls", [50, 25, 10, 5, 1])
@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("prediction", ["sample", "epsilon", "v_prediction"])
def test_ddim_equals_diffusers(prediction: str, eta: float, calls: int) -> None:
    scheduler = their_scheduler("ddim", prediction, calls)
    x, visited = points(11, 2), [int(t) for t in scheduler.timesteps if t >= 1]
    noise = torch.stack([points(20 + i, 2) for i in range(len(visited))])
    ours = ddim(exact_denoiser, linear(), x, timesteps=visited, noise=noise, eta=eta)
    for i, t in enumerate(visited[:-1]):
        x0 = exact_denoiser(x, torch.tensor([t]))
        output = their_output(prediction, x0, x, t)
        x = scheduler.step(output, t, x, eta=eta, variance_noise=noise[i]).prev_sample
        torch.testing.assert_close(ours.x[i + 1], x, rtol=0, atol=1e-5)


@pytest.mark.parametrize("calls", [50, 25, 10, 5, 1])
@pytest.mark.parametrize("prediction", ["sample", "epsilon", "v_prediction"])
def test_ddpm_equals_diffusers(prediction: str, calls: int) -> None:
    scheduler, x = their_scheduler("ddpm", prediction, calls), points(11, 2)
    visited = [int(t) for t in scheduler.timesteps if t >= 1]
    noise = torch.stack([points(20 + i, 2) for i in range(len(visited))])
    ours = ddpm(exact_denoiser, linear(), x, timesteps=visited, noise=noise)
    # Where diffusers jumps to t = -1, with alpha_bar = 1, we step to t = 0: the same.
    for i, t in enumerate(visited):
        variance = scheduler._get_variance(t).clamp(min=0).sqrt()
        output = their_output(prediction, exact_denoiser(x, torch.tensor([t])), x, t)
        # The scheduler draws its own noise; seeding it and taking the mean apart from it is
        # done by handing both the same generator state.
        state = torch.Generator().manual_seed(i)
        z = torch.randn(x.shape, generator=torch.Generator().manual_seed(i), dtype=x.dtype)
        x_next = scheduler.step(output, t, x, generator=state).prev_sample
        x_next = x_next + (variance * (noise[i] - z) if t > 0 else 0)
        torch.testing.assert_close(ours.x[i + 1], x_next, rtol=0, atol=1e-5)
        x = ours.x[i + 1]


def test_sampling_calls_the_network_49_times_and_never_at_zero() -> None:
    seen: list[int] = []

    def denoise(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        seen.append(int(t[0]))
        return exact_denoiser(x, t)

    samples = ddpm(denoise, linear(), points(1, 2))
    assert seen == list(range(49, 0, -1)) and samples.t == (*seen, 0)
    assert samples.x.shape == (50, 2, 7, 3) and samples.x0_pred.shape == (49, 2, 7, 3)
    torch.testing.assert_close(samples.final, samples.x0_pred[-1])


@pytest.mark.parametrize("sampler", [ddpm, ddim])
def test_a_point_mass_is_sampled_exactly(sampler) -> None:
    truth = points(4, 1)
    final = sampler(lambda x, t: truth.expand_as(x), linear(), points(5, 3)).final
    torch.testing.assert_close(final, truth.expand_as(final))


def test_ddpm_keeps_the_variance_of_gaussian_data() -> None:
    """With the exact denoiser of N(0, 1) data, every x_t has variance 1 but for drawn noise."""
    schedule, generator = linear(), torch.Generator().manual_seed(0)
    x = torch.randn(1, 100_000, 3, generator=generator, dtype=torch.float64)
    noise = torch.randn(49, *x.shape, generator=generator, dtype=torch.float64)
    samples = ddpm(lambda x, t: schedule.a[t].view(-1, 1, 1) * x, schedule, x, noise=noise)
    # The smaller variance underestimates the noise of a step, most at the last ones.
    assert float(samples.x[25].var()) == pytest.approx(1, abs=0.05)


def test_the_extra_call_at_zero_changes_nothing_where_c_out_vanishes() -> None:
    for name, same in (("residual", True), ("v", True), ("eps", True), ("x0", False)):
        form, schedule = FORMS[name], linear()

        def denoise(x: torch.Tensor, t: torch.Tensor, form=form) -> torch.Tensor:
            return form.x0(x, torch.sin(3 * x) + 1, *schedule.at(t))

        without = ddim(denoise, schedule, points(1, 2)).final
        assert torch.equal(without, predict_x0(denoise, without, 0)) == same, name


def test_clamping_bounds_every_prediction() -> None:
    samples = ddpm(lambda x, t: 10 * x, linear(), points(1, 2), x0_clamp=3.0)
    assert float(samples.x0_pred.abs().max()) == 3.0


def test_spaced_timesteps() -> None:
    assert spaced_timesteps(49) == tuple(range(49, 0, -1))
    assert spaced_timesteps(5) == (49, 39, 29, 19, 9)
    assert spaced_timesteps(1) == (49,)
    for bad in (0, 50):
        with pytest.raises(ValueError, match=r"1 \.\.\. 49"):
            spaced_timesteps(bad)
    with pytest.raises(ValueError, match="must fall"):
        ddpm(exact_denoiser, linear(), points(1, 1), timesteps=(3, 5))


def test_diffusers_is_not_finite_at_t_zero_with_these_betas() -> None:
    """Why the equality tests stop at t = 1: beta(0) = 0, and diffusers divides by it."""
    scheduler, x = their_scheduler("ddim", "sample", 50), points(1, 1)
    assert not torch.isfinite(scheduler.step(x, 0, x).prev_sample).all()
