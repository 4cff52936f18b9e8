"""What a recipe is trained on: one protein, or a set of chains with one set of weights."""

from __future__ import annotations

from functools import lru_cache

from resfold_nb.data import Batch, catalogue, load, make_batch, training_set_scale
from resfold_nb.training import Recipe

TEN_CHAINS, FIRST_TEN, HUNDRED = "ten_chains", "first_ten_chains", "hundred_chains"
"""Sets of chains, where the name of a protein is expected; the last two are of notebook 15."""


@lru_cache(maxsize=1)
def ten_chain_ids() -> tuple[str, ...]:
    """The first ten training monomers of 40 to 48 residues, by id."""
    return tuple(e.id for e in catalogue(kind="monomer", split="train", min_length=40, max_length=48)[:10])


@lru_cache(maxsize=2)
def hundred_ids(split: str = "train") -> tuple[str, ...]:
    """The first hundred training monomers of 40 to 72 residues, by id, or all held-out ones."""
    entries = catalogue(kind="monomer", split=split, min_length=40, max_length=72)
    return tuple(entry.id for entry in entries[: 100 if split == "train" else None])


@lru_cache(maxsize=1)
def dimers() -> tuple[str, ...]:
    """Four complexes of two chains, by a rule older than any run: of the training split the first two by id with 80
    to 100 residues, and the first two with 190 to 235."""
    spans = ((80, 100), (190, 235))
    listed = (catalogue(kind="complex", split="train", min_length=low, max_length=high) for low, high in spans)
    return tuple(entry.id for entries in listed for entry in entries[:2])


def chains_of(protein: str) -> tuple[str, ...]:
    """The ids that a name stands for: those of a set, or the name itself."""
    if protein == TEN_CHAINS:
        return ten_chain_ids()
    if protein in (FIRST_TEN, HUNDRED):
        return hundred_ids()[: 10 if protein == FIRST_TEN else None]
    return (protein,)


def batch_for(recipe: Recipe, protein: str) -> Batch:
    """The batch that a recipe is trained on, with the points that its network takes.

    Unless the recipe says otherwise, one protein is divided by the standard deviation of its own points, a
    set by that of the training set. `protein` is an id of the bundled set or names one of the sets above.
    """
    ids, points = chains_of(protein), recipe.point_set
    constant = recipe.scale == "training set" or (recipe.scale == "own" and len(ids) > 1)
    scale = training_set_scale(points) if constant else recipe.scale
    return make_batch([load(name) for name in ids], scale=scale, points=points, positions=recipe.positions)


def held_out_batch(trained: Batch, points: str = "centroid") -> Batch:
    """The held-out chains of the hundred's lengths, in the units of a batch that was trained on."""
    return make_batch([load(name) for name in hundred_ids("test")], scale=float(trained.scale[0]), points=points)
