"""Claims, their rules and verdicts, the intervals under them, and the ledger as committed."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from checkouts import ROOT

from resfold_nb.analysis import recorded
from resfold_nb.analysis.claims import (
    DEPENDS,
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    VERDICTS,
    Claim,
    Judgement,
    Rule,
    judge,
    verdict_of,
)
from resfold_nb.analysis.intervals import Interval, bootstrap, ratio
from resfold_nb.analysis.ledger import CLAIMS, counts, judged, markdown
from resfold_nb.data import data_directory
from resfold_nb.training import named_recipe

ALL = [claim for claims in CLAIMS.values() for claim in claims]


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the data whose recorded tables may be changed."""
    shutil.copytree(data_directory(), tmp_path / "data", ignore=shutil.ignore_patterns(".runs"))
    monkeypatch.setenv("RESFOLD_DATA", str(tmp_path / "data"))
    caches = (recorded._index, recorded._quantities, judged)
    for cache in caches:
        cache.cache_clear()
    yield tmp_path / "data" / "recorded"
    for cache in caches:
        cache.cache_clear()


def plant(table: Path, form: str, factor: float) -> None:
    """Multiply every error of a form in a study's table."""
    rows = list(csv.DictReader(io.StringIO(gzip.decompress(table.read_bytes()).decode())))
    for row in rows:
        if row["form"] == form:
            row["rmse"], row["rmsd"] = (str(factor * float(row[k])) for k in ("rmse", "rmsd"))
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    table.write_bytes(gzip.compress(text.getvalue().encode()))


def verdict(name: str) -> Judgement:
    return judge(next(claim for claim in ALL if claim.id == name))


@pytest.mark.parametrize(("sense", "threshold", "interval", "answer"), [
    ("below", 1.0, (0.8, 0.7, 0.9), "yes"), ("below", 1.0, (1.2, 1.1, 1.3), "no"),
    ("below", 1.0, (1.0, 0.9, 1.1), "open"), ("below", 1.0, (0.9, 0.8, 1.0), "open"),
    ("above", 1.0, (1.2, 1.1, 1.3), "yes"), ("above", 1.0, (0.8, 0.7, 0.9), "no"),
    ("above", 1.0, (1.0, 0.9, 1.1), "open"),
    ("within", 1.1, (1.0, 0.95, 1.05), "yes"), ("within", 1.1, (0.5, 0.4, 0.6), "no"),
    ("within", 1.1, (2.0, 1.5, 2.5), "no"), ("within", 1.1, (1.0, 0.5, 1.5), "open"),
])
def test_a_rule_reads_the_whole_interval(sense: str, threshold: float,
                                         interval: tuple[float, float, float], answer: str) -> None:
    assert Rule(sense, threshold).answer(Interval(*interval)) == answer


def test_what_was_not_recorded_is_no_answer() -> None:
    assert Rule("below", 1.0).answer(None) == "not recorded"


def test_the_verdict_follows_from_the_answers_as_the_module_says() -> None:
    """Every combination of up to five settings."""
    for n in range(1, 6):
        for answers in itertools.product(("yes", "no", "open", "not recorded"), repeat=n):
            yes, no = answers.count("yes"), answers.count("no")
            few = n - yes - no < n / 2
            wanted = (DEPENDS if yes and no else SUPPORTED if yes and few
                      else REFUTED if no and few else UNDECIDED)
            assert verdict_of(answers) == wanted, answers


def test_a_bootstrap_of_equal_values_has_no_width_and_others_have_their_ranges() -> None:
    assert bootstrap([np.full(5, 2.0), np.full(5, 2.0)]) == Interval(2.0, 2.0, 2.0)
    two = bootstrap([np.array([0.0, 1.0])])
    assert (two.low, two.estimate, two.high) == (0.0, 0.5, 1.0)
    assert bootstrap([np.arange(5.0)]) == bootstrap([np.arange(5.0)])


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Few seeds make percentile intervals too narrow, proteins drawn twice too wide."""
    dice, held = np.random.default_rng(0), 0
    for trial in range(120):
        found = bootstrap([dice.normal(size=5) for _ in range(5)], seed=trial)
        held += found.low < 0 < found.high
    assert 0.85 < held / 120 <= 1.0


def test_a_ratio_pairs_seed_by_seed() -> None:
    base = np.array([0.1, 1.0, 10.0])
    assert ratio([2 * base], [base]) == pytest.approx((2, 2, 2))
    with pytest.raises(ValueError, match="cannot be paired"):
        ratio([base], [base[:2]])
    with pytest.raises(ValueError, match="above zero"):
        ratio([0 * base], [base])
    with pytest.raises(ValueError, match="at least one"):
        bootstrap([])


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


def test_the_summary_counts_every_claim_once() -> None:
    every = [j for judgements in judged().values() for j in judgements]
    found = counts(every)
    assert sum(found.values()) == len(every) == len(ALL)
    row = next(line for line in markdown().splitlines() if "**all**" in line)
    assert row == "| **all** | " + " | ".join(f"**{found[v]}**" for v in VERDICTS) + " |"


def test_planted_errors_turn_a_verdict_round(tables: Path) -> None:
    """The scale alone is made the cause of everything, and then of nothing."""
    before = verdict("primary-cause")
    plant(tables / "core.csv.gz", "skip_unscaled", 1e-4)
    recorded._index.cache_clear()
    cause = verdict("primary-cause")
    plant(tables / "core.csv.gz", "skip_unscaled", 1e8)
    recorded._index.cache_clear()
    no_cause = verdict("primary-cause")
    assert (cause.verdict, no_cause.verdict) == (SUPPORTED, REFUTED)
    assert before.findings != cause.findings


def test_without_tables_nothing_is_decided_and_nothing_breaks(tables: Path) -> None:
    shutil.rmtree(tables)
    for claim in ALL:
        found = judge(claim)
        if "not recorded" in found.answers and len(set(found.answers)) == 1:
            assert found.verdict == UNDECIDED, claim.id
    assert verdict("primary-cause").verdict == UNDECIDED
    assert verdict("af3-trunk").verdict != UNDECIDED, "judged from what was published"


def test_a_readers_claim_is_judged_like_ours() -> None:
    from resfold_nb.analysis.evidence import core_level

    mine = Claim("mine", "R1", "A ends below 10 Å.", "RMSE", "07_fix_a_direct_x0",
                 Rule("below", 10.0, "Å"), lambda: core_level("x0", (49,)))
    assert judge(mine).verdict == SUPPORTED
    assert len(judge(mine).findings) == 3


def test_errors_are_superposed_where_training_was() -> None:
    """As published leaves the orientation free: its plain error says nothing."""
    from resfold_nb.analysis.evidence import core_errors

    for name, superposed in (("well_fed", False), ("as_published", True)):
        recipe = named_recipe(name, form="x0")
        given, asked = core_errors(recipe, 49), core_errors(recipe, 49, superposed=superposed)
        assert all(map(np.array_equal, given, asked))
