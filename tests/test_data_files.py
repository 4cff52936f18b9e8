"""A user's own files: real ones, odd ones, broken ones."""

from __future__ import annotations

import gzip
import random
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tmtools
from biotite.structure import filter_amino_acids
from biotite.structure.io.pdb import PDBFile

from resfold_nb.data import (
    ResiduesLeftOut,
    Structure,
    StructureError,
    load,
    make_batch,
    read_structure,
    write_trajectory,
)
from resfold_nb.data.errors import (
    BadCoordinates,
    EmptyFile,
    NoProtein,
    NoSuchChain,
    NoSuchModel,
    NotAStructureFile,
    TooFewResidues,
    TooManyResidues,
    TruncatedFile,
)

REAL = Path(tmtools.__file__).parent / "data"  # two PDB entries ship with the test dependency
PROTEIN = load("1R69_A")
Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, contents: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(contents.encode() if isinstance(contents, str) else contents)
        return path

    return write


def text_of(folder: Path, suffix: str, structure: Structure = PROTEIN, frames: int = 1) -> str:
    path = folder / f"source{suffix}"
    stacked = np.repeat(structure.backbone[None], frames, axis=0)
    stacked += 10.0 * np.arange(frames)[:, None, None, None]
    return write_trajectory(path, stacked, structure).read_text()


@pytest.fixture
def pdb(tmp_path: Path) -> str:
    return text_of(tmp_path, ".pdb")


@pytest.fixture
def cif(tmp_path: Path) -> str:
    return text_of(tmp_path, ".cif")


def atoms(pdb: str) -> list[str]:
    return [line for line in pdb.splitlines(keepends=True) if line.startswith("ATOM")]


def assert_same(read: Structure, expected: Structure) -> None:
    assert read.sequence == expected.sequence
    np.testing.assert_allclose(read.backbone, expected.backbone, atol=6e-4)
    assert read.residue_number.tolist() == expected.residue_number.tolist()
    assert read.chain_index.tolist() == expected.chain_index.tolist()


# ------------------------------------------------------------------------------ real files
@pytest.mark.parametrize("name", ["2gtl.pdb", "2gtl.cif"])
def test_real_chain_against_biotite(name: str) -> None:
    structure = read_structure(REAL / name, chain="M")
    model = PDBFile.read(REAL / "2gtl.pdb").get_structure(model=1)
    chain = model[(model.chain_id == "M") & filter_amino_acids(model)]
    for i, atom in enumerate(("N", "CA", "C", "O")):
        np.testing.assert_array_equal(
            structure.backbone[:, i], chain.coord[chain.atom_name == atom]
        )
    assert structure.residue_number.tolist() == chain.res_id[chain.atom_name == "CA"].tolist()
    assert structure.id == "2gtl_M" and structure.chain_names == ("M",)


@pytest.mark.parametrize("name", ["2gtl", "7ok9"])
def test_real_pdb_and_mmcif_agree(name: str) -> None:
    for chains in ("A", "A,B"):
        from_pdb = read_structure(REAL / f"{name}.pdb", chain=chains)
        from_cif = read_structure(REAL / f"{name}.cif", chain=chains)
        assert_same(from_cif, from_pdb)
        assert from_cif.notes == from_pdb.notes


def test_real_complex() -> None:
    both = read_structure(REAL / "2gtl.cif", chain=("B", "A"))
    b, a = (read_structure(REAL / "2gtl.cif", chain=c) for c in "BA")
    assert both.sequence == b.sequence + a.sequence
    assert both.id == "2gtl_B_A" and set(both.chain_index.tolist()) == {0, 1}
    np.testing.assert_array_equal(both.backbone, np.concatenate([b.backbone, a.backbone]))


def test_real_file_says_how_much_was_not_seen() -> None:
    structure = read_structure(REAL / "2gtl.pdb", chain="A")
    (note,) = structure.notes
    assert "the file's sequence has 151 residues, 147 of them with coordinates" in note
    assert f"note: {note}" in repr(structure)


def test_several_chains_must_be_chosen_from() -> None:
    offer = r"15 protein chains, A \(147 residues\), B .*chain='A,B'"
    with pytest.raises(NoSuchChain, match=offer):
        read_structure(REAL / "2gtl.cif")


def test_water_and_ligands_are_not_residues() -> None:
    """Chain J of 7ok9 holds water beside the protein, under one author's name."""
    assert "HOH" in (REAL / "7ok9.cif").read_text()
    structure = read_structure(REAL / "7ok9.cif", chain="J")
    assert len(structure) == 518 and not structure.left_out


# ------------------------------------------------------------------- shapes of a good file
@pytest.mark.parametrize("suffix", [".pdb", ".cif"])
@pytest.mark.parametrize("id", ["1R69_A", "1AK4_A_D"])
def test_bundled_structures_come_back(write: Write, tmp_path: Path, suffix: str, id: str) -> None:
    structure = load(id)
    path = write("own" + suffix, text_of(tmp_path, suffix, structure))
    read = read_structure(path, chain=structure.chain_names)
    assert_same(read, structure)
    assert read.split is None and not read.left_out and not read.notes
    assert read.source.startswith(f"{path.name}, model 1, read with gemmi")
    assert make_batch(read).mask.all()


@pytest.mark.parametrize("name", ["a.pdb.gz", "b.ent", "c", "d.txt"])
def test_format_is_told_from_the_contents(write: Write, pdb: str, cif: str, name: str) -> None:
    for text in (pdb, cif):
        data = gzip.compress(text.encode(), mtime=0) if name.endswith(".gz") else text.encode()
        assert_same(read_structure(write(name, data)), PROTEIN)
    stem = name.removesuffix(".gz").split(".")[0]
    assert read_structure(write(name, pdb)).id == f"{stem}_A"


def test_windows_line_ends_and_byte_order_mark(write: Write, pdb: str, cif: str) -> None:
    for text in (pdb, cif):
        damaged = b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()
        assert_same(read_structure(write("windows", damaged)), PROTEIN)


def test_latin_1_in_the_header(write: Write, pdb: str) -> None:
    data = "AUTHOR    K.MÜLLER\n".encode("latin-1") + pdb.encode()
    assert_same(read_structure(write("old.pdb", data)), PROTEIN)


@pytest.mark.parametrize("suffix", [".pdb", ".cif"])
def test_models(write: Write, tmp_path: Path, suffix: str) -> None:
    path = write("models" + suffix, text_of(tmp_path, suffix, frames=3))
    first, third = read_structure(path), read_structure(path, model=3)
    np.testing.assert_allclose(third.backbone - first.backbone, 20.0, atol=1e-3)
    with pytest.raises(NoSuchModel, match="no model 4; its models are 1, 2, 3"):
        read_structure(path, model=4)


def test_blank_chain_gets_a_name(write: Write, pdb: str) -> None:
    text = "".join(line[:21] + " " + line[22:] for line in atoms(pdb)) + "END\n"
    structure = read_structure(write("old.pdb", text))
    assert structure.chain_names == ("_",)
    assert structure.notes == ("a chain without a name is called '_'",)


def test_secondary_structure_is_annotated(write: Write, pdb: str) -> None:
    read = read_structure(write("own.pdb", pdb))
    helix = np.array(list(PROTEIN.secondary_structure)) == "H"
    found = np.array(list(read.secondary_structure)) == "H"
    assert set(read.secondary_structure) <= set("HEC-")
    assert (helix == found).mean() > 0.8


# --------------------------------------------------------------- stated choices of residues
@pytest.mark.parametrize("atom", ["N", "CA", "C", "O"])
def test_residue_without_full_backbone(write: Write, pdb: str, atom: str) -> None:
    lines = atoms(pdb)
    victim = next(
        k for k, s in enumerate(lines) if s[22:26].strip() == "20" and s[12:16].strip() == atom
    )
    text = "".join(lines[:victim] + lines[victim + 1 :]) + "END\n"
    with pytest.warns(ResiduesLeftOut, match="gap_A: 1 residue left out"):
        structure = read_structure(write("gap.pdb", text))
    name = lines[victim][17:20]
    (reason,) = structure.left_out
    assert reason.endswith(f"1 residue without a full N, CA, C, O backbone: {name} 20 (no {atom})")
    assert len(structure) == len(PROTEIN) - 1 and 20 not in structure.residue_number
    assert structure.position.tolist() == [p for p in PROTEIN.position if p != 19]
    assert f"left out: {reason}" in repr(structure)


@pytest.mark.parametrize("suffix", [".pdb", ".cif"])
def test_modified_residues_are_read_as_their_parent(
    write: Write, tmp_path: Path, suffix: str
) -> None:
    text = text_of(tmp_path, suffix).replace("ILE", "MSE")
    structure = read_structure(write("own" + suffix, text))
    assert structure.sequence == PROTEIN.sequence.replace("I", "M")
    (note,) = structure.notes
    count = PROTEIN.sequence.count("I")
    assert f"{count} residues modified, read as the parent amino acid: MSE 2 as M" in note


@pytest.mark.parametrize("name", ["UNK", "XYZ", "ASX"])
def test_residues_without_a_parent_are_left_out(write: Write, pdb: str, name: str) -> None:
    with pytest.warns(ResiduesLeftOut, match=f"no parent among the twenty.*{name} 2"):
        structure = read_structure(write("own.pdb", pdb.replace("ILE", name)))
    assert structure.sequence == PROTEIN.sequence.replace("I", "")


def test_highest_occupancy_is_taken(write: Write, pdb: str) -> None:
    """Residue 5 in locations A and B, B 1 Å along x and more occupied but for one atom.

    All four atoms come from B, so that they belong together.
    """
    lines = []
    for line in atoms(pdb):
        if line[22:26].strip() == "5":
            x = float(line[30:38]) + 1
            occupancy = 0.9 if line[12:16].strip() == "O" else 0.4
            lines.append(f"{line[:16]}A{line[17:54]}{occupancy:6.2f}{line[60:]}")
            lines.append(f"{line[:16]}B{line[17:30]}{x:8.3f}{line[38:54]}  0.60{line[60:]}")
        else:
            lines.append(line)
    structure = read_structure(write("alt.pdb", "".join(lines) + "END\n"))
    shift = structure.backbone - PROTEIN.backbone
    np.testing.assert_allclose(shift[4, :, 0], 1.0, atol=1e-3)
    assert abs(np.delete(shift, 4, axis=0)).max() < 1e-3
    (note,) = structure.notes
    assert "1 residue in several locations, the one of highest occupancy taken: ARG 5" in note


def test_two_residues_at_one_place(write: Write, pdb: str) -> None:
    """A point mutation within the crystal: the residue of higher occupancy counts, once."""
    own = [line for line in atoms(pdb) if line[22:26].strip() == "5"]
    others = [line for line in atoms(pdb) if line[22:26].strip() != "5"]
    variants = [f"{s[:16]}A{s[17:54]}  0.30{s[60:]}" for s in own]
    variants += [f"{s[:16]}BTRP{s[20:54]}  0.70{s[60:]}" for s in own]
    text = "".join(others[:16] + variants + others[16:]) + "END\n"
    structure = read_structure(write("mutant.pdb", text))
    assert structure.sequence == PROTEIN.sequence[:4] + "W" + PROTEIN.sequence[5:]
    assert len(structure.notes) == 1


def test_insertion_codes_are_residues_of_their_own(write: Write, pdb: str) -> None:
    lines = [
        f"{line[:22]}{5:4d}A{line[27:]}" if line[22:26].strip() == "6" else line
        for line in atoms(pdb)
    ]
    structure = read_structure(write("codes.pdb", "".join(lines) + "END\n"))
    assert structure.sequence == PROTEIN.sequence
    assert structure.residue_number[3:7].tolist() == [4, 5, 5, 7]
    assert len(set(structure.position.tolist())) == len(structure)


# ------------------------------------------------------------------------------ broken files
def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*nothing\.pdb; the working folder is"):
        read_structure(tmp_path / "nothing.pdb")
    with pytest.raises(NotAStructureFile, match="is a folder"):
        read_structure(tmp_path)


@pytest.mark.parametrize("contents", [b"", b" \n\n", gzip.compress(b"", mtime=0)])
def test_empty(write: Write, contents: bytes) -> None:
    with pytest.raises(EmptyFile, match=r"x\.pdb is empty"):
        read_structure(write("x.pdb", contents))


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ("dear reader", "neither PDB nor mmCIF: it begins with 'dear reader'"),
        ("<html><body>404</body></html>", "begins with '<html>"),
        (">1R69\nSISSRV\n", "begins with '>1R69'"),
        (b"\x93NUMPY\0\1\0", "is a binary file;"),
        (b"\x85\xaadataBlocks\0_atom_site", r"BinaryCIF\?"),
    ],
)
def test_not_a_structure(write: Write, contents: str | bytes, message: str) -> None:
    with pytest.raises(NotAStructureFile, match=message):
        read_structure(write("x.pdb", contents))


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ("data_x\n_cell.length_a 1\n", "without atoms"),
        ("HEADER    DNA\nREMARK   1\n", "PDB records but no atom"),
    ],
)
def test_no_atoms(write: Write, contents: str, message: str) -> None:
    with pytest.raises(EmptyFile, match=message):
        read_structure(write("x.cif", contents))


@pytest.mark.parametrize("suffix", [".pdb", ".cif"])
@pytest.mark.parametrize("kept", [5, 200, -8, -1])
def test_truncated_gzip(write: Write, tmp_path: Path, suffix: str, kept: int) -> None:
    whole = gzip.compress(text_of(tmp_path, suffix).encode(), mtime=0)
    with pytest.raises(TruncatedFile, match="gzip stream is cut short or damaged"):
        read_structure(write("x.gz", whole[:kept]))


def test_damaged_gzip(write: Write, pdb: str) -> None:
    whole = bytearray(gzip.compress(pdb.encode(), mtime=0))
    whole[len(whole) // 2] ^= 0xFF
    with pytest.raises(TruncatedFile, match="gzip stream is cut short or damaged"):
        read_structure(write("x.gz", bytes(whole)))


@pytest.mark.parametrize("column", [7, 20, 40, 53, 58, 70])
def test_pdb_cut_within_a_line(write: Write, pdb: str, column: int) -> None:
    start = pdb.index("ATOM     81")
    with pytest.raises(TruncatedFile, match="cut short|in the middle of its last line"):
        read_structure(write("x.pdb", pdb[: start + column]))


@pytest.mark.parametrize("kept", [12, 45, 53])
def test_pdb_line_that_lost_its_end(write: Write, pdb: str, kept: int) -> None:
    line = atoms(pdb)[10]
    with pytest.raises(TruncatedFile, match=r"x\.pdb, line \d+: an atom needs 54 columns"):
        read_structure(write("x.pdb", pdb.replace(line, line[:kept] + "\n")))


def test_pdb_cut_within_a_model(write: Write, tmp_path: Path) -> None:
    text = text_of(tmp_path, ".pdb", frames=2)
    cut = text.index("\nATOM     81", text.index("MODEL        2")) + 1
    with pytest.raises(TruncatedFile, match="opens a MODEL that it never ends"):
        read_structure(write("x.pdb", text[:cut]))


def test_pdb_cut_between_lines_is_noted(write: Write, pdb: str) -> None:
    cut = pdb.index("ATOM     81")
    assert any("no END or TER" in n for n in read_structure(write("x.pdb", pdb[:cut])).notes)


def test_mmcif_cut_anywhere_in_its_atoms(write: Write, cif: str) -> None:
    start, end = cif.index("ATOM 1 "), cif.rindex("#")
    for cut in (*range(start + 5, end, 997), end):
        with pytest.raises(TruncatedFile, match="cut short"):
            read_structure(write("x.cif", cif[:cut]))


def test_real_mmcif_cut_between_lines(write: Write) -> None:
    text = (REAL / "2gtl.cif").read_text()
    cut = text.index("\nATOM", len(text) // 2) + 1
    with pytest.raises(TruncatedFile, match="closes its categories with '#'"):
        read_structure(write("x.cif", text[:cut]), chain="A")


@pytest.mark.parametrize("value", ["********", "     nan", "     inf", "  1x.104", "        "])
def test_pdb_coordinate_that_is_no_number(write: Write, pdb: str, value: str) -> None:
    line = atoms(pdb)[10]
    number = pdb.splitlines().index(line.rstrip("\n")) + 1
    text = pdb.replace(line, line[:30] + value + line[38:])
    message = rf"x\.pdb, line {number}: the coordinate .* no finite number"
    with pytest.raises(BadCoordinates, match=message):
        read_structure(write("x.pdb", text))


@pytest.mark.parametrize("value", ["?", ".", "abc", "nan", "inf"])
def test_mmcif_coordinate_that_is_no_number(write: Write, cif: str, value: str) -> None:
    line = next(s for s in cif.splitlines() if s.startswith("ATOM 11 "))
    fields = line.split(" ")
    fields[10] = value
    with pytest.raises(BadCoordinates, match=r"x\.cif, chain A, residue 3: .* no finite number"):
        read_structure(write("x.cif", cif.replace(line, " ".join(fields))))


def test_damaged_header_does_no_harm(write: Write, pdb: str) -> None:
    """gemmi cuts by byte, which would leave half a character in a residue's name."""
    data = b"SEQRES   1 A   63  SER\xc2\xb2LE SER ARG VAL" + b"\n" + pdb.encode()
    assert_same(read_structure(write("x.pdb", data)), PROTEIN)


def test_damaged_atom_line(write: Write, pdb: str) -> None:
    line = atoms(pdb)[10]
    with pytest.raises(TruncatedFile, match="outside ASCII"):
        read_structure(write("x.pdb", pdb.replace(line, "ATOM  é" + line[7:])))


# ------------------------------------------------------------------- what is asked of a file
def test_no_such_chain(write: Write, pdb: str) -> None:
    path = write("x.pdb", pdb)
    message = r"x\.pdb has no chain 'Z'; its protein chains are A \(63 residues\)"
    for chain in ("Z", "A,Z", ["Z"]):
        with pytest.raises(NoSuchChain, match=message):
            read_structure(path, chain=chain)
    for chain in ("A,A", ()):
        with pytest.raises(NoSuchChain, match="must name each chain once"):
            read_structure(path, chain=chain)


def test_no_protein(write: Write, pdb: str) -> None:
    line = "HETATM{0:5d}  O   HOH W{0:4d}    {1:8.3f}   1.000   1.000  1.00  0.00           O\n"
    water = "".join(line.format(i, 3.0 * i) for i in range(1, 6))
    with pytest.raises(NoProtein, match="holds no protein residue; its chains are W"):
        read_structure(write("x.pdb", water))
    with pytest.raises(NoProtein, match=r"chain 'W' is no protein; its proteins are A \(63"):
        read_structure(write("y.pdb", "".join(atoms(pdb)) + water), chain="W")


@pytest.mark.parametrize(("residues", "fits"), [(1, False), (2, False), (3, True), (4, True)])
def test_few_residues(write: Write, pdb: str, residues: int, fits: bool) -> None:
    path = write("x.pdb", "".join(atoms(pdb)[: 4 * residues]) + "END\n")
    if fits:
        assert len(read_structure(path)) == residues
    else:
        with pytest.raises(TooFewResidues, match=rf"x\.pdb: {residues} residue.* at least 3"):
            read_structure(path)


def test_alpha_carbons_alone_are_refused_with_the_reason(write: Write, pdb: str) -> None:
    text = "".join(line for line in atoms(pdb) if line[12:16] == " CA ") + "END\n"
    with pytest.raises(TooFewResidues, match=r"0 residues .*left out: .*SER 1 \(no N, C, O\)"):
        read_structure(write("trace.pdb", text))


def test_ten_thousand_residues(write: Write) -> None:
    line = "ATOM  {0:5d}  {1:<3} ALA A{2:4d}    {3:8.3f}{4:8.3f}{5:8.3f}  1.00  0.00\n"
    text = "".join(
        line.format((4 * i + k) % 100_000, name, i, i % 100 * 3.8, i // 100 * 5.0, 1.5 * k)
        for i in range(10_000)
        for k, name in enumerate(("N", "CA", "C", "O"))
    )
    path = write("big.pdb", text + "END\n")
    with pytest.raises(TooManyResidues, match=r"10,000 residues .* limit of 2,000.*max_residues="):
        read_structure(path)
    assert len(read_structure(path, max_residues=10_000)) == 10_000


# -------------------------------------------------------------------------------------- fuzz
def mutated(data: bytes, dice: random.Random) -> bytes:
    result = bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 20))):
        if len(result) < 2:
            break
        at = dice.randrange(len(result))
        kind = dice.choice(("swap", "swap", "swap", "byte", "cut out", "insert", "cut off"))
        if kind == "swap":
            result[at] = dice.choice(data)
        elif kind == "byte":
            result[at] = dice.randrange(256)
        elif kind == "cut out":
            del result[at : at + dice.randrange(1, 200)]
        elif kind == "insert":
            result[at:at] = data[dice.randrange(len(data)) :][: dice.randrange(200)]
        else:
            del result[max(at, 1) :]
    return bytes(result)


@pytest.mark.parametrize("suffix", [".pdb", ".cif"])
def test_damage_gives_a_structure_or_a_clear_error(
    write: Write, tmp_path: Path, suffix: str
) -> None:
    """Nothing but StructureError leaves the reader, and what it returns is finite."""
    dice, whole = random.Random(0), text_of(tmp_path, suffix).encode()
    outcomes = {"read": 0, "refused": 0}
    for _ in range(300):
        path = write("fuzzed" + suffix, mutated(whole, dice))
        try:
            with warnings.catch_warnings(action="ignore", category=ResiduesLeftOut):
                structure = read_structure(path)
        except StructureError as error:
            assert path.name in str(error)
            outcomes["refused"] += 1
        else:
            assert np.isfinite(structure.backbone).all() and len(structure) >= 3
            outcomes["read"] += 1
    assert min(outcomes.values()) > 10  # both ways out were taken
