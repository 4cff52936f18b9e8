"""Measurements, gradients, runs, studies and the lookup of what was recorded."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from resfold_nb import measure, studies
from resfold_nb.data import data_directory, load, make_batch, rmsd, rmse
from resfold_nb.diffusion import FORMS, get_form, linear
from resfold_nb.measure.errors import AT_ONCE, MEASURING_SEED
from resfold_nb.model import Features, NetworkSize, Predictor, ResFold
from resfold_nb.studies import frames, plans, runner as study
from resfold_nb.studies.plans import Cell
from resfold_nb.studies.runner import run_cell
from resfold_nb.studies.store import Store
from resfold_nb.studies.tables import TABLE_FIELDS, write_tables
from resfold_nb.training import Recipe, build

TINY = Recipe("tiny", size=NetworkSize(16, 1, 1, 2), steps=8, noise_levels=2)
BATCH = make_batch(load("1K61_C"))


class Exact(Predictor):
    """A predictor with the truth in place of the network's answer, moved by `shift`."""

    def __init__(self, shift: float = 0.0) -> None:
        super().__init__(ResFold(TINY.size), get_form("x0"), linear())
        self.shift = shift

    def raw(self, x_t: torch.Tensor, t: torch.Tensor, features: Features, trunk_tokens: torch.Tensor | None = None,
            told: torch.Tensor | None = None) -> torch.Tensor:
        """The clean points, all moved along one axis."""
        return (BATCH.x0 + torch.tensor([self.shift, 0.0, 0.0])).expand_as(x_t)


def test_errors_of_a_known_predictor() -> None:
    """A shift of 0.5 units along x is 0.5 scale Å of RMSE at every t, and no RMSD."""
    errors = measure.error_by_timestep(Exact(0.5), BATCH)
    expected = 0.5 * float(BATCH.scale[0])
    np.testing.assert_allclose(errors.rmse, expected, rtol=1e-4)
    np.testing.assert_allclose(errors.rmsd, 0, atol=1e-2)
    assert errors.t.tolist() == list(range(50)) and errors.worst == pytest.approx(expected, 1e-4)


def test_samples_of_a_known_predictor_are_exact_and_measured_per_copy() -> None:
    samples = measure.sample(Exact(0.5), BATCH, copies=3)
    plain, superposed = measure.sample_errors(samples.final, BATCH)
    np.testing.assert_allclose(plain, [0.5 * float(BATCH.scale[0])] * 3, rtol=1e-4)
    np.testing.assert_allclose(superposed, 0, atol=1e-2)


def test_errors_are_averaged_over_proteins_in_angstrom() -> None:
    pair = make_batch([load("1K61_C"), load("1R69_A")])
    predictor = build(TINY)
    together = measure.error_by_timestep(predictor, pair, draws=2, timesteps=[30]).rmse[0]
    x0, eps = pair.x0.repeat_interleave(2, 0), torch.randn(
        4, *pair.x0.shape[1:], generator=torch.Generator().manual_seed(MEASURING_SEED)
    )
    t = torch.full((4,), 30)
    a, s = predictor.amplitudes(t)
    with torch.no_grad():
        guess = predictor(a * x0 + s * eps, t, Features.of(pair))
    by_hand = [float(rmse(guess[i, :n], x0[i, :n])) * float(pair.scale[i // 2]) for i,
               n in enumerate((60, 60, 63, 63))]
    assert together == pytest.approx(np.mean(by_hand), rel=1e-5)


@pytest.mark.parametrize("changes", [{}, {"trunk_sees_points": False}])
def test_many_timesteps_at_once_equal_one_at_a_time(changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Proteins of unequal length, turned, in parts of several timesteps."""
    three = make_batch([load(name) for name in ("1K61_C", "1R69_A", "1WY3_A")])
    predictor = build(TINY.but(**changes))
    found = {}
    for at_once in (1, 4096):
        monkeypatch.setitem(AT_ONCE, "cpu", at_once)
        found[at_once] = measure.error_by_timestep(predictor, three, draws=2, rotate=True)
    np.testing.assert_allclose(found[4096].rmse, found[1].rmse, rtol=1e-5)
    np.testing.assert_allclose(found[4096].rmsd, found[1].rmsd, rtol=1e-4)


def test_sampling_uses_the_same_noise_for_every_form() -> None:
    first, second = (measure.sample(build(TINY.but(form=f)), BATCH) for f in ("residual", "x0"))
    assert torch.equal(first.x[0], second.x[0]) and not torch.equal(first.final, second.final)


@pytest.mark.parametrize("sd", [0.5, 1.0, 3.0])
def test_baselines_match_simulation(sd: float) -> None:
    schedule, generator = linear(), torch.Generator().manual_seed(0)
    x0 = sd * torch.randn(20_000, 3, generator=generator, dtype=torch.float64)
    eps = torch.randn(20_000, 3, generator=generator, dtype=torch.float64)
    lines = measure.baselines(schedule, sd, scale=2.0)
    for t in (1, 25, 49):
        x_t = schedule.a[t] * x0 + schedule.s[t] * eps
        k = float((x_t * x0).sum() / (x_t * x_t).sum())  # least squares, by data
        for name, guess in (("predict zero", 0 * x_t), ("copy x_t", x_t), ("best linear", k * x_t)):
            simulated = 2.0 * float((guess - x0).square().sum(-1).mean().sqrt())
            assert lines[name][t] == pytest.approx(simulated, rel=0.02), (name, t)


@pytest.mark.parametrize("form", FORMS)
def test_gradient_at_f_matches_the_formula_and_finite_differences(form: str) -> None:
    predictor = build(TINY.but(form=form)).double()
    batch = BATCH.to(dtype=torch.float64)
    measured = measure.gradient_by_timestep(predictor, batch, timesteps=[0, 1, 25, 49])
    assert measured.largest_difference < 1e-12
    np.testing.assert_allclose(measured.at_f, measured.predicted, rtol=1e-12)
    a, s = predictor.schedule.a[[0, 1, 25, 49]], predictor.schedule.s[[0, 1, 25, 49]]
    np.testing.assert_allclose(measured.c_out, predictor.form.c_out(a, s).abs(), rtol=1e-6)
    vanishing = form not in ("x0", "skip_unscaled")
    assert (measured.at_f[0] == 0.0) == vanishing
    assert (measured.at_weights[0] == 0.0) == vanishing


def test_weight_gradient_is_that_of_the_mean_loss() -> None:
    predictor = build(TINY.but(form="x0"))
    measured = measure.gradient_by_timestep(predictor, BATCH, draws=2, timesteps=[25], seed=7)
    eps = torch.randn(2, *BATCH.x0.shape[1:], generator=torch.Generator().manual_seed(7))
    t = torch.full((2,), 25)
    a, s = predictor.amplitudes(t)
    guess = predictor(a * BATCH.x0 + s * eps, t, Features.of(BATCH))
    (guess - BATCH.x0).square().sum(-1).mean().backward()
    norm = math.sqrt(sum(float(p.grad.square().sum()) for p in predictor.parameters()))
    assert measured.at_weights[0] == pytest.approx(norm, rel=1e-4)


def test_a_run_measures_at_its_marks_and_only_trains_once() -> None:
    seen: list[int] = []

    def progress(states, total: int):
        seen.append(total)
        return states

    result = measure.train_and_measure(TINY, BATCH, marks=(0, 3), progress=progress)
    assert [m.step for m in result.marks] == [0, 3, 8] and seen == [9]
    assert len(result.losses) == 9 and result.train_seconds > 0
    rows = studies.frame_of({"A": result})
    assert rows.query("t == 49")["step"].tolist() == [0, 3, 8]
    assert rows.query("t == 49")["rmse"].iloc[-1] == result.last.errors.rmse[49]
    assert rows.query("t == 'sampled'")["rmse"].iloc[-1] == result.last.sampled_rmse
    assert measure.marks_for(500, 5) == (0, 10, 27, 71, 188, 500)


def test_measuring_does_not_change_training() -> None:
    often = measure.train_and_measure(TINY, BATCH, marks=range(9))
    once = measure.train_and_measure(TINY, BATCH, marks=())
    assert often.losses[1:] == once.losses[1:]
    assert often.last.sampled_rmse == once.last.sampled_rmse


def cells() -> list[Cell]:
    return [Cell(TINY.but(form=f), "1K61_C", seed, "ci") for f in ("residual", "x0") for seed in (0, 1)]


def test_a_study_is_recorded_resumed_and_looked_up(tmp_path: Path, monkeypatch, capsys) -> None:
    """Real worker processes; a second start trains nothing; a damaged result is run again."""
    monkeypatch.setitem(study.STUDIES, "tiny", lambda profile: cells())
    out = tmp_path / "recorded"
    assert study.main(["tiny", "--out", str(out), "--jobs", "2"]) == 0
    first = (out / "tiny.csv.gz").read_bytes()
    stamps = {p: p.stat().st_mtime_ns for p in (out / ".runs").iterdir()}
    assert len(stamps) == 4
    assert study.main(["tiny", "--out", str(out), "--jobs", "2"]) == 0
    assert {p: p.stat().st_mtime_ns for p in (out / ".runs").iterdir()} == stamps
    damaged = next(iter(stamps))
    damaged.write_text(damaged.read_text()[:100])
    capsys.readouterr()
    assert study.main(["tiny", "--out", str(out), "--jobs", "2"]) == 0
    assert "is damaged" in capsys.readouterr().out
    assert (out / "tiny.csv.gz").read_bytes() == first
    monkeypatch.setattr("resfold_nb.studies.frames.data_directory", lambda: tmp_path)
    found = studies.load("tiny")
    live = {"A": measure.train_and_measure(TINY.but(form="x0"), BATCH, 1, marks=measure.marks_for(8, 14))}
    first, again = (rows.sort_values(["step"])["rmse"] for rows in (
        frame[(frame["variant"] == "A") & (frame["seed"] == 1) & (frame["t"] == 49)]
        for frame in (found, studies.frame_of(live))))
    np.testing.assert_allclose(first, again, atol=5e-4)
    assert len(studies.load("tiny", table="runs")) == 4 and len(found[found["seed"] == 0]) == len(found) / 2
    monkeypatch.setitem(study.STUDIES, "tiny", lambda profile: [
        dataclasses.replace(cell, recipe=cell.recipe.but(clip=9.0 if cell.recipe.form == "x0" else None))
        for cell in cells()])
    frames._read.cache_clear()
    assert set(studies.load("tiny")["variant"]) == {"scaled residual"}
    assert "2 recorded runs are left out, because their recipes have changed" in capsys.readouterr().out


def test_the_time_limit_starts_no_further_run(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(study.STUDIES, "tiny", lambda profile: cells())
    assert study.main(["tiny", "--out", str(tmp_path), "--minutes", "0"]) == 1
    assert "0 of 4 runs recorded" in capsys.readouterr().out


def test_an_unfinished_study_leaves_recorded_tables_alone(tmp_path: Path, monkeypatch, capsys) -> None:
    """As when the documented command is interrupted in a fresh clone, which has no .runs."""
    monkeypatch.setitem(study.STUDIES, "tiny", lambda profile: cells())
    write_tables(tmp_path, "tiny", [run_cell(cells()[0])] * 4)
    table = (tmp_path / "tiny.csv.gz").read_bytes()
    assert study.main(["tiny", "--out", str(tmp_path), "--minutes", "0"]) == 1
    assert "stay as they are" in capsys.readouterr().out
    assert (tmp_path / "tiny.csv.gz").read_bytes() == table


def test_a_failing_run_is_said_and_the_others_go_on(tmp_path: Path, monkeypatch, capsys) -> None:
    diverging = Cell(TINY.but(learning_rate=1e30, cosine_decay=False), "1K61_C", 0, "ci")
    monkeypatch.setitem(study.STUDIES, "tiny", lambda profile: [diverging, *cells()])
    assert study.main(["tiny", "--out", str(tmp_path), "--jobs", "1"]) == 1
    said = capsys.readouterr().out
    assert "FAILED" in said and "lower learning_rate" in said and "4 of 5 runs recorded" in said


def test_a_result_of_another_recipe_is_not_taken(tmp_path: Path) -> None:
    (cell, other), store = cells()[::2], Store(tmp_path)
    store.write(cell, run_cell(cell))
    (tmp_path / f"{cell.key}.json").rename(tmp_path / f"{other.key}.json")
    assert store.read(cell) is None and store.read(other) is None


def test_tables_are_tidy_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    result = run_cell(cells()[0])
    for name in ("a", "b"):
        write_tables(tmp_path, name, [result])
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()
    with gzip.open(tmp_path / "a.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) == set(TABLE_FIELDS)
    steps = {row["step"] for row in rows}
    assert len(rows) == 51 * len(steps) and {row["t"] for row in rows} >= {"0", "49", "sampled"}
    recipes = json.loads((tmp_path / "a_recipes.json").read_text())
    assert Recipe.from_dict(recipes[rows[0]["hash"]]) == cells()[0].recipe


def test_what_was_not_recorded_is_said() -> None:
    with pytest.raises(ValueError, match="study 'no such study' is unknown; choose one of contrast"):
        studies.load("no such study")
    for table in ("errors", "quantities", "runs"):
        empty, full = (studies.load(name, profile, table) for name, profile in (("full", "gpu"), ("core", "laptop")))
        assert empty.empty and set(empty.columns) <= set(full.columns)
    assert studies.ends(studies.load("full", "gpu")).empty


PARTLY = {"report_run": (64, 480), "frame": (117, 240)}
"""Studies that are recorded in part: how many runs, and of how many."""


@pytest.mark.parametrize("name", [name for name in plans.STUDIES if name not in ("full", "report_run_full", "weight")])
def test_a_committed_study_is_whole_and_belongs_to_the_recipes_of_today(name: str, capsys) -> None:
    for profile in ("laptop", "gpu") if name == "contrast" else ("laptop",):
        planned = [(c.recipe.hash, c.protein, c.seed) for c in plans.STUDIES[name](profile)]
        for table in ("runs", "errors"):
            rows = studies.load(name, profile, table)
            rows = rows if table == "runs" else studies.ends(rows)
            found = set(zip(rows["hash"], rows["protein"], rows["seed"], strict=True))
            assert found == set(planned) or (len(found), len(planned)) == PARTLY.get(name) and found < set(planned)
    assert "left out" not in capsys.readouterr().out


@pytest.mark.parametrize("name", PARTLY)
def test_what_is_recorded_in_part_says_so(name: str) -> None:
    readme = (data_directory() / "recorded" / "README.md").read_text("utf-8")
    assert re.search(rf"\| `{name}` \|.*\| {PARTLY[name][0]} of {PARTLY[name][1]} \|", readme)


@pytest.mark.parametrize("name", plans.PLANS)
def test_runs_that_studies_share_were_recorded_alike(name: str) -> None:
    """One run serves every study that plans it, so its numbers stand in each table alike."""
    columns = ["seed", "step", "t", "rmse"]
    first, here = (frame.loc[(frame["variant"] == "A") & (frame["setting"] == plans.TURNED), columns]
                   for frame in map(studies.load, ("epsilon", name)))
    np.testing.assert_array_equal(first.to_numpy(), here.to_numpy())


@pytest.mark.parametrize("profile", ["ci", "laptop", "gpu"])
def test_every_plan_can_be_made_and_no_two_variants_are_one(profile: str) -> None:
    for name in plans.PLANS:
        keys = [cell.key for cell in plans.planned(name, profile)]
        assert len(keys) == len(set(keys)), name
    with pytest.raises(ValueError, match="variant 'Z' is unknown"):
        plans.variant("Z", "well_fed")


def test_equal_calls_are_equal() -> None:
    plain, rolled = (plans.variant(v, "well_fed") for v in ("A", "A + D, equal calls"))
    assert rolled.network_calls == pytest.approx(plain.network_calls, rel=0.01)
    assert rolled.steps < plain.steps


def test_frames_say_variant_setting_and_recipe() -> None:
    """By hand from the file, for one variant in one setting."""
    found = studies.ends(studies.load("epsilon"))
    found = found[(found["variant"] == "A") & (found["setting"] == "one protein")]
    recipe = plans.variant("A", "well_fed")
    with gzip.open(data_directory() / "recorded" / "epsilon.csv.gz", "rt") as file:
        rows = [r for r in csv.DictReader(file) if (r["hash"], r["step"]) == (recipe.hash, str(recipe.steps))]
    rows = [r for r in rows if r["protein"] == plans.SETTINGS["one protein"][1]]
    assert found["error"].tolist() == [float(r["rmsd" if r["t"] == "sampled" else "rmse"]) for r in rows]
    assert set(found["learning_rate"]) == {recipe.learning_rate} and set(found["seed"]) == {0, 1, 2}
    calls = studies.load("epsilon", table="quantities")
    assert (calls.loc[calls["quantity"] == "ddim, 10 calls, RMSD (Å)", "value"] > 0).all()


def test_steps_to_pass() -> None:
    steps, values = np.array([0, 10, 20, 30]), np.array([9.0, 4.0, 6.0, 3.0])
    assert studies.steps_to_pass(steps, values, 5.0) == 30
    assert studies.steps_to_pass(steps, values, 6.0) == 10
    assert studies.steps_to_pass(steps, values, 10.0) == 0
    assert studies.steps_to_pass(steps, values, 1.0) == math.inf


def test_rmsd_never_exceeds_rmse() -> None:
    x, y = torch.randn(2, 20, 30, 3, generator=torch.Generator().manual_seed(0))
    assert (rmsd(x, y) <= rmse(x, y) + 1e-6).all()
