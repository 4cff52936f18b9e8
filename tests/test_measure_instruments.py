"""The instruments of the fixes' notebooks: rotations, probes, memory, bonds, clocks."""

from __future__ import annotations

import numpy as np
import pytest
import roma
import torch

from resfold_nb import measure, studies
from resfold_nb.data import load, make_batch, random_rotations, rmse
from resfold_nb.diffusion import linear
from resfold_nb.measure.errors import draws_of
from resfold_nb.measure.rotations import mean_rotation
from resfold_nb.model import AtomSize, Features, NetworkSize
from resfold_nb.studies.quantities import CALLS, LEVELS, quantities
from resfold_nb.training import Recipe, Rollout, build, train, training_loss
from resfold_nb.training.loop import draw

TINY = Recipe("tiny", form="x0", size=NetworkSize(16, 1, 1, 2), steps=4, noise_levels=2)
BATCH = make_batch(load("1K61_C"))


@pytest.fixture(scope="module")
def turns() -> torch.Tensor:
    torch.manual_seed(0)
    return roma.random_rotmat(200_000, dtype=torch.float64)


@pytest.mark.parametrize("size", [0.0, 0.5, 2.0, 5.0])
@pytest.mark.parametrize("mirrored", [False, True])
def test_mean_rotation_equals_brute_force(turns: torch.Tensor, size: float, mirrored: bool) -> None:
    """Against 200,000 rotations with their weights; M with determinants of both signs."""
    m = size * torch.randn(3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    if mirrored:
        m[0] *= -1
    weights = torch.softmax((turns * m).sum((1, 2)), 0)
    brute = (weights[:, None, None] * turns).sum(0)
    # The weights of a few thousand rotations count at most, so the average is good to about 0.01.
    torch.testing.assert_close(mean_rotation(m), brute, rtol=0, atol=0.03)


def test_a_certain_orientation_is_found() -> None:
    turn = roma.random_rotmat(5, dtype=torch.float64)
    torch.testing.assert_close(mean_rotation(1e5 * turn), turn, rtol=0, atol=1e-4)


def test_the_best_prediction_turns_with_its_input_and_beats_its_neighbours() -> None:
    x0, schedule = BATCH.x0[0].double(), linear()
    a, s = float(schedule.a[30]), float(schedule.s[30])
    generator = torch.Generator().manual_seed(0)
    x_t = a * x0 + s * torch.randn(400, *x0.shape, generator=generator, dtype=torch.float64)
    best, turn = measure.best_rotated(x_t, x0, a, s), roma.random_rotmat(dtype=torch.float64)
    torch.testing.assert_close(measure.best_rotated(x_t @ turn, x0, a, s), best @ turn)
    error = (best - x0).square().mean()
    assert all((k * best - x0).square().mean() > error for k in (0.9, 1.1))


def test_the_floor_rises_from_zero_towards_predicting_zero() -> None:
    x0, schedule = BATCH.x0[0], linear()
    floor = measure.rotation_floor(x0, schedule, 2.0, draws=48)
    zero = 2.0 * float(x0.square().sum(-1).mean().sqrt())
    assert floor[0] == 0 and floor.max() < zero and floor[49] > 0.7 * zero
    assert (np.diff(floor)[5:] > 0).mean() > 0.8
    # Near t = 0 three angles are all there is to learn: 3 of the 3 L numbers stay noisy.
    expected = 2.0 * float(schedule.s[1] / schedule.a[1]) * np.sqrt(3 / len(x0))
    assert floor[1] == pytest.approx(expected, rel=0.15)


def test_random_rotations_are_rotations_and_uniform() -> None:
    generator = torch.Generator().manual_seed(0)
    turns = random_rotations(20_000, generator, torch.zeros((), dtype=torch.float64))
    unit = torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(turns @ turns.mT, unit.expand_as(turns))
    assert (torch.linalg.det(turns) > 0.999).all()
    torch.testing.assert_close(turns.mean(0), torch.zeros_like(unit), rtol=0, atol=0.02)
    angle = roma.rotmat_to_rotvec(turns).norm(dim=1)  # density (1 - cos) / pi
    assert float(angle.mean()) == pytest.approx(np.pi / 2 + 2 / np.pi, abs=0.02)


def test_turned_measurements_are_of_the_turned_protein() -> None:
    drawn = draws_of(BATCH, 6, 3, rotate=True)
    same = draws_of(BATCH, 6, 3)
    assert torch.equal(drawn.eps, same.eps) and not torch.allclose(drawn.x0, same.x0)
    torch.testing.assert_close(drawn.x0 @ drawn.x0.mT, same.x0 @ same.x0.mT, rtol=1e-4, atol=1e-4)
    blind = build(TINY.but(trunk_sees_points=False, denoiser_sees_points=False, time_embedding="none"))
    errors = measure.error_by_timestep(blind, BATCH, rotate=True, timesteps=[1, 49])
    assert errors.rmse[0] == errors.rmse[1]


def test_a_network_that_is_lied_to_about_t_differs_and_one_that_is_told_the_truth_does_not() -> None:
    predictor = build(TINY)
    plain, truth, lie = (
        measure.error_by_timestep(predictor, BATCH, told=told, timesteps=[5, 30]).rmse
        for told in (None, lambda t: t, lambda t: torch.full_like(t, 30))
    )
    np.testing.assert_allclose(plain, truth, rtol=1e-6)
    assert lie[1] == pytest.approx(plain[1]) and lie[0] != pytest.approx(plain[0], rel=1e-4)


def test_centroid_errors_of_atoms() -> None:
    """Atoms moved against one another within a residue leave the centroids where they were."""
    atoms = make_batch(load("1K61_C"), points="backbone")
    moved = atoms.x0.clone()
    moved[:, 0::4] += 0.5
    moved[:, 1::4] -= 0.5
    by_atom, _ = measure.sample_errors(moved, atoms)
    by_centroid, _ = measure.sample_errors(moved, atoms, centroids=True)
    assert by_atom[0] > 1 and by_centroid[0] < 1e-4


def test_peak_memory_counts_what_is_alive_at_once() -> None:
    x = torch.zeros(1000)
    assert measure.peak_memory(lambda: x + 1) == 4000
    assert measure.peak_memory(lambda: ((x + 1) + 1) + 1) == 8000
    assert measure.peak_memory(lambda: [x + 1 for _ in range(5)]) == 20_000
    assert measure.peak_memory(lambda: x.view(10, 100)) == 4000  # first seen, though not made


def test_operations_of_a_product_and_of_attention_are_counted() -> None:
    """2 m n k for a product; attention has two, and a backward pass costs twice the forward."""
    x, q = torch.zeros(3, 5), torch.zeros(1, 2, 7, 4, requires_grad=True)
    assert measure.count_flop(lambda: x @ torch.zeros(5, 4)) == 2 * 3 * 5 * 4
    attend = torch.nn.functional.scaled_dot_product_attention
    forward = 2 * 2 * (2 * 7 * 7 * 4)
    assert measure.count_flop(lambda: attend(q, q, q)) == forward
    assert measure.count_flop(lambda: attend(q, q, q).sum().backward()) == 3 * forward


def test_the_cost_of_a_run_adds_up_its_steps() -> None:
    plain, rolled = (measure.training_cost(TINY.but(steps=8, rollout=r), BATCH)
                     for r in (None, Rollout(3, share=0.5)))
    assert rolled.teraflop == pytest.approx(plain.teraflop * (0.5 + 0.5 * 3), rel=0.02)
    assert rolled.megabytes > 2 * plain.megabytes


def step_memory(rollout: Rollout) -> int:
    states = train(TINY.but(rollout=rollout), BATCH)
    next(states)
    return measure.peak_memory(lambda: next(states))


def test_a_rollouts_memory_grows_with_its_calls_unless_they_are_forgotten() -> None:
    plain = {k: step_memory(Rollout(k, share=1.0)) for k in (1, 5)}
    assert plain[5] > 4 * plain[1]
    for changes in ({"checkpoint": True}, {"through": False}):
        assert step_memory(Rollout(5, share=1.0, **changes)) < 1.5 * plain[1], changes


@pytest.mark.parametrize("name", ["1HZ6_A", "1R69_A"])
def test_real_backbones_have_ideal_bonds(name: str) -> None:
    protein = load(name)
    errors = measure.geometry_errors(protein.points("backbone"))
    for bond, deviation in errors.items():
        assert deviation < (6 if bond.count("-") == 2 else 0.03), bond
    assert set(errors) == set(measure.IDEAL) and set(measure.ACROSS) < set(errors)


def test_bonds_of_a_bent_chain() -> None:
    """Four atoms on known places, a second residue beyond a gap that is not linked."""
    atoms = np.array([[1.459, 0, 0], [0, 0, 0], [0, 1.525, 0], [1.229, 1.525, 0]])
    both = np.concatenate([atoms, atoms + 30])
    found = measure.backbone_geometry(both, linked=np.array([False]))
    np.testing.assert_allclose(found["N-CA"], 1.459)
    np.testing.assert_allclose(found["N-CA-C"], 90)
    np.testing.assert_allclose(found["CA-C-O"], 90)
    assert found["C-N"].shape == (0,)
    assert measure.backbone_geometry(both)["C-N"] == pytest.approx(np.linalg.norm(atoms[0] + 30 - atoms[2]))


def test_a_probe_reads_what_is_there() -> None:
    predictor = build(TINY)
    scores = measure.probe_tokens(predictor, BATCH, timesteps=[0, 49], draws=16, rotate=True)
    assert scores["x_t"][0] > 0.999 and abs(scores["x_t"][1] - linear().alpha_bar[49]) < 0.05
    clean = measure.probe_tokens(build(TINY.but(trunk_sees_points=False)), BATCH, draws=16,
                                  timesteps=[0, 49], rotate=True)
    assert np.all(np.abs(clean["trunk tokens"]) < 0.15), "what was never seen cannot be read"
    assert scores["trunk tokens"][0] > 0.3


def test_the_timestep_is_read_from_neighbours() -> None:
    clean, schedule = float(BATCH.x0.diff(dim=1).square().sum(-1).mean()), linear()
    generator = torch.Generator().manual_seed(0)
    for t in (1, 10, 25, 49):
        a, s = float(schedule.a[t]), float(schedule.s[t])
        x_t = a * BATCH.x0 + s * torch.randn(4000, *BATCH.x0.shape[1:], generator=generator)
        read = measure.read_timestep(x_t, clean)
        assert float(read.mean()) == pytest.approx(t, abs=0.3)
        assert float(read.std()) < 8


def test_ten_chains_share_weights_and_scale() -> None:
    batch = studies.batch_for(TINY, studies.TEN_CHAINS)
    assert batch.ids == studies.ten_chain_ids() and len(set(batch.ids)) == 10
    assert len(set(batch.scale.tolist())) == 1
    atoms = studies.batch_for(TINY.but(atoms=AtomSize()), "1K61_C")
    assert atoms.points_per_residue == 4 and atoms.point_mask.shape == atoms.x0.shape[:2]
    centroids = atoms.angstrom(atoms.x0).unflatten(1, (-1, 4)).mean(2)
    assert float(rmse(centroids, BATCH.angstrom(BATCH.x0))) < 1e-4


def test_quantities_cover_what_the_notebooks_read() -> None:
    recipe = TINY.but(atoms=AtomSize(1, 8, 2), trunk_sees_points=False)
    finished = measure.train_and_measure(recipe, studies.batch_for(recipe, "1K61_C"), marks=())
    found = quantities(finished, studies.batch_for(recipe, "1K61_C"), copies=2)
    wanted = [f"{s}, {c} calls, {d} (Å)" for s in ("ddpm", "ddim") for c in CALLS for d in ("RMSE", "RMSD")]
    wanted += [f"told t = {u}, t = {t}, RMSE (Å)" for t in LEVELS for u in LEVELS]
    wanted += [f"probe of {p}, t = {t}, R²" for p in ("trunk tokens", "x_t") for t in LEVELS]
    wanted += ["sampled, clamped to 3, RMSE (Å)", "centroids, t = 5, RMSD (Å)",
               "C-N, deviation (Å)", "C-N-CA, deviation (°)", "told a random t, t = 49, RMSE (Å)"]
    assert not set(wanted) - set(found)
    assert all(np.isfinite(value) for value in found.values())
    truth = measure.error_by_timestep(finished.predictor, studies.batch_for(recipe, "1K61_C"),
                                       draws=2, timesteps=[5]).rmse[0]
    assert found["told the truth, t = 5, RMSE (Å)"] == pytest.approx(truth)


def test_a_trunk_that_runs_once_gives_the_same_loss_and_gradients() -> None:
    """The speed-up of fix E keeps the numbers: tokens once, or on every noisy copy."""
    recipe = TINY.but(trunk_sees_points=False, noise_levels=5)
    predictor, features = build(recipe), Features.of(BATCH)
    drawn = draw(recipe, BATCH, features, torch.Generator().manual_seed(0))
    losses, gradients = [], []
    for copies in (1, 5):
        predictor.zero_grad(set_to_none=True)
        loss = training_loss(recipe, predictor, drawn, features.repeat(copies))
        loss.backward()
        losses.append(loss.detach())
        gradients.append([p.grad.clone() for p in predictor.parameters()])
    torch.testing.assert_close(*losses, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-5)
