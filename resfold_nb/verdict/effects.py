"""What each half of the fix does, what the coefficients alone predict, and how soon 1 Å is met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from resfold_nb.diffusion import Parameterisation, Schedule
from resfold_nb.measure.intervals import Interval, bootstrap
from resfold_nb.studies.frames import steps_to_pass

if TYPE_CHECKING:
    import pandas as pd

CELLS = {"residual": (True, True), "skip_unscaled": (True, False),
         "scaled_no_skip": (False, True), "x0": (False, False)}
"""The 2 x 2: form -> whether it has the skip, whether it has the scale."""


@dataclass(frozen=True)
class Place:
    """A form's place on the map at each timestep, for data of standard deviation `sd` an axis; each is (T,)."""

    t: np.ndarray  # timesteps
    copied: np.ndarray  # root mean square, an axis, of F*'s noise, which F must copy from the noisy points one by one
    constant: np.ndarray  # root mean square of the part of F* that is the protein
    amplified: np.ndarray  # |c_out|, by which an error of F becomes an error of x0_pred
    weight: np.ndarray  # c_out^2, the weight of F's squared error in the x0-space loss
    push: np.ndarray  # root mean square, an axis, of that loss's gradient where F is zero: 2 c_out^2 |F*|

    def error(self, copying: float, holding: float) -> np.ndarray:
        """(T,) RMSE of x0_pred (in units of x_t) if F errs in proportion to what it must give.

        `copying` is F's relative error in the noise, `holding` in the protein, both the same at every t and in every
        form, and independent: sqrt(3) |c_out| |(copying noise, holding x0)|.
        """
        share = np.hypot(copying * self.copied, holding * self.constant)
        with np.errstate(invalid="ignore"):
            return np.sqrt(3) * self.amplified * share


def place_on_map(form: Parameterisation, schedule: Schedule, sd: float = 1.0) -> Place:
    """Where a form stands; ValueError when `sd` is not positive. Not finite where F* is not."""
    if not sd > 0:
        raise ValueError(f"the data's standard deviation must be positive, got {sd}")
    a, s = schedule.a, schedule.s
    out = form.c_out(a, s).abs().numpy()
    copied, constant = form.target_eps(a, s).abs().numpy(), sd * form.target_x0(a, s).abs().numpy()
    with np.errstate(invalid="ignore"):
        push = 2 * out**2 * np.hypot(copied, constant)
    return Place(np.arange(schedule.timesteps), copied, constant, out, out**2, push)


def calibrated(residual: Place, direct: Place, measured: Mapping[str, float], t: int,
               scale: float) -> tuple[float, float]:
    """`copying` and `holding` that reproduce two measured errors in Å at one timestep.

    `measured` has "x0", whose F* holds no noise and so gives `holding`, and "residual", the rest of whose error is
    put down to copying; zero when nothing is left.
    """
    holding = measured["x0"] / scale / (np.sqrt(3) * direct.amplified[t] * direct.constant[t])
    total = measured["residual"] / scale / (np.sqrt(3) * residual.amplified[t])
    left = max(0.0, total**2 - (holding * residual.constant[t]) ** 2)
    return float(np.sqrt(left) / residual.copied[t]), float(holding)


def main_effects(cells: Mapping[str, Sequence[np.ndarray]]) -> dict[str, Interval]:
    """Factors on the error in the 2 x 2 of `CELLS`, paired by protein and seed, with intervals.

    Parameters
    ----------
    cells : form -> errors in Å, one array (seeds,) a protein.

    Returns
    -------
    "drop the skip" : geometric mean, over with and without scale, of the error without the skip over that with it;
        "drop the scale" alike; "interaction" : the factor of dropping the skip where there is no scale, over that
        factor where there is one; 1 when the two changes multiply. Below 1 is better.

    Raises KeyError for a missing form, ValueError for unequal seeds or an error that is not positive.
    """
    errors = [np.stack(each, dtype=float) for each in zip(*(cells[form] for form in CELLS), strict=True)]
    if not all((each > 0).all() for each in errors):
        raise ValueError("a factor on the error needs errors above zero")
    signs = {"drop the skip": (-0.5, -0.5, 0.5, 0.5), "drop the scale": (-0.5, 0.5, -0.5, 0.5),
             "interaction": (1, -1, -1, 1)}
    return {name: Interval(*np.exp(bootstrap([np.array(sign) @ np.log(each) for each in errors])).tolist())
            for name, sign in signs.items()}


def steps_below(rows: pd.DataFrame, limit: float, timesteps: Sequence[int], superposed: bool = False
                ) -> np.ndarray | None:
    """(seeds,) first marked step after which every t stays at or below `limit` Å, inf if never.

    `rows` are one recipe's and protein's of a study's errors; None if a timestep was not recorded. RMSD instead of
    RMSE when `superposed`.
    """
    rows = rows[rows["t"].isin(timesteps)]
    if set(rows["t"]) != set(timesteps):
        return None
    worst = rows.groupby(["seed", "step"])["rmsd" if superposed else "rmse"].max().unstack()
    return np.array([steps_to_pass(worst.columns.to_numpy(), row, limit) for row in worst.to_numpy()])
