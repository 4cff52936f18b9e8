"""The bundled set: unchanged, as large as the README says, real proteins, no leak."""

from __future__ import annotations

import csv
import hashlib
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from resfold_nb.data import (
    AMINO_ACIDS,
    UnknownStructure,
    catalogue,
    data_directory,
    load,
    standard_deviation,
    training_set_scale,
)

EVERY_KIND = ("monomer", "complex", "chain")


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    with np.load(data_directory() / "structures.npz") as archive:
        return dict(archive)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with open(data_directory() / "index.csv", newline="") as file:
        return list(csv.DictReader(file))


def sequences(arrays: dict[str, np.ndarray]) -> list[str]:
    letters = arrays["sequence"].tobytes().decode()
    spans = zip(arrays["offset"].tolist(), arrays["length"].tolist(), strict=True)
    return [letters[start : start + length] for start, length in spans]


def joined(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Indices k such that residues k and k + 1 are bonded neighbours of one chain."""
    first = np.zeros(len(arrays["resnum"]), bool)
    first[arrays["offset"]] = True
    k = np.flatnonzero(~first[1:])
    return k[np.diff(arrays["resnum"].astype(int))[k] == 1]


def dihedral(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Degrees, IUPAC sign: positive when the far bond turns clockwise."""
    axis = (c - b) / np.linalg.norm(c - b, axis=-1, keepdims=True)
    near, far = np.cross(b - a, axis), np.cross(axis, d - c)
    return np.degrees(
        np.arctan2((np.cross(near, far) * axis).sum(-1), (near * far).sum(-1))
    )


# ------------------------------------------------------------------------------- the files
def test_checksums_are_those_of_the_readme() -> None:
    readme = (data_directory() / "README.md").read_text()
    told = dict(re.findall(r"`([\w.]+\.(?:npz|csv))` \|.*?`([0-9a-f]{64})`", readme))
    assert set(told) == {"structures.npz", "index.csv", "complexes.csv"}
    for name, checksum in told.items():
        assert hashlib.sha256((data_directory() / name).read_bytes()).hexdigest() == checksum


def test_counts(arrays: dict[str, np.ndarray], rows: list[dict[str, str]]) -> None:
    complexes = set(arrays["complex_id"].tolist())
    assert len(rows) == len(arrays["length"]) == 1183
    assert sum(row["role"] == "monomer" for row in rows) == 883
    assert len(complexes) == len(arrays["complex_chains"]) == 150
    assert arrays["length"].sum() == len(arrays["sequence"]) == 138_373
    assert arrays["length"].min() >= 20 and arrays["length"].max() <= 256


def test_split_sizes() -> None:
    sizes = {
        (kind, split): len(catalogue(kind=kind, split=split))
        for kind in ("monomer", "complex")
        for split in ("train", "test")
    }
    assert sizes == {
        ("monomer", "train"): 713,
        ("monomer", "test"): 170,
        ("complex", "train"): 125,
        ("complex", "test"): 25,
    }


def test_index_agrees_with_the_arrays(
    arrays: dict[str, np.ndarray], rows: list[dict[str, str]]
) -> None:
    for name, key in (("pdb_id", "pdb_id"), ("chain", "chain"), ("split", "split")):
        assert arrays[name].tolist() == [row[key] for row in rows]
    for name, key in (("length", "length"), ("cluster30", "cluster30")):
        assert arrays[name].tolist() == [int(row[key]) for row in rows]
    first = arrays["resnum"][arrays["offset"]]
    assert first.tolist() == [int(row["start_resnum"]) for row in rows]


def test_complexes_table_agrees_with_the_structures() -> None:
    with open(data_directory() / "complexes.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert {row["complex_id"] for row in table} == {e.id for e in catalogue(kind="complex")}
    for row in table[::10]:
        structure = load(row["complex_id"])
        a, b = (structure.backbone[structure.chain_index == i, 1] for i in (0, 1))
        distance = np.linalg.norm(a[:, None] - b[None], axis=-1)
        assert [len(a), len(b)] == [int(row["length_a"]), int(row["length_b"])]
        # stored coordinates are rounded to 0.01 Å, so a pair at 8 Å may fall to either side
        assert abs((distance < 8).sum() - int(row["ca_contacts_8A"])) <= 2


# ---------------------------------------------------------------------------- the proteins
def test_bond_lengths_and_angles(arrays: dict[str, np.ndarray]) -> None:
    n, ca, c, o = (arrays["xyz_centi_angstrom"] / 100).transpose(1, 0, 2)
    for first, second, ideal in ((n, ca, 1.459), (ca, c, 1.525), (c, o, 1.231)):
        lengths = np.linalg.norm(first - second, axis=-1)
        assert abs(lengths.mean() - ideal) < 0.005
        assert abs(lengths - ideal).max() < 0.14
    cosine = ((n - ca) * (c - ca)).sum(-1)
    cosine /= np.linalg.norm(n - ca, axis=-1) * np.linalg.norm(c - ca, axis=-1)
    assert abs(np.degrees(np.arccos(cosine)).mean() - 111.0) < 0.5


def test_peptide_bonds_and_breaks(
    arrays: dict[str, np.ndarray], rows: list[dict[str, str]]
) -> None:
    xyz = arrays["xyz_centi_angstrom"] / 100
    breaks = {}
    for i, (start, length) in enumerate(zip(arrays["offset"], arrays["length"], strict=True)):
        own = xyz[start : start + length]
        bonds = np.linalg.norm(own[:-1, 2] - own[1:, 0], axis=-1)
        breaks[i] = int((bonds > 1.5).sum())
        assert bonds.min() > 1.17
    assert list(breaks.values()) == [int(row["chain_breaks"]) for row in rows]
    assert all(breaks[i] == 0 for i, row in enumerate(rows) if row["role"] == "monomer")


def test_handedness(arrays: dict[str, np.ndarray]) -> None:
    """L-amino acids: phi is negative nearly everywhere. A mirrored set would show the reverse."""
    k = joined(arrays)
    n, ca, c, _ = (arrays["xyz_centi_angstrom"] / 100).transpose(1, 0, 2)
    phi = dihedral(c[k], n[k + 1], ca[k + 1], c[k + 1])
    omega = dihedral(ca[k], c[k], n[k + 1], ca[k + 1])
    not_glycine = arrays["sequence"][k + 1] != ord("G")
    assert 0.01 < (phi[not_glycine] > 0).mean() < 0.05
    assert (abs(omega) > 150).mean() > 0.99


def test_helices_are_where_dssp_says(arrays: dict[str, np.ndarray]) -> None:
    """Letters and coordinates belong together: CA(i) to CA(i + 3) is 5.0 Å in a helix."""
    first = np.repeat(arrays["offset"], arrays["length"])
    helix = arrays["dssp"] == ord("H")
    four = helix[:-3] & helix[1:-2] & helix[2:-1] & helix[3:]
    k = np.flatnonzero(four & (first[:-3] == first[3:]))
    ca = arrays["xyz_centi_angstrom"][:, 1] / 100
    rise = np.linalg.norm(ca[k + 3] - ca[k], axis=-1)
    assert abs(np.median(rise) - 5.0) < 0.2
    assert (rise < 6.5).mean() > 0.99


def test_only_standard_residues_and_rising_numbers(arrays: dict[str, np.ndarray]) -> None:
    assert set(arrays["sequence"].tobytes().decode()) == set(AMINO_ACIDS)
    for start, length in zip(arrays["offset"], arrays["length"], strict=True):
        assert (np.diff(arrays["resnum"][start : start + length].astype(int)) > 0).all()


# --------------------------------------------------------------------------------- no leak
def test_no_group_of_clusters_is_in_both_splits(arrays: dict[str, np.ndarray]) -> None:
    """A complex ties its two clusters; whatever hangs together must be in one split."""
    parent = {c: c for c in arrays["cluster30"].tolist()}

    def group(c: int) -> int:
        return c if parent[c] == c else group(parent[c])

    for a, b in arrays["cluster30"][arrays["complex_chains"]].tolist():
        parent[group(a)] = group(b)
    splits = defaultdict(set)
    for c, split in zip(arrays["cluster30"].tolist(), arrays["split"].tolist(), strict=True):
        splits[group(c)].add(split)
    assert all(len(found) == 1 for found in splits.values())


def test_one_monomer_a_cluster(arrays: dict[str, np.ndarray]) -> None:
    single = arrays["cluster30"][~arrays["is_complex"]]
    paired = arrays["cluster30"][arrays["is_complex"]]
    assert len(set(single.tolist())) == len(single)
    assert not set(single.tolist()) & set(paired.tolist())


def test_splits_share_no_stretch_of_sequence(arrays: dict[str, np.ndarray]) -> None:
    """Independent of the clustering: no twelve residues in a row occur in both splits."""
    words: dict[str, set[str]] = {"train": set(), "test": set()}
    for sequence, split in zip(sequences(arrays), arrays["split"].tolist(), strict=True):
        words[split].update(sequence[i : i + 12] for i in range(len(sequence) - 11))
    assert len(words["test"]) > 20_000
    assert not words["train"] & words["test"]


# ------------------------------------------------------------------------ load, catalogue
def test_load_a_chain(arrays: dict[str, np.ndarray], rows: list[dict[str, str]]) -> None:
    i = next(i for i, row in enumerate(rows) if row["pdb_id"] == "1R69")
    span = slice(arrays["offset"][i], arrays["offset"][i] + arrays["length"][i])
    structure = load("1R69_A")
    assert structure.sequence == sequences(arrays)[i]
    stored = arrays["xyz_centi_angstrom"][span] / 100
    np.testing.assert_allclose(structure.backbone, stored, atol=1e-5)
    assert structure.backbone.dtype == structure.centroids.dtype == np.float32
    assert structure.residue_number.tolist() == arrays["resnum"][span].tolist()
    assert structure.split == rows[i]["split"]
    assert rows[i]["source_file"] in structure.source


def test_load_a_complex_and_its_chains() -> None:
    both, a, d = load("1AK4_A_D"), load("1AK4_A"), load("1AK4_D")
    assert both.sequence == a.sequence + d.sequence
    assert both.chain_names == ("A", "D")
    assert both.chain_index.tolist() == [0] * len(a) + [1] * len(d)
    np.testing.assert_array_equal(both.backbone, np.concatenate([a.backbone, d.backbone]))
    assert abs(both.backbone[:, 1].mean(0)).max() < 0.01  # stored about its CA centroid


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_everything_in_the_catalogue_loads(kind: str) -> None:
    for entry in catalogue(kind=kind):
        structure = load(entry.id)
        assert (structure.id, len(structure), structure.split) == (
            entry.id,
            entry.length,
            entry.split,
        )
        assert abs(structure.centroids.mean(0)).max() < 1e-4


def test_loaded_arrays_are_the_callers_own() -> None:
    load("1R69_A").backbone[:] = 0
    assert abs(load("1R69_A").backbone).max() > 1


def test_unknown_id_names_near_ones() -> None:
    with pytest.raises(UnknownStructure, match=r"no structure '1r69'.*near it: 1R69_A") as caught:
        load("1r69")
    assert isinstance(caught.value, KeyError)
    with pytest.raises(KeyError, match=r"no structure 'zzzzzzzzz' in the bundled set; catalogue"):
        load("zzzzzzzzz")


def test_catalogue_filters() -> None:
    chosen = catalogue(min_length=60, max_length=110, split="train", min_helix=0.4, min_strand=0.1)
    everything = catalogue()
    assert 0 < len(chosen) < len(everything)
    assert chosen == [
        e
        for e in everything
        if 60 <= e.length <= 110
        and e.split == "train"
        and e.helix is not None
        and e.strand is not None
        and e.helix >= 0.4
        and e.strand >= 0.1
    ]
    assert [e.id for e in everything] == sorted(e.id for e in everything)


def test_catalogue_agrees_with_the_index(rows: list[dict[str, str]]) -> None:
    index = {f"{row['pdb_id']}_{row['chain']}": row for row in rows}
    for entry in catalogue():
        row = index[entry.id]
        assert entry.helix == pytest.approx(float(row["helix_frac"]), abs=0.006)
        assert entry.strand == pytest.approx(float(row["strand_frac"]), abs=0.006)
        assert entry.rg == pytest.approx(float(row["rg"]), abs=0.011)


def test_unknown_secondary_structure_meets_no_condition() -> None:
    unknown = [e for e in catalogue(kind="complex") if e.helix is None]
    assert unknown
    chosen = catalogue(kind="complex", min_helix=0.0)
    assert not {e.id for e in unknown} & {e.id for e in chosen}
    assert "helix unknown" in str(unknown[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "dimer"}, "kind is 'dimer'; choose one of monomer, complex, chain"),
        ({"split": "valid"}, "split is 'valid'; choose one of train, test"),
    ],
)
def test_catalogue_refuses_unknown_words(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        catalogue(**arguments)


def test_an_entry_is_one_line() -> None:
    (entry,) = [e for e in catalogue() if e.id == "1R69_A"]
    line = "1R69_A    monomer    63 residues  train helix     63% strand      0%  Rg  10.1 Å"
    assert str(entry) == line
    assert repr([entry]) == f"[{line}]"


def test_training_set_scale_is_that_of_the_training_monomers() -> None:
    deviations = [standard_deviation(load(e.id)) for e in catalogue(split="train")]
    assert training_set_scale() == pytest.approx(np.sqrt(np.mean(np.square(deviations))))
    assert min(deviations) < training_set_scale() < max(deviations)


def test_missing_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESFOLD_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"no structures\.npz in .*set RESFOLD_DATA"):
        load("1R69_A")
