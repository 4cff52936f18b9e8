"""What the recorded studies run: variants of a recipe x what they are trained on x seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations, product

from resfold_nb.model import AtomSize
from resfold_nb.studies.cell import Cell, Variant, changed, unique
from resfold_nb.studies.proteins import FIRST_TEN, HUNDRED, TEN_CHAINS
from resfold_nb.studies.repairs import frame, report_run, report_run_full, weight
from resfold_nb.training import Curriculum, Recipe, Rollout, named_recipe
from resfold_nb.training.recipes import FROZEN_ON

FORMS_COMPARED = ("residual", "x0", "skip_unscaled", "scaled_no_skip")
CONTRAST_PROTEINS = ("1HZ6_A", "1R69_A", "1TG0_A", "1CY5_A")
SEEDS = 3
CLAMPED = dict(marks=5, measured="core")  # measured at fewer steps, sampled with and without clamp


def rolled(calls: int, *, share: float = 0.25, random: bool = False, through: bool = True, form: str = "x0",
           **changes: object) -> Variant:
    """A variant with rollouts in a `share` of its steps."""
    return changed(form=form, rollout=Rollout(calls, random, share, through), **changes)


def equal_calls(variant: Variant) -> Variant:
    """The variant with as many steps as make the network calls of the recipe that it changes."""
    return lambda recipe: (new := variant(recipe)).but(
        steps=round(recipe.steps * recipe.network_calls / new.network_calls))


CLEAN = dict(trunk_sees_points=False)
RISING = Curriculum("linear", 0.5)

VARIANTS: dict[str, Variant] = {
    "scaled residual": changed(form="residual"),
    "A": changed(form="x0"),
    "A, blind to x_t and t": changed(
        form="x0", trunk_sees_points=False, denoiser_sees_points=False, time_embedding="none"),
    "B": changed(form="eps"),
    "B, the report's loss": changed(form="eps", loss_space="F"),
    "C": changed(form="v"),
    "A + D": rolled(5),
    "A + D, random K": rolled(10, random=True),
    "A + D, stopped gradient": rolled(5, through=False),
    "A + D, equal calls": equal_calls(rolled(5)),
    "A + D alone": equal_calls(rolled(5, share=1.0)),
    "A, superposed loss": changed(form="x0", superposed=True),
    "A + D, superposed loss": rolled(5, superposed=True),
    "scaled residual + D": rolled(5, form="residual"),
    "scaled residual + E": changed(form="residual", **CLEAN),
    "A + E": changed(form="x0", **CLEAN),
    "A + E, one more denoiser block": changed(form="x0", denoiser_blocks=3, **CLEAN),
    "A, 1.75 times the steps": lambda recipe: recipe.but(form="x0", steps=round(1.75 * recipe.steps)),
    "A, 4 atoms": changed(form="x0", atoms=AtomSize(blocks=0)),
    "A, 4 atoms, no attention": changed(form="x0", atoms=AtomSize(reach="none")),
    "A, 4 atoms, attention": changed(form="x0", atoms=AtomSize(skips=False)),
    "A, 4 atoms, attention + skips": changed(form="x0", atoms=AtomSize()),
    "A, 4 atoms, windows + skips": changed(form="x0", atoms=AtomSize(reach="window")),
    "scaled residual, 4 atoms": changed(form="residual", atoms=AtomSize(blocks=0)),
    "scaled residual, 4 atoms, attention + skips": changed(form="residual", atoms=AtomSize()),
    "A, cosine schedule": changed(form="x0", schedule="cosine"),
    "scaled residual, cosine schedule": changed(form="residual", schedule="cosine"),
    "A, no t": changed(form="x0", time_embedding="none"),
    "scaled residual, no t": changed(form="residual", time_embedding="none"),
    "A, sinusoidal t": changed(form="x0", time_embedding="sinusoidal"),
    "A, log-SNR": changed(form="x0", time_embedding="log_snr"),
    "A, linear curriculum": changed(form="x0", curriculum=RISING),
    "A, cosine curriculum": changed(form="x0", curriculum=Curriculum("cosine", 0.5)),
    "scaled residual, linear curriculum": changed(form="residual", curriculum=RISING),
    "path 2: B + E": changed(form="eps", loss_space="F", **CLEAN),
    "path 3: B + E + D + curriculum": rolled(5, form="eps", loss_space="F", curriculum=RISING, **CLEAN)}
"""Variants of a recipe by the name that notebooks and studies call them."""

ONE, TURNED, TEN, HUNGRY = "one protein", "random rotations", "ten chains", "starved"
SETTINGS = {ONE: ("well_fed", FROZEN_ON), HUNGRY: ("starved", FROZEN_ON), TURNED: ("rotated", FROZEN_ON),
            TEN: ("ten_chains", TEN_CHAINS)}
"""Setting -> the named recipe and what it is trained on."""

THREE = (ONE, TURNED, TEN)
BASE, BLINDED = (("scaled residual", "A"), THREE), (("A, blind to x_t and t",), THREE)
PLANS: dict[str, Sequence[tuple[Sequence[str], Sequence[str]]]] = {
    "epsilon": (BASE, (("B", "B, the report's loss"), (*THREE, HUNGRY))),
    "velocity": (BASE, (("B", "C"), THREE), (("C",), (HUNGRY,)), BLINDED),
    "rollout": (BASE, (("A + D",), THREE), (("A + D, equal calls",), (ONE, TURNED)),
                (("A + D, stopped gradient",), (ONE, TURNED)),
                (("A + D, random K", "A + D alone", "scaled residual + D"), (ONE,)),
                (("A, superposed loss", "A + D, superposed loss"), (TURNED,)), BLINDED),
    "trunk": (BASE, (("A + E", "scaled residual + E"), (*THREE, HUNGRY)),
              (("A + E, one more denoiser block",), (TURNED,)), BLINDED),
    "atoms": (BASE, (("A, 4 atoms", "A, 4 atoms, attention + skips"), THREE),
              (("A, 1.75 times the steps", "A, 4 atoms, no attention", "A, 4 atoms, attention",
                "A, 4 atoms, windows + skips", "scaled residual, 4 atoms",
                "scaled residual, 4 atoms, attention + skips"), (ONE,)), BLINDED),
    "time": (BASE, (("A, no t", "A, linear curriculum"), THREE),
             (("A, sinusoidal t", "A, log-SNR", "A, cosine curriculum"), (ONE, TURNED)),
             (("scaled residual, no t", "scaled residual, linear curriculum"), (ONE,)),
             (("path 2: B + E", "path 3: B + E + D + curriculum"), (ONE, TURNED)), BLINDED),
    "schedule": ((("scaled residual", "A", "scaled residual, cosine schedule", "A, cosine schedule"),
                  (ONE, TURNED)),),
}
"""Study -> which variants are run in which settings, three seeds each."""


def variant(name: str, setting: str, profile: str = "laptop") -> Recipe:
    """The recipe of a variant in a setting, `named_recipe`'s name; ValueError lists the choices."""
    if name not in VARIANTS:
        raise ValueError(f"variant {name!r} is unknown; choose one of {sorted(VARIANTS)}")
    return VARIANTS[name](named_recipe(setting, profile))


def contrast(profile: str = "laptop") -> list[Cell]:
    """The 2 x 2 of skip and scale: starved on four proteins (five seeds), the other recipes on the first (three).

    At full size (profile gpu) measuring takes longer than training: it is measured less often.
    """
    first, others = CONTRAST_PROTEINS[:1], CONTRAST_PROTEINS[1:]
    plan = [("starved", first, 5), ("well_fed", first, 3), ("superposed_loss", first, 3), ("starved", others, 5)]
    return [Cell(named_recipe(name, profile, form=form), protein, seed, profile, **CLAMPED if profile == "gpu" else {})
            for name, proteins, seeds in plan
            for protein, seed, form in product(proteins, range(seeds), FORMS_COMPARED)]


def planned(study: str, profile: str = "laptop") -> list[Cell]:
    """The runs of one of `PLANS`, seed by seed, so that an unfinished study has every variant."""
    return [Cell(variant(name, recipe, profile), protein, seed, profile, variant=name, setting=setting)
            for seed in range(SEEDS) for names, settings in PLANS[study]
            for setting in settings for recipe, protein in (SETTINGS[setting],) for name in names]


CORE_PROTEINS = CONTRAST_PROTEINS[:2]
CORE_RECIPES = ("starved", "well_fed", "superposed_loss")
CORE_FORMS = (*FORMS_COMPARED, "eps", "v", "edm")
CORE_SEEDS, MAP_SEEDS, FACTOR_SEEDS = 5, 3, 2

# Of the regime map: steps x noise levels (the first two have equal steps, the last two draws), and depth.
BUDGETS = {"500 steps x 1": (500, 1), "500 steps x 4": (500, 4), "2,000 steps x 1": (2000, 1)}
DEPTHS = {"3 layers": (1, 2), "16 layers": (9, 7)}  # trunk layers, denoiser blocks

FACTORS: dict[str, Variant] = {
    "learning rate x 0.3": lambda r: r.but(learning_rate=0.3 * r.learning_rate),
    "learning rate x 3": lambda r: r.but(learning_rate=3 * r.learning_rate),
    "warm-up, other": lambda r: r.but(warmup=0 if r.warmup else 50),
    "clipping, other": lambda r: r.but(clip=None if r.clip else 1.0),
    "clean trunk": changed(trunk_sees_points=False),
    "F-space loss": changed(loss_space="F"),
    "superposed loss, other": lambda r: r.but(superposed=not r.superposed),
    "pair distances, other": lambda r: r.but(pair_distance=0.0 if r.pair_distance else 0.1),
    "coordinates in Å": changed(scale=1.0),
    "random rotations": changed(rotate=True),
    "zero-initialised output": changed(zero_init_output=True),
    "t = 0 never drawn": changed(first_timestep=1),
}
"""Changes of one thing in a recipe's training. Every run of the core is sampled with and without clamp, and from noise
that still holds signal."""


def factor_applies(factor: str, recipe: Recipe) -> bool:
    """Whether a factor can be changed alone: A's loss in F space is its loss in x0 space, and neither superposition
    nor pair distances exist in F space."""
    plain = not (recipe.superposed or recipe.pair_distance)
    return factor != "F-space loss" or (recipe.form != "x0" and plain)


def regime(budget: str, depth: str, form: str, profile: str = "laptop") -> Recipe:
    """A recipe of the regime map: *starved* with another budget and depth."""
    (steps, levels), (trunk, blocks) = BUDGETS[budget], DEPTHS[depth]
    return named_recipe("starved", profile, form=form, steps=steps // 10 if profile == "ci" else steps,
                        noise_levels=levels, trunk_layers=trunk, denoiser_blocks=blocks)


def _regimes(forms: Sequence[str], proteins: Sequence[str], seeds: int, profile: str) -> list[Cell]:
    return [Cell(regime(steps, depth, form, profile), protein, seed, profile, setting=f"{steps}, {depth}", **CLAMPED)
            for seed, steps, depth, form, protein in product(range(seeds), BUDGETS, DEPTHS, forms, proteins)]


def crossed(base: Recipe, *factors: str) -> Recipe | None:
    """Factors changed at once; None where one of them means nothing beside the others."""
    # the loss in F space comes last, because superposition and pair distances do not exist there
    for factor in sorted(factors, key=lambda name: name == "F-space loss"):
        if not factor_applies(factor, base):
            return None
        base = FACTORS[factor](base)
    return base


def _factors(at_once: int, seeds: int, profile: str) -> list[Cell]:
    return [Cell(recipe, CORE_PROTEINS[0], seed, profile, marks=0, measured="none", change=" + ".join(factors))
            for seed, name, form in product(range(seeds), CORE_RECIPES, ("residual", "x0"))
            for factors in combinations(FACTORS, at_once)
            if (recipe := crossed(named_recipe(name, profile, form=form), *factors)) is not None]


def core(profile: str = "laptop") -> list[Cell]:
    """The causal experiment: forms x recipes x proteins, the regime map, one factor at a time."""
    plan = product(range(CORE_SEEDS), CORE_PROTEINS, CORE_RECIPES, CORE_FORMS)
    forms = [Cell(named_recipe(name, profile, form=form), protein, seed, profile, **CLAMPED)
             for seed, protein, name, form in plan]
    early = 3 * len(forms) // CORE_SEEDS
    # the last seeds come last, so that an unfinished study still has every recipe
    return unique([*forms[:early], *_regimes(FORMS_COMPARED, CORE_PROTEINS[:1], MAP_SEEDS, profile),
                   *_factors(1, FACTOR_SEEDS, profile), *forms[early:]])


def full(profile: str = "laptop") -> list[Cell]:
    """The core, every form on the regime map and both proteins, and every pair of factors: some 1,700 runs."""
    return unique([*core(profile), *_regimes(CORE_FORMS, CORE_PROTEINS, CORE_SEEDS, profile),
                   *_factors(2, MAP_SEEDS, profile)])


MANY_VARIANTS = ("scaled residual", "A", "C", "A + E", "A, blind to x_t and t")


def hundred(profile: str = "laptop") -> list[Cell]:
    """1, 10 and 100 chains, the last with and without random rotations."""
    plan = {"100 chains": (HUNDRED, MANY_VARIANTS, {}),
            "100 chains, rotated": (HUNDRED, ("scaled residual", "A", "C"), {"rotate": True}),
            "10 chains": (FIRST_TEN, MANY_VARIANTS, {}),
            "1 chain": (FROZEN_ON, ("scaled residual", "A"), {"scale": "training set"})}
    return [Cell(variant(name, "many_chains", profile).but(**changes), protein, seed, profile, marks=0,
                 measured="structures", variant=name, setting=setting)
            for seed in range(SEEDS) for setting, (protein, names, changes) in plan.items() for name in names]


STUDIES: dict[str, Callable[[str], list[Cell]]] = {
    "contrast": contrast, "core": core, "full": full, "hundred": hundred, "report_run": report_run,
    "report_run_full": report_run_full, "frame": frame, "weight": weight,
    **{name: partial(planned, name) for name in PLANS}}
