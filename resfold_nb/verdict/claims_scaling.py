"""The report's claims on the scaled residual, the schedule and the clean end."""

from __future__ import annotations

import numpy as np
import torch

from resfold_nb.data import load, make_batch
from resfold_nb.diffusion import linear
from resfold_nb.measure import Interval, gradient_by_timestep
from resfold_nb.studies.plans import CORE_PROTEINS, CORE_RECIPES, ONE, TURNED
from resfold_nb.training import build, named_recipe
from resfold_nb.verdict.evidence import (compare, core_errors, core_level, core_ratio, exactly, factor_ratio,
                                         quotient, study_ratio)
from resfold_nb.verdict.rules import ALIKE, BETTER, WORSE, Claim, Finding, Rule

REPORTS_SNR = {10: 2.0, 25: 1.0, 40: 0.5, 49: 0.14}
"""The report's column (R8), for comparison; an input of the check and no result of ours."""


def gradient_at_zero() -> list[Finding]:
    """|dL/dF| at t = 0 in the untrained network, over that at t = 49."""
    predictor, batch = build(named_recipe("well_fed", form="residual")), make_batch(load(CORE_PROTEINS[0]))
    zero, last = gradient_by_timestep(predictor, batch, timesteps=(0, 49)).at_f
    return [Finding("untrained network, well_fed", exactly(zero / last))]


def share_at_zero() -> list[Finding]:
    """How far from 2 % the share of t = 0 is among the draws of a training run."""
    t = torch.randint(0, 50, (1_000_000,), generator=torch.Generator().manual_seed(0))
    return [Finding("a million draws", exactly(abs(float((t == 0).float().mean()) - 0.02)))]


def final_output_learns() -> list[Finding]:
    """The report's form, at the timestep of a sampler's last call: at t = 0 it returns its input."""
    recipes = {name: named_recipe(name, form="residual") for name in CORE_RECIPES}
    return [compare(f"{name}, t = 1", core_errors(recipe, 1), core_errors(recipe, 1, share=0.0))
            for name, recipe in recipes.items()]


def mismatch() -> list[Finding]:
    """The scaled residual's handicap against A at t = 10, over its handicap at t = 49."""
    return [compare(name, *(quotient(*(core_errors(named_recipe(name, form=form), t) for form in ("residual", "x0")))
                            for t in (10, 49))) for name in CORE_RECIPES]


def snr_column() -> list[Finding]:
    """The largest factor between the report's column and alpha_bar / (1 - alpha_bar)."""
    ab = linear().alpha_bar.numpy()
    off = [abs(np.log(value * (1 - ab[t]) / ab[t])) for t, value in REPORTS_SNR.items()]
    return [Finding("t = 10, 25, 40, 49", exactly(float(np.exp(max(off)))))]


SCALING = (
    Claim("zero-gradient", "R2", "No gradient reaches the network's output at t = 0.",
        "size of dL/dF at t = 0 over that at t = 49", "06_broken_residual", Rule("below", 1e-12), gradient_at_zero),
    Claim("suppressed", "R2", "The scale suppresses learning at small t.",
        "final error of a form with the scale over the same form without it", "07_fix_a_direct_x0", WORSE,
        lambda: core_ratio("residual", "skip_unscaled", (1, 5)) + core_ratio("scaled_no_skip", "x0", (1, 5))),
    Claim("primary-cause", "R16", "The scale is the main reason that the model cannot overfit.",
        "final error with only the scale dropped over that with only the skip dropped", "07_fix_a_direct_x0", BETTER,
        lambda: core_ratio("skip_unscaled", "scaled_no_skip", (49, "sampled", "worst t"))),
    Claim("t49-near-zero", "R16", "Removing the scale alone brings t = 49 near zero.",
        "final RMSE at t = 49 with only the scale dropped, against the report's goal of 1 Å", "07_fix_a_direct_x0",
        Rule("below", 1.0, "Å"), lambda: core_level("skip_unscaled", (49,))),
    Claim("final-output", "R3", "The output that every sample ends in gets no training signal.",
        "scaled residual, RMSE at t = 1 after training over before", "06_broken_residual", Rule("above", 0.9),
        final_output_learns),
    Claim("two-percent", "R3", "About 2 % of the draws are t = 0.", "distance of the share from 0.02",
        "06_broken_residual", Rule("below", 0.002, "share"), share_at_zero),
    Claim("two-percent-matters", "R3", "And those draws matter.",
        "scaled residual: final error when t = 0 is never drawn over the base recipe's", "14_preconditioning", BETTER,
        lambda: factor_ratio("t = 0 never drawn", ("residual",), ("mean over t", "sampled"))),
    Claim("mismatch", "R8",
        "Scale and schedule make a mismatch: clear inputs (t = 10) learn less than pure noise (t = 49).",
        "the scaled residual's error over A's at t = 10, over the same at t = 49", "14_preconditioning", WORSE,
        mismatch),
    Claim("one-fix", "R9", "Removing the scale and predicting directly are the same fix.",
        "final error with only the scale dropped over A's", "07_fix_a_direct_x0", ALIKE,
        lambda: core_ratio("skip_unscaled", "x0", (1, 49, "sampled"))),
    Claim("schedule", "R8", "The linear schedule itself is reasonable.",
        "A and the scaled residual: error with the linear schedule over that with the cosine one", "16_verdict",
        Rule("below", 1.1),
        lambda: [f for name in ("A", "scaled residual")
                 for f in study_ratio("schedule", name, f"{name}, cosine schedule", (ONE, TURNED), ("sampled",))]),
    Claim("snr-column", "R8", "The column called SNR holds the SNR.",
        "largest factor between it and the usual SNR, alpha_bar / (1 - alpha_bar)", "02_forward_process",
        Rule("within", 1.05), snr_column),
    Claim("fails", "R1", "The report's model does not overfit one protein.",
        "scaled residual, largest RMSE over t = 1 ... 49 at the end, against 1 Å", "06_broken_residual",
        Rule("above", 1.0, "Å"), lambda: core_level("residual", ("worst t",))),
    Claim("t49-figure", "R1", "At t = 49 it errs by 9.17 Å.",
        "scaled residual, RMSE at t = 49 over the report's figure", "06_broken_residual", Rule("within", 1.25),
        lambda: [Finding(f.setting, f.value and Interval(*(x / 9.17 for x in f.value)))
                 for f in core_level("residual", (49,))]),
)
