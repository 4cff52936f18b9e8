"""What the benchmarks compare is the same model: equal losses, gradients and samples."""

from __future__ import annotations

import pytest
import torch
from benchmarks.plain import plain_like, plain_sampling

from resfold_nb.analysis import sample
from resfold_nb.analysis.measure import MEASURING_SEED, _noise
from resfold_nb.data import load, make_batch
from resfold_nb.model import Features
from resfold_nb.training import build, named_recipe
from resfold_nb.training.losses import Draw, training_loss

BATCH = make_batch(load("1WY3_A"))


@pytest.mark.parametrize("sees_points", [True, False])
@pytest.mark.parametrize("form", ["residual", "x0", "v"])
def test_plain_and_ours_have_equal_losses_and_gradients(form: str, sees_points: bool) -> None:
    """In double precision, on fresh inputs; the gradients of the parts that both name alike."""
    recipe = named_recipe("well_fed", "ci", form=form, trunk_sees_points=sees_points)
    ours = build(recipe, seed=3).double()
    plain, batch = plain_like(ours), BATCH.to("cpu", torch.float64)
    features, n = Features.of(batch), 6
    x0 = batch.x0.repeat(n, 1, 1)
    t, eps = torch.randint(0, 50, (n,)), torch.randn_like(x0)
    a, s = ours.amplitudes(t)
    loss = training_loss(recipe, ours, Draw(x0, eps, t, None), features)
    other = torch.nn.functional.mse_loss(plain(a * x0 + s * eps, t, features.repeat(n)), x0)
    # ours keeps a(t) and s(t) in single precision
    assert loss.item() == pytest.approx(other.item(), rel=1e-6)
    loss.backward()
    other.backward()
    pairs = [(ours.network.denoiser.head, plain.head), (ours.network.denoiser.time, plain.time),
             (ours.network.trunk.project, plain.trunk.project),
             (ours.network.trunk.residue, plain.trunk.residue)]
    for mine, its in pairs:
        assert torch.allclose(mine.weight.grad, its.weight.grad, rtol=1e-4, atol=1e-8)


def test_plain_and_ours_draw_the_same_structures() -> None:
    ours = build(named_recipe("well_fed", "ci", form="x0"), seed=3)
    start, *steps = (_noise(BATCH, 2, MEASURING_SEED + i) for i in range(50))
    theirs = plain_sampling(plain_like(ours), BATCH, start, torch.stack(steps))
    assert torch.allclose(sample(ours, BATCH, copies=2).final, theirs, atol=1e-4)
