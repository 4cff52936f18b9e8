"""Measurements by timestep, gradients, runs, studies and what was recorded."""

from resfold_nb.analysis.attention import AttentionMaps, attention_maps
from resfold_nb.analysis.claims import VERDICTS, Claim, Finding, Judgement, Rule, judge
from resfold_nb.analysis.cost import Cost, count_flop, training_cost
from resfold_nb.analysis.geometry import ACROSS, IDEAL, backbone_geometry, geometry_errors
from resfold_nb.analysis.gradients import GradientByTimestep, gradient_by_timestep
from resfold_nb.analysis.intervals import Interval, bootstrap, ratio
from resfold_nb.analysis.measure import (
    MEASURING_SEED,
    ErrorByTimestep,
    baselines,
    draws_of,
    error_by_timestep,
    sample,
    sample_errors,
)
from resfold_nb.analysis.memory import peak_memory
from resfold_nb.analysis.plans import variant
from resfold_nb.analysis.probe import probe_tokens, read_timestep
from resfold_nb.analysis.recorded import (
    Curve,
    median_range,
    recorded_benchmark,
    recorded_budget,
    recorded_curve,
    recorded_ends,
    recorded_quantity,
    recorded_runs,
    recorded_samples,
    steps_to_pass,
    table_name,
)
from resfold_nb.analysis.rotations import best_rotated, rotation_floor
from resfold_nb.analysis.run import Mark, Run, marks_for, measure, run
from resfold_nb.analysis.settings import TEN_CHAINS, batch_for, ten_chain_ids
from resfold_nb.analysis.tables import (
    SETTINGS,
    budget_rows,
    error_rows,
    variant_curve,
    variant_errors,
    variant_quantity,
)

__all__ = ["ACROSS", "AttentionMaps", "Claim", "Cost", "Curve", "ErrorByTimestep", "Finding",
           "GradientByTimestep", "IDEAL", "Interval", "Judgement", "MEASURING_SEED", "Mark", "Rule",
           "Run", "SETTINGS", "TEN_CHAINS", "VERDICTS", "attention_maps", "backbone_geometry",
           "baselines", "batch_for", "best_rotated", "bootstrap", "budget_rows", "count_flop",
           "draws_of", "error_by_timestep", "error_rows", "geometry_errors", "gradient_by_timestep",
           "judge", "marks_for", "measure", "median_range", "peak_memory", "probe_tokens", "ratio",
           "read_timestep", "recorded_benchmark", "recorded_budget", "recorded_curve",
           "recorded_ends", "recorded_quantity", "recorded_runs", "recorded_samples",
           "rotation_floor", "run", "sample", "sample_errors", "steps_to_pass", "table_name", "ten_chain_ids",
           "training_cost", "variant", "variant_curve", "variant_errors", "variant_quantity"]
