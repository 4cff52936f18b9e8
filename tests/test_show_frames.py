"""Pictures of frames: what is drawn is the frame's medians and ranges, and nothing recorded is said."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from resfold_nb import show, studies
from resfold_nb.show import frames

ROWS = pd.DataFrame([
    {"variant": v, "setting": s, "protein": "p", "seed": seed, "step": step, "steps": 10, "t": t, "superposed": False,
     "rmse": (1 + seed) * (10 if v == "B" else 1) * 20 / step, "rmsd": 0.5}
    for v in ("A", "B") for s in ("one", "two") for seed in range(3) for step in (5, 10) for t in (1, 49, "sampled")])


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    figures: list[Any] = []
    monkeypatch.setattr(frames, "figure", lambda fig, alt: figures.append(fig))
    return figures


def test_lines_are_medians_over_runs_at_the_end(drawn: list[Any]) -> None:
    show.by_timestep(ROWS, panel="setting", title="t", alt="a", order=["B", "A"])
    show.by_step(ROWS, at=(49,), title="t", alt="a", value="error")
    ends, steps = ([trace for trace in fig.data if trace.name] for fig in drawn)
    assert [(t.name, *t.y) for t in ends] == [("B", 40, 40), ("A", 4, 4)] * 2
    assert [(t.name, list(t.x), list(t.y)) for t in steps] == [("A", [5, 10], [8, 4]), ("B", [5, 10], [80, 40])]
    assert ends[0].line.color == show.look("B")[0] != show.look("A")[0]


def test_dots_are_medians_with_their_ranges(drawn: list[Any]) -> None:
    show.dots(studies.ends(ROWS[ROWS["t"] != "sampled"]), value="error", panel="setting", x="Å", title="t", alt="a")
    found = [(t.name, t.x[0], t.error_x.array[0], t.error_x.arrayminus[0]) for t in drawn[0].data]
    assert found == [("A", 4, 2, 2), ("B", 40, 20, 20)] * 2
    show.dots(ROWS[:0], value="rmse", panel="setting", colour="setting", x="Å", title="t", alt="a")
    assert any("not recorded" in note.text for note in drawn[1].layout.annotations)
