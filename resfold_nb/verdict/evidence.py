"""Where the claims' numbers come from: recorded studies, paired seed by seed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resfold_nb.data import data_directory
from resfold_nb.measure import Interval, bootstrap, ratio
from resfold_nb.studies import load
from resfold_nb.studies.plans import CORE_PROTEINS, CORE_RECIPES, FACTORS, SETTINGS, factor_applies, variant
from resfold_nb.training import Recipe, named_recipe
from resfold_nb.verdict.rules import Finding

if TYPE_CHECKING:
    import pandas as pd

Errors = list[np.ndarray] | None
"""Å, one array (seeds,) a protein; None where anything was not recorded."""

When = int | str
"""A timestep, "sampled", "mean over t" or "worst t", both over t = 1 ... 49."""

ENDS: tuple[When, ...] = (1, 25, 49, "sampled")
EARLIER = "contrast"
"""The study in which the scaled residual and A were recorded for *starved*."""


def exactly(value: float) -> Interval:
    """A number that has no spread, such as one derived by algebra."""
    return Interval(value, value, value)


def rows_of(study: str, recipe: Recipe, protein: str, table: str = "errors") -> pd.DataFrame:
    """A recipe's rows in a study, all seeds; none where it was not recorded."""
    found = _by_recipe(data_directory(), study, table)
    return found.get((recipe.hash, protein), found[None])


@lru_cache(maxsize=32)
def _by_recipe(folder: Path, study: str, table: str) -> dict[tuple[str, str] | None, pd.DataFrame]:
    """(hash, protein) -> rows, and None -> no rows; `folder` is part of the cache's key."""
    frame = load(study, table=table)
    return {None: frame[:0]} | dict(iter(frame.groupby(["hash", "protein"])))


def errors(rows: pd.DataFrame, when: When, *, superposed: bool = False, share: float = 1.0) -> np.ndarray | None:
    """(seeds,) error of one recipe's rows after this share of the steps (the nearest mark); None if not recorded."""
    pooled = {"mean over t": np.mean, "worst t": np.max}
    wanted = list(range(1, 50)) if when in pooled else [when]
    rows = rows[rows["t"].isin(wanted)]
    if set(rows["t"]) != set(wanted):
        return None
    steps = np.sort(rows["step"].unique())
    at = steps[np.abs(steps - share * steps[-1]).argmin()]
    table = rows[rows["step"] == at].pivot(index="t", columns="seed", values="rmsd" if superposed else "rmse")
    return pooled.get(when, np.mean)(np.ascontiguousarray(table.loc[wanted]), axis=0)


def core_errors(recipe: Recipe, when: When, proteins: Sequence[str] = CORE_PROTEINS, *,
                superposed: bool | None = None, share: float = 1.0) -> Errors:
    """Errors of a recipe of study `core`, a protein each; superposed where its training was."""
    after = recipe.superposed if superposed is None else superposed
    found = [errors(rows_of("core", recipe, p), when, superposed=after, share=share) for p in proteins]
    return None if any(x is None for x in found) else found


def study_errors(study: str, name: str, setting: str, when: When) -> Errors:
    """Errors of a variant of a fix's study; superposed for samples, whose orientation is free."""
    recipe_name, protein = SETTINGS[setting]
    found = (errors(rows_of(which, variant(name, recipe_name), protein), when, superposed=when == "sampled")
             for which in (study, EARLIER))
    return next(([x] for x in found if x is not None), None)


def quantity(study: str, name: str, setting: str, what: str) -> Errors:
    """A quantity of `resfold_nb.studies.quantities` of a variant."""
    recipe_name, protein = SETTINGS[setting]
    rows = rows_of(study, variant(name, recipe_name), protein, "quantities")
    found = rows[rows["quantity"] == what].sort_values("seed")["value"].to_numpy(float)
    return [found] if len(found) else None


def paired(over: list[np.ndarray], under: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Both sides' errors, a protein each; where one has more seeds, the common ones."""
    return [(x[:len(y)], y[:len(x)]) for x, y in zip(over, under, strict=True)]


def quotient(over: Errors, under: Errors) -> Errors:
    """One side's errors over the other's, seed by seed; None where either was not recorded."""
    return None if over is None or under is None else [x / y for x, y in paired(over, under)]


def compare(setting: str, over: Errors, under: Errors) -> Finding:
    """The ratio of two sets of errors, paired by seed."""
    missing = over is None or under is None
    return Finding(setting, None if missing else ratio(*map(list, zip(*paired(over, under), strict=True))))


def level(setting: str, found: Errors) -> Finding:
    """The mean error itself, in Å."""
    return Finding(setting, None if found is None else bootstrap(found))


def core_ratio(over: str, under: str, whens: Sequence[When] = ENDS, **options: float) -> list[Finding]:
    """One form's error over another's in each recipe of the core."""
    return [compare(f"{name}, {over} / {under}, {say(when)}",
                    *(core_errors(named_recipe(name, form=form), when, **options) for form in (over, under)))
            for name in CORE_RECIPES for when in whens]


def core_level(form: str, whens: Sequence[When]) -> list[Finding]:
    """A form's error in Å in each recipe of the core."""
    return [level(f"{name}, {say(when)}", core_errors(named_recipe(name, form=form), when))
            for name in CORE_RECIPES for when in whens]


def factor_ratio(factor: str, forms: Sequence[str], whens: Sequence[When]) -> list[Finding]:
    """Error with one factor changed over the base recipe's, where it can be changed alone."""
    bases = [(name, form, named_recipe(name, form=form)) for name in CORE_RECIPES for form in forms]
    return [compare(f"{name}, {form}, {say(when)}", *_with_and_without(FACTORS[factor](base), base, when))
            for name, form, base in bases if factor_applies(factor, base) for when in whens]


def _with_and_without(changed: Recipe, base: Recipe, when: When) -> list[Errors]:
    """Both sides' errors in one measure: superposed if either was trained so, or at random rotations."""
    free = base.superposed or changed.superposed or changed.rotate
    return [core_errors(recipe, when, CORE_PROTEINS[:1], superposed=free) for recipe in (changed, base)]


def study_ratio(study: str, over: str, under: str, settings: Sequence[str], whens: Sequence[When]) -> list[Finding]:
    """One variant's error over another's in settings of a fix's study."""
    return [compare(f"{where}, {over}, {say(when)}", *(study_errors(study, x, where, when) for x in (over, under)))
            for where in settings for when in whens]


def quantity_ratio(study: str, names: tuple[str, str], quantities: tuple[str, str], settings: Sequence[str]
                   ) -> list[Finding]:
    """A quantity of one variant over a quantity of another."""
    return [compare(f"{setting}, {names[0]}, {quantities[0]}",
                    *(quantity(study, name, setting, what) for name, what in zip(names, quantities, strict=True)))
            for setting in settings]


def say(when: When) -> str:
    """As a setting's label has it."""
    return f"t = {when}" if isinstance(when, int) else when
