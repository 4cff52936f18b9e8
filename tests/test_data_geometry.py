"""RMSE and superposition against roma, an independent implementation."""

from __future__ import annotations

import pytest
import roma
import torch
from torch import Tensor

from resfold_nb.data import load, make_batch, rmsd, rmse, superpose

TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-10}
PRECISIONS = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def cloud(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, 3, generator=generator, dtype=torch.float64).to(dtype)


def reference(moving: Tensor, fixed: Tensor, weights: Tensor | None = None) -> Tensor:
    rotation, shift = roma.rigid_points_registration(moving, fixed, weights)
    return moving @ rotation.transpose(-1, -2) + shift[..., None, :]


def moved(points: Tensor, seed: int = 1) -> Tensor:
    torch.manual_seed(seed)
    rotation = roma.random_rotmat(dtype=points.dtype)
    return points @ rotation.T + torch.tensor([5.0, -3.0, 2.0], dtype=points.dtype)


def test_rmse_counts_points_not_axes() -> None:
    x, y = torch.zeros(4, 3), torch.tensor([[3.0, 4.0, 0.0]]).expand(4, 3)
    assert rmse(x, y).item() == pytest.approx(5.0)


def test_rmse_of_a_mask_is_that_of_its_points() -> None:
    x, y = cloud(2, 9), cloud(2, 9, seed=1)
    mask = torch.zeros(2, 9, dtype=torch.bool)
    mask[0, :4], mask[1, 2:] = True, True
    expected = [rmse(x[0, :4], y[0, :4]), rmse(x[1, 2:], y[1, 2:])]
    torch.testing.assert_close(rmse(x, y, mask), torch.stack(expected))


@PRECISIONS
def test_superposition_agrees_with_roma(dtype: torch.dtype) -> None:
    x, y = cloud(6, 30, dtype=dtype), cloud(6, 30, dtype=dtype, seed=1)
    tolerance = {"atol": TOLERANCE[dtype], "rtol": 0}
    torch.testing.assert_close(superpose(x, y), reference(x, y), **tolerance)
    assert superpose(x, y).dtype == dtype


@PRECISIONS
def test_masked_superposition_agrees_with_weighted_roma(dtype: torch.dtype) -> None:
    x, y = cloud(5, 20, dtype=dtype), cloud(5, 20, dtype=dtype, seed=1)
    mask = torch.arange(20) < torch.tensor([3, 5, 11, 19, 20])[:, None]
    expected = reference(x, y, mask.to(dtype))
    torch.testing.assert_close(superpose(x, y, mask), expected, atol=TOLERANCE[dtype], rtol=0)


@PRECISIONS
def test_weighted_superposition_agrees_with_roma(dtype: torch.dtype) -> None:
    x, y = cloud(5, 20, dtype=dtype), cloud(5, 20, dtype=dtype, seed=1)
    weights = cloud(5, 20, dtype=dtype, seed=2).square().sum(-1)
    expected = reference(x, y, weights)
    torch.testing.assert_close(superpose(x, y, weights), expected, atol=TOLERANCE[dtype], rtol=0)


@PRECISIONS
def test_rmsd_ignores_rotation_and_translation(dtype: torch.dtype) -> None:
    x = make_batch(load("1R69_A")).to(dtype=dtype)
    points = x.angstrom(x.x0)
    other = moved(points)
    assert rmse(points, other).item() > 5
    assert rmsd(other, points).item() < 20 * TOLERANCE[dtype]
    assert rmsd(points, other).item() < 20 * TOLERANCE[dtype]


@PRECISIONS
def test_a_mirror_image_stays_one(dtype: torch.dtype) -> None:
    """With reflections the distance would be 0; without, it is roma's, and Ångströms large."""
    batch = make_batch(load("1R69_A")).to(dtype=dtype)
    points = batch.angstrom(batch.x0)
    mirrored = points * points.new_tensor([-1.0, 1.0, 1.0])
    expected = rmse(reference(mirrored, points), points)
    torch.testing.assert_close(rmsd(mirrored, points), expected, atol=1e-4, rtol=1e-4)
    assert expected.item() > 5


def test_padding_does_not_matter() -> None:
    short, long = load("1R69_A"), load("1AK4_A")
    batch = make_batch([short, long])
    noisy = batch.x0 + 0.3 * cloud(*batch.mask.shape, dtype=torch.float32)
    alone = make_batch(short)
    together = rmsd(noisy, batch.x0, batch.mask)[0]
    single = rmsd(noisy[0, : len(short)], alone.x0[0])
    torch.testing.assert_close(together, single)
    noisy[~batch.mask] = 1e3
    torch.testing.assert_close(rmsd(noisy, batch.x0, batch.mask)[0], single)


def test_leading_axes_broadcast() -> None:
    frames, truth = cloud(4, 3, 10), cloud(3, 10, seed=1)
    expected = torch.stack([rmsd(frame, truth) for frame in frames])
    torch.testing.assert_close(rmsd(frames, truth.expand(4, -1, -1, -1)), expected)


def test_it_is_the_least_distance() -> None:
    x, y = cloud(25), cloud(25, seed=1)
    best = rmsd(x, y)
    centred = x - x.mean(0)
    torch.manual_seed(0)
    turned = centred @ roma.random_rotmat(500, dtype=x.dtype).transpose(-1, -2)
    others = rmse(turned + y.mean(0), y.expand(500, -1, -1))
    assert best <= others.min() and best <= rmse(x, y)


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_flat_point_sets_still_superpose(rank: int) -> None:
    """A line or a plane leaves the rotation undetermined, but never the distance."""
    points = cloud(8)
    points[:, rank:] = 0
    assert rmsd(moved(points), points).item() < 1e-6


def test_gradient_flows_through_the_points_not_the_rotation() -> None:
    x, y = cloud(12).requires_grad_(), cloud(12, seed=1)
    (gradient,) = torch.autograd.grad(superpose(x, y).sub(y).square().mean(), x)
    # at the optimum the rotation's own derivative is zero, so the gradient is complete
    step = 1e-5 * cloud(12, seed=2)
    with torch.no_grad():
        ahead, behind = (rmsd(x + s * step, y) ** 2 / 3 for s in (1, -1))
    assert (gradient * step).sum().item() == pytest.approx(((ahead - behind) / 2).item(), rel=1e-4)
