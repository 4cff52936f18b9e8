"""The rules of studies frame and weight, on tables made by hand; and what the studies run."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from resfold_nb.studies.plans import STUDIES
from resfold_nb.studies.repairs import WEIGHT_FORMS, WEIGHTS
from resfold_nb.studies.runner import run_cell
from resfold_nb.verdict import frame

PROTEINS, SEEDS = ("a", "b", "c", "d"), range(3)


def frame_tables(turn: float = 1.0, **sampled: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Errors and quantities of A under a superposed loss, fixed and rotated; single steps err by 1 Å after
    superposition, samples by `sampled`, of each way."""
    dice, errors, found = np.random.default_rng(0), [], []
    for protein, seed, turns in itertools.product(PROTEINS, SEEDS, ("as it lies", "random rotations")):
        key = {"variant": "A", "setting": f"superposed loss, {turns}", "protein": protein, "seed": seed}
        noise = float(np.exp(0.01 * dice.standard_normal()))
        base = sampled["plain"] if turns == "as it lies" else 1.0
        errors += [key | {"step": step, "steps": 9, "t": t, "rmse": turn * noise, "rmsd": noise}
                   for step in (0, 9) for t in range(50)]
        errors.append(key | {"step": 9, "steps": 9, "t": "sampled", "rmse": 9.0, "rmsd": base * noise})
        found += [key | {"quantity": f"sampled, {way}, RMSD (Å)", "value": sampled[way] * noise}
                  for way in ("aligned", "recentred")]
    return pd.DataFrame(errors), pd.DataFrame(found)


def test_a_row_a_run_and_way_of_sampling() -> None:
    runs = frame.frame_runs(*frame_tables(turn=3.0, plain=4.0, aligned=1.0, recentred=1.2))
    assert len(runs) == 4 * 3 * 2 * 3 and set(runs["sampling"]) == {"as it is", "aligned", "recentred"}
    assert runs["turn"].to_numpy() == pytest.approx(3.0)
    as_it_is = runs[(runs["sampling"] == "as it is") & (runs["turns"] == "as it lies")]
    assert as_it_is["excess"].to_numpy() == pytest.approx(4.0) == as_it_is["last"].to_numpy() and set(as_it_is["loss"]) == {"superposed loss"}


@pytest.mark.parametrize(("excess", "word"), [(4.0, "walks away"), (1.0, "does not")])
def test_who_walks_away(excess: float, word: str) -> None:
    found = frame.walks_away(frame.frame_runs(*frame_tables(plain=excess, aligned=1.0, recentred=1.0)))
    row = found.query("turns == 'as it lies' and sampling == 'as it is'").iloc[0]
    assert row["answer"] == word and row["proteins"] == 4 and row["excess"] == pytest.approx(excess)


def test_a_cell_that_differs_between_proteins_is_open() -> None:
    runs = frame.frame_runs(*frame_tables(plain=1.5, aligned=1.0, recentred=1.0))
    runs["excess"] *= runs["protein"].map(dict(zip(PROTEINS, (0.5, 0.8, 1.2, 2.0))))
    found = frame.walks_away(runs).query("sampling == 'as it is' and turns == 'as it lies'")
    assert found["answer"].tolist() == ["open"] and found["excess"].iloc[0] == pytest.approx(1.48, abs=0.02)


def test_repairs_are_better_equivalent_worse_or_open() -> None:
    runs = frame.frame_runs(*frame_tables(plain=2.0, aligned=1.0, recentred=2.02))
    said = frame.repairs(runs).set_index(["what", "setting"])["answer"]
    lies = "A, superposed loss, as it lies"
    assert said["aligned sampling", lies] == "better" and said["aligned and recentred", lies] == "equivalent"
    assert said["aligned and recentred", "A, superposed loss, random rotations"] == "worse"
    assert said["random rotations in training", "A, superposed loss, as it is"] == "better"
    assert "a plain loss" not in said.index.get_level_values(0), "it was not run"
    runs.loc[runs["protein"] == "a", "sampled"] *= np.where(runs["sampling"] == "aligned", 4, 1)[runs["protein"] == "a"]
    assert frame.repairs(runs).set_index(["what", "setting"])["answer"]["aligned sampling", lies] == "open"


def weight_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """C with a loss on F errs by half at t = 1 and as much elsewhere; A and B err by 2 and 4 throughout."""
    dice, errors, few = np.random.default_rng(1), [], []
    levels = {"C, loss on x0": 1.0, "C, loss on F": 1.0, "A, loss on x0": 2.0, "B, loss on F": 4.0}
    for (variant, level), seed, task in itertools.product(levels.items(), range(5), ("one protein", "random rotations")):
        key = {"variant": variant, "setting": task, "protein": "p", "seed": seed}
        noise = level * float(np.exp(0.01 * dice.standard_normal()))
        for t in (1, 49, "sampled"):
            error = noise * (0.5 if variant == "C, loss on F" and t == 1 else 1)
            errors.append(key | {"step": 9, "steps": 9, "t": t, "rmse": 10 * error if task != "one protein" else error,
                                 "rmsd": error, "rotate": task != "one protein"})
        few.append(key | {"quantity": "ddim, 5 calls, RMSD (Å)", "value": noise})
    return pd.DataFrame(errors), pd.DataFrame(few)


def test_weights_are_answered_in_each_task() -> None:
    runs = frame.weight_runs(*weight_tables())
    assert len(runs) == 4 * 5 * 2 and set(runs["form"]) == {"A", "B", "C"}
    said = frame.weights(runs).set_index(["what", "setting", "at"])["answer"]
    for task in ("one protein", "random rotations"):
        assert said["loss on F", f"{task}, C", "t = 1"] == "better"
        assert said["loss on F", f"{task}, C", "t = 49"] == "equivalent"
        assert said["C, not A", task, "sampled"] == said["C, not B", task, "5 calls"] == "better"


def test_the_frames_plan_is_whole_and_seed_by_seed() -> None:
    cells = STUDIES["frame"]("laptop")
    assert len(cells) == 5 * 4 * 3 * 2 * 2 and [c.seed for c in cells] == sorted(c.seed for c in cells)
    assert len({c.protein for c in cells}) == 4 and {c.recipe.steps for c in cells} == {600}
    assert {(c.recipe.form, c.recipe.loss_space) for c in cells} == {("residual", "x0"), ("x0", "x0"), ("v", "F")}
    for cell in cells:
        assert ("superposed" in cell.setting) == cell.recipe.superposed
        assert ("rotations" in cell.setting) == cell.recipe.rotate


def test_the_weights_plan_is_whole() -> None:
    cells = STUDIES["weight"]("laptop")
    assert len(cells) == 5 * 3 * (len(WEIGHT_FORMS) * len(WEIGHTS) - 1) == len({c.key for c in cells})


def test_a_run_of_the_frame_is_sampled_three_ways() -> None:
    cell = next(c for c in STUDIES["frame"]("ci") if c.recipe.superposed)
    short = cell.recipe.but(steps=3)
    result = run_cell(type(cell)(short, cell.protein, 0, "ci", marks=0, measured="frame"))
    values = {q.split(", ")[1]: v for q, v in result["quantities"].items() if "RMSD" in q}
    as_it_is = next(row[3] for row in result["rows"] if row[:2] == (3, "sampled"))
    assert set(values) == {"aligned", "recentred"} and len({as_it_is, *values.values()}) == 3
