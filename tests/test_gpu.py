"""On a CUDA GPU: recorded steps, measurements and groups give what plain ones give.

Needs torch, numpy and pytest alone, so that it runs on a bare GPU machine:
python -m pytest --noconftest tests/test_gpu.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from resfold_nb import measure
from resfold_nb.studies.groups import InGroups
from resfold_nb.workers import in_process_lane
from resfold_nb.studies.plans import Cell
from resfold_nb.studies.store import Store
from resfold_nb.studies.runner import conduct, result_of, run_cell
from resfold_nb.data import load, make_batch
from resfold_nb.engine import Member, Replay, as_written, replayed, train, train_together
from resfold_nb.model import Features, NetworkSize
from resfold_nb.training import Curriculum, Recipe, Rollout, build

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU: not tested here")

TINY = Recipe("tiny", size=NetworkSize(32, 1, 2, 2), steps=14, noise_levels=3, warmup=2, clip=1.0)
BATCH = make_batch(load("1K61_C"))
PAIR = make_batch([load("1K61_C"), load("1R69_A")])

VARIANTS: list[dict[str, Any]] = [
    {}, {"trunk_sees_points": False, "time_embedding": "log_snr"}, {"rotate": True},
    {"curriculum": Curriculum()}, {"rollout": Rollout(3, random=True)},
    {"rollout": Rollout(2, checkpoint=True)}, {"proteins_per_step": 1}, {"precision": "bf16"},
    {"precision": "tf32"}, {"superposed": True, "pair_distance": 0.1},
]


def losses(recipe: Recipe, batch: Any = PAIR, seed: int = 0) -> torch.Tensor:
    return torch.stack([s.loss for s in train(recipe, batch, seed, "cuda")])[1:]


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_recorded_steps_are_plain_steps_to_the_bit(changes: dict[str, Any]) -> None:
    recipe = TINY.but(**changes)
    recorded, again = losses(recipe), losses(recipe)
    with as_written():
        plain = losses(recipe)
    assert torch.equal(recorded, again)
    assert torch.equal(recorded, plain)
    assert len(set(recorded.tolist())) == len(recorded)  # each step saw noise of its own


@pytest.mark.parametrize("together", [False, True])
def test_the_loop_never_waits_for_the_gpu(together: bool) -> None:
    if together:
        states: Iterator[Any] = train_together(TINY, [Member("x0", 0), Member("v", 1)], BATCH, "cuda")
    else:
        states = train(TINY, BATCH, device="cuda")
    for _ in range(4):
        next(states)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(6):
            next(states)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("changes", [{}, {"superposed": True}, {"precision": "tf32"}], ids=str)
def test_members_lose_as_much_as_alone(changes: dict[str, Any]) -> None:
    recipe = TINY.but(**changes)
    members = [Member(form, seed) for form in ("residual", "x0", "edm") for seed in (0, 3)]
    found = torch.stack([s.losses for s in train_together(recipe, members, PAIR, "cuda")], 1)[:, 1:]
    alone = torch.stack([losses(recipe.but(form=m.form), seed=m.seed) for m in members])
    near = 2e-2 if recipe.precision == "tf32" else 2e-3
    torch.testing.assert_close(found, alone, rtol=near, atol=1e-5)


@pytest.mark.parametrize("clean", [False, True])
def test_recorded_measurements_are_plain_ones(clean: bool) -> None:
    *_, state = train(TINY.but(trunk_sees_points=not clean), PAIR, device="cuda")
    found = measure.error_by_timestep(state.predictor, PAIR, draws=2).rmse
    samples = measure.sample(state.predictor, PAIR, copies=2).final
    with as_written():
        assert found.tolist() == measure.error_by_timestep(state.predictor, PAIR, draws=2).rmse.tolist()
        assert torch.equal(samples, measure.sample(state.predictor, PAIR, copies=2).final)
    on_cpu = state.predictor.cpu()
    assert found == pytest.approx(measure.error_by_timestep(on_cpu, PAIR, draws=2).rmse, abs=0.02)


def test_a_recorded_denoiser_sees_the_weights_of_now() -> None:
    states = train(TINY.but(learning_rate=1e-2), BATCH, device="cuda")
    predictor = next(states).predictor
    denoise = replayed(predictor.denoiser_for(Features.of(BATCH.to("cuda"))), "cuda")
    x, t = torch.randn(2, *BATCH.x0.shape[1:], device="cuda"), torch.full((2,), 30, device="cuda")
    with torch.no_grad():
        before = [denoise(x, t) for _ in range(3)]
        for _ in range(5):
            next(states)
        after = denoise(x, t)
        with as_written():
            assert torch.equal(after, denoise(x, t))
    assert torch.equal(before[0], before[2]) and not torch.allclose(before[2], after)


def test_a_replayed_function_reads_its_inputs() -> None:
    twice = Replay(lambda x, y: 2 * x + y, "cuda")
    for size in (3, 5, 3, 3, 5, 5):
        x, y = torch.randn(2, size, device="cuda")
        assert torch.equal(twice(x, y), 2 * x + y)


def test_gradients_still_flow_through_a_denoiser() -> None:
    predictor = build(TINY, device="cuda")
    denoise = replayed(predictor.denoiser_for(Features.of(BATCH.to("cuda"))), "cuda")
    x = torch.randn(2, *BATCH.x0.shape[1:], device="cuda", requires_grad=True)
    denoise(x, torch.full((2,), 30, device="cuda")).sum().backward()
    assert x.grad.abs().sum() > 0


def test_a_study_in_groups_keeps_what_single_runs_keep(tmp_path: Path) -> None:
    todo = [Cell(TINY.but(form=form), "1K61_C", seed, "ci", marks=2, measured="core")
            for seed in (0, 1) for form in ("residual", "x0")]
    store = Store(tmp_path)
    outcomes = list(conduct(todo, store, [in_process_lane()], device="cuda", threads=None,
                            work=InGroups(todo, run_cell, result_of, store.write)))
    assert [o.error for o in outcomes] == [None] * 4
    for cell in todo:
        alone = run_cell(cell, "cuda")
        for row, other in zip(store.read(cell)["rows"], alone["rows"], strict=True):
            assert row[2:] == pytest.approx(other[2:], rel=1e-2, abs=1e-2)
