"""What the network is asked for: three curves a form, one line each in one table.

Every form turns the network's raw output F into a prediction of the clean points,

    x0_pred = c_skip(t) x_t + c_out(t) F(c_in(t) x_t, t),        x_t = a x0 + s eps,

so the F that makes the prediction exact is

    F* = (x0 - c_skip x_t) / c_out = target_x0 x0 + target_eps eps.

The targets are written out with the division done by hand, so that they hold at t = 0, where s = 0, a = 1 and c_out
vanishes in most forms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Curve = Callable[[Tensor, Tensor], Tensor]
"""A coefficient as a function of the signal amplitude a and the noise amplitude s."""

zero: Curve = lambda a, s: torch.zeros_like(a)
one: Curve = lambda a, s: torch.ones_like(a)


@dataclass(frozen=True)
class Parameterisation:
    """One form: the curves that turn F into x0_pred, and the F that would be exact.

    Attributes
    ----------
    name, label : key in `FORMS` and in a recipe; how figures and tables call it.
    c_skip, c_out, c_in : the coefficients of the module's first equation.
    target_x0, target_eps : how much x0 and eps F* holds.
    """

    name: str
    label: str
    c_skip: Curve
    c_out: Curve
    target_x0: Curve
    target_eps: Curve
    c_in: Curve = one

    def x0(self, x_t: Tensor, f: Tensor, a: Tensor, s: Tensor) -> Tensor:
        """x0_pred from noisy points and raw output (B, L, 3); a and s broadcast to them."""
        return self.c_skip(a, s) * x_t + self.c_out(a, s) * f

    def target(self, x0: Tensor, eps: Tensor, a: Tensor, s: Tensor) -> Tensor:
        """F*, the raw output that makes x0_pred exact; not finite where no such output exists."""
        return self.target_x0(a, s) * x0 + self.target_eps(a, s) * eps

    def output_for(self, x0: Tensor, x_t: Tensor, a: Tensor, s: Tensor) -> Tensor:
        """The F that predicts `x0` from `x_t`, so another form's prediction too; not finite where c_out = 0."""
        return (x0 - self.c_skip(a, s) * x_t) / self.c_out(a, s)


def edm(sd: float = 1.0, name: str = "edm") -> Parameterisation:
    """Karras et al. 2022 (arXiv 2206.00364, table 1), carried over to a variance-preserving x_t.

    `sd` is the standard deviation of the data in the coordinates of x_t. With D = a^2 sd^2 + s^2 the input has
    variance 1 and so has F*. At sd = 1 this is `V` with F = -v. Raises ValueError when `sd` is not positive.
    """
    if not sd > 0:
        raise ValueError(f"EDM needs a positive standard deviation of the data, got {sd}")
    d: Curve = lambda a, s: a**2 * sd**2 + s**2
    return Parameterisation(name, f"EDM, sd {sd:g}", c_skip=lambda a, s: a * sd**2 / d(a, s), c_out=lambda a,
                            s: s * sd / d(a, s).sqrt(), target_x0=lambda a, s: s / sd / d(a, s).sqrt(),
                            target_eps=lambda a, s: -a * sd / d(a, s).sqrt(), c_in=lambda a, s: 1 / d(a, s).sqrt())


# (1 - a)/s is written s/(1 + a): the same number, since s^2 = (1 - a)(1 + a), and finite at t = 0.
FORMS: dict[str, Parameterisation] = {form[0]: Parameterisation(*form) for form in (
    # name             label                      c_skip             c_out               target_x0             target_eps
    ("residual",       "scaled residual",         one,               lambda a, s: s,     lambda a, s: s/(1+a), lambda a, s: -one(a, s)),
    ("x0",             "A: direct x0",            zero,              one,                one,                  zero),
    ("eps",            "B: epsilon",              lambda a, s: 1/a,  lambda a, s: -s/a,  zero,                 one),
    ("v",              "C: velocity",             lambda a, s: a,    lambda a, s: -s,    lambda a, s: -s,      lambda a, s: a),
    ("skip_unscaled",  "control: skip, no scale", one,               one,                lambda a, s: 1-a,     lambda a, s: -s),
    ("scaled_no_skip", "control: scale, no skip", zero,              lambda a, s: s,     lambda a, s: 1/s,     zero),
)} | {"edm": edm(1.0)}


def get_form(name: str) -> Parameterisation:
    """A row of the table by name; ValueError lists the names when there is none."""
    if name not in FORMS:
        raise ValueError(f"form {name!r} is unknown; choose one of {sorted(FORMS)}")
    return FORMS[name]


def to_eps(x0: Tensor, x_t: Tensor, a: Tensor, s: Tensor) -> Tensor:
    """The noise that `x_t` holds if `x0` is right: (x_t - a x0) / s; not finite at t = 0."""
    return (x_t - a * x0) / s
