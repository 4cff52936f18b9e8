"""Figures, 3D views and tables, each with a text alternative, all without the network."""

from resfold_nb.show.attention import AttentionView, attention_view
from resfold_nb.show.charts import (Curves, Line, Marker, baseline_lines, chart, curves, form_line, heatmap, heatmaps,
                                    panels, progress, say)
from resfold_nb.show.claims import VERDICT_MARKS, ledger, report_run
from resfold_nb.show.explorers import Scope, explorer, gradient_scope, scope_of
from resfold_nb.show.export import export_html
from resfold_nb.show.frames import by_step, by_timestep, dots, look, looks
from resfold_nb.show.live import LiveTraining, live_training
from resfold_nb.show.molecule import structure
from resfold_nb.show.theme import PALETTE, figure, setup, table
from resfold_nb.show.timestep import denoising, follow, noising, sampling
from resfold_nb.show.trajectory import Player, Scrubber, Trajectory, player

__all__ = ["PALETTE", "VERDICT_MARKS", "AttentionView", "Curves", "Line", "LiveTraining", "Marker", "Player",
           "Scope", "Scrubber", "Trajectory", "attention_view", "baseline_lines", "by_step", "by_timestep", "chart",
           "curves", "denoising", "dots", "explorer", "export_html", "figure", "follow", "form_line",
           "gradient_scope", "heatmap", "heatmaps", "ledger", "live_training", "look", "looks", "noising", "panels",
           "player", "progress", "report_run", "sampling", "say", "scope_of", "setup", "structure",
           "table"]
