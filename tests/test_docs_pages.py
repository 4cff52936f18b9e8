"""README's counts, docs/verdicts.md and docs/speed.md are what the recorded studies and benchmarks say today."""

from __future__ import annotations

import pandas as pd
import pytest

from resfold_nb.studies import benchmark
import pages as readme


def test_the_pages_say_what_the_tables_say() -> None:
    """If this fails: `python -m resfold_nb ledger`, and read what changed."""
    for path, text in readme.pages(readme.README.read_text("utf-8")).items():
        assert path.read_text("utf-8") == text, path


def test_a_changed_summary_would_be_noticed() -> None:
    text = readme.README.read_text("utf-8").replace("**refuted**", "**supported**", 1)
    assert readme.pages(text)[readme.README] != text


@pytest.mark.parametrize("marker", ["<!-- ledger -->", "<!-- /ledger -->", "<!-- report_run -->"])
def test_a_lost_marker_is_named(marker: str) -> None:
    with pytest.raises(ValueError, match="markers"):
        readme.pages(readme.README.read_text("utf-8").replace(marker, ""))


def test_without_benchmarks_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readme, "benchmark", lambda name: pd.DataFrame())
    assert list(readme.speed()) == ["Not recorded."] == list(readme.gpu())


def test_one_recorded_benchmark_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    table = benchmark("views")
    monkeypatch.setattr(readme, "benchmark", lambda name: table if name == "views" else pd.DataFrame())
    head, *rows, machine = readme.speed()
    assert len(rows) == len(table) and table["processor"][0] in machine


def test_targets_stand_beside_what_was_measured() -> None:
    """Each judged table says of each of its rows whether the target was met."""
    said = "\n".join(readme.speed())
    found = [*benchmark("views")["met"], *(benchmark(f"walls_{part}")["met"].iloc[-1] for part in ("ci", "tests"))]
    for verdict, text in (("True", "target met"), ("False", "target missed"), ("nan", "target not decided")):
        assert said.count(text) == [str(met) for met in found].count(verdict), text
