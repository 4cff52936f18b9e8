"""Plans of what the report did not see: its own run rebuilt, a free orientation, the weight of the loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

from resfold_nb.studies.cell import Cell, Variant, changed, unique
from resfold_nb.studies.proteins import TEN_CHAINS, dimers
from resfold_nb.training import Recipe, named_recipe
from resfold_nb.training.recipes import FROZEN_ON

SCRIPTS: dict[str, Callable[[str], Recipe]] = {
    "e2e": lambda profile: named_recipe("train_resfold_e2e", profile),
    "e2e, 1 draw": lambda profile: named_recipe("train_resfold_e2e", profile, accumulate=1),
    "e2e, single steps": lambda profile: named_recipe("e2e_single_steps", profile),
    "resfold, 1 draw": lambda profile: named_recipe("train_resfold", profile, noise_levels=1),
    "resfold, 64 draws": lambda profile: named_recipe("train_resfold", profile)}
"""What the report's run can have been, by the public code's two scripts: profile -> recipe."""

PLANNED, FALLS = "planned rate", "rate falls"
RATES: dict[str, Variant] = {PLANNED: changed(), FALLS: changed(planned_updates=None)}
"""The rate over 10,000 planned updates, of which a run makes the first few; or over the run's own."""

OWN_LOSS = dict(loss_space="F", superposed=False, pair_distance=0.0, contact=0.0)
OUTPUTS: dict[str, Variant] = {
    "scaled residual": changed(form="residual"), "A": changed(form="x0"),
    "skip, no scale": changed(form="skip_unscaled"), "scale, no skip": changed(form="scaled_no_skip"),
    "B, own loss": changed(form="eps", **OWN_LOSS), "C, own loss": changed(form="v", **OWN_LOSS)}
BOTH, LONG = tuple(OUTPUTS)[:2], 4  # the forms recorded first; times the steps


def _scripts(proteins: Sequence[str], seeds: Sequence[int], profile: str, scripts: Sequence[str] = tuple(SCRIPTS)[:4],
             rates: Sequence[str] = tuple(RATES), outputs: Sequence[str] = BOTH, longer: int = 1) -> list[Cell]:
    """Runs of the scripts, measured after 100, 250 and 500 micro-steps (and 1,000 and 2,000 of longer ones)."""
    cells = []
    for seed, protein, script, rate, output in product(seeds, proteins, scripts, rates, outputs):
        short = SCRIPTS[script](profile)
        recipe = OUTPUTS[output](RATES[rate](short.but(steps=longer * short.steps)))
        marks = tuple(round(share * short.steps) for share in (0.2, 0.5, *(1, 2)[: longer // 2]))
        cells.append(Cell(recipe, protein, seed, profile, marks=marks, copies=2, measured="calls", variant=output,
                          setting=script, change=rate if longer == 1 else f"{rate}, {longer} x the steps"))
    return cells


def report_run(profile: str = "laptop") -> list[Cell]:
    """The report's run rebuilt: scripts x rates x forms x dimers, seed by seed; and on small dimers the other forms."""
    return [*_scripts(dimers(), range(5), profile),
            *_scripts(dimers()[:2], range(5), profile, rates=[PLANNED], outputs=tuple(OUTPUTS)[2:])]


def report_run_full(profile: str = "laptop") -> list[Cell]:
    """The same with 64 draws, with every form on every dimer, and four times as long: for a GPU."""
    return unique([
        *report_run(profile),
        *_scripts(dimers(), range(3), profile, ["resfold, 64 draws"], [PLANNED], (*BOTH, "C, own loss")),
        *_scripts(dimers(), range(5), profile, tuple(SCRIPTS), outputs=tuple(OUTPUTS)),
        *_scripts(dimers(), range(5), profile, tuple(SCRIPTS), [PLANNED], tuple(OUTPUTS), LONG)])


LOSSES = {"plain loss": {}, "superposed loss": {"superposed": True}}
TURNS = {"as it lies": {}, "random rotations": {"rotate": True}}
FRAME_FORMS = {"scaled residual": {"form": "residual"}, "A": {"form": "x0"},
               "C, own loss": {"form": "v", "loss_space": "F"}}
"""The 3 x 2 x 2 of study `frame`; each run is sampled as it is, aligned, and aligned and recentred."""


def frame(profile: str = "laptop") -> list[Cell]:
    """Whether training left the orientation free, and what that costs: two chains and two dimers, five seeds."""
    base = named_recipe("rotated", profile).but(name="frame", rotate=False, first_timestep=1)
    plan = product(range(5), (FROZEN_ON, "1R69_A", *dimers()[:2]), FRAME_FORMS, LOSSES, TURNS)
    return [Cell(base.but(**FRAME_FORMS[form], **LOSSES[loss], **TURNS[turn]), protein, seed, profile, marks=0,
                 measured="frame", variant=form, setting=f"{loss}, {turn}") for seed, protein, form, loss, turn in plan]


WEIGHTS = {"x0": "loss on x0", "F": "loss on F", "min-SNR": "min-SNR"}
WEIGHT_FORMS = {"scaled residual": "residual", "A": "x0", "B": "eps", "C": "v", "EDM": "edm"}
WEIGHT_TASKS = {"one protein": ("well_fed", FROZEN_ON), "random rotations": ("rotated", FROZEN_ON),
                "ten chains": ("ten_chains", TEN_CHAINS)}


def weight(profile: str = "laptop") -> list[Cell]:
    """Forms x where the loss is taken x task, five seeds, sampled with few calls too; A's F is x0 itself."""
    plan = product(range(5), WEIGHT_TASKS, WEIGHT_FORMS, WEIGHTS)
    return [Cell(named_recipe(recipe, profile, form=WEIGHT_FORMS[form], loss_space=space, first_timestep=1), protein,
                 seed, profile, marks=0, measured="few", variant=f"{form}, {WEIGHTS[space]}", setting=task)
            for seed, task, form, space in plan for recipe, protein in (WEIGHT_TASKS[task],)
            if (form, space) != ("A", "F")]
