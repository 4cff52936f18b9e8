"""Every notebook runs in the `ci` profile, within its goals and bands, and follows from its source.

The executed notebooks stay in build/ci.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from resfold_nb.workbook import bands, run_notebooks, sources
from resfold_nb.workbook import BUILD, NOTEBOOKS
from resfold_nb.workers import cores

PROFILE = "ci"
PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))


def test_there_are_notebooks() -> None:
    assert [path.stem for path in PATHS], "run `python -m resfold_nb notebooks build`"


def test_notebooks_follow_from_their_sources() -> None:
    assert sources.check() == []


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_notebook(path: Path) -> None:
    job = run_notebooks.job_for(path, BUILD / PROFILE, PROFILE, seed=0, html=True)
    # As many threads as in `run`, or the bands would not be the same to the last digit.
    ((_, result),) = run_notebooks.run_all([job], at_once=cores())
    assert result.error == ""
    assert result.warnings == ()
    recorded = bands.load(PROFILE)
    assert recorded is not None, f"no bands: run `python -m resfold_nb bands --profile {PROFILE}`"
    assert [str(miss) for miss in bands.check([result], recorded)] == []
