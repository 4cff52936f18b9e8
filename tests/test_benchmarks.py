"""What the benchmarks compare is the same model: equal losses, gradients and samples; and their rules."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from benchmarks import calls, figure, views, walls
from benchmarks.plain import plain_like, plain_sampling
from PIL import Image

from resfold_nb.measure import sample
from resfold_nb.measure.errors import MEASURING_SEED, measuring_noise
from resfold_nb.data import load, make_batch
from resfold_nb.model import Features
from resfold_nb.training import build, named_recipe
from resfold_nb.training.losses import Draw, training_loss

BATCH = make_batch(load("1WY3_A"))


@pytest.mark.parametrize("sees_points", [True, False])
@pytest.mark.parametrize("form", ["residual", "x0", "v"])
def test_plain_and_ours_have_equal_losses_and_gradients(form: str, sees_points: bool) -> None:
    """In double precision, on fresh inputs; the gradients of the parts that both name alike."""
    recipe = named_recipe("well_fed", "ci", form=form, trunk_sees_points=sees_points)
    ours = build(recipe, seed=3).double()
    plain, batch = plain_like(ours), BATCH.to("cpu", torch.float64)
    features, n = Features.of(batch), 6
    x0 = batch.x0.repeat(n, 1, 1)
    t, eps = torch.randint(0, 50, (n,)), torch.randn_like(x0)
    a, s = ours.amplitudes(t)
    loss = training_loss(recipe, ours, Draw(x0, eps, t, None), features)
    other = torch.nn.functional.mse_loss(plain(a * x0 + s * eps, t, features.repeat(n)), x0)
    # ours keeps a(t) and s(t) in single precision
    assert loss.item() == pytest.approx(other.item(), rel=1e-6)
    loss.backward()
    other.backward()
    pairs = [(ours.network.denoiser.head, plain.head), (ours.network.denoiser.time, plain.time),
             (ours.network.trunk.project, plain.trunk.project),
             (ours.network.trunk.residue, plain.trunk.residue)]
    for mine, its in pairs:
        assert torch.allclose(mine.weight.grad, its.weight.grad, rtol=1e-4, atol=1e-8)


def test_plain_and_ours_draw_the_same_structures() -> None:
    ours = build(named_recipe("well_fed", "ci", form="x0"), seed=3)
    start, *steps = (measuring_noise(BATCH, 2, MEASURING_SEED + i) for i in range(50))
    theirs = plain_sampling(plain_like(ours), BATCH, start, torch.stack(steps))
    assert torch.allclose(sample(ours, BATCH, copies=2).final, theirs, atol=1e-4)


def test_calls_are_enough_from_where_the_median_is_within_the_seeds_of_the_most() -> None:
    flat = {n: np.array([2.0, 2.1, 1.9]) for n in (49, 25, 10, 5, 1)}
    assert calls.fewest_calls(flat) == 1
    assert calls.fewest_calls(flat | {1: np.array([2.0, 2.2, 2.3])}) == 5
    assert calls.fewest_calls({n: x + (n < 49) for n, x in flat.items()}) == 49


def test_a_model_that_ignores_the_noise_needs_one_call_and_a_turned_one_all() -> None:
    ten, turned = ({(one.variant, one.sampler): calls.enough_row(one) for one in calls.recorded(setting)}
                   for setting in (calls.MANY, calls.TURNED))
    assert ten["A, blind to x_t and t", "ddpm"]["enough"] == 1
    assert turned["A", "ddpm"]["enough"] == 49 and not turned["A", "ddpm"]["met"]
    assert turned["A", "ddpm"]["enough by RMSE"] is None, "no orientation is the right one there"


def test_each_variant_is_looked_up_once_and_its_rows_agree_with_what_was_recorded() -> None:
    names = [name for _, name in calls.planned(calls.MANY)]
    assert len(names) == len(set(names)) and {"A", "scaled residual", "C", "A + E"} <= set(names)
    one = next(one for one in calls.recorded(calls.MANY) if one.variant == "A")
    first, *_, last = calls.error_rows(one)
    assert (first["calls"], first["RMSD over that of 49 calls"]) == (49, 1.0)
    assert last["RMSE (Å)"] == np.median(one.rmse[1]) and last["RMSE, highest"] == one.rmse[1].max()


def test_seconds_are_added_up_by_test_file(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import time\n\ndef test_a():\n    time.sleep(0.05)\n\ndef test_b():\n    time.sleep(0.05)\n")
    report = tmp_path / "report.xml"
    subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}",
                    f"--rootdir={tmp_path}", str(tmp_path)], check=True, capture_output=True)
    (name, seconds), = walls.seconds_by_file(ElementTree.parse(report).iter("testcase")).items()
    assert name == "test_it" and seconds >= 0.1


def test_a_wall_is_judged_only_where_it_has_a_target() -> None:
    assert walls.row("a", "b", 61.0, 60.0)["met"] is False
    assert walls.row("a", "b", 59.0, 60.0)["met"] is True
    assert walls.row("a", "b", 61.0)["met"] is None
    assert walls.row("a", "b", 59.0, 60.0, "failed, 9 tests")["met"] is False, "a red run may have stopped early"


@pytest.mark.parametrize(("values", "met"), [([30, 32], True), ([34, 36], False), ([30, 31, 34], None)])
def test_a_view_is_judged_only_where_its_repeats_agree(values: list[float], met: bool | None) -> None:
    assert views.row("a", values, "ms", 33.0)["met"] is met


def test_the_picture_shows_what_is_recorded_today() -> None:
    """If this fails: `python -m resfold_nb bench figure`."""
    picture, shown = Image.open(figure.PICTURE), list(figure.rows())
    assert picture.text[figure.KEY] == figure.digest(shown)
    assert figure.PICTURE.stat().st_size < 150_000
    drawn = figure.chart(shown)
    assert sum(len(trace.error_x.array or ()) for trace in drawn.data) == len(shown)
    assert len(drawn.layout.shapes) == 1 + sum(row.target is not None for row in shown)
