"""Rows of the tables in which the fixes' notebooks end, from what was recorded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from resfold_nb.studies.plans import SETTINGS, variant
from resfold_nb.studies.quantities import LEVELS
from resfold_nb.studies.recorded import Curve, median_range, recorded_budget, recorded_curve, recorded_quantity

EARLIER = "contrast"
"""The study in which the broken form and A were recorded for *starved*."""


def variant_curve(study: str, name: str, setting: str, t: int | str) -> Curve | None:
    """The recorded curve of a variant in one of `SETTINGS`; None if not recorded."""
    recipe_name, protein = SETTINGS[setting]
    recipe = variant(name, recipe_name)
    return (recorded_curve(study, recipe, protein, t) or recorded_curve(EARLIER, recipe, protein, t))


def variant_errors(study: str, name: str, setting: str, *, superposed: bool = False) -> np.ndarray | None:
    """(seeds, T) error by timestep in Å at the end of the runs; None if not recorded."""
    curves = [variant_curve(study, name, setting, t) for t in range(50)]
    if any(curve is None for curve in curves):
        return None
    return np.stack([(c.rmsd if superposed else c.rmse)[:, -1] for c in curves], axis=1)


def variant_quantity(study: str, name: str, setting: str, quantity: str) -> np.ndarray | None:
    """(seeds,) of a quantity of `resfold_nb.studies.quantities`; None if not recorded."""
    recipe_name, protein = SETTINGS[setting]
    return recorded_quantity(study, variant(name, recipe_name), protein, quantity)


def error_rows(study: str, names: Sequence[str], setting: str) -> list[dict[str, str]]:
    """A row a variant: RMSE by timestep and RMSD of samples, median (range) over seeds.

    Samples are superposed, because under random rotations no orientation is the right one.
    """
    rows = []
    for name in names:
        ends = {f"t = {t} (Å)": _end(variant_curve(study, name, setting, t), False) for t in LEVELS}
        ends["sampled, RMSD (Å)"] = _end(variant_curve(study, name, setting, "sampled"), True)
        rows.append({"setting": setting, "variant": name} | ends)
    return rows


def budget_rows(study: str, names: Sequence[str], setting: str) -> list[dict[str, str]]:
    """A row a variant: what a run of it cost; seconds on a shared machine are indicative."""
    rows = []
    recipe_name, protein = SETTINGS[setting]
    for name in names:
        recipe = variant(name, recipe_name)
        cost = (recorded_budget(study, recipe, protein) or recorded_budget(EARLIER, recipe, protein))
        shown = {"setting": setting, "variant": name, "steps": f"{recipe.steps:,}",
                 "draws a protein": f"{recipe.steps * recipe.noise_levels:,}",
                 "network calls a protein": f"{recipe.network_calls:,}"}
        measured = dict.fromkeys(("parameters", "TFLOP", "peak of a step (MB)", "training (s)"), "not recorded")
        if cost:
            measured = {"parameters": f"{cost['parameters']:,.0f}", "TFLOP": f"{cost['teraflop']:.2f}",
                        "peak of a step (MB)": f"{cost['megabytes']:.1f}", "training (s)": f"{cost['seconds']:.0f}"}
        rows.append(shown | measured)
    return rows


def _end(curve: Curve | None, superposed: bool) -> str:
    if curve is None:
        return "not recorded"
    return median_range((curve.rmsd if superposed else curve.rmse)[:, -1])
