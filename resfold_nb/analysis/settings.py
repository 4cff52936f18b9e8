"""What a recipe is trained on: one protein, or ten with one set of weights."""

from __future__ import annotations

from functools import lru_cache

from resfold_nb.data import Batch, catalogue, load, make_batch, training_set_scale
from resfold_nb.training import Recipe

TEN_CHAINS = "ten_chains"
"""Stands for the ten chains where the name of a protein is expected."""


@lru_cache(maxsize=1)
def ten_chain_ids() -> tuple[str, ...]:
    """The first ten training monomers of 40 to 48 residues, by id."""
    entries = catalogue(kind="monomer", split="train", min_length=40, max_length=48)
    return tuple(entry.id for entry in entries[:10])


def batch_for(recipe: Recipe, protein: str) -> Batch:
    """The batch that a recipe is trained on, with the points that its network takes.

    One protein is divided by its own standard deviation, as the public code does; ten by that of
    the training set. `protein` is an id of the bundled set or `TEN_CHAINS`.
    """
    points = recipe.size.point_set
    if protein != TEN_CHAINS:
        return make_batch(load(protein), points=points)
    chains = [load(name) for name in ten_chain_ids()]
    return make_batch(chains, scale=training_set_scale(points), points=points)
