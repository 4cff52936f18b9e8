"""Centroids, normalisation, batches of unequal lengths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from resfold_nb.data import (
    AMINO_ACIDS,
    UNKNOWN_RESIDUE,
    Structure,
    load,
    make_batch,
    residue_centroids,
    rmse,
    standard_deviation,
    training_set_scale,
)


def toy(numbers: list[int], chains: list[int] | None = None) -> Structure:
    """A structure whose only point is its numbering."""
    length = len(numbers)
    chain_index = np.array(chains or [0] * length)
    return Structure(
        id="toy",
        sequence="A" * length,
        backbone=np.random.default_rng(0).normal(size=(length, 4, 3)).astype(np.float32),
        chain_index=chain_index,
        residue_number=np.array(numbers),
        secondary_structure="-" * length,
        chain_names=tuple("AB"[: chain_index.max() + 1]),
    )


def test_centroids_are_the_centred_mean_of_the_four_atoms() -> None:
    structure = load("1R69_A")
    n, ca, c, o = structure.backbone.astype(np.float64).transpose(1, 0, 2)
    expected = (n + ca + c + o) / 4
    expected -= expected.mean(0)
    np.testing.assert_allclose(structure.centroids, expected, atol=1e-5)


def test_standard_deviation_is_over_points_and_axes() -> None:
    structure = load("1R69_A")
    sd = standard_deviation(structure)
    assert sd == pytest.approx(structure.centroids.astype(np.float64).std(), rel=1e-6)
    points = torch.from_numpy(structure.centroids)
    # so that predicting zero everywhere is sqrt(3) sd away
    assert rmse(points, torch.zeros_like(points)).item() == pytest.approx(3**0.5 * sd, rel=1e-5)


def test_own_scale_gives_unit_variance() -> None:
    batch = make_batch([load("1R69_A"), load("1AK4_A_D")])
    for x, mask in zip(batch.x0, batch.mask, strict=True):
        assert x[mask].square().mean().item() == pytest.approx(1.0, abs=1e-5)
        assert x[mask].mean(0).abs().max() < 1e-5


def test_a_number_divides_all_by_the_same() -> None:
    structures = [load("1R69_A"), load("1AK4_A_D")]
    batch = make_batch(structures, scale=training_set_scale())
    assert batch.scale.tolist() == pytest.approx([training_set_scale()] * 2)
    own = [x[m].square().mean().sqrt() for x, m in zip(batch.x0, batch.mask, strict=True)]
    assert own[0] < 1 < own[1]


def test_unequal_lengths_are_padded_and_masked() -> None:
    short, long = load("1R69_A"), load("1AK4_A_D")
    batch = make_batch([short, long])
    assert batch.x0.shape == (2, len(long), 3)
    assert batch.mask.sum(1).tolist() == [len(short), len(long)]
    assert batch.mask[0, : len(short)].all()
    padding = ~batch.mask
    assert (batch.x0[padding] == 0).all()
    assert (batch.residue[padding] == UNKNOWN_RESIDUE).all()
    assert (batch.chain[padding] == 0).all() and (batch.position[padding] == 0).all()
    assert batch.ids == ("1R69_A", "1AK4_A_D") and len(batch) == 2
    dtypes = [batch.x0.dtype, batch.mask.dtype, batch.residue.dtype, batch.chain.dtype]
    assert dtypes == [torch.float32, torch.bool, torch.int64, torch.int64]


def test_a_protein_is_the_same_alone_and_in_company() -> None:
    short, long = load("1R69_A"), load("1AK4_A_D")
    alone, together = make_batch(short), make_batch([long, short])
    for name in ("x0", "mask", "residue", "chain", "position"):
        assert torch.equal(getattr(alone, name)[0], getattr(together, name)[1, : len(short)])


def test_residues_and_chains() -> None:
    structure = load("1AK4_A_D")
    batch = make_batch(structure)
    assert "".join(AMINO_ACIDS[i] for i in batch.residue[0]) == structure.sequence
    assert batch.chain[0].tolist() == structure.chain_index.tolist()


def test_unknown_residue() -> None:
    structure = load("1R69_A")
    batch = make_batch(replace(structure, sequence="X" + structure.sequence[1:]))
    assert batch.residue[0, 0] == UNKNOWN_RESIDUE == 20


def test_angstrom_undoes_the_scale() -> None:
    structures = [load("1R69_A"), load("1AK4_A_D")]
    batch = make_batch(structures)
    frames = batch.angstrom(batch.x0.expand(5, -1, -1, -1))  # a trajectory has leading axes
    for i, structure in enumerate(structures):
        points = frames[4, i, : len(structure)].numpy()
        np.testing.assert_allclose(points, structure.centroids, atol=1e-4)


def test_to_changes_coordinates_alone() -> None:
    batch = make_batch(load("1R69_A")).to("cpu", torch.float64)
    assert batch.x0.dtype == batch.scale.dtype == torch.float64
    assert batch.residue.dtype == torch.int64 and batch.mask.dtype == torch.bool
    assert batch.angstrom(batch.x0).dtype == torch.float64


@pytest.mark.parametrize(
    ("numbers", "chains", "expected"),
    [
        ([5, 6, 7], None, [0, 1, 2]),
        ([5, 6, 9, 10], None, [0, 1, 4, 5]),  # a gap shows
        ([-1, 0, 1], None, [0, 1, 2]),
        ([5, 5, 5, 6], None, [0, 1, 2, 3]),  # insertion codes 5, 5A, 5B
        ([9, 3, 4], None, [0, 1, 2]),  # numbering that falls back
        ([5, 6, 105, 107], [0, 0, 1, 1], [0, 1, 0, 2]),  # each chain from 0
        ([5, 6, 1, 2, 5], [0, 0, 1, 1, 1], [0, 1, 0, 1, 4]),
    ],
)
def test_position(numbers: list[int], chains: list[int] | None, expected: list[int]) -> None:
    structure = toy(numbers, chains)
    assert structure.position.tolist() == expected
    assert make_batch(structure).position[0].tolist() == expected


def test_no_structure() -> None:
    with pytest.raises(ValueError, match="was given no structure"):
        make_batch([])


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_scale(scale: float) -> None:
    with pytest.raises(ValueError, match=r"1R69_A: the scale is .* give a positive number"):
        make_batch(load("1R69_A"), scale=scale)


def test_unknown_word_for_scale() -> None:
    with pytest.raises(ValueError, match="scale is 'each'"):
        make_batch(load("1R69_A"), scale="each")


def test_points_in_one_place_have_no_scale() -> None:
    with pytest.raises(ValueError, match=r"toy: the scale is 0\.0 Å"):
        make_batch(replace(toy([1, 2, 3]), backbone=np.ones((3, 4, 3), np.float32)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone": np.zeros((2, 4, 3), np.float32)}, r"3 residues need .* \(3, 4, 3\)"),
        ({"backbone": np.full((3, 4, 3), np.nan, np.float32)}, "NaN or inf"),
        ({"residue_number": np.arange(4)}, "residue_number has 4 entries for 3"),
        ({"chain_index": np.zeros(2, int)}, "chain_index has 2 entries for 3"),
        ({"secondary_structure": "HH"}, "secondary_structure has 2 entries for 3"),
    ],
)
def test_a_structure_must_be_of_one_piece(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(toy([1, 2, 3]), **change)


def test_backbones_are_four_points_a_residue_about_the_same_centre() -> None:
    structures = [load("1K61_C"), load("1WY3_A")]
    batch = make_batch(structures, points="backbone", scale=10.0)
    assert batch.points_per_residue == 4 and batch.x0.shape[1] == 4 * batch.mask.shape[1]
    assert torch.equal(batch.point_mask[:, ::4], batch.mask)
    centroids = residue_centroids(batch.x0, 4)
    torch.testing.assert_close(centroids, make_batch(structures, scale=10.0).x0, atol=1e-6, rtol=0)
    alone = make_batch(structures[0], points="backbone")
    assert float(alone.x0.square().mean()) == pytest.approx(1, abs=1e-5)
    assert training_set_scale("backbone") > training_set_scale()
    with pytest.raises(ValueError, match="'sidechain'; choose one of"):
        make_batch(structures, points="sidechain")
