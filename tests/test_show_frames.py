"""Pictures of frames: what is drawn is the frame's medians and ranges, and nothing recorded is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from resfold_nb import show, studies
from resfold_nb.show import frames
from resfold_nb.show.charts import log_axis

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


def test_without_runs_a_picture_says_so(drawn: list[Any]) -> None:
    show.by_timestep(ROWS[:0], title="t", alt="a")
    show.by_step(ROWS[:0], title="t", alt="a", panel=None)
    for fig in drawn:
        assert any("not recorded" in note.text for note in fig.layout.annotations)


def test_every_run_is_a_point_and_the_report_a_star(drawn: list[Any]) -> None:
    runs = pd.DataFrame({"setting": ["e2e", "e2e, 1 draw", "resfold, 64 draws"], "protein": "a", "seed": [0, 1, 2],
                         "change": ["planned rate", "rate falls", "planned rate"], "variant": ["A", "A", "scaled residual"],
                         "t = 49": [9.0, 2.0, 0.3], "sampled": [7.0, 3.0, 0.4]})
    show.report_run(runs)
    points = {trace.name: (trace.x[0], trace.y[0]) for trace in drawn[0].data}
    assert points == {"4 draws, planned rate, A": (9, 7), "1 draw, rate falls, A": (2, 3),
                      "64 draws, planned rate, scaled residual": (0.3, 0.4), "the report": (9.17, 6.91)}
    assert len({trace.marker.color for trace in drawn[0].data}) == 4
    show.report_run(runs[:0])
    assert "not recorded" in drawn[1].layout.title.text


@pytest.mark.parametrize(("values", "ticks"), [([2.0, 20.0], "written out"), ([1e-4, 1.0], "decades"), ([], "written out")])
def test_log_axes_write_their_ticks_out_where_they_fit(values: list[float], ticks: str) -> None:
    axis = log_axis([values, [0.0, np.nan]])
    assert ("tickvals" in axis) == (ticks == "written out") and ("dtick" in axis) == (ticks == "decades")


def test_a_narrow_log_axis_has_more_ticks_than_one() -> None:
    narrow, usual = (log_axis([values])["tickvals"] for values in ([2.1, 4.9], [2.1, 49.0]))
    assert [t for t in narrow if 2 <= t <= 5] == [2, 3, 5]
    assert [t for t in usual if 2.1 <= t <= 49] == [5, 10, 20]
