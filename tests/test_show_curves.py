"""Charts that follow a slider, the timestep scrubber, the gradient scope and the explorer."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pytest
import torch

from resfold_nb import show
from resfold_nb.measure import error_by_timestep, gradient_by_timestep, sample
from resfold_nb.data import load, make_batch, superpose
from resfold_nb.diffusion import FORMS, get_schedule
from resfold_nb.show.charts import shared_plotly
from resfold_nb.show.explorers import NAMES, Explorer
from resfold_nb.show.explorers import Cells
from resfold_nb.training import build, named_recipe, train

ALT = "Something moves."
BATCH = make_batch(load("1WY3_A"))
SCHEDULE = get_schedule("linear")


def chart() -> go.Figure:
    return go.Figure([go.Scatter(x=[0, 1, 2], y=[3, 4, 5]), go.Scatter(x=[0, 1], y=[1, 1])])


def models(*forms: str) -> dict[str, torch.nn.Module]:
    return {form: build(named_recipe("well_fed", "ci", form=form)) for form in forms}


def test_a_chart_is_sent_once_and_its_library_by_reference() -> None:
    made = show.curves(chart(), alt=ALT)
    assert made.get_state()["library"] == f"IPY_MODEL_{shared_plotly().model_id}"
    assert [trace["type"] for trace in made.figure["data"]] == ["scatter", "scatter"]
    assert made.figure["layout"]["height"] == made.height > 0


def test_new_lines_travel_alone_and_a_saved_notebook_has_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, sent = show.curves(chart(), alt=ALT), []
    monkeypatch.setattr(made, "send", lambda content: sent.append(content))
    made.set_lines({1: ([0, 1, 2], [7.0, float("nan"), 9.0])})
    assert sent == [{"lines": {1: {"x": [0, 1, 2], "y": [7.0, None, 9.0]}}}]
    assert made.get_state()["figure"]["data"][1]["y"] == [7.0, None, 9.0]
    for wrong in ({2: ([0], [0])}, {0: ([0, 1], [0])}):
        with pytest.raises(ValueError, match="trace"):
            made.set_lines(wrong)


@pytest.mark.parametrize(("marks", "said"), [
    ([show.Marker(2, [0], [0])], "the chart has 2"), ([show.Marker(0, [0, 1], [0])], "2 x for 1 y"),
    ([show.Marker(0, [0], [0]), show.Marker(1, [0, 1], [0, 1])], "1 and 2 frames")])
def test_marks_that_do_not_fit_are_refused(marks: list[show.Marker], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        show.curves(chart(), alt=ALT, marks=marks)


def test_a_chart_that_cannot_be_drawn_or_has_no_words_is_refused() -> None:
    with pytest.raises(ValueError, match="scatter3d"):
        show.curves(go.Figure(go.Scatter3d(x=[0], y=[0], z=[0])), alt=ALT)
    with pytest.raises(ValueError, match="needs a text"):
        show.curves(chart(), alt=" ")


def test_one_denoising_step_is_the_one_that_is_measured() -> None:
    """Captions and marker agree with `error_by_timestep` on the same noise."""
    pair = models("residual", "x0")
    made = show.denoising(pair, BATCH, alt=ALT)
    measured = error_by_timestep(pair["x0"], BATCH, draws=1)
    assert [pane.heading for pane in made.panes] == ["x_t", "residual", "x0"]
    assert made.panes[2].captions[25] == (
        f"RMSE {measured.rmse[25]:.2f} Å, RMSD {measured.rmsd[25]:.2f} Å")
    follower = made.scrubber.panes[-1]
    assert isinstance(follower, show.Curves)
    assert follower.marks[1]["y"][25] == pytest.approx(measured.rmse[25], abs=1e-3)
    assert follower.marks[0]["y"][0] is None, "no error at t = 0 has no place on a log axis"


def test_the_numbers_beside_the_slider_are_the_schedules() -> None:
    made = show.noising(BATCH, SCHEDULE, alt=ALT)
    assert made.scrubber.labels[25] == "t = 25 · ᾱ 0.50 · SNR 1"
    points = np.frombuffer(made.panes[0].frames, "<f4").reshape(50, -1, 3)
    truth = np.frombuffer(made.panes[0].truth, "<f4").reshape(-1, 3)
    assert np.allclose(points[0], truth)
    expected = float(np.sqrt(np.square(points[49] - truth).sum(-1).mean()))
    assert made.scrubber.panes[-1].marks[0]["y"][49] == pytest.approx(expected, rel=1e-4)


def test_samplers_start_from_the_same_noise_and_end_in_their_samples() -> None:
    pair = models("residual", "x0")
    made = show.sampling(pair, BATCH, alt=ALT)
    first, second = (np.frombuffer(p.frames, "<f4").reshape(50, -1, 3) for p in made.panes)
    assert np.allclose(first[0], second[0]) and not np.allclose(first[-1], second[-1])
    first, *_, last = made.scrubber.labels
    assert first.startswith("t = 49") and last.startswith("t = 0")
    one = show.sampling({"A": pair["x0"]}, BATCH, alt=ALT)
    assert [pane.heading for pane in one.panes] == ["x_t, A", "x0_pred, A"]


def test_superposed_predictions_lie_on_the_truth() -> None:
    pair = models("x0")
    plain, turned = (show.denoising(pair, BATCH, alt=ALT, superposed=s) for s in (False, True))
    truth = np.frombuffer(plain.panes[0].truth, "<f4").reshape(-1, 3)

    def off(made: show.Player) -> float:
        points = np.frombuffer(made.panes[1].frames, "<f4").reshape(50, -1, 3)[49]
        return float(np.square(points - truth).sum(-1).mean())

    assert off(turned) < off(plain)


def test_a_form_keeps_its_colour_beside_another_model_of_a_form() -> None:
    pair = models("residual", "x0")
    three = {"scaled residual": pair["residual"], "A": pair["x0"], "A + E": pair["x0"]}
    made = show.denoising(three, BATCH, alt=ALT).scrubber.panes[-1]
    colours = [trace["line"]["color"] for trace in made.figure["data"][:3]]
    assert colours[:2] == [show.PALETTE["residual"], show.PALETTE["x0"]]
    assert len(set(colours)) == 3


def test_too_few_or_many_models_are_refused() -> None:
    with pytest.raises(ValueError, match="1 to 3 models"):
        show.denoising({}, BATCH, alt=ALT)
    with pytest.raises(ValueError, match="1 to 4 models"):
        show.sampling(dict.fromkeys("abcde", models("x0")["x0"]), BATCH, alt=ALT)


def test_models_whose_names_resemble_each_other_keep_their_own_numbers() -> None:
    pair = models("residual", "x0")
    made = show.denoising({"t": pair["residual"], "t, fixed": pair["x0"]}, BATCH, alt=ALT)
    x_t, broken, fixed = (pane.captions[25] for pane in made.panes)
    again = show.denoising(pair, BATCH, alt=ALT)
    assert [x_t, broken, fixed] == [pane.captions[25] for pane in again.panes] and x_t == ""


def test_models_of_two_schedules_share_no_slider() -> None:
    cosine = build(named_recipe("well_fed", "ci", schedule="cosine"))
    with pytest.raises(ValueError, match="another schedule"):
        show.denoising({"A": models("x0")["x0"], "B": cosine}, BATCH, alt=ALT)


def test_the_scope_sees_the_gradients_and_predictions_of_the_run() -> None:
    recipe = named_recipe("well_fed", "ci", form="residual").but(steps=3)
    scope = show.Scope.joined([show.scope_of(state, BATCH, (0, 1, 49)) for state in train(recipe, BATCH)
                               if state.step in (0, 3)])
    assert scope.gradient.shape == scope.rmse.shape == (3, 2)
    assert scope.x0_pred.shape == (3, 2, len(load("1WY3_A")), 3)
    *_, last = train(recipe, BATCH)
    again = gradient_by_timestep(last.predictor, BATCH, draws=1, timesteps=(0, 1, 49)).at_weights
    assert np.allclose(scope.gradient[:, 1], again, rtol=1e-5)
    assert scope.gradient[0].max() == 0 == scope.rmse[0].max(), "the scaled residual at t = 0"
    made = show.gradient_scope(scope, BATCH, title="Gradient", alt=ALT)
    cells = next(child for child in made.children if isinstance(child, Cells))
    assert cells.labels[5].startswith("t = 49, step 3: gradient")


def test_the_explorer_has_every_pair_with_the_tables_own_numbers() -> None:
    made = next(c for c in show.explorer(alt=ALT).children if isinstance(c, Explorer))
    assert set(made.curves) == {f"{s}|{f}" for s in made.schedules for f in made.forms}
    assert {form.label for form in FORMS.values()} <= set(made.forms)
    for schedule in ("linear", "cosine"):
        curves = dict(zip(NAMES, made.curves[f"{schedule}|{FORMS['eps'].label}"], strict=True))
        a, s = (v[49] for v in (get_schedule(schedule).a, get_schedule(schedule).s))
        assert curves["c_out"][49] == pytest.approx(float(-s / a), rel=1e-4)
        assert curves["SNR"][0] is None and curves["ᾱ"][0] == 1


def test_a_dimer_is_sampled_with_its_chains_apart_clamped_aligned_and_superposed() -> None:
    batch = make_batch(load("3BPQ_A_B"))
    model = build(named_recipe("well_fed", "ci", form="x0"))
    made = show.sampling({"as it is": model, "aligned": model}, batch, superposed=True, x0_clamp=0.5,
                         align={"aligned": "aligned"}, alt=ALT)
    first, second = made.panes
    assert first.colour == "chain" and set(first.chain) == {0, 1} and first.frames != second.frames
    end = np.frombuffer(first.frames, "<f4").reshape(50, -1, 3)[-1]
    x0 = sample(model, batch, copies=1, x0_clamp=0.5).final
    assert np.allclose(end, batch.angstrom(superpose(x0, batch.x0))[0], atol=1e-3)
    chart = made.scrubber.panes[-1]
    assert "RMSD (Å)" in str(chart.figure), "what is superposed is drawn superposed"
