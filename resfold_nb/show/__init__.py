"""Figures, 3D views and tables, each with a text alternative, all without the network."""

from resfold_nb.show.player import Player, Scrubber, Trajectory, player
from resfold_nb.show.molecule import structure
from resfold_nb.show.theme import PALETTE, figure, setup, table

__all__ = [
    "PALETTE",
    "Player",
    "Scrubber",
    "Trajectory",
    "figure",
    "player",
    "setup",
    "structure",
    "table",
]
