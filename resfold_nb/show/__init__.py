"""Figures, 3D views and tables, each with a text alternative, all without the network."""

from resfold_nb.show.attention import AttentionView, attention_view
from resfold_nb.show.charts import Line, baseline_lines, chart, form_line, panels, say
from resfold_nb.show.curves import Curves, Marker, curves
from resfold_nb.show.explorer import explorer
from resfold_nb.show.export import export_html
from resfold_nb.show.frames import by_step, by_timestep, dots, look, looks
from resfold_nb.show.heatmap import heatmap, heatmaps
from resfold_nb.show.ledger import VERDICT_MARKS, ledger
from resfold_nb.show.live import LiveTraining, live_training
from resfold_nb.show.molecule import structure
from resfold_nb.show.player import Player, Scrubber, Trajectory, player
from resfold_nb.show.progress import progress
from resfold_nb.show.scope import Scope, gradient_scope, scope_of, watch
from resfold_nb.show.theme import PALETTE, figure, setup, table
from resfold_nb.show.timestep import denoising, follow, noising, sampling

__all__ = ["PALETTE", "VERDICT_MARKS", "AttentionView", "Curves", "Line", "LiveTraining", "Marker", "Player", "Scope",
           "Scrubber", "Trajectory", "attention_view", "baseline_lines", "by_step", "by_timestep", "chart", "curves",
           "denoising", "dots", "explorer", "export_html", "figure", "follow", "form_line", "gradient_scope",
           "heatmap", "heatmaps", "ledger", "live_training", "look", "looks", "noising", "panels", "player",
           "progress", "sampling", "say", "scope_of", "setup", "structure", "table", "watch"]
