"""Trajectories out: read back by gemmi and by biotite, marked, whole or not at all."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import warnings
from dataclasses import replace
from pathlib import Path

import gemmi
import numpy as np
import pytest
from biotite.structure import AtomArrayStack
from biotite.structure.io.pdb import PDBFile
from biotite.structure.io.pdbx import CIFFile, get_structure

from resfold_nb.data import Structure, load, read_structure, write_trajectory

MARK = "CENTROIDS OF N, CA, C, O; NOT ALPHA"
SUFFIXES = pytest.mark.parametrize("suffix", [".pdb", ".ent", ".cif", ".mmcif"])
IDS = pytest.mark.parametrize("id", ["1R69_A", "1AK4_A_D"])


def frames_of(structure: Structure, count: int = 3) -> np.ndarray:
    noise = np.random.default_rng(0).normal(size=(count, len(structure), 3))
    return structure.centroids + noise


def by_biotite(path: Path) -> AtomArrayStack:
    if path.suffix in (".pdb", ".ent"):
        return PDBFile.read(path).get_structure()
    with warnings.catch_warnings():  # it misses auth_atom_id, and falls back on label_atom_id
        warnings.filterwarnings("ignore", message="Attribute 'auth_", category=UserWarning)
        return get_structure(CIFFile.read(path))


def tolerance(path: Path) -> float:
    return 6e-4 if path.suffix in (".pdb", ".ent") else 1e-5  # PDB keeps three decimals


@SUFFIXES
@IDS
def test_centroids_round_trip(tmp_path: Path, suffix: str, id: str) -> None:
    structure = load(id)
    frames = frames_of(structure)
    path = write_trajectory(tmp_path / f"out{suffix}", frames, structure)
    models = gemmi.read_structure(str(path))
    read = [[atom.pos.tolist() for c in m for r in c for atom in r] for m in models]
    np.testing.assert_allclose(read, frames, atol=tolerance(path))
    stack = by_biotite(path)
    np.testing.assert_allclose(stack.coord, frames, atol=tolerance(path) + 1e-5)
    assert set(stack.atom_name) == {"CA"}
    assert stack.res_id.tolist() == structure.residue_number.tolist()
    names = [structure.chain_names[i] for i in structure.chain_index]
    assert stack.chain_id.tolist() == names
    letters = [gemmi.find_tabulated_residue(name).one_letter_code for name in stack.res_name]
    assert "".join(letters) == structure.sequence


@SUFFIXES
@IDS
def test_backbones_round_trip(tmp_path: Path, suffix: str, id: str) -> None:
    structure = load(id)
    path = write_trajectory(tmp_path / f"out{suffix}", structure.backbone, structure)
    read = read_structure(path, chain=structure.chain_names)
    np.testing.assert_allclose(read.backbone, structure.backbone, atol=tolerance(path))
    assert read.sequence == structure.sequence
    expected = structure.backbone.reshape(-1, 3)
    np.testing.assert_allclose(by_biotite(path).coord[0], expected, atol=tolerance(path))


def test_centroids_are_marked_and_alpha_carbons_are_not(tmp_path: Path) -> None:
    structure = load("1R69_A")
    frames = frames_of(structure)
    pdb = write_trajectory(tmp_path / "a.pdb", frames, structure).read_text()
    assert any(s.startswith("REMARK") and MARK in s for s in pdb.splitlines())
    assert any(s.startswith("TITLE") and MARK in s for s in pdb.splitlines())
    block = gemmi.cif.read(str(write_trajectory(tmp_path / "a.cif", frames, structure)))[0]
    assert MARK in block.find_value("_struct.title")
    plain = write_trajectory(tmp_path / "b.pdb", frames, structure, kind="ca").read_text()
    whole = write_trajectory(tmp_path / "c.pdb", structure.backbone, structure).read_text()
    assert MARK not in plain and MARK not in whole


def test_viewers_get_chains_and_sequence(tmp_path: Path) -> None:
    """ChimeraX joins residues by entity, sequence and label numbers; PDB needs its TER."""
    structure = load("1AK4_A_D")
    path = write_trajectory(tmp_path / "a.cif", frames_of(structure), structure)
    block = gemmi.cif.read(str(path))[0]
    declared = block.find("_entity_poly_seq.", ["entity_id", "mon_id"])
    atoms = block.find("_atom_site.", ["label_entity_id", "label_seq_id", "label_comp_id"])
    assert len(declared) == len(structure)
    assert {row[0] for row in declared} == {row[0] for row in atoms} == {"1", "2"}
    assert [row[2] for row in atoms][: len(structure)] == [row[1] for row in declared]
    pdb = write_trajectory(tmp_path / "a.pdb", frames_of(structure), structure).read_text()
    assert pdb.count("\nTER") == 6 and pdb.rstrip().endswith("END") and "CRYST1" not in pdb


def test_repeated_residue_numbers_are_counted_anew(tmp_path: Path) -> None:
    structure = load("1AK4_A_D")
    numbers = structure.residue_number.copy()
    numbers[5] = numbers[4]  # as insertion codes give
    odd = replace(structure, residue_number=numbers)
    path = write_trajectory(tmp_path / "a.cif", odd.backbone, odd)
    read = read_structure(path, chain="A,D")
    first = structure.chain_index == 0
    assert len(read) == len(structure)
    assert read.residue_number[first].tolist() == (odd.position[first] + 1).tolist()
    assert read.residue_number[~first].tolist() == numbers[~first].tolist()


def test_unknown_residues_are_unk(tmp_path: Path) -> None:
    structure = replace(load("1R69_A"), sequence="X" * 63)
    text = write_trajectory(tmp_path / "a.pdb", structure.centroids, structure).read_text()
    assert text.count("UNK") >= 63


# ------------------------------------------------------------------------------------ errors
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_frames_that_diverged_are_refused(tmp_path: Path, value: float) -> None:
    structure = load("1R69_A")
    frames = frames_of(structure, 5)
    frames[3:, 7, 1] = value
    with pytest.raises(ValueError, match="2 of 5 frames hold NaN or inf, the first is frame 3"):
        write_trajectory(tmp_path / "a.pdb", frames, structure)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [(63, 2), (5, 62, 3), (5, 63, 3, 3), (5, 63), (2, 5, 63, 4, 3)])
def test_wrong_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"1R69_A needs \(F, 63, 3\) or \(F, 63, 4, 3\)"):
        write_trajectory(tmp_path / "a.pdb", np.zeros(shape), load("1R69_A"))


def test_no_frame_no_suffix_no_kind(tmp_path: Path) -> None:
    structure = load("1R69_A")
    with pytest.raises(ValueError, match="there is no frame"):
        write_trajectory(tmp_path / "a.pdb", np.zeros((0, 63, 3)), structure)
    with pytest.raises(ValueError, match=r"a\.xyz: the suffix .* \.pdb, \.ent, \.cif, \.mmcif"):
        write_trajectory(tmp_path / "a.xyz", structure.centroids, structure)
    with pytest.raises(ValueError, match="kind is 'beads'"):
        write_trajectory(tmp_path / "a.pdb", structure.centroids, structure, kind="beads")


def long_chain(length: int) -> Structure:
    return Structure(
        id="long",
        sequence="A" * length,
        backbone=np.zeros((length, 4, 3), np.float32),
        chain_index=np.zeros(length, np.int64),
        residue_number=np.arange(1, length + 1),
        secondary_structure="-" * length,
        chain_names=("A",),
    )


def test_what_pdb_cannot_hold_is_sent_to_mmcif(tmp_path: Path) -> None:
    structure = load("1R69_A")
    centroids = structure.centroids
    shifted = replace(structure, residue_number=structure.residue_number + 10_000)
    named = replace(structure, chain_names=("AA",))
    cases = [
        (centroids + 1e4, structure, "a coordinate of 100"),
        (centroids - 1e3, structure, "a coordinate of -10"),
        (np.zeros((10_000, 63, 3)), structure, "10,000 models"),
        (np.zeros((25_000, 4, 3)), long_chain(25_000), "100,001 atoms"),
        (centroids, shifted, "residue numbers 10001 to 10063"),
        (centroids, named, "the chain name 'AA'"),
    ]
    for frames, owner, problem in cases:
        with pytest.raises(ValueError, match=rf"a\.pdb: {problem}.*write mmCIF \(\.cif\)"):
            write_trajectory(tmp_path / "a.pdb", frames, owner)
    for frames, owner in ((centroids + 1e4, structure), (centroids, shifted), (centroids, named)):
        path = write_trajectory(tmp_path / "a.cif", frames, owner)
        np.testing.assert_allclose(by_biotite(path).coord[0], frames, rtol=1e-6, atol=1e-5)


# ------------------------------------------------------------------------------- whole or not
def test_an_old_file_is_replaced(tmp_path: Path) -> None:
    structure = load("1R69_A")
    path = tmp_path / "a.pdb"
    write_trajectory(path, frames_of(structure, 5), structure)
    write_trajectory(path, frames_of(structure, 2), structure)
    assert len(gemmi.read_structure(str(path))) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["a.pdb"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on a file's size")
def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """A real limit on the size of a file stands in for a disk without room."""
    program = """
    import resource, signal, sys
    from pathlib import Path
    from resfold_nb.data import load, write_trajectory
    structure, path = load("1R69_A"), Path(sys.argv[1])
    write_trajectory(path, structure.centroids, structure)
    before = path.read_bytes()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
    try:
        write_trajectory(path, structure.backbone, structure)
    except OSError as error:
        print(type(error).__name__, path.read_bytes() == before, len(list(path.parent.iterdir())))
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / "a.pdb")],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert result.stdout.split() == ["OSError", "True", "1"]


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    structure = load("1R69_A")
    with pytest.raises(FileNotFoundError):
        write_trajectory(tmp_path / "nowhere" / "a.pdb", structure.centroids, structure)
