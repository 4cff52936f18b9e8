"""The rules of study report_run, on frames made by hand; and how often its intervals cover the truth."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from resfold_nb.data import catalogue, load
from resfold_nb.measure import student
from resfold_nb.studies.plans import STUDIES
from resfold_nb.studies.repairs import FALLS, OUTPUTS, PLANNED, SCRIPTS
from resfold_nb.studies.proteins import dimers
from resfold_nb.verdict.paired import answer
from resfold_nb.verdict.report_run import REPORT, changes, explains, headline, near, runs_of

SMALL = "a small dimer, not a large one (over Rg)"


def made(proteins: int = 4, seeds: int = 3, **factors: float) -> pd.DataFrame:
    """A frame as `studies.load` gives it, of the scaled residual and A, planned and falling; factors by name."""
    dice, rows = np.random.default_rng(0), []
    for protein, seed, rate, output in itertools.product(
            dimers()[:proteins], range(seeds), (PLANNED, FALLS), ("scaled residual", "A")):
        for step, t in itertools.product((100, 500), (0, 1, 25, 49, "sampled")):
            error = 9.0 * (1.3 if step == 100 else 1) * np.exp(0.02 * dice.standard_normal())
            error *= factors.get(rate, 1.0) * factors.get(output, 1.0)
            rows.append({"setting": "e2e", "change": rate, "variant": output, "protein": protein, "seed": seed,
                         "step": step, "steps": 500, "t": t, "rmse": 2 * error, "rmsd": error})
    return pd.DataFrame(rows)


def test_a_row_a_run_with_superposed_errors_at_its_end_or_before() -> None:
    frame = made()
    runs, early = runs_of(frame), runs_of(frame, 100)
    assert len(runs) == len(early) == 4 * 3 * 2 * 2
    assert runs["t = 49"].mean() == pytest.approx(9, rel=0.05) and early["sampled"].mean() == pytest.approx(11.7, rel=0.05)


def test_near_needs_both_figures_within_a_factor() -> None:
    runs = pd.DataFrame({"t = 49": [9.17, 9.17 * 1.49, 9.17 / 1.49, 9.17 * 1.51, 9.17],
                         "sampled": [6.91, 6.91 / 1.49, 6.91, 6.91, 6.91 * 1.51]})
    assert near(runs).tolist() == [True, True, True, False, False]


def test_a_script_explains_the_figures_when_half_of_its_runs_are_near() -> None:
    runs = runs_of(made())
    own = (runs["change"] == FALLS) & (runs["variant"] == "scaled residual")
    runs.loc[own, "sampled"] = 1.0
    runs.loc[runs[own].index[0], "sampled"] = 6.0
    found = explains(runs).set_index("change")
    assert found["word"].to_dict() == {PLANNED: "explains", FALLS: "can"}
    assert found["share"].to_dict() == {PLANNED: 1.0, FALLS: pytest.approx(1 / 12)} and set(found["count"]) == {12}
    runs["sampled"] = 60.0
    assert set(explains(runs)["word"]) == {"does not"}


def test_changes_are_paired_and_answered() -> None:
    found = changes(runs_of(made(A=0.5, **{FALLS: 1.0})), "t = 49").set_index(["what", "setting"])
    assert set(found.index) == {("A", f"e2e, {PLANNED}"), ("the rate falls within the run", "e2e, scaled residual"),
                                (SMALL, f"e2e, {PLANNED}, scaled residual")}, "from the report's form at the planned rate"
    assert found.loc[("A", f"e2e, {PLANNED}")].to_dict() == {
        "proteins": 4, "pairs": 12, "ratio": pytest.approx(0.5, rel=0.05), "low": pytest.approx(0.5, rel=0.1),
        "high": pytest.approx(0.5, rel=0.1), "answer": "better"}
    assert found.loc["the rate falls within the run"]["answer"].tolist() == ["equivalent"]
    assert found.loc[SMALL][["proteins", "pairs"]].values.tolist() == [[2, 6]]


def test_dimers_are_compared_over_their_radius_of_gyration() -> None:
    frame = made()
    for protein in dimers():
        x = load(protein).centroids
        size = float(np.sqrt((x**2).sum(1).mean())) * (2 if protein in dimers()[2:] else 1)
        frame.loc[frame["protein"] == protein, "rmsd"] *= size
    found = changes(runs_of(frame), "sampled").query("what == @SMALL")
    assert set(found["answer"]) == {"better"} and found["ratio"].between(0.48, 0.52).all()


def test_the_headline_counts_superposed_and_plain() -> None:
    frame = made().query("t != 25")
    runs, plain = runs_of(frame), runs_of(frame, value="rmse")
    said = headline(runs, plain)
    assert "Of 24 runs" in said and "on 4 dimers (3 seeds at most)" in said
    assert "24 lie within a factor 1.5 of both after superposition" in said and "and 0 without" in said
    assert "**Where those without lie**: nowhere" in said and "*A* 1.0" in said
    assert "e2e, planned rate: 100% of 12" in headline(plain, runs)
    assert headline(runs.iloc[:0], plain.iloc[:0]) == "Study `report_run`: **not recorded**."


def test_a_setting_without_an_interval_is_left_out() -> None:
    assert changes(runs_of(made(proteins=1, seeds=1)), "t = 49").empty
    assert set(changes(runs_of(made(proteins=1, seeds=2)), "t = 49")["pairs"]) == {2}
    empty = runs_of(made().iloc[:0])
    assert changes(empty, "t = 49").empty and explains(empty).empty and set(REPORT) < set(empty)


@pytest.mark.parametrize(("low", "high", "said"), [
    (0.5, 0.9, "better"), (0.5, 0.95, "open"), (0.92, 1.05, "equivalent"), (0.92, 1.2, "open"), (1.11, 3, "worse"),
    (1.05, 3, "open"), (0.5, 2, "open")])
def test_three_answers_and_open(low: float, high: float, said: str) -> None:
    assert answer(low, high) == said


def coverage(proteins: int, seeds: int, between: float, times: int = 4000) -> float:
    """How often `student` holds the truth, 0, of simulated log ratios whose seeds spread by 0.2 within a protein."""
    dice = np.random.default_rng(proteins * 10 + seeds)
    effects = between * dice.standard_normal((times, proteins, 1))
    values = effects + 0.2 * dice.standard_normal((times, proteins, seeds))
    held = [low <= 0 <= high for _, low, high in map(student, values)]
    return float(np.mean(held))


@pytest.mark.parametrize(("proteins", "seeds", "between"), [(4, 3, 0.0), (4, 5, 0.3), (4, 1, 0.3), (3, 1, 0.3),
                                                            (3, 5, 0.3), (2, 3, 0.0), (2, 5, 0.0), (1, 3, 0.0),
                                                            (1, 5, 0.0)])
def test_intervals_cover_what_they_claim(proteins: int, seeds: int, between: float) -> None:
    assert coverage(proteins, seeds, between) == pytest.approx(0.95, abs=0.012)


def test_with_two_proteins_an_interval_does_not_speak_of_others() -> None:
    assert coverage(2, 3, 0.3) < 0.8


@pytest.mark.parametrize("groups", [[], [[1.0]], [[1.0], [2.0]], [[1.0, 2.0], []]])
def test_no_interval_from_too_little(groups: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="an interval needs three proteins, or two seeds of one"):
        student([np.array(g) for g in groups])


def test_the_dimers_follow_their_rule() -> None:
    listed = [e for e in catalogue(kind="complex", split="train")]
    small, large = ([e.id for e in listed if low <= e.length <= high][:2] for low, high in ((80, 100), (190, 235)))
    assert dimers() == (*small, *large)


def test_the_plan_has_every_cells_first_seed_before_its_second() -> None:
    cells = STUDIES["report_run"]("laptop")
    first = cells[: 4 * 4 * 2 * 2]
    assert {c.protein for c in first} == set(dimers()) and {c.seed for c in first} == {0}
    certain = {(c.setting, c.change, c.variant, c.protein, c.seed) for c in cells}
    for key in itertools.product(tuple(SCRIPTS)[:4], (PLANNED, FALLS), ("scaled residual", "A"), dimers(), range(5)):
        assert key in certain
    for key in itertools.product(tuple(SCRIPTS)[:4], [PLANNED], OUTPUTS, dimers()[:2], range(5)):
        assert key in certain
    assert len(certain) == len(cells) == 320 + 4 * 4 * 2 * 5


def test_measured_after_100_250_and_500_micro_steps() -> None:
    cells = STUDIES["report_run_full"]("laptop")
    for cell in cells:
        scale = 4 if cell.setting == "e2e, single steps" else 1
        short = cell.marks[:2] == tuple(round(x / scale) for x in (100, 250))
        assert short and cell.recipe.steps * scale == (2000 if "4 x" in cell.change else 500)
        assert (cell.recipe.planned_updates is None) == (cell.change == FALLS)
        if "4 x" in cell.change:
            assert cell.marks[2:] == tuple(round(x / scale) for x in (500, 1000))
    assert len({c.key for c in cells}) == len(cells)
