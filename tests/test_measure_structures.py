"""Scores of structures against libraries and known answers, and the baselines without training."""

from __future__ import annotations

import numpy as np
import pytest
import tmtools
from biotite.structure import AtomArray
from biotite.structure import tm_score as biotite_tm_score

from resfold_nb.data import load
from resfold_nb.measure import structures
from resfold_nb.studies.proteins import hundred_ids

TRUTH = load("1HZ6_A").centroids.astype(float)


def noisy(size: float, seed: int = 0) -> np.ndarray:
    return TRUTH + size * np.random.default_rng(seed).standard_normal(TRUTH.shape)


def atoms(points: np.ndarray) -> AtomArray:
    found = AtomArray(len(points))
    found.coord, found.res_id = points, np.arange(1, len(points) + 1)
    found.atom_name[:], found.res_name[:] = "CA", "ALA"
    return found


def test_the_truth_scores_best_and_its_mirror_image_is_seen_by_rmsd_alone() -> None:
    same = structures.score(TRUTH, TRUTH)
    assert same.rmsd == pytest.approx(0, abs=1e-6)
    assert (same.lddt, same.contact_precision) == (1.0, 1.0)
    assert same.tm_score == pytest.approx(1)
    mirrored = structures.score(TRUTH * np.array([1.0, 1.0, -1.0]), TRUTH)
    assert mirrored.lddt == pytest.approx(1, abs=1e-3)
    assert mirrored.rmsd > 5 and mirrored.mirror_rmsd == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("size", [0.5, 1.5, 3.0])
def test_tm_score_is_biotites_on_the_superposition_that_was_found(size: float) -> None:
    found, rows = structures.tm_superposition(noisy(size), TRUTH), np.arange(len(TRUTH))
    library = biotite_tm_score(atoms(TRUTH), atoms(found.points), rows, rows, "reference")
    assert found.score == pytest.approx(library, abs=1e-4)


def tmtools_score(points: np.ndarray, truth: np.ndarray) -> float:
    """tmtools' TM-score for residue i against residue i: held to that alignment, it seeks none."""
    letters = "A" * len(truth)
    return tmtools.tm_align(points, truth, letters, letters, [letters, letters]).tm_norm_chain2


@pytest.mark.parametrize("size", [0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])
def test_tm_score_is_tmtools_for_the_same_correspondence(size: float) -> None:
    """Both are searches for one optimum: neither may be far below the other."""
    assert structures.tm_score(noisy(size), TRUTH) == pytest.approx(tmtools_score(noisy(size), TRUTH), abs=0.02)


def test_tm_scores_of_unlike_chains_are_on_average_not_below_those_of_tmtools() -> None:
    """Where nothing fits well there are many optima: either search may miss the best of them."""
    chains = [load(name).centroids.astype(float) for name in hundred_ids()[:24]]
    pairs = [(x[: min(len(x), len(y))], y[: min(len(x), len(y))])
             for x, y in zip(chains[::2], chains[1::2], strict=True)]
    gains = np.array([structures.tm_score(x, y) - tmtools_score(x, y) for x, y in pairs])
    assert np.abs(gains).max() < 0.05 and gains.mean() > -0.002


def test_a_wrong_end_does_not_spoil_the_superposition() -> None:
    points = TRUTH.copy()
    points[45:] += 30.0
    assert structures.tm_score(points, TRUTH) > 0.95 * 45 / len(TRUTH)


def test_contact_precision_counts_all_predicted_pairs() -> None:
    line = np.zeros((12, 3))
    line[:, 0] = 10 * np.arange(12)
    assert np.isnan(structures.contact_precision(line, line))
    bent = line.copy()
    bent[[6, 11]] = [[1.0, 0, 0], [1.0, 1, 0]]  # contacts 0-6, 0-11; residues 6 and 11 are near
    truth = line.copy()
    truth[6] = [1.0, 0, 0]
    assert structures.contact_precision(bent, truth) == pytest.approx(1 / 2)


def test_wrong_shapes_and_short_chains_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be scored"):
        structures.score(TRUTH[:-1], TRUTH)
    with pytest.raises(ValueError, match="19 residues"):
        structures.tm_score(TRUTH[:10], TRUTH[:10])
    assert np.isnan(structures.score(TRUTH[:10], TRUTH[:10]).tm_score)


def test_coil_and_helix_have_their_steps_and_the_helix_its_hand() -> None:
    coil = structures.random_coil(50, np.random.default_rng(0), 3.3)
    assert structures.neighbour_step([coil]) == pytest.approx(3.3)
    helix = structures.helix(50)
    assert structures.neighbour_step([helix]) == pytest.approx(3.8, abs=0.1)
    assert structures.handedness(helix) > 0
    assert structures.handedness(helix * np.array([-1, 1, 1])) == pytest.approx(-structures.handedness(helix))


def test_a_helix_of_centroids_is_near_real_ones() -> None:
    chains = [load(name) for name in hundred_ids()[:30]]
    step = structures.helical_step(chains)
    assert 2.5 < step < structures.neighbour_step([s.centroids for s in chains])
    runs = [(s, s.secondary_structure.find("H" * 12)) for s in chains]
    real = [s.centroids[i : i + 12] for s, i in runs if i >= 0]
    ideal = structures.helix(12, step)
    assert np.median([structures.score(ideal, x).rmsd for x in real]) < 0.5


def test_scaling_gives_back_a_helix_with_its_hand() -> None:
    """All distances of a helix depend on |i - j| alone, so the embedding is exact."""
    helix = structures.helix(40)
    assert structures.score(structures.mean_structure(40, [helix]), helix).rmsd < 1e-6
    with pytest.raises(ValueError, match="longest training chain"):
        structures.mean_structure(41, [helix])


def test_nearest_chain_passes_over_the_target_and_copies_aligned_points() -> None:
    training = [load(name) for name in hundred_ids()[:6]]
    target = training[0]
    copied = structures.nearest_chain(target.sequence, training)
    assert copied.id in [other.id for other in training[1:]]
    assert len(copied.rows) == len(copied.points) <= len(target)
    assert 0 <= copied.identity < 1
    with pytest.raises(ValueError, match="give others to copy"):
        structures.nearest_chain(target.sequence, [target])
