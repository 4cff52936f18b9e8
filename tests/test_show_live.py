"""Live training: what the buttons do, and that the numbers are those of plain training."""

from __future__ import annotations

import asyncio
import math
import os
import signal
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import pytest
import torch

from resfold_nb.data import Batch, load, make_batch
from resfold_nb.model import NetworkSize
from resfold_nb.show import live, live_driver
from resfold_nb.show.view import source
from resfold_nb.show.live import LiveTraining, live_training
from resfold_nb.show.live_driver import Driver
from resfold_nb.training import Recipe, train

T = TypeVar("T")
ALT = "A small network learns one protein."
RECIPE = Recipe("tiny", form="x0", size=NetworkSize(16, 1, 1, 2), timesteps=6, steps=24,
                noise_levels=2)


@pytest.fixture(scope="module")
def batch() -> Batch:
    return make_batch(load("1R69_A"))


def plain(batch: Batch, recipe: Recipe = RECIPE) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Losses and final weights of the bare loop."""
    states = list(train(recipe, batch))
    weights = states[-1].predictor.state_dict()
    return [float(s.loss) for s in states[1:]], {k: v.clone() for k, v in weights.items()}


def check_same(made: LiveTraining, batch: Batch) -> None:
    """The run ended with the numbers of plain training, to the bit."""
    losses, weights = plain(batch)
    assert made.run.losses[1:] == losses
    now = made.predictor.state_dict()
    assert all(torch.equal(now[name], value) for name, value in weights.items())


def apart(call: Callable[[], T]) -> T:
    """The call's result from a fresh thread: a browser test may have left a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def in_a_loop(go: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What the coroutine returns, on an event loop of its own as in a kernel."""
    return apart(lambda: asyncio.run(go()))


def press(made: LiveTraining, button: str) -> None:
    """What arrives when a button is pressed."""
    made.controls._handle_custom_msg({"do": button}, [])


async def until_step(made: LiveTraining, step: int) -> None:
    while made.state.step < step and made.driver.phase == "running":
        await asyncio.sleep(0)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """One piece of work a slice, and everything told at once."""
    monkeypatch.setattr(live, "SLICE", 0.0)
    monkeypatch.setattr(live, "REPORT", 0.0)


def test_before_start_the_untrained_model_is_shown(batch: Batch) -> None:
    made = live_training(RECIPE, batch, alt=ALT, wait=False)
    assert (made.driver.phase, made.state.step) == ("ready", 0)
    assert [mark.step for mark in made.run.marks] == [0]
    assert made.controls.steps == 24 and made.predictor is made.state.predictor


@pytest.mark.usefixtures("slow")
def test_pause_stops_the_steps_and_continuing_changes_no_number(batch: Batch) -> None:
    async def go() -> LiveTraining:
        made = live_training(RECIPE, batch, alt=ALT, every=5, wait=False)
        for step in (3, 10, 11):
            press(made, "start")
            await asyncio.sleep(0.01)
            assert made.controls.phase == "running"
            await until_step(made, step)
            press(made, "pause")
            await asyncio.sleep(0.01)
            paused = made.state.step
            assert made.controls.phase == "paused" and made.controls.step == paused < 24
            await asyncio.sleep(0.05)
            assert made.state.step == paused, "it trained on"
        made.start()
        await made.settled()
        return made

    made = in_a_loop(go)
    assert made.controls.phase == "finished" and made.controls.step == 24
    assert [mark.step for mark in made.run.marks] == [0, 5, 10, 15, 20, 24]
    check_same(made, batch)


@pytest.mark.usefixtures("slow")
def test_pause_and_start_at_once_leave_one_task(batch: Batch) -> None:
    async def go() -> LiveTraining:
        made = live_training(RECIPE, batch, alt=ALT, wait=False)
        made.start()
        await until_step(made, 2)
        task = made._task
        made.pause()
        made.start()
        assert made._task is task
        await made.settled()
        return made

    check_same(in_a_loop(go), batch)


@pytest.mark.usefixtures("slow")
def test_stop_ends_it_and_keeps_the_model(batch: Batch) -> None:
    async def go() -> LiveTraining:
        made = live_training(RECIPE, batch, alt=ALT, wait=False)
        made.start()
        await until_step(made, 4)
        press(made, "stop")
        await made.settled()
        made.start()
        await made.settled()
        return made

    made = in_a_loop(go)
    assert made.controls.phase == "stopped" and 4 <= made.state.step < 24
    assert len(made.run.losses) == made.state.step + 1
    assert all(torch.isfinite(weight).all() for weight in made.predictor.parameters())


@pytest.mark.usefixtures("slow")
def test_two_at_once_do_not_disturb_each_other(batch: Batch) -> None:
    async def go() -> list[LiveTraining]:
        both = [live_training(RECIPE, batch, alt=ALT, every=e, wait=False) for e in (4, 7)]
        for made in both:
            made.start()
        await until_step(both[0], 3)
        assert all(0 < made.state.step < 24 for made in both), "they did not take turns"
        for made in both:
            await made.settled()
        return both

    for made in in_a_loop(go):
        check_same(made, batch)


@pytest.mark.usefixtures("slow")
def test_the_loop_answers_while_it_trains(batch: Batch) -> None:
    async def go() -> int:
        made, turns = live_training(RECIPE, batch, alt=ALT, wait=False), 0
        made.start()
        while made.driver.phase == "running":
            await asyncio.sleep(0)
            turns += 1
        return turns

    assert in_a_loop(go) > 3


def test_without_anybody_there_it_trains_in_the_cell(batch: Batch) -> None:
    made = live_training(RECIPE, batch, alt=ALT)
    assert made.controls.phase == "finished" and made.controls.step == 24
    check_same(made, batch)
    sent = np.frombuffer(made._sample.panes[0].frames, dtype="<f4")
    assert np.array_equal(sent, made.driver.samples[-1].ravel())
    assert "after step 24" in made._sample.panes[0].captions[0]
    drawn = made._loss.figure["data"][live_driver.LOSS]
    assert list(drawn["y"]) == made.run.losses[1:]
    assert list(made._errors.figure["data"][live_driver.NOW]["y"]) == list(made.run.last.errors.rmse)
    assert "untrained" in made._errors.figure["data"][0]["name"]


def test_a_fixed_number_of_steps_can_be_continued(batch: Batch) -> None:
    async def go() -> LiveTraining:
        made = live_training(RECIPE, batch, alt=ALT, wait=True, steps=7)
        assert made.controls.phase == "paused" and made.state.step == 7
        assert made.run.last.step == 7, "the final state was not measured"
        made.start()
        await made.settled()
        return made

    check_same(in_a_loop(go), batch)


@pytest.mark.usefixtures("slow")
def test_an_error_is_shown_and_kept(batch: Batch) -> None:
    async def go() -> LiveTraining:
        wild = RECIPE.but(learning_rate=1e30, cosine_decay=False)
        made = live_training(wild, batch, alt=ALT, every=100, wait=False)
        made.start()
        await made.settled()
        return made

    made = in_a_loop(go)
    assert made.controls.phase == "failed" and isinstance(made.driver.error, FloatingPointError)
    assert "FloatingPointError: the loss is nan at step" in made.controls.error
    assert "set clip=1.0" in made.controls.error and made.predictor is not None


def test_without_anybody_there_an_error_is_raised(batch: Batch) -> None:
    with pytest.raises(FloatingPointError, match="loss of nan"):
        live_training(RECIPE.but(learning_rate=1e30, cosine_decay=False), batch, alt=ALT, every=100)


@pytest.mark.usefixtures("slow")
def test_an_error_of_the_drawing_does_not_vanish_in_the_task(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: LiveTraining) -> None:
        raise ValueError("nothing to draw with")

    async def go() -> LiveTraining:
        made = live_training(RECIPE, batch, alt=ALT, every=2, wait=False)
        monkeypatch.setattr(LiveTraining, "_show_mark", broken)
        made.start()
        while not made.driver.error:
            await asyncio.sleep(0)
        return made

    made = in_a_loop(go)
    assert "nothing to draw with" in str(made.driver.error)


def test_an_interrupt_pauses_between_two_steps(batch: Batch) -> None:
    driver = Driver(RECIPE, batch)
    step = driver._work

    def interrupted() -> object:
        for i, piece in enumerate(step):
            if i == 5:
                os.kill(os.getpid(), signal.SIGINT)
            yield piece

    driver._work = interrupted()
    before = signal.getsignal(signal.SIGINT)
    driver.start()
    driver.advance()
    assert signal.getsignal(signal.SIGINT) is before
    assert driver.phase == "paused" and 0 < driver.state.step < 24
    driver.start()
    driver.advance()
    assert driver.phase == "finished" and driver.run.losses[1:] == plain(batch)[0]


def test_running_a_cell_again_stops_what_it_trained_before(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(cell: str, message: str) -> LiveTraining:
        monkeypatch.setattr(live, "_request", lambda: {
            "metadata": {"cellId": cell}, "header": {"msg_id": message},
            "content": {"allow_stdin": True}})
        return live_training(RECIPE, batch, alt=ALT)

    first, beside, elsewhere = ask("a", "1"), ask("a", "1"), ask("b", "2")
    again = ask("a", "3")
    phases = [made.driver.phase for made in (first, beside, elsewhere, again)]
    assert phases == ["stopped", "stopped", "ready", "ready"]


def test_long_loss_curves_are_averaged() -> None:
    x, y = live_driver.thinned([1.0, 2.0, 3.0])
    assert (x, y) == ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    x, y = live_driver.thinned([float(i) for i in range(1, 1002)])
    assert len(x) == len(y) <= live_driver.POINTS and x == y and y[0] == 2.0 and y[-1] == 1000.5


def test_several_chains_show_the_first(batch: Batch) -> None:
    two = make_batch([load("1R69_A"), load("1A1X_A")], scale=10.0)
    driver = Driver(RECIPE, two)
    assert driver.truth.shape == driver.samples[0].shape == (int(two.mask[0].sum()), 3)
    own = load("1R69_A").centroids
    assert np.allclose(driver.truth, own - own.mean(axis=0), atol=1e-3), "not in Å"


@pytest.mark.parametrize(("keywords", "message"), [
    ({"alt": " "}, "live training needs a text"),
    ({"every": 0}, "every is 0"),
    ({"draws": 0}, "draws is 0"),
    ({"steps": 0}, "steps is 0"),
])
def test_what_makes_no_sense_is_refused(
    batch: Batch, keywords: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        live_training(RECIPE, batch, **{"alt": ALT, **keywords})


def test_outside_an_event_loop_start_says_so(batch: Batch) -> None:
    with pytest.raises(RuntimeError, match="wait=True"):
        apart(lambda: live_training(RECIPE, batch, alt=ALT, wait=False).start())


def test_time_left_is_unknown_before_the_first_step(batch: Batch) -> None:
    driver = Driver(RECIPE, batch)
    assert driver.seconds_left is None
    driver.start()
    driver.advance(until=12)
    assert math.isclose(driver.seconds_left, driver.worked)


def test_the_front_end_asks_nobody_on_the_network() -> None:
    for name in ("live.js", "live.css"):
        assert "://" not in source(name), name
