"""What is trained on, what is held out, what a study plans, and what it will cost."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
import torch

from resfold_nb.analysis.plans import (
    CORE_PROTEINS,
    FACTORS,
    STUDIES,
    Cell,
    core,
    factor_applies,
    variant,
)
from resfold_nb.analysis.price import price
from resfold_nb.analysis.recorded import recorded_samples
from resfold_nb.analysis.settings import (
    FIRST_TEN,
    HUNDRED,
    batch_for,
    chains_of,
    held_out_batch,
    hundred_ids,
)
from resfold_nb.data import load, make_batch, training_set_scale
from resfold_nb.training import named_recipe, train
from resfold_nb.training.loop import _parts

TINY = named_recipe("many_chains", "ci").but(steps=4, proteins=3)


def test_a_hundred_chains_and_none_of_them_held_out() -> None:
    train_ids, test_ids = hundred_ids(), hundred_ids("test")
    assert (len(train_ids), len(set(train_ids))) == (100, 100)
    assert chains_of(FIRST_TEN) == train_ids[:10] and chains_of(HUNDRED) == train_ids
    assert test_ids and not set(train_ids) & set(test_ids)
    sequences = {load(i).sequence for i in train_ids}
    assert not sequences & {load(i).sequence for i in test_ids}


def test_held_out_chains_are_measured_in_the_units_of_the_training() -> None:
    trained = batch_for(TINY, FIRST_TEN)
    held = held_out_batch(trained)
    assert set(held.scale.tolist()) == set(trained.scale.tolist())
    assert float(held.scale[0]) == pytest.approx(training_set_scale("centroid"))


@pytest.mark.parametrize(("scale", "wanted"), [
    ("own", None), ("training set", training_set_scale("centroid")), (1.0, 1.0)])
def test_coordinates_are_divided_by_what_the_recipe_says(scale: float | str,
                                                         wanted: float | None) -> None:
    batch = batch_for(named_recipe("well_fed", scale=scale), "1HZ6_A")
    own = float(make_batch(load("1HZ6_A")).scale[0])
    assert float(batch.scale[0]) == pytest.approx(own if wanted is None else wanted)
    there = torch.as_tensor(load("1HZ6_A").centroids, dtype=batch.x0.dtype)
    assert torch.allclose(batch.angstrom(batch.x0)[0], there, atol=1e-3)


def test_a_wrong_scale_or_no_protein_is_refused() -> None:
    with pytest.raises(ValueError, match="training set"):
        named_recipe("well_fed", scale="each")
    with pytest.raises(ValueError, match="proteins is 0"):
        named_recipe("many_chains", proteins=0)


def test_selected_proteins_are_the_same_with_less_padding() -> None:
    batch = batch_for(TINY, FIRST_TEN)
    short = sorted(range(len(batch)), key=lambda i: int(batch.mask[i].sum()))[:3]
    some = batch.select(short)
    assert some.ids == tuple(batch.ids[i] for i in short)
    assert some.x0.shape[1] == int(batch.mask[short].sum(1).max()) < batch.x0.shape[1]
    for k, i in enumerate(short):
        assert torch.equal(some.x0[k][some.mask[k]], batch.x0[i][batch.mask[i]])
        assert torch.equal(some.residue[k][some.mask[k]], batch.residue[i][batch.mask[i]])
        assert some.scale[k] == batch.scale[i]


def test_proteins_of_a_step_are_alike_in_length_and_every_one_has_its_turn() -> None:
    batch = batch_for(TINY, FIRST_TEN)
    parts = _parts(batch, 3)
    assert sorted(i for part, _ in parts for i in part.ids) == sorted(batch.ids)
    lengths = [sorted(part.mask.sum(1).tolist()) for part, _ in parts]
    assert all(a[-1] <= b[0] for a, b in itertools.pairwise(lengths))
    states = list(train(TINY, batch))
    assert all(torch.isfinite(state.loss) for state in states[1:])


def test_recorded_structures_are_as_long_as_their_chains() -> None:
    found = recorded_samples("hundred", variant("A", "many_chains"), HUNDRED)
    assert found is not None and set(found) == {0, 1, 2}
    for structures in found.values():
        assert set(hundred_ids("test")) <= set(structures)
        assert all(x.shape == load(i).centroids.shape for i, x in structures.items())
    assert recorded_samples("hundred", variant("B", "many_chains"), HUNDRED) is None
    assert recorded_samples("core", variant("A", "many_chains"), HUNDRED) is None


def test_each_factor_changes_one_thing() -> None:
    for name, factor in FACTORS.items():
        base = named_recipe("starved")
        changed = factor(base)
        fields = [f.name for f in dataclasses.fields(base)
                  if getattr(base, f.name) != getattr(changed, f.name)]
        assert len(fields) == 1, (name, fields)


def test_a_factor_that_means_nothing_is_left_out() -> None:
    assert factor_applies("F-space loss", named_recipe("starved"))
    assert not factor_applies("F-space loss", named_recipe("starved", form="x0"))
    assert not factor_applies("F-space loss", named_recipe("as_published"))


@pytest.mark.parametrize("study", sorted(STUDIES))
def test_a_study_plans_no_run_twice(study: str) -> None:
    keys = [cell.key for cell in STUDIES[study]("laptop")]
    assert len(keys) == len(set(keys))


def test_the_core_has_every_cell_that_the_experiment_needs() -> None:
    cells = core()
    runs = {(c.recipe.hash, c.protein, c.seed) for c in cells}
    for name, form, protein, seed in itertools.product(
            ("starved", "well_fed", "as_published"), ("residual", "x0", "eps", "v", "edm"),
            CORE_PROTEINS, range(5)):
        assert (named_recipe(name, form=form).hash, protein, seed) in runs


def test_a_price_counts_what_will_be_done_and_times_each_kind_once() -> None:
    recipe = named_recipe("well_fed", "ci")
    cells = [Cell(recipe.but(form=form, steps=steps), "1WY3_A", seed, "ci", marks=0)
             for form, steps in (("x0", 10), ("v", 30)) for seed in range(2)]
    found = price(cells)
    assert (found.runs, found.steps, found.shapes) == (4, 80, 1)
    assert found.draws == 80 * recipe.noise_levels
    assert set(found.seconds) == {cell.key for cell in cells}
    assert min(found.seconds.values()) > 0
    assert found.seconds[cells[2].key] > found.seconds[cells[0].key], "more steps, more time"
    assert "4 runs, 80 optimiser steps" in found.sentence(2)
