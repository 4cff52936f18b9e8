"""What the best possible model knows of a protein that comes in any orientation.

With x_t = a R x0 + s eps and R uniform over all rotations, the posterior of R is a matrix Fisher distribution, p(R |
x_t) ~ exp(tr(M^T R)) with M = (a / s^2) x_t^T x0, and the best prediction of R x0 is E[R | x_t] x0. With M = U
diag(m) V^T (U, V rotations), E[R] = U diag(d) V^T. As a unit quaternion q, tr(diag(m) R) = sum_i b_i q_i^2; q_0^2 +
q_1^2 = u is uniform in 0 ... 1 on the sphere, and what is left is an integral over u of two Bessel functions (Lee
2018, arXiv 1710.03746, gives the distribution; the quaternion's way is Prentice 1986).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from resfold_nb.diffusion import Schedule

NODES = 400
"""Points of the Gauss-Legendre quadrature over u."""


def mean_rotation(m: Tensor) -> Tensor:
    """E[R] (..., 3, 3) of the matrix Fisher distribution exp(tr(M^T R)), M (..., 3, 3) float64."""
    u, singular, vt = torch.linalg.svd(m)
    sign = torch.det(u @ vt).sign()
    turned = torch.stack((torch.ones_like(sign), torch.ones_like(sign), sign), -1)
    # U and V become rotations; the smallest singular value takes the sign.
    d = _moments(singular * turned)
    return (u * turned.unsqueeze(-2)) @ (d.unsqueeze(-1) * vt)


def _moments(m: Tensor) -> Tensor:
    """E of the diagonal of R under exp(sum_i m_i R_ii): (..., 3) -> (..., 3)."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    u = torch.as_tensor((nodes + 1) / 2, dtype=m.dtype, device=m.device)
    weight = torch.as_tensor(weights / 2, dtype=m.dtype, device=m.device)
    m1, m2, m3 = (part.unsqueeze(-1) for part in m.unbind(-1))
    # b_0 + b_1 = 2 m1, b_0 - b_1 = 2 (m2 + m3), b_2 + b_3 = -2 m1, b_2 - b_3 = 2 (m2 - m3)
    left, right = u * (m2 + m3), (1 - u) * (m2 - m3)
    exponent = (2 * u - 1) * m1 + left.abs() + right.abs()
    p = weight * (exponent - exponent.amax(-1, keepdim=True)).exp()
    p = p * torch.special.i0e(left) * torch.special.i0e(right)
    p = p / p.sum(-1, keepdim=True)
    first = u * torch.special.i1e(left) / torch.special.i0e(left)
    second = (1 - u) * torch.special.i1e(right) / torch.special.i0e(right)
    parts = ((2 * u - 1), first + second, first - second)
    return torch.stack([(p * part).sum(-1) for part in parts], -1)


def best_rotated(x_t: Tensor, x0: Tensor, a: float, s: float) -> Tensor:
    """E[R x0 | x_t] (..., L, 3): the best prediction of a centred x0 (L, 3) in any orientation.

    `a` and `s` are the amplitudes; s > 0.
    """
    m = (a / s**2) * x_t.double().transpose(-1, -2) @ x0.double()
    return (x0.double() @ mean_rotation(m).transpose(-1, -2)).to(x_t.dtype)


def rotation_floor(x0: Tensor, schedule: Schedule, scale: float = 1.0, draws: int = 64, seed: int = 0) -> np.ndarray:
    """(T,) RMSE in Å, root mean square over draws, that no model can beat when x0 may be turned.

    `x0` (L, 3) is centred, in the units of x_t, `scale` Å each. By symmetry the orientation that is drawn does not
    matter, so the noise alone is simulated; 0 at t = 0.
    """
    generator = torch.Generator().manual_seed(seed)
    x0 = x0.detach().cpu().double()
    eps = torch.randn(draws, *x0.shape, generator=generator, dtype=torch.float64)
    floor = np.zeros(schedule.timesteps)
    for t in range(1, schedule.timesteps):
        a, s = float(schedule.a[t]), float(schedule.s[t])
        best = best_rotated(a * x0 + s * eps, x0, a, s)
        floor[t] = scale * float((best - x0).square().sum(-1).mean().sqrt())
    return floor
