"""README's summaries are what the recorded studies and benchmarks say today."""

from __future__ import annotations

import pytest

from resfold_nb.studies import recorded_benchmark
from resfold_nb.workbook import readme


def test_the_readme_says_what_the_ledger_says() -> None:
    """If this fails: `python -m resfold_nb ledger`, and read what changed."""
    text = readme.README.read_text(encoding="utf-8")
    assert readme.updated(text) == text


def test_a_changed_summary_would_be_noticed() -> None:
    text = readme.README.read_text(encoding="utf-8").replace("**refuted**:", "**supported**:", 1)
    assert readme.updated(text) != text


@pytest.mark.parametrize("marker", ["<!-- ledger -->", "<!-- /ledger -->", "<!-- speed -->"])
def test_a_lost_marker_is_named(marker: str) -> None:
    text = readme.README.read_text(encoding="utf-8").replace(marker, "")
    with pytest.raises(ValueError, match="markers"):
        readme.updated(text)


def test_without_benchmarks_the_readme_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readme, "recorded_benchmark", lambda name: [])
    assert list(readme.speed()) == ["Not recorded."]


def test_one_recorded_benchmark_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    table = recorded_benchmark("views")
    monkeypatch.setattr(readme, "recorded_benchmark", lambda name: table if name == "views" else [])
    head, *rows, machine = readme.speed()
    assert len(rows) == len(table) and table[0]["processor"] in machine


def test_targets_stand_beside_what_was_measured() -> None:
    """Each judged table says of each of its rows whether the target was met."""
    said = "\n".join(readme.speed())
    judged = recorded_benchmark("views")
    judged += [row for part in ("ci", "tests") for row in recorded_benchmark(f"walls_{part}")[-1:]]
    found = [row["met"] for row in judged]
    for verdict, text in (("True", "target met"), ("False", "target missed"), ("", "target not decided")):
        assert said.count(text) == found.count(verdict), text
