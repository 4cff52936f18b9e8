"""The report's claims on its fixes A to D, its path, and its two tests."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from resfold_nb.data import load, make_batch, rmsd
from resfold_nb.measure import gradient_by_timestep
from resfold_nb.measure.structures import mean_structure
from resfold_nb.studies import samples
from resfold_nb.studies.plans import CORE_PROTEINS, HUNGRY, MANY_VARIANTS, ONE, TEN, TURNED, variant
from resfold_nb.studies.proteins import HUNDRED, hundred_ids
from resfold_nb.training import build, named_recipe
from resfold_nb.verdict.claims_network import WHENS
from resfold_nb.verdict.evidence import (compare, core_level, core_ratio, exactly, factor_ratio, quantity_ratio,
                                         quotient, rows_of, study_errors, study_ratio)
from resfold_nb.verdict.rules import (AFTER, BETTER, CONSISTENT, SEEN_BETTER, SUPPORTED, WORSE, Claim, Finding,
                                      Rule)

EVERYWHERE = (ONE, HUNGRY, TURNED, TEN)


def gradient_range(form: str, label: str, loss: str = "x0") -> Finding:
    """Largest over smallest gradient at F over t = 1 ... 49 in the untrained network.

    In F space the gradient is 2 (F - F*), that is the x0-space one over c_out^2.
    """
    batch = make_batch(load(CORE_PROTEINS[0]))
    found = gradient_by_timestep(build(named_recipe("well_fed", form=form)), batch, timesteps=range(1, 50))
    size = found.at_f / (found.c_out**2 if loss == "F" else 1)
    return Finding(label, exactly(float(size.max() / size.min())))


def where_unstable() -> list[Finding]:
    """B's handicap against A at t = 1 over its handicap at t = 49."""
    return [compare(f"{setting}, {name}", *(quotient(*(study_errors("epsilon", v, setting, t) for v in (name, "A")))
                                            for t in (1, 49)))
            for name in ("B", "B, the report's loss") for setting in EVERYWHERE]


def cost(quantity: str, expected: float, names: tuple[str, ...]) -> list[Finding]:
    """What a run or step with rollouts costs over one without, over what was expected."""
    found = []
    for name in names:
        runs = [rows_of("rollout", variant(v, "well_fed"), CORE_PROTEINS[0], "runs") for v in (name, "A")]
        with_, without = (float(rows[quantity].median()) for rows in runs)
        found.append(Finding(name, exactly(with_ / without / expected) if all(map(len, runs)) else None))
    return found


def generalises() -> list[Finding]:
    """RMSD of sampled held-out chains over that of mean distances in 3D, after 100 proteins."""
    known = [load(name).centroids for name in hundred_ids()]
    chains = {name: load(name).centroids for name in hundred_ids("test")}
    untrained = np.median([_apart(mean_structure(len(x), known), x) for x in chains.values()])
    return [_held_out(name, chains, float(untrained)) for name in MANY_VARIANTS[:4]]


def _held_out(name: str, chains: Mapping[str, np.ndarray], untrained: float) -> Finding:
    """Median over held-out chains, a seed each, over what was had without training."""
    drawn = samples("hundred", variant(name, "many_chains"), HUNDRED)
    if not drawn:
        return Finding(name, None)
    errors = np.array([np.median([_apart(structures[id], x) for id, x in chains.items()])
                       for structures in drawn.values()])
    return compare(name, [errors], [np.full_like(errors, untrained)])


def _apart(points: np.ndarray, truth: np.ndarray) -> float:
    """RMSD in Å of points (L, 3)."""
    return float(rmsd(*(torch.as_tensor(x, dtype=torch.float64)[None] for x in (points, truth))))


FIXES = (
    Claim("a-gradients", "R9", "A has consistent gradients at all timesteps.",
        "largest over smallest gradient at F over t = 1 ... 49, untrained", "07_fix_a_direct_x0", CONSISTENT,
        lambda: [gradient_range("x0", "untrained network")]),
    Claim("a-harder", "R9", "A is harder to optimise, because no skip helps.",
        "A's error over the scaled residual's after about a sixth of the steps (the mark nearest to a quarter)",
        "07_fix_a_direct_x0", WORSE, lambda: core_ratio("x0", "residual", ("mean over t",), share=0.25)),
    Claim("a-start", "R9", "A needs a careful start of its output layer.",
        "A with an output layer that starts at zero over A", "14_preconditioning", BETTER,
        lambda: factor_ratio("zero-initialised output", ("x0",), WHENS)),
    Claim("overfits", "R15", "With A one protein falls below 1 Å at every t.",
        "A's largest RMSE over t = 1 ... 49, against 1 Å", "07_fix_a_direct_x0", Rule("below", 1.0, "Å"),
        lambda: core_level("x0", ("worst t",))),
    Claim("b-standard", "R10", "Predicting the noise is the standard form.",
        "judged from publications, nothing measured", "08_fix_b_epsilon",
        source="Ho et al. 2020 (DDPM) train it; most image models after it do too", cited=SUPPORTED),
    Claim("b-gradients", "R10", "B has a consistent gradient magnitude.",
        "largest over smallest gradient at F over t = 1 ... 49, untrained", "08_fix_b_epsilon", CONSISTENT,
        lambda: [gradient_range("eps", "x0-space loss"), gradient_range("eps", "the report's loss, F space", "F")]),
    Claim("b-unstable", "R10", "B needs care near t = 0.", "B's error over A's at t = 1, over the same at t = 49",
        "08_fix_b_epsilon", Rule("above", 1.0, fixed=AFTER), where_unstable),
    Claim("b-fallback", "R10", "B is the fallback when A is unstable.",
        "samples of B with the report's loss over A's", "08_fix_b_epsilon", SEEN_BETTER,
        lambda: study_ratio("epsilon", "B, the report's loss", "A", EVERYWHERE, ("sampled",))),
    Claim("c-stable", "R11", "C is stable at every t.", "C's largest RMSE over t against A's", "09_fix_c_velocity",
        Rule("below", 1.1), lambda: core_ratio("v", "x0", ("worst t",))),
    Claim("c-few-steps", "R11", "C is better with few sampling steps.",
        "samples of C over those of A from 10 and 5 calls", "09_fix_c_velocity", SEEN_BETTER,
        lambda: [f for calls in (10, 5) for f in quantity_ratio(
            "velocity", ("C", "A"), (f"ddim, {calls} calls, RMSD (Å)",) * 2, (ONE, TURNED, TEN))]),
    Claim("d-real", "R12", "D trains on real sampling trajectories.",
        "share of the sampler's timesteps that a rollout reaches", "10_fix_d_rollout",
        Rule("above", 0.5, "share", AFTER),
        lambda: [Finding("K = 5", exactly(5 / 49)), Finding("K from 1 to 10", exactly(10 / 49))]),
    Claim("d-consistent", "R12", "D makes errors compound and be learned away.",
        "samples with rollouts over those without, equal steps", "10_fix_d_rollout", SEEN_BETTER,
        lambda: study_ratio("rollout", "A + D", "A", (ONE, TURNED, TEN), ("sampled",))),
    Claim("d-compute", "R12", "D costs K times the compute.",
        "counted operations of a whole run with K = 5 in a quarter of the steps over those of A, over the expected 2",
        "10_fix_d_rollout", Rule("within", 1.1, fixed=AFTER),
        lambda: cost("teraflop", 2.0, ("A + D", "A + D, stopped gradient"))),
    Claim("d-memory", "R12", "D costs much memory.", "peak of a step with a rollout over one without",
        "10_fix_d_rollout", Rule("above", 2.0, fixed=AFTER),
        lambda: cost("megabytes", 1.0, ("A + D", "A + D, stopped gradient"))),
    Claim("phase-2", "R14", "Phase 2 (B and E) improves on phase 1 (A).", "path 2 over A", "13_time_and_curriculum",
        SEEN_BETTER, lambda: study_ratio("time", "path 2: B + E", "A", (ONE, TURNED), WHENS)),
    Claim("curriculum", "R14", "A timestep curriculum helps.", "error with a curriculum over that without",
        "13_time_and_curriculum", SEEN_BETTER,
        lambda: [*study_ratio("time", "A, linear curriculum", "A", (ONE, TURNED, TEN), WHENS),
                 *study_ratio("time", "A, cosine curriculum", "A", (ONE, TURNED), WHENS),
                 *study_ratio("time", "scaled residual, linear curriculum", "scaled residual", (ONE,), WHENS)]),
    Claim("hundred", "R15", "Training on 100 proteins verifies that it generalises.",
        "median RMSD of sampled held-out chains over that of mean training distances embedded in 3D, which needs no "
        "training", "15_hundred_proteins",
        Rule("below", 1 / 1.1, fixed=AFTER, version=2, was="held-out RMSD below 1.5 times that of the chains "
        "trained on, which a model that learned neither passes"), generalises),
)
