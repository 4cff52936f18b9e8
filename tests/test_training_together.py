"""Members trained side by side come out as they do alone."""

from __future__ import annotations

import math
import secrets
from pathlib import Path
from typing import Any

import pytest
import torch

from resfold_nb import measure
from resfold_nb.studies import groups
from resfold_nb.studies.groups import InGroups
from resfold_nb.workers import in_process_lane
from resfold_nb.studies.plans import Cell
from resfold_nb.measure.run import Run, run_together, train_and_measure
from resfold_nb.studies.store import Store
from resfold_nb.studies.runner import conduct, result_of, run_cell
from resfold_nb.data import load, make_batch
from resfold_nb.diffusion import FORMS
from resfold_nb.model import AtomSize, NetworkSize
from resfold_nb.engine import Member, train_together
from resfold_nb.engine.together import Ensemble
from resfold_nb.training import Curriculum, Draw, Recipe, Rollout, build, draw, train, training_loss

TINY = Recipe("tiny", size=NetworkSize(16, 1, 1, 2), steps=8, noise_levels=3, warmup=2)
BATCH = make_batch(load("1K61_C"))
PAIR = make_batch([load("1K61_C"), load("1R69_A")])
MEMBERS = [Member(form, seed) for form in FORMS for seed in (0, 4)]


@pytest.mark.parametrize("changes", [
    {}, {"superposed": True, "pair_distance": 0.1}, {"clip": 0.3},
    {"loss_space": "F", "first_timestep": 1}, {"curriculum": Curriculum()}, {"rotate": True},
    {"trunk_sees_points": False, "time_embedding": "log_snr"},
    {"trunk_sees_points": False, "denoiser_sees_points": False, "time_embedding": "none"},
], ids=str)
def test_members_lose_as_much_as_alone(changes: dict[str, Any]) -> None:
    recipe = TINY.but(**changes)
    side_by_side = torch.stack([s.losses for s in train_together(recipe, MEMBERS, PAIR)], dim=1)
    alone = torch.stack([torch.stack([s.loss for s in train(recipe.but(form=m.form), PAIR, m.seed)])
                         for m in MEMBERS])
    # rounding grows as training goes on
    torch.testing.assert_close(side_by_side, alone, rtol=1e-3, atol=1e-6, equal_nan=True)


def test_atoms_too() -> None:
    recipe, batch = TINY.but(atoms=AtomSize()), make_batch(load("1K61_C"), points="backbone")
    members = [Member("residual", 0), Member("x0", 1)]
    *_, last = train_together(recipe, members, batch)
    for m, loss in zip(members, last.losses, strict=True):
        *_, alone = train(recipe.but(form=m.form), batch, m.seed)
        torch.testing.assert_close(loss, alone.loss, rtol=1e-3, atol=1e-6)


def test_each_member_gets_its_own_gradient() -> None:
    """On fresh random inputs, different for each member."""
    ensemble = Ensemble(TINY, MEMBERS, PAIR, "cpu")
    seed = secrets.randbits(31)
    print("seed of the draws:", seed)
    generator = torch.Generator().manual_seed(seed)
    drawn = [draw(TINY, PAIR, ensemble.features, generator) for _ in MEMBERS]
    stacked = [torch.stack(x) for x in list(zip(*drawn, strict=True))[:3]]
    ensemble.losses(Draw(*stacked, drawn[0].mask)).sum().backward()
    for i, (member, one) in enumerate(zip(MEMBERS, drawn, strict=True)):
        alone = build(TINY.but(form=member.form), member.seed)
        training_loss(TINY, alone, one, ensemble.features).backward()
        for name, weight in alone.network.named_parameters():
            torch.testing.assert_close(ensemble.weights[name].grad[i], weight.grad,
                                       rtol=1e-3, atol=1e-5)


def test_runs_and_measurements_are_those_of_runs_alone() -> None:
    members = [Member("residual", 0), Member("x0", 1), Member("v", 1)]
    found = run_together(TINY, members, BATCH, device="cpu", marks=(0, 4))
    for m, together in zip(members, found, strict=True):
        alone = train_and_measure(TINY.but(form=m.form), BATCH, m.seed, marks=(0, 4))
        assert together.recipe == alone.recipe and together.seed == alone.seed
        assert [mark.step for mark in together.marks] == [0, 4, 8]
        for a, b in zip(together.marks, alone.marks, strict=True):
            assert a.errors.rmse == pytest.approx(b.errors.rmse, rel=1e-3, abs=1e-3)
            assert a.sampled_rmsd == pytest.approx(b.sampled_rmsd, rel=1e-2)
        assert together.losses[1:] == pytest.approx(alone.losses[1:], rel=1e-3)
        shown = measure.error_by_timestep(together.predictor, BATCH, draws=2).rmse
        assert shown == pytest.approx(alone.last.errors.rmse, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("recipe", [TINY.but(rollout=Rollout(2)), TINY.but(proteins_per_step=1),
                                    TINY.but(precision="bf16")])
def test_what_cannot_be_done_side_by_side_is_refused(recipe: Recipe) -> None:
    with pytest.raises(ValueError, match="use train for each run"):
        next(train_together(recipe, MEMBERS, PAIR))
    with pytest.raises(ValueError, match="no members"):
        next(train_together(TINY, [], BATCH))


def cells(*forms: str, **changes: Any) -> list[Cell]:
    return [Cell(TINY.but(form=form, **changes), "1K61_C", seed, "ci", marks=2, measured="none")
            for seed in (0, 1) for form in forms]


def test_a_study_in_groups_keeps_what_a_study_of_single_runs_keeps(tmp_path: Path) -> None:
    todo = [*cells("residual", "x0"), *cells("v", rollout=Rollout(2))]  # the last have no group
    store = Store(tmp_path)
    work = InGroups(todo, run_cell, result_of, store.write, most=3)
    outcomes = list(conduct(todo, store, [in_process_lane()], work=work, threads=None))
    assert [o.error for o in outcomes] == [None] * 6
    for cell in todo:
        kept, alone = store.read(cell), run_cell(cell)
        assert kept["recipe"] == alone["recipe"]
        assert {k: v for k, v in kept["about"].items() if k != "seconds"} == {
            k: v for k, v in alone["about"].items() if k != "seconds"}
        for row, other in zip(kept["rows"], alone["rows"], strict=True):
            assert tuple(row[:2]) == tuple(other[:2])
            assert row[2:] == pytest.approx(other[2:], rel=1e-2, abs=5e-3)


def test_a_group_is_kept_when_time_is_up_after_its_first_run(tmp_path: Path) -> None:
    todo, store = cells("residual", "x0"), Store(tmp_path)
    work = InGroups(todo, run_cell, result_of, store.write, most=9)
    outcomes = conduct(todo, store, [in_process_lane()], work=work, threads=None)
    assert next(outcomes).error is None
    outcomes.close()
    assert all(store.read(cell) is not None for cell in todo)


def test_a_member_that_diverges_is_the_only_one_that_fails(tmp_path: Path,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    todo, store, asked = cells("x0", "v"), Store(tmp_path), []

    def one_diverges(*arguments: Any, **named: Any) -> list[Run]:
        runs = run_together(*arguments, **named)
        runs[1].losses[-1] = math.nan
        return runs

    def alone(cell: Cell, device: str, threads: int | None) -> dict[str, Any]:
        asked.append(cell.key)
        raise FloatingPointError("a loss of nan")

    monkeypatch.setattr(groups, "run_together", one_diverges)
    list(conduct(todo, store, [in_process_lane()], threads=None,
                 work=InGroups(todo, alone, result_of, store.write, most=9)))
    assert len(asked) == 1
    kept = [store.read(cell) is not None for cell in todo]
    assert sum(kept) == 3 and "a loss of nan" in store.failure(todo[kept.index(False)])


def test_a_group_that_does_not_fit_is_done_one_by_one(tmp_path: Path,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **named: Any) -> None:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(groups, "run_together", full)
    todo, store = cells("x0"), Store(tmp_path)
    done = list(conduct(todo, store, [in_process_lane()], threads=None,
                        work=InGroups(todo, run_cell, result_of, store.write, most=9)))
    assert [o.error for o in done] == [None, None]


def test_losses_before_the_first_step_are_not_numbers() -> None:
    first = next(train_together(TINY, MEMBERS[:2], BATCH))
    assert first.step == 0 and all(math.isnan(x) for x in first.losses.tolist())
