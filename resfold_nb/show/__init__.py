"""Figures, 3D views and tables, each with a text alternative, all without the network."""

from resfold_nb.show.charts import Line, baseline_lines, chart, form_line, panels, say
from resfold_nb.show.export import export_html
from resfold_nb.show.heatmap import heatmap, heatmaps
from resfold_nb.show.ledger import VERDICT_MARKS, ledger
from resfold_nb.show.molecule import structure
from resfold_nb.show.player import Player, Scrubber, Trajectory, player
from resfold_nb.show.progress import progress
from resfold_nb.show.theme import PALETTE, figure, setup, table

__all__ = [
    "PALETTE",
    "VERDICT_MARKS",
    "Line",
    "Player",
    "Scrubber",
    "Trajectory",
    "baseline_lines",
    "chart",
    "export_html",
    "figure",
    "form_line",
    "heatmap",
    "heatmaps",
    "ledger",
    "panels",
    "player",
    "progress",
    "say",
    "setup",
    "structure",
    "table",
]
