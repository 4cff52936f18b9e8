"""Sampling with alignment, against a version of its own written with roma; and the loss's weight by noise level."""

from __future__ import annotations

import math

import pytest
import roma
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from resfold_nb.data import load, make_batch, rmsd
from resfold_nb.diffusion import FORMS, aligned, ddim, ddpm, linear
from resfold_nb.measure import sample
from resfold_nb.model import Features
from resfold_nb.training import Draw, build, draw, named_recipe, training_loss
from resfold_nb.training.losses import loss_weight

DIMER = make_batch(load("3BPQ_A_B"))
PAIR = make_batch([load("1WY3_A"), load("1R69_A")])


def turn(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return roma.unitquat_to_rotmat(torch.nn.functional.normalize(torch.randn(4, generator=generator,
                                                                             dtype=torch.float64), dim=0))


def answering(target: torch.Tensor, rotation: torch.Tensor):
    """A denoiser that reads its input: the target in an orientation of its own, and a share of x_t."""
    return lambda x, t: (0.8 * target + 0.2 * x) @ rotation.T + 0.1


def turning(target: torch.Tensor, rotation: torch.Tensor):
    """A denoiser that has learnt the target, but for an orientation and a place of its own."""
    return lambda x, t: (target @ rotation.T + 0.3).expand_as(x)


def by_hand(denoise, x: torch.Tensor, noise: torch.Tensor, recentred: bool, eta: float | None) -> torch.Tensor:
    """The aligned reverse process of one structure (1, L, 3), a step at a time, from the textbook's formulas."""
    for i, t in enumerate(range(49, 0, -1)):
        guess = denoise(x, torch.tensor([t]))[0]
        rotation, shift = roma.rigid_points_registration(guess, x[0])
        guess = guess @ rotation.T + shift
        guess = guess - guess.mean(0) if recentred else guess
        now, then = 1 - t / 50, 1 - (t - 1) / 50
        variance = (1 - then) / (1 - now) * (1 - now / then)
        if eta is None:
            mean = math.sqrt(then) * (1 - now / then) * guess + math.sqrt(now / then) * (1 - then) * x[0]
            x = (mean / (1 - now) + math.sqrt(variance) * noise[i, 0])[None]
        else:
            eps = (x[0] - math.sqrt(now) * guess) / math.sqrt(1 - now)
            spread = eta * math.sqrt(variance)
            x = (math.sqrt(then) * guess + math.sqrt(max(0, 1 - then - spread**2)) * eps + spread * noise[i, 0])[None]
    return x


@pytest.mark.parametrize("recentred", [False, True])
@pytest.mark.parametrize("eta", [None, 0.0, 0.5])
def test_against_a_version_written_with_roma(recentred: bool, eta: float | None) -> None:
    truth = DIMER.x0.double()
    start, *noise = torch.randn(50, *truth.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noise, denoise = torch.stack(noise), answering(truth, turn(1))
    turned = aligned(denoise, recentred=recentred)
    ours = (ddpm(turned, linear(), start, noise=noise) if eta is None else
            ddim(turned, linear(), start, noise=noise, eta=eta)).final
    torch.testing.assert_close(ours, by_hand(denoise, start, noise, recentred, eta), atol=1e-9, rtol=1e-9)
    walk = ddpm if eta is None else ddim
    free = walk(aligned(turning(truth, turn(1)), recentred=recentred), linear(), start, noise=noise).final
    assert rmsd(free, truth)[0] < 1e-6, "a right shape in any orientation is drawn"
    plainly = walk(denoise, linear(), start, noise=noise).final
    assert rmsd(plainly, ours)[0] > 0.01, "alignment changes what is drawn"


def test_alignment_keeps_a_mirror_image_a_mirror_image() -> None:
    truth = DIMER.x0.double()
    mirror = truth * truth.new_tensor([-1, 1, 1])
    found = aligned(lambda x, t: mirror)(truth, torch.tensor([5]))
    assert rmsd(found, mirror)[0] < 1e-6 < 0.1 < rmsd(found, truth)[0]


def test_padding_does_not_turn_anything() -> None:
    mask, x = PAIR.mask, torch.randn(PAIR.x0.shape, generator=torch.Generator().manual_seed(0))
    for recentred in (False, True):
        found = aligned(lambda x, t: PAIR.x0 + 0.1, mask, recentred)(x, torch.tensor([9, 9]))
        for i, length in enumerate(mask.sum(1).tolist()):
            alone = aligned(lambda x, t, i=i, n=length: PAIR.x0[i : i + 1, :n] + 0.1, None, recentred)(
                x[i : i + 1, :length], torch.tensor([9]))
            torch.testing.assert_close(found[i, :length], alone[0], atol=1e-5, rtol=1e-5)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), recentred=st.booleans())
def test_a_common_rotation_of_all_inputs_turns_the_sample(seed: int, recentred: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    start, truth, *noise = torch.randn(51, 1, 12, 3, generator=generator, dtype=torch.float64)
    noise, rotation = torch.stack(noise), turn(seed + 1)
    plain = ddpm(aligned(turning(truth, turn(3)), recentred=recentred), linear(), start, noise=noise).final
    # the network may say its turned truth as it likes: alignment forgets the orientation
    turned = ddpm(aligned(turning(truth, turn(4)), recentred=recentred), linear(), start @ rotation.T,
                  noise=noise @ rotation.T).final
    torch.testing.assert_close(turned, plain @ rotation.T, atol=1e-6, rtol=1e-6)


def test_sample_aligns_what_it_is_told_to() -> None:
    model = build(named_recipe("well_fed", "ci", form="x0"))
    usual, *others = (sample(model, PAIR, copies=2, align=align).final for align in (None, "aligned", "recentred"))
    assert all(not torch.allclose(usual, other) for other in others)
    means = (others[1] * PAIR.mask.repeat_interleave(2, 0)[..., None]).sum(1)
    assert means.abs().max() < 1e-3, "the last prediction is the sample, and it was recentred"
    with pytest.raises(ValueError, match="align is 'yes'; choose one of None, 'aligned', 'recentred'"):
        sample(model, PAIR, align="yes")


@pytest.mark.parametrize("form", FORMS)
def test_weights_by_noise_level(form: str) -> None:
    t = torch.arange(1, 50)
    a, s = (x.double() for x in linear().at(t))
    weight = loss_weight("F", FORMS[form].c_out(a, s), a, s)
    expected = {"x0": 1.0, "skip_unscaled": 1.0, "eps": a**2 / s**2}.get(form, 1 / s**2)
    torch.testing.assert_close(weight, torch.ones_like(a) * expected)
    snr = loss_weight("min-SNR", a, a, s).flatten()
    torch.testing.assert_close(snr, torch.tensor([min((1 - k / 50) / (k / 50), 5.0) for k in t.tolist()],
                                                 dtype=torch.float64))
    assert loss_weight("x0", a, a, s) is None


def test_a_superposed_loss_on_f_is_the_superposed_error_over_c_out_squared() -> None:
    recipe = named_recipe("well_fed", "ci", form="v", loss_space="F", superposed=True, first_timestep=1, noise_levels=3)
    batch = make_batch(load("1WY3_A"))
    features, model = Features.of(batch), build(recipe)
    drawn = draw(recipe, batch, features, torch.Generator().manual_seed(0))
    expected = []
    for i in range(3):
        one = Draw(*(x[i : i + 1] for x in drawn[:3]), None)
        in_x0 = training_loss(recipe.but(loss_space="x0"), model, one, features)
        expected.append(float(in_x0.detach()) / (int(one.t) / 50))
    assert training_loss(recipe, model, drawn, features).item() == pytest.approx(sum(expected) / 3, rel=1e-4)
    zero = recipe.but(loss_space="min-SNR", first_timestep=0)
    still = Draw(drawn.x0, drawn.eps, torch.zeros_like(drawn.t), None)
    assert torch.isfinite(training_loss(zero, model, still, features))
