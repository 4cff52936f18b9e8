"""README's summary of the verdicts is what the recorded studies say today."""

from __future__ import annotations

import pytest

from resfold_nb.workbook import readme


def test_the_readme_says_what_the_ledger_says() -> None:
    """If this fails: `python -m resfold_nb ledger`, and read what changed."""
    text = readme.README.read_text(encoding="utf-8")
    assert readme.updated(text) == text


def test_a_changed_summary_would_be_noticed() -> None:
    text = readme.README.read_text(encoding="utf-8").replace("**refuted**:", "**supported**:", 1)
    assert readme.updated(text) != text


def test_a_lost_marker_is_named() -> None:
    with pytest.raises(ValueError, match="markers"):
        readme.updated("no marker here")
