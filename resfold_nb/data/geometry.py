"""Distances between point sets: RMSE, superposition, RMSD. Batched and masked."""

from __future__ import annotations

import torch
from torch import Tensor


def rmse(x: Tensor, y: Tensor, mask: Tensor | None = None) -> Tensor:
    """Root mean square distance between corresponding points, without superposition.

    sqrt(mean over points of |x_i - y_i|^2): one squared 3D distance a point, never per axis.

    Parameters
    ----------
    x, y : (..., L, 3)
    mask : (..., L) bool, True where a point counts; all points by default.

    Returns (...), in the unit of the coordinates.
    """
    squared = (x - y).square().sum(-1)
    return _masked_mean(squared, mask).sqrt()


def rmsd(x: Tensor, y: Tensor, mask: Tensor | None = None) -> Tensor:
    """RMSE after the best rigid superposition of `x` on `y`, reflections excluded."""
    return rmse(superpose(x, y, mask), y, mask)


def superpose(moving: Tensor, fixed: Tensor, mask: Tensor | None = None) -> Tensor:
    """Move `moving` onto `fixed` by the rotation and translation of least squared distance.

    Kabsch 1976, doi:10.1107/S0567739476001873: with the covariance H = U S V^T of the centred sets, R = V diag(1, 1,
    det(V U^T)) U^T. The sign keeps R a rotation, so a mirror image stays a mirror image. R is found in float64 and
    carries no gradient; the moved points do.

    Parameters
    ----------
    moving, fixed : (..., L, 3)
    mask : (..., L) bool, the points that are fitted, or their weights; all alike by default.

    Returns (..., L, 3), in the dtype of `moving`.
    """
    moving_mean = _masked_mean(moving, mask, keepdim=True)
    fixed_mean = _masked_mean(fixed, mask, keepdim=True)
    rotation = _rotation(moving - moving_mean, fixed - fixed_mean, mask)
    return (moving - moving_mean) @ rotation.transpose(-1, -2) + fixed_mean


def centred(points: Tensor, mask: Tensor | None = None) -> Tensor:
    """Points (..., L, 3) less their mean, in which the mask's alone count."""
    return points - _masked_mean(points, mask, keepdim=True)


def random_rotations(count: int, generator: torch.Generator, like: Tensor) -> Tensor:
    """(count, 3, 3) rotations, uniform over all, with the device and dtype of `like`.

    A unit quaternion of uniform direction is a uniform rotation (Shoemake 1992, Graphics Gems III).
    """
    q = torch.randn(count, 4, generator=generator, device=like.device, dtype=like.dtype)
    w, x, y, z = (q / q.norm(dim=1, keepdim=True)).unbind(1)
    rows = (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
            2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
            2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y))
    return torch.stack(rows, dim=1).unflatten(1, (3, 3))


def residue_centroids(points: Tensor, points_per_residue: int) -> Tensor:
    """(..., N, 3) points, residue by residue -> (..., L, 3) mean of each residue's."""
    return points.unflatten(-2, (-1, points_per_residue)).mean(-2)


@torch.no_grad()
def _rotation(moving: Tensor, fixed: Tensor, mask: Tensor | None) -> Tensor:
    # MPS has no float64.
    wide = torch.float32 if moving.device.type == "mps" else torch.float64
    weights = 1 if mask is None else mask.unsqueeze(-1).to(wide)
    covariance = (moving.to(wide) * weights).transpose(-1, -2) @ fixed.to(wide)
    # The SVD refuses NaN; a diverged prediction should give a NaN distance, not stop a study.
    u, _, vt = torch.linalg.svd(covariance.nan_to_num(posinf=0.0, neginf=0.0))
    v, ut = vt.transpose(-1, -2), u.transpose(-1, -2)
    sign = torch.ones_like(covariance[..., 0])
    sign[..., 2] = torch.linalg.det(v @ ut).sign()
    return (v @ (sign.unsqueeze(-1) * ut)).to(moving.dtype)


def _masked_mean(values: Tensor, mask: Tensor | None, keepdim: bool = False) -> Tensor:
    """Mean over points: (..., L) -> (...), or (..., L, 3) -> (..., 1, 3) with keepdim."""
    dim = -2 if keepdim else -1
    if mask is None:
        return values.mean(dim, keepdim=keepdim)
    weights = mask.to(values.dtype)
    if keepdim:
        weights = weights.unsqueeze(-1)
    return (values * weights).sum(dim, keepdim=keepdim) / weights.sum(dim, keepdim=keepdim)
