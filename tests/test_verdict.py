"""Claims, their rules and verdicts, the intervals under them, and the ledger as committed."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from checkouts import ROOT

from resfold_nb.data import data_directory
from resfold_nb.measure.intervals import Interval, bootstrap, ratio
from resfold_nb.studies import frames
from resfold_nb.studies.plans import CORE_PROTEINS, FACTORS
from resfold_nb.training import named_recipe
from resfold_nb.verdict import evidence
from resfold_nb.verdict.evidence import compare, core_errors, core_level, core_ratio, errors, factor_ratio
from resfold_nb.verdict.ledger import CLAIMS, counts, judged, markdown
from resfold_nb.verdict.rules import (AFTER, DEPENDS, REFUTED, SUPPORTED, UNDECIDED, VERDICTS, Claim, Finding,
                                      Judgement, Rule, judge, verdict_of)

ALL = [claim for claims in CLAIMS.values() for claim in claims]

COMPUTED = {"zero-gradient", "two-percent", "snr-column", "four-times-signal", "a-gradients", "b-gradients", "d-real"}
"""Claims whose numbers come from algebra, structures or an untrained network: no table is read."""


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the data whose recorded tables may be changed."""
    shutil.copytree(data_directory(), tmp_path / "data", ignore=shutil.ignore_patterns(".runs"))
    monkeypatch.setenv("RESFOLD_DATA", str(tmp_path / "data"))
    caches = (frames._read, evidence._by_recipe, judged)
    for cache in caches:
        cache.cache_clear()
    yield tmp_path / "data" / "recorded"
    for cache in caches:
        cache.cache_clear()


def rows_of(table: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(gzip.decompress(table.read_bytes()).decode())))


def plant(table: Path, form: str, factor: float) -> None:
    """Multiply every error of a form in a study's table."""
    rows = rows_of(table)
    for row in rows:
        if row["form"] == form:
            row["rmse"], row["rmsd"] = (str(factor * float(row[k])) for k in ("rmse", "rmsd"))
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    table.write_bytes(gzip.compress(text.getvalue().encode()))


def verdict(name: str) -> Judgement:
    """A claim of the ledger, judged now."""
    return judge(next(claim for claim in ALL if claim.id == name))


@pytest.mark.parametrize(("sense", "threshold", "interval", "answer"), [
    ("below", 1.0, (0.8, 0.7, 0.9), "yes"), ("below", 1.0, (1.2, 1.1, 1.3), "no"),
    ("below", 1.0, (1.0, 0.9, 1.1), "open"), ("below", 1.0, (0.9, 0.8, 1.0), "open"),
    ("above", 1.0, (1.2, 1.1, 1.3), "yes"), ("above", 1.0, (0.8, 0.7, 0.9), "no"),
    ("above", 1.0, (1.0, 0.9, 1.1), "open"), ("above", 1.0, (1.1, 1.0, 1.2), "open"),
    ("below", 1.0, (1.1, 1.0, 1.2), "open"), ("above", 1.0, (0.9, 0.8, 1.0), "open"),
    ("below", 1.0, (1.0, 1.0, 1.0), "open"), ("above", 1.0, (1.0, 1.0, 1.0), "open"),
    ("below", -1.0, (-2.0, -3.0, -1.5), "yes"), ("above", -1.0, (-2.0, -3.0, -1.5), "no"),
    ("within", 1.1, (1.0, 0.95, 1.05), "yes"), ("within", 1.1, (0.5, 0.4, 0.6), "no"),
    ("within", 1.1, (2.0, 1.5, 2.5), "no"), ("within", 1.1, (1.0, 0.5, 1.5), "open"),
    ("within", 1.25, (1.0, 0.8, 1.25), "yes"), ("within", 1.25, (1.25, 1.25, 1.25), "yes"),
    ("within", 1.25, (1.3, 1.2, 1.4), "open"), ("within", 1.25, (0.8, 0.7, 0.9), "open"),
    ("within", 1.25, (1.3, 1.25, 1.4), "open"), ("within", 1.25, (0.7, 0.6, 0.8), "open"),
])
def test_a_rule_reads_the_whole_interval(sense: str, threshold: float,
                                         interval: tuple[float, float, float], answer: str) -> None:
    assert Rule(sense, threshold).answer(Interval(*interval)) == answer


@pytest.mark.parametrize("sense", ["below", "above", "within"])
def test_what_was_not_recorded_is_no_answer(sense: str) -> None:
    assert Rule(sense, 2.0).answer(None) == "not recorded"


def test_a_rule_is_printed_with_its_limit_its_unit_and_its_past() -> None:
    assert str(Rule("below", 1.0, "Å")) == "below 1 Å; set before the runs, version 1"
    changed = Rule("within", 1.25, fixed=AFTER, version=2, was="below 2 times")
    assert str(changed) == ("within a factor 1.25 of 1; set after its study had been seen, "
                            "version 2 (before: below 2 times)")


def test_the_verdict_follows_from_the_answers_as_the_module_says() -> None:
    """Every combination of up to five settings."""
    for n in range(1, 6):
        for answers in itertools.product(("yes", "no", "open", "not recorded"), repeat=n):
            yes, no = answers.count("yes"), answers.count("no")
            few = n - yes - no < n / 2
            wanted = (DEPENDS if yes and no else SUPPORTED if yes and few else REFUTED if no and few else UNDECIDED)
            assert verdict_of(answers) == wanted, answers


def test_nothing_found_decides_nothing_and_a_summary_counts_what_was() -> None:
    values = (0.5, 2.0, 0.6, None)
    found = [Finding("", None if x is None else Interval(x, x, x)) for x in values]
    claim = Claim("mine", "R1", "", "", "16_verdict", Rule("below", 1.0))
    assert judge(claim).verdict == verdict_of(()) == UNDECIDED
    judgement = judge(dataclasses.replace(claim, find=lambda: found))
    assert judgement.summary == "2 yes, 1 no, 1 not recorded" and judgement.verdict == DEPENDS


def test_a_bootstrap_of_equal_values_has_no_width_and_others_have_their_ranges() -> None:
    assert bootstrap([np.full(5, 2.0), np.full(5, 2.0)]) == Interval(2.0, 2.0, 2.0)
    two = bootstrap([np.array([0.0, 1.0])])
    assert (two.low, two.estimate, two.high) == (0.0, 0.5, 1.0)
    assert bootstrap([np.arange(5.0)]) == bootstrap([np.arange(5.0)])


@pytest.mark.parametrize(("spread", "lowest", "highest"), [(0.0, 0.92, 1.0), (1.0, 0.75, 0.95)])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(spread: float, lowest: float, highest: float) -> None:
    """Five proteins, five seeds. Where proteins differ as much as seeds, five proteins are few.

    Drawing seeds alone would hold the truth in about 0.6 of the cases there.
    """
    dice, held = np.random.default_rng(0), 0
    for trial in range(120):
        found = bootstrap([dice.normal(0, spread) + dice.normal(size=5) for _ in range(5)], trial)
        held += found.low < 0 < found.high
    assert lowest < held / 120 <= highest


def test_the_intervals_width_is_that_of_drawing_proteins_and_then_seeds() -> None:
    """The variance of the resampled mean in closed form, 20 proteins x 20 seeds, nearly normal."""
    dice = np.random.default_rng(0)
    groups = [dice.normal(0, 2) + dice.normal(0, 6, 20) for _ in range(20)]
    between, within = np.var([g.mean() for g in groups]), np.mean([g.var() for g in groups])
    found = bootstrap(groups)
    assert found.high - found.low == pytest.approx(2 * 1.96 * np.sqrt((between + within / 20) / 20), rel=0.06)


def test_a_ratio_pairs_seed_by_seed() -> None:
    base = np.array([0.1, 1.0, 10.0])
    assert ratio([2 * base], [base]) == pytest.approx((2, 2, 2))
    with pytest.raises(ValueError, match="cannot be paired"):
        ratio([base], [base[:2]])
    with pytest.raises(ValueError, match="above zero"):
        ratio([0 * base], [base])
    with pytest.raises(ValueError, match="at least one"):
        bootstrap([])


def test_a_ratio_is_the_geometric_mean_over_seeds_and_proteins() -> None:
    over, under = [np.array([1.0, 8.0]), np.array([4.0])], [np.array([1.0, 2.0]), np.array([1.0])]
    found = ratio(over, under)
    assert found.estimate == pytest.approx(np.sqrt(np.sqrt(1.0 * 4.0) * 4.0))
    assert found == ratio(over, under) and found.low < found.estimate < found.high
    with pytest.raises(ValueError, match="shorter"):
        ratio(over, under[:1])


def test_with_more_seeds_on_one_side_the_common_ones_are_compared() -> None:
    assert compare("", [np.array([2.0, 2.0, 99.0])], [np.ones(2)]).value == pytest.approx((2,) * 3)
    assert compare("", None, [np.ones(2)]).value is None


def test_errors_are_pooled_over_t_at_the_mark_nearest_to_a_share_of_the_steps() -> None:
    rows = pd.DataFrame([{"seed": seed, "step": step, "t": t, "rmse": plain, "rmsd": plain / 10}
                         for t in range(50) for seed in (0, 1)
                         for step, plain in ((0, 100 * (1 + seed)), (30, 10 * (1 + seed)), (100, t * (1.0 + seed)))])
    assert errors(rows, 7).tolist() == [7, 14]
    assert errors(rows, "worst t").tolist() == [49, 98]
    assert errors(rows, "mean over t").tolist() == [25, 50], "t = 0 is left out"
    assert errors(rows, 7, superposed=True, share=0.25).tolist() == [1, 2]
    assert errors(rows[rows["t"] != 49], "worst t") is None


def test_a_recorded_ratio_is_that_of_the_tables_rows() -> None:
    """By hand from the file: last step, paired by protein and seed, geometric mean."""
    forms = {named_recipe("starved", form=form).hash: form for form in ("skip_unscaled", "x0")}
    logs = {(forms[row["hash"]], row["protein"], row["seed"]): np.log(float(row["rmse"]))
            for row in rows_of(data_directory() / "recorded" / "core.csv.gz")
            if row["hash"] in forms and (row["t"], row["step"]) == ("49", "500")}
    by_hand = np.exp(np.mean([logs["skip_unscaled", p, str(s)] - logs["x0", p, str(s)]
                              for p in CORE_PROTEINS for s in range(5)]))
    found = core_ratio("skip_unscaled", "x0", (49,))[0]
    assert found.setting == "starved, skip_unscaled / x0, t = 49"
    assert found.value.estimate == pytest.approx(by_hand)


def test_claims_have_their_own_ids_and_lead_somewhere() -> None:
    tour = (ROOT / "notebooks/src/00_tour.py").read_text()
    assert len({claim.id for claim in ALL}) == len(ALL)
    for claim in ALL:
        assert f"# | {claim.report} (" in tour, claim.id
        assert (ROOT / f"notebooks/src/{claim.notebook}.py").exists(), claim.id
        assert (claim.rule is None) == bool(claim.source), claim.id


def test_a_changed_rule_says_what_it_was_before() -> None:
    rules = [claim.rule for claim in ALL if claim.rule is not None]
    assert all(bool(rule.was) == (rule.version > 1) for rule in rules)
    assert any(rule.version > 1 for rule in rules)


def test_no_committed_claim_lacks_a_number() -> None:
    for judgements in judged().values():
        for j in judgements:
            assert j.claim.rule is None or j.findings, j.claim.id
            assert "not recorded" not in j.answers, j.claim.id
            assert len({f.setting for f in j.findings}) == len(j.findings), j.claim.id


def test_the_summary_counts_every_claim_once() -> None:
    every = [j for judgements in judged().values() for j in judgements]
    found = counts(every)
    assert sum(found.values()) == len(every) == len(ALL)
    row = next(line for line in markdown().splitlines() if "**all**" in line)
    assert row == "| **all** | " + " | ".join(f"**{found[v]}**" for v in VERDICTS) + " |"
    groups = [[int(n) for n in line.strip("| ").split(" | ")[1:]]
              for line in markdown().splitlines()[2 : 2 + len(CLAIMS)]]
    assert [sum(column) for column in zip(*groups, strict=True)] == list(found.values())
    assert all(markdown().count(f"{j.claim.says.rstrip('.')} ({j.claim.report})") == 1 for j in every)


def test_planted_errors_turn_a_verdict_round(tables: Path) -> None:
    """The scale alone is made the cause of everything, and then of nothing."""
    before = verdict("primary-cause")
    plant(tables / "core.csv.gz", "skip_unscaled", 1e-4)
    frames._read.cache_clear(), evidence._by_recipe.cache_clear()
    cause = verdict("primary-cause")
    plant(tables / "core.csv.gz", "skip_unscaled", 1e8)
    frames._read.cache_clear(), evidence._by_recipe.cache_clear()
    no_cause = verdict("primary-cause")
    assert (cause.verdict, no_cause.verdict) == (SUPPORTED, REFUTED)
    assert before.findings != cause.findings


def test_without_tables_only_what_was_computed_or_published_is_decided(tables: Path) -> None:
    shutil.rmtree(tables)
    for found in (judgement for group in judged().values() for judgement in group):
        claim = found.claim
        if claim.rule is None:
            assert found.verdict == claim.cited
        elif claim.id in COMPUTED:
            assert found.answers and "not recorded" not in found.answers, claim.id
        else:
            assert set(found.answers) == {"not recorded"}, claim.id
            assert found.verdict == UNDECIDED, claim.id


def test_a_readers_claim_is_judged_like_ours() -> None:
    mine = Claim("mine", "R1", "A ends below 10 Å.", "RMSE", "07_fix_a_direct_x0",
                 Rule("below", 10.0, "Å"), lambda: core_level("x0", (49,)))
    assert judge(mine).verdict == SUPPORTED
    assert len(judge(mine).findings) == 3


def test_errors_are_superposed_where_training_was() -> None:
    """As published leaves the orientation free: its plain error says nothing."""
    for name, superposed in (("well_fed", False), ("superposed_loss", True)):
        recipe = named_recipe(name, form="x0")
        given, asked = core_errors(recipe, 49), core_errors(recipe, 49, superposed=superposed)
        assert all(map(np.array_equal, given, asked))


@pytest.mark.parametrize(("factor", "superposed"), [
    ("clean trunk", False), ("random rotations", True), ("superposed loss, other", True)])
def test_a_factor_is_measured_superposed_where_either_side_was_trained_so(factor: str, superposed: bool) -> None:
    base = named_recipe("well_fed", form="x0")
    over, under = (core_errors(recipe, 49, CORE_PROTEINS[:1], superposed=superposed)
                   for recipe in (FACTORS[factor](base), base))
    expected = compare("well_fed, x0, t = 49", over, under)
    assert expected.value is not None and expected in factor_ratio(factor, ("x0",), (49,))
