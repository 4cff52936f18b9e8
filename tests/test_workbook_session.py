"""The first cell: profile, seed and device."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from resfold_nb.workbook import start
from resfold_nb.workbook.session import choose_device


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESFOLD_DEVICE", "cpu")


def test_one_line_says_what_it_runs_under(capsys: pytest.CaptureFixture[str]) -> None:
    session = start("ci", 3, "06_broken_residual")
    line = capsys.readouterr().out
    assert line == (
        f"06_broken_residual · profile ci · device cpu · seed 3 · torch {torch.__version__} · "
        f"{torch.get_num_threads()} CPU thread(s)\n"
    )
    assert (session.profile, session.seed, session.device) == ("ci", 3, torch.device("cpu"))


@pytest.mark.parametrize(("profile", "value"), [("ci", 1), ("laptop", 2), ("gpu", 3)])
def test_pick_follows_the_profile(profile: str, value: int) -> None:
    assert start(profile).pick(ci=1, laptop=2, gpu=3) == value


def test_same_seed_same_numbers_in_every_generator() -> None:
    def draw(seed: int) -> tuple[float, ...]:
        start("ci", seed)
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    assert draw(1) == draw(1)
    assert all(a != b for a, b in zip(draw(1), draw(2), strict=True))


def test_gpu_profile_without_a_gpu_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    start("gpu")
    assert "gpu without a GPU" in capsys.readouterr().out


def test_unknown_profile_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown profile 'big': choose from ci, laptop, gpu"):
        start("big")


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, True, "1"])
def test_seed_has_to_be_a_whole_number(seed: object) -> None:
    with pytest.raises(ValueError, match="seed must be a whole number"):
        start("ci", seed)


@pytest.mark.parametrize("wanted", ["cuda:99", "mps:7", "abacus"])
def test_a_device_that_is_not_there_is_refused(wanted: str) -> None:
    with pytest.raises(ValueError, match=f"RESFOLD_DEVICE={wanted}: this machine has no such"):
        choose_device(wanted)


def test_the_best_device_is_chosen() -> None:
    best = "cuda" if torch.cuda.is_available() else "cpu"
    best = "mps" if torch.backends.mps.is_available() else best
    assert choose_device().type == best
