"""Line charts: bands over seeds, shared legends, and what cannot be drawn."""

from __future__ import annotations

import numpy as np
import pytest

from resfold_nb.measure import baselines
from resfold_nb.diffusion import FORMS, linear
from resfold_nb.show import (
    PALETTE,
    Line,
    baseline_lines,
    chart,
    form_line,
    heatmap,
    heatmaps,
    panels,
    progress,
)

STEPS = np.array([1, 10, 100])


def test_seeds_become_a_median_and_a_band() -> None:
    values = np.array([[4.0, 3.0, 1.0], [8.0, 5.0, 2.0], [9.0, 4.0, 6.0]])
    fig = chart([Line("error", STEPS, values, "#0072B2")], title="t", x="steps", y="Å")
    low, high, median = (np.asarray(trace.y) for trace in fig.data)
    assert low.tolist() == [4, 3, 1] and high.tolist() == [9, 5, 6]
    assert median.tolist() == [8, 4, 2] and fig.data[2].showlegend and not fig.data[0].showlegend


def test_one_seed_has_no_band() -> None:
    fig = chart([Line("a", STEPS, np.ones((1, 3)), "#0072B2")], title="t", x="x", y="y")
    assert len(fig.data) == 1


def test_panels_share_the_legend_and_say_what_is_not_recorded() -> None:
    line = Line("a", STEPS, STEPS, "#0072B2")
    fig = panels({"first": [line], "second": [line], "third": []}, title="t", x="x", y="y")
    assert [trace.showlegend for trace in fig.data] == [True, False, False]
    texts = [note.text for note in fig.layout.annotations]
    assert texts == ["first", "second", "third", "not recorded"]
    assert fig.layout.annotations[-1].xref == "x3 domain" and fig.data[-1].xaxis == "x3"
    assert fig.layout.xaxis3.title.text == "x" and fig.layout.yaxis.title.text == "y"


def test_a_zero_is_left_out_of_a_logarithmic_axis() -> None:
    line = Line("a", STEPS, np.array([0.0, 1.0, 2.0]), "#0072B2")
    logarithmic, plain = (
        chart([line], title="t", x="x", y="y", log_y=log).data[0].y for log in (True, False)
    )
    assert np.isnan(logarithmic[0]) and plain[0] == 0


def test_the_goal_is_drawn_in_every_panel() -> None:
    line = Line("a", STEPS, STEPS, "#0072B2")
    fig = panels({"a": [line], "b": [line]}, title="t", x="x", y="y", goal=1.0)
    assert [shape.y0 for shape in fig.layout.shapes] == [1.0, 1.0]


@pytest.mark.parametrize("form", FORMS)
def test_each_form_has_its_colour_and_label(form: str) -> None:
    line = form_line(form, STEPS, STEPS)
    assert line.colour == PALETTE[form] and line.label == FORMS[form].label


def test_the_three_baselines_are_dashed_lines_over_t() -> None:
    lines = baseline_lines(baselines(linear(), 1.0))
    assert [line.label for line in lines] == ["predict zero", "copy x_t", "best linear"]
    assert all(line.dash != "solid" and len(line.x) == 50 for line in lines)


def test_heatmaps_share_one_scale_that_is_even_about_zero() -> None:
    fig = heatmaps({"a": [[0.0, 1.0]], "b": [[-4.0, 2.0]]}, title="t", x="channel", y="residue",
                   value="Å", diverging=True)
    axis = fig.layout.coloraxis
    assert (axis.cmin, axis.cmax) == (-4, 4) and axis.colorbar.title.text == "Å"
    assert {trace.coloraxis for trace in fig.data} == {"coloraxis"}
    assert fig.layout.yaxis.autorange == "reversed" and fig.layout.yaxis.title.text == "residue"
    assert heatmap([[1.0]], title="t", x="x", y="y", value="v").data[0].z.shape == (1, 1)
    with pytest.raises(ValueError, match=r"'c' has shape \(3,\)"):
        heatmaps({"c": [1, 2, 3]}, title="t", x="x", y="y", value="v")


def test_a_progress_bar_passes_everything_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(iter([1, 2, 3]), 3)) == [1, 2, 3]
    assert "3/3" in capsys.readouterr().err
