"""What the recorded studies run: variants of a recipe x what they are trained on x seeds."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from resfold_nb.analysis.settings import TEN_CHAINS
from resfold_nb.model import AtomSize
from resfold_nb.training import Curriculum, Recipe, Rollout, named_recipe
from resfold_nb.training.recipes import FROZEN_ON

FORMS_COMPARED = ("residual", "x0", "skip_unscaled", "scaled_no_skip")
CONTRAST_PROTEINS = ("1HZ6_A", "1R69_A", "1TG0_A", "1CY5_A")
SEEDS = 3

Variant = Callable[[Recipe], Recipe]


@dataclass(frozen=True)
class Cell:
    """One run of a study; `protein` is an id or `settings.TEN_CHAINS`."""

    recipe: Recipe
    protein: str
    seed: int
    profile: str

    @property
    def key(self) -> str:
        """Names the run's result file."""
        return f"{self.recipe.hash}-{self.protein}-{self.seed}"


def changed(**changes: object) -> Variant:
    """The variant that changes these fields, as in `Recipe.but`."""
    return lambda recipe: recipe.but(**changes)


def rolled(calls: int, *, share: float = 0.25, equal_calls: bool = False, form: str = "x0",
           random: bool = False, through: bool = True, **changes: object) -> Variant:
    """A variant with rollouts in a `share` of its steps.

    `equal_calls` takes as many steps as make the network calls of the run without rollouts.
    """
    rollout = Rollout(calls, random, share, through)

    def variant(recipe: Recipe) -> Recipe:
        longer = recipe.but(form=form, rollout=rollout, **changes)
        if not equal_calls:
            return longer
        return longer.but(steps=round(recipe.steps * recipe.network_calls / longer.network_calls))

    return variant


def longer(factor: float, **changes: object) -> Variant:
    """A variant with `factor` times the steps."""
    return lambda recipe: recipe.but(steps=round(factor * recipe.steps), **changes)


BLIND = dict(form="x0", trunk_sees_points=False, denoiser_sees_points=False,
             time_embedding="none")
CLEAN = dict(trunk_sees_points=False)
RISING = Curriculum("linear", 0.5)

VARIANTS: dict[str, Variant] = {
    "broken": changed(form="residual"),
    "A": changed(form="x0"),
    "A, blind to x_t and t": changed(**BLIND),
    "B": changed(form="eps"),
    "B, the report's loss": changed(form="eps", loss_space="F"),
    "C": changed(form="v"),
    "A + D": rolled(5),
    "A + D, random K": rolled(10, random=True),
    "A + D, stopped gradient": rolled(5, through=False),
    "A + D, equal calls": rolled(5, equal_calls=True),
    "A + D alone": rolled(5, share=1.0, equal_calls=True),
    "A, superposed loss": changed(form="x0", superposed=True),
    "A + D, superposed loss": rolled(5, superposed=True),
    "broken + D": rolled(5, form="residual"),
    "broken + E": changed(form="residual", **CLEAN),
    "A + E": changed(form="x0", **CLEAN),
    "A + E, one more denoiser block": changed(form="x0", denoiser_blocks=3, **CLEAN),
    "A, 1.75 times the steps": longer(1.75, form="x0"),
    "A, 4 atoms": changed(form="x0", atoms=AtomSize(blocks=0)),
    "A, 4 atoms, no attention": changed(form="x0", atoms=AtomSize(reach="none")),
    "A, 4 atoms, attention": changed(form="x0", atoms=AtomSize(skips=False)),
    "A, 4 atoms, attention + skips": changed(form="x0", atoms=AtomSize()),
    "A, 4 atoms, windows + skips": changed(form="x0", atoms=AtomSize(reach="window")),
    "broken, 4 atoms": changed(form="residual", atoms=AtomSize(blocks=0)),
    "broken, 4 atoms, attention + skips": changed(form="residual", atoms=AtomSize()),
    "A, no t": changed(form="x0", time_embedding="none"),
    "broken, no t": changed(form="residual", time_embedding="none"),
    "A, sinusoidal t": changed(form="x0", time_embedding="sinusoidal"),
    "A, log-SNR": changed(form="x0", time_embedding="log_snr"),
    "A, linear curriculum": changed(form="x0", curriculum=RISING),
    "A, cosine curriculum": changed(form="x0", curriculum=Curriculum("cosine", 0.5)),
    "broken, linear curriculum": changed(form="residual", curriculum=RISING),
    "path 2: B + E": changed(form="eps", loss_space="F", **CLEAN),
    "path 3: B + E + D + curriculum": rolled(5, form="eps", loss_space="F", curriculum=RISING,
                                             **CLEAN),
}
"""Variants of a recipe by the name that notebooks and studies call them."""

ONE, TURNED, TEN = ("well_fed", FROZEN_ON), ("rotated", FROZEN_ON), ("ten_chains", TEN_CHAINS)
HUNGRY = ("starved", FROZEN_ON)
Setting = tuple[str, str]
Plan = Sequence[tuple[Sequence[str], Sequence[Setting]]]

BASE = (("broken", "A"), (ONE, TURNED, TEN))
PLANS: dict[str, Plan] = {
    "epsilon": (BASE, (("B", "B, the report's loss"), (ONE, TURNED, TEN, HUNGRY))),
    "velocity": (BASE, (("B", "C"), (ONE, TURNED, TEN)), (("C",), (HUNGRY,)),
                 (("A, blind to x_t and t",), (ONE, TURNED, TEN))),
    "rollout": (BASE, (("A + D",), (ONE, TURNED, TEN)), (("A + D, equal calls",), (ONE, TURNED)),
                (("A + D, stopped gradient",), (ONE, TURNED)),
                (("A + D, random K", "A + D alone", "broken + D"), (ONE,)),
                (("A, superposed loss", "A + D, superposed loss"), (TURNED,)),
                (("A, blind to x_t and t",), (ONE, TURNED, TEN))),
    "trunk": (BASE, (("A + E", "broken + E"), (ONE, TURNED, TEN, HUNGRY)),
              (("A + E, one more denoiser block",), (TURNED,)),
              (("A, blind to x_t and t",), (ONE, TURNED, TEN))),
    "atoms": (BASE, (("A, 4 atoms", "A, 4 atoms, attention + skips"), (ONE, TURNED, TEN)),
              (("A, 1.75 times the steps", "A, 4 atoms, no attention", "A, 4 atoms, attention",
                "A, 4 atoms, windows + skips", "broken, 4 atoms",
                "broken, 4 atoms, attention + skips"), (ONE,)),
              (("A, blind to x_t and t",), (ONE, TURNED, TEN))),
    "time": (BASE, (("A, no t", "A, linear curriculum"), (ONE, TURNED, TEN)),
             (("A, sinusoidal t", "A, log-SNR", "A, cosine curriculum"), (ONE, TURNED)),
             (("broken, no t", "broken, linear curriculum"), (ONE,)),
             (("path 2: B + E", "path 3: B + E + D + curriculum"), (ONE, TURNED)),
             (("A, blind to x_t and t",), (ONE, TURNED, TEN))),
}
"""Study -> which variants are run in which settings, three seeds each."""


def variant(name: str, setting: str, profile: str = "laptop") -> Recipe:
    """The recipe of a variant in a setting, `named_recipe`'s name; ValueError lists the choices."""
    if name not in VARIANTS:
        raise ValueError(f"variant {name!r} is unknown; choose one of {sorted(VARIANTS)}")
    return VARIANTS[name](named_recipe(setting, profile))


def contrast(profile: str = "laptop") -> list[Cell]:
    """The 2 x 2 of skip and scale: starved on four proteins, the other recipes on the first.

    Five seeds where the recipe was to be tested, three for the other two.
    """
    plan = [("starved", CONTRAST_PROTEINS, 5), ("well_fed", CONTRAST_PROTEINS[:1], 3),
            ("as_published", CONTRAST_PROTEINS[:1], 3)]
    return [
        Cell(named_recipe(name, profile, form=form), protein, seed, profile)
        for name, proteins, seeds in plan
        for protein, seed, form in itertools.product(proteins, range(seeds), FORMS_COMPARED)
    ]


def planned(study: str, profile: str = "laptop") -> list[Cell]:
    """The runs of one of `PLANS`, seed by seed, so that an unfinished study has every variant."""
    return [
        Cell(variant(name, setting, profile), protein, seed, profile)
        for seed in range(SEEDS)
        for names, settings in PLANS[study]
        for (setting, protein), name in itertools.product(settings, names)
    ]


def _plan_of(study: str) -> Callable[[str], list[Cell]]:
    return lambda profile: planned(study, profile)


STUDIES: dict[str, Callable[[str], list[Cell]]] = {
    "contrast": contrast, **{name: _plan_of(name) for name in PLANS}
}
