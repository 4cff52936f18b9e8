"""Measurements by timestep, gradients, runs, studies and what was recorded."""

from resfold_nb.analysis.gradients import GradientByTimestep, gradient_by_timestep
from resfold_nb.analysis.measure import (
    ErrorByTimestep,
    baselines,
    error_by_timestep,
    sample,
    sample_errors,
)
from resfold_nb.analysis.recorded import (
    Curve,
    median_range,
    recorded_curve,
    recorded_ends,
    recorded_runs,
    steps_to_pass,
)
from resfold_nb.analysis.run import Mark, Run, marks_for, measure, run

__all__ = ["Curve", "ErrorByTimestep", "GradientByTimestep", "Mark", "Run", "baselines",
           "error_by_timestep", "gradient_by_timestep", "marks_for", "measure", "median_range",
           "recorded_curve", "recorded_ends", "recorded_runs", "run", "sample", "sample_errors",
           "steps_to_pass"]
