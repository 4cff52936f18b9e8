"""Instruments on a model: errors, gradients, probes, attention, geometry, scores, baselines, intervals, cost."""

from resfold_nb.measure.attention import AttentionMaps, attention_maps
from resfold_nb.measure.cost import Cost, count_flop, peak_memory, training_cost
from resfold_nb.measure.errors import (MEASURING_SEED, ErrorByTimestep, baselines, draws_of, error_by_timestep,
                                       sample, sample_errors)
from resfold_nb.measure.geometry import ACROSS, IDEAL, backbone_geometry, geometry_errors
from resfold_nb.measure.gradients import GradientByTimestep, gradient_by_timestep
from resfold_nb.measure.intervals import Interval, bootstrap, ratio, student
from resfold_nb.measure.probe import probe_tokens, read_timestep
from resfold_nb.measure.rotations import best_rotated, rotation_floor
from resfold_nb.measure.run import Mark, Run, marks_for, measure_state, train_and_measure

__all__ = ["ACROSS", "AttentionMaps", "Cost", "ErrorByTimestep", "GradientByTimestep", "IDEAL", "Interval",
           "MEASURING_SEED", "Mark", "Run", "attention_maps", "backbone_geometry", "baselines", "best_rotated",
           "bootstrap", "count_flop", "draws_of", "error_by_timestep", "geometry_errors", "gradient_by_timestep",
           "marks_for", "measure_state", "peak_memory", "probe_tokens", "ratio", "read_timestep", "rotation_floor",
           "sample", "sample_errors", "student", "train_and_measure", "training_cost"]
