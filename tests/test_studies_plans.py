"""What is trained on, what is held out, what a study plans, and what it will cost."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
import torch

from resfold_nb.data import Batch, catalogue, load, make_batch, rmsd, training_set_scale
from resfold_nb.measure.cost import training_cost
from resfold_nb.measure.run import marks_for
from resfold_nb.model import NetworkSize
from resfold_nb.studies import estimate, samples
from resfold_nb.studies.estimate import estimated
from resfold_nb.studies.plans import (CORE_PROTEINS, CORE_RECIPES, FACTORS, STUDIES, Cell, core, crossed,
                                      factor_applies, regime, variant)
from resfold_nb.studies.proteins import (FIRST_TEN, HUNDRED, TEN_CHAINS, batch_for, chains_of, held_out_batch,
                                         hundred_ids)
from resfold_nb.training import Recipe, loop, named_recipe, train
from resfold_nb.training.losses import Draw

TINY = named_recipe("many_chains", "ci").but(steps=4, proteins_per_step=3)

FIELDS = {"learning rate x 0.3": "learning_rate", "learning rate x 3": "learning_rate", "warm-up, other": "warmup",
          "clipping, other": "clip", "clean trunk": "trunk_sees_points", "F-space loss": "loss_space",
          "superposed loss, other": "superposed", "pair distances, other": "pair_distance",
          "coordinates in Å": "scale", "random rotations": "rotate", "zero-initialised output": "zero_init_output",
          "t = 0 never drawn": "first_timestep"}
"""Factor -> the one field of a recipe that it may change."""


def fields(recipe: Recipe) -> dict[str, object]:
    """Every value of a recipe, those of its network too, by name."""
    size = {f"size.{name}": value for name, value in dataclasses.asdict(recipe.size).items()}
    return {f.name: getattr(recipe, f.name) for f in dataclasses.fields(recipe) if f.name != "size"} | size


def test_a_hundred_chains_and_none_of_them_held_out() -> None:
    train_ids, test_ids = hundred_ids(), hundred_ids("test")
    assert (len(train_ids), len(set(train_ids))) == (100, 100)
    assert chains_of(FIRST_TEN) == train_ids[:10] and chains_of(HUNDRED) == train_ids
    assert test_ids and not set(train_ids) & set(test_ids)
    sequences = {load(i).sequence for i in train_ids}
    assert not sequences & {load(i).sequence for i in test_ids}


def test_held_out_chains_are_of_other_families_and_of_the_same_lengths() -> None:
    """Clusters of 30 % sequence identity; the protein that is trained on alone is none of them."""
    entries = {entry.id: entry for entry in catalogue()}
    trained, held = ([entries[i] for i in hundred_ids(split)] for split in ("train", "test"))
    assert {e.split for e in trained} == {"train"} and {e.split for e in held} == {"test"}
    assert all(40 <= e.length <= 72 for e in (*trained, *held))
    clusters = [{c for e in group for c in e.cluster} for group in (trained, held)]
    assert clusters[0].isdisjoint(clusters[1])
    assert entries["1HZ6_A"].split == "train"


def test_held_out_chains_are_measured_in_the_units_of_the_training() -> None:
    trained = batch_for(TINY, FIRST_TEN)
    held = held_out_batch(trained)
    assert held.ids == hundred_ids("test") and not set(held.ids) & set(trained.ids)
    assert set(held.scale.tolist()) == set(trained.scale.tolist())
    assert held_out_batch(trained, "backbone").points_per_residue == 4
    assert float(held.scale[0]) == pytest.approx(training_set_scale("centroid"))


@pytest.mark.parametrize(("scale", "wanted"), [
    ("own", None), ("training set", training_set_scale("centroid")), (1.0, 1.0)])
def test_coordinates_are_divided_by_what_the_recipe_says(scale: float | str, wanted: float | None) -> None:
    batch = batch_for(named_recipe("well_fed", scale=scale), "1HZ6_A")
    own = float(make_batch(load("1HZ6_A")).scale[0])
    assert float(batch.scale[0]) == pytest.approx(own if wanted is None else wanted)
    there = torch.as_tensor(load("1HZ6_A").centroids, dtype=batch.x0.dtype)
    assert torch.allclose(batch.angstrom(batch.x0)[0], there, atol=1e-3)


def test_a_wrong_scale_or_no_protein_is_refused() -> None:
    with pytest.raises(ValueError, match="training set"):
        named_recipe("well_fed", scale="each")
    with pytest.raises(ValueError, match="positive number"):
        batch_for(named_recipe("well_fed", scale=0.0), "1HZ6_A")
    with pytest.raises(ValueError, match="proteins_per_step is 0"):
        named_recipe("many_chains", proteins_per_step=0)


@pytest.mark.parametrize("points", ["centroid", "backbone"])
def test_selected_proteins_are_the_same_with_less_padding(points: str) -> None:
    batch = make_batch([load(i) for i in chains_of(FIRST_TEN)], scale=10.0, points=points)
    short = sorted(range(len(batch)), key=lambda i: -int(batch.mask[i].sum()))[-3:]
    some = batch.select(short)
    assert some.ids == tuple(batch.ids[i] for i in short)
    length = int(batch.mask[short].sum(1).max())
    assert some.mask.shape[1] == length < batch.mask.shape[1]
    assert some.points_per_residue == batch.points_per_residue
    alone = make_batch([load(i) for i in some.ids], scale=10.0, points=points)
    for name in ("x0", "mask", "residue", "chain", "position", "scale"):
        assert torch.equal(getattr(some, name), getattr(alone, name)), name


def test_proteins_of_a_step_are_alike_in_length() -> None:
    batch = batch_for(TINY, FIRST_TEN)
    parts = batch.parts(3)
    assert sorted(i for part in parts for i in part.ids) == sorted(batch.ids)
    assert [len(part) for part in parts] == [3, 3, 3, 1]
    lengths = [sorted(part.mask.sum(1).tolist()) for part in parts]
    assert all(a[-1] <= b[0] for a, b in itertools.pairwise(lengths))
    assert all(part.mask.shape[1] == max(n) for part, n in zip(parts, lengths, strict=True))
    for proteins in (None, 10, 11):
        assert [part.ids for part in batch.parts(proteins)] == [batch.ids]


def test_every_protein_has_its_turn_before_any_has_its_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the order changes from round to round, alike for the same seed."""
    seen: list[tuple[str, ...]] = []
    draw = loop.draw

    def noted(recipe: Recipe, batch: Batch, *rest: Any) -> Draw:
        seen.append(batch.ids)
        return draw(recipe, batch, *rest)

    monkeypatch.setattr(loop, "draw", noted)
    batch = batch_for(TINY, FIRST_TEN)
    for _ in range(2):
        states = list(train(TINY.but(steps=12), batch))
        assert all(torch.isfinite(state.loss) for state in states[1:])
    assert seen[:12] == seen[12:]
    rounds = [seen[i : i + 4] for i in (0, 4, 8)]
    assert all(sorted(i for ids in each for i in ids) == sorted(batch.ids) for each in rounds)
    assert len(set(map(tuple, rounds))) > 1


def test_recorded_structures_are_as_long_as_their_chains() -> None:
    found = samples("hundred", variant("A", "many_chains"), HUNDRED)
    assert found is not None and set(found) == {0, 1, 2}
    for structures in found.values():
        assert set(hundred_ids("test")) <= set(structures)
        assert all(x.shape == load(i).centroids.shape for i, x in structures.items())
    assert samples("hundred", variant("B", "many_chains"), HUNDRED) == {}
    assert samples("core", variant("A", "many_chains"), HUNDRED) == {}


def test_recorded_structures_are_in_angstrom_and_under_their_own_names() -> None:
    """Ten chains are memorised by A, so each structure lies on the chain that it is said to be."""
    found = samples("hundred", variant("A", "many_chains"), FIRST_TEN)
    assert found is not None
    for name in chains_of(FIRST_TEN):
        points, truth = (torch.as_tensor(np.asarray(x), dtype=torch.float64)[None]
                         for x in (found[0][name], load(name).centroids))
        assert float(rmsd(points, truth)) < 1, name


@pytest.mark.parametrize("name", CORE_RECIPES)
def test_each_factor_changes_one_thing(name: str) -> None:
    """The field it is named after and no other, in both forms it is run for."""
    assert FIELDS.keys() == FACTORS.keys()
    for (factor, change), form in itertools.product(FACTORS.items(), ("residual", "x0")):
        base = named_recipe(name, form=form)
        if factor_applies(factor, base):
            before, after = fields(base), fields(change(base))
            assert [k for k in before if before[k] != after[k]] == [FIELDS[factor]], factor
            there, then = before[FIELDS[factor]], after[FIELDS[factor]]
            assert not factor.endswith("other") or bool(there) != bool(then), factor


def test_a_factor_that_means_nothing_is_left_out() -> None:
    assert factor_applies("F-space loss", named_recipe("starved"))
    assert not factor_applies("F-space loss", named_recipe("starved", form="x0"))
    assert not factor_applies("F-space loss", named_recipe("superposed_loss"))


def test_pairs_of_factors_change_two_things_or_are_left_out() -> None:
    base = named_recipe("starved")
    both = crossed(base, "F-space loss", "learning rate x 3")
    assert both.loss_space == "F" and both.learning_rate == 3 * base.learning_rate
    assert crossed(base, "F-space loss", "superposed loss, other") is None
    assert crossed(named_recipe("starved", form="x0"), "F-space loss", "learning rate x 3") is None


def test_the_full_study_holds_the_core_and_its_crossings() -> None:
    keys, cells = {cell.key for cell in core()}, STUDIES["full"]("laptop")
    assert keys < {cell.key for cell in cells}
    whole = STUDIES["full"]("gpu")
    assert max(cell.recipe.size.width for cell in whole) == NetworkSize.full().width


@pytest.mark.parametrize("study", sorted(STUDIES))
def test_a_study_plans_no_run_twice(study: str) -> None:
    keys = [cell.key for cell in STUDIES[study]("laptop")]
    assert len(keys) == len(set(keys))


def test_the_core_has_every_cell_that_the_experiment_needs() -> None:
    cells = core()
    runs = {(c.recipe.hash, c.protein, c.seed) for c in cells}
    for name, form, protein, seed in itertools.product(
            ("starved", "well_fed", "superposed_loss"), ("residual", "x0", "eps", "v", "edm"),
            CORE_PROTEINS, range(5)):
        assert (named_recipe(name, form=form).hash, protein, seed) in runs
    for name, form, factor, seed in itertools.product(CORE_RECIPES, ("residual", "x0"), FACTORS, range(2)):
        base = named_recipe(name, form=form)
        if factor_applies(factor, base):
            assert (FACTORS[factor](base).hash, CORE_PROTEINS[0], seed) in runs, factor


def test_what_serves_two_plans_is_run_with_all_that_either_measures() -> None:
    """*Starved* is a corner of the regime map too: one run, measured on the way and at the end."""
    corner = regime("500 steps x 1", "16 layers", "x0")
    assert corner.hash == named_recipe("starved", form="x0").hash
    cells = [c for c in core() if (c.recipe.hash, c.protein) == (corner.hash, CORE_PROTEINS[0])]
    assert [(c.marks, c.measured) for c in cells] == [(5, "core")] * 5


def test_an_estimate_measures_sets_of_chains_at_their_fewer_marks(monkeypatch) -> None:
    monkeypatch.setattr(estimate, "_cost_of", lambda *kind: (0.0, 0.0, 1.0))  # a second for each look
    recipe = named_recipe("well_fed", "ci").but(steps=100)
    cells = [Cell(recipe, protein, 0, "ci", marks=20) for protein in ("1WY3_A", TEN_CHAINS)]
    found = [estimated([c]).seconds[c.key] for c in cells]
    assert found == [len(marks_for(100, marks)) for marks in (20, 8)] and found[0] > found[1]


def test_an_estimate_counts_what_will_be_done_and_times_each_kind_once() -> None:
    recipe = named_recipe("well_fed", "ci")
    cells = [Cell(recipe.but(form=form, steps=steps), "1WY3_A", seed, "ci", marks=0)
             for form, steps in (("x0", 10), ("v", 30)) for seed in range(2)]
    found = estimated(cells)
    assert (found.runs, found.steps, found.shapes) == (4, 80, 1)
    assert found.draws == 80 * recipe.noise_levels
    batch = batch_for(recipe, "1WY3_A")
    counted = (training_cost(c.recipe, batch).teraflop for c in cells[1:3])
    assert found.teraflop == pytest.approx(2 * sum(counted))
    assert set(found.seconds) == {cell.key for cell in cells}
    assert min(found.seconds.values()) > 0
    assert found.seconds[cells[2].key] > found.seconds[cells[0].key], "more steps, more time"
    assert "4 runs, 80 optimiser steps" in found.sentence(2)
