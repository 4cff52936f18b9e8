"""A user's own PDB or mmCIF file as a Structure, or an error that says what is wrong with it.

gemmi parses; what it accepts in silence (a line cut short, `********` for a coordinate, read as 0) is looked for here
first.
"""

from __future__ import annotations

import gzip
import math
import re
import warnings
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from resfold_nb.data.errors import (BadCoordinates, EmptyFile, NoProtein, NoSuchChain, NoSuchModel, NotAStructureFile,
                                    ResiduesLeftOut, TooManyResidues, TruncatedFile)
from resfold_nb.data.residues import ChainReading, assemble, protein_residues, read_chain
from resfold_nb.data.structure import Structure

if TYPE_CHECKING:
    import gemmi

MAX_RESIDUES = 2000
BLANK_CHAIN = "_"
_ATOM_LINE = re.compile(r"^(?:ATOM  |HETATM)", re.MULTILINE)
_PDB_LINE = re.compile(r"^(?:HEADER|TITLE |REMARK|CRYST1|MODEL |SEQRES|COMPND)", re.MULTILINE)
_COORDINATES = (slice(30, 38), slice(38, 46), slice(46, 54))
_SEPARATORS_OF_A_DEPOSITED_FILE = 5


def read_structure(path: str | Path, *, chain: str | Sequence[str] | None = None, model: int = 1,
                   max_residues: int = MAX_RESIDUES) -> Structure:
    """Read one chain, or several as a complex, from a PDB or mmCIF file, gzipped or not.

    The format is told from the contents, not the name. Waters and ligands are ignored. Residues without a full N, CA,
    C, O backbone, and those that are no variant of the twenty, are left out: `left_out` of the result and one warning
    say which. Modified residues are read as their parent (MSE as M), and of alternative locations the one of highest
    occupancy is taken: `notes` says where. Secondary structure is biotite's annotation where biotite is installed (H
    helix, E strand, C neither), else "-".

    Parameters
    ----------
    path : the file.
    chain : author's chain name; "A,B" or ("A", "B") for a complex; None for the only protein chain.
    model : number of the model as the file gives it.
    max_residues : the most residues accepted, all chains together.

    Raises FileNotFoundError, or a StructureError: NotAStructureFile, EmptyFile, TruncatedFile and BadCoordinates of
    the file itself; NoSuchModel, NoSuchChain, NoProtein, TooFewResidues and TooManyResidues of what was asked of it.
    """
    path = Path(path)
    parsed, notes = parse(path, _read_text(path))
    chosen = _choose_model(parsed, model, path.name)
    names = _choose_chains(chosen, chain, path.name)
    residues = {name: protein_residues(chosen[name]) for name in names}
    _check_size(sum(map(len, residues.values())), max_residues, path.name)
    readings = [read_chain(parsed, chosen[name], residues[name], path.name) for name in names]
    structure = assemble(readings, file=path.name, model=model, notes=notes)
    _warn(structure, readings)
    return structure


def parse(path: Path, text: str) -> tuple[gemmi.Structure, tuple[str, ...]]:
    """Contents of a file as gemmi's structure, and notes on what looked odd.

    Raises NotAStructureFile, EmptyFile, TruncatedFile, BadCoordinates.
    """
    start = next((s for s in map(str.strip, text.splitlines()) if s and s[0] != "#"), "")
    notes: tuple[str, ...] = ()
    if start.lower().startswith("data_"):
        parsed = _parse_mmcif(text, path.name)
    elif _ATOM_LINE.search(text):
        notes = _check_pdb(text, path.name)
        parsed = _parse_pdb(text, path.name)
    elif _PDB_LINE.search(text):
        raise EmptyFile(f"{path.name} has PDB records but no atom; fetch the whole file")
    else:
        raise NotAStructureFile(f"{path.name} is neither PDB nor mmCIF: it begins with {start[:40]!r}; "
                                "save or download the structure in one of these formats")
    parsed.merge_chain_parts()
    parsed.setup_entities()
    return parsed, notes + _name_blank_chains(parsed)


def _name_blank_chains(parsed: gemmi.Structure) -> tuple[str, ...]:
    """Old PDB files may leave the chain name blank, which nobody could ask for."""
    blank = [chain for model in parsed for chain in model if not chain.name.strip()]
    for chain in blank:
        chain.name = BLANK_CHAIN
    return (f"a chain without a name is called {BLANK_CHAIN!r}",) if blank else ()


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise NotAStructureFile(f"{path} is a folder; name a PDB or mmCIF file in it")
    if not path.exists():
        raise FileNotFoundError(f"no file {path}; the working folder is {Path.cwd()}")
    data = _decompress(path.read_bytes(), path.name)
    if not data.strip():
        raise EmptyFile(f"{path.name} is empty; fetch it again")
    if b"\0" in data:
        raise NotAStructureFile(f"{path.name} is a binary file"
                                + (" (BinaryCIF?)" if b"atom_site" in data else "")
                                + "; read_structure takes PDB and text mmCIF, gzipped or not")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:  # old PDB files hold authors' names in Latin-1
        return data.decode("latin-1")


def _decompress(data: bytes, name: str) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error) as error:
        raise TruncatedFile(f"{name}: the gzip stream is cut short or damaged ({error}); fetch it again") from error


def _parse_mmcif(text: str, name: str) -> gemmi.Structure:
    import gemmi

    try:
        document = gemmi.cif.read_string(text)
    except (ValueError, RuntimeError) as error:
        raise TruncatedFile(f"{name}: the mmCIF text is cut short or damaged ({error}); fetch it again") from error
    _check_mmcif_end(text, name)
    block = next((b for b in document if b.find_loop("_atom_site.id")), None)
    if block is None:
        raise EmptyFile(f"{name} is a CIF file without atoms (no _atom_site loop); "
                        "fetch the coordinates, not the structure factors")
    try:
        return gemmi.make_structure_from_block(block)
    except (ValueError, RuntimeError) as error:
        raise NotAStructureFile(f"{name}: gemmi cannot read its atoms ({error})") from error


def _check_mmcif_end(text: str, name: str) -> None:
    # A cut between two lines of a loop leaves valid CIF. But a deposited file closes every
    # category with "#", the last one too.
    lines = text.split("\n")
    separators = sum(line.startswith("#") for line in lines)
    last = next(line for line in reversed(lines) if line.strip())
    if separators >= _SEPARATORS_OF_A_DEPOSITED_FILE and not last.startswith("#"):
        raise TruncatedFile(f"{name} closes its categories with '#', but not the last one, which ends with "
                            f"{last.strip()[:40]!r}: it is cut short; fetch it again, or add a line '#' if it "
                            "is whole")


def _parse_pdb(text: str, name: str) -> gemmi.Structure:
    import gemmi

    # gemmi cuts fields by byte: one byte a character keeps the columns and the text whole
    plain = text.encode("ascii", "replace").decode("ascii")
    try:
        return gemmi.read_pdb_string(plain)
    except (ValueError, RuntimeError) as error:
        raise NotAStructureFile(f"{name}: gemmi cannot read its atoms ({error})") from error


def _check_pdb(text: str, name: str) -> tuple[str, ...]:
    """Refuse cut lines and coordinates that are no numbers; note a missing end."""
    lines = text.splitlines()
    atoms = [(n, line) for n, line in enumerate(lines, 1) if _ATOM_LINE.match(line)]
    for number, line in atoms:
        _check_atom_line(line, f"{name}, line {number}")
    last_cut = not text.endswith("\n") and len(atoms) > 1 and lines[-1] is atoms[-1][1]
    if last_cut and len(atoms[-1][1].rstrip()) < len(atoms[-2][1].rstrip()):
        raise TruncatedFile(f"{name} ends in the middle of its last line; fetch it again")
    records = Counter(line[:6].rstrip() for line in lines)
    if records["MODEL"] > records["ENDMDL"]:
        raise TruncatedFile(f"{name} opens a MODEL that it never ends; fetch it again")
    if not records.keys() & {"END", "TER", "ENDMDL"}:
        return ("no END or TER record: if its program writes them, the file is cut short",)
    return ()


def _check_atom_line(line: str, where: str) -> None:
    if not line.isascii():
        raise TruncatedFile(f"{where} holds a character outside ASCII: damaged; fetch it again")
    if len(line.rstrip()) < 54:
        raise TruncatedFile(f"{where}: an atom needs 54 columns and this line has {len(line.rstrip())}; "
                            "the file is cut short or not in PDB format")
    for field in (line[columns] for columns in _COORDINATES):
        try:
            finite = math.isfinite(float(field))
        except ValueError:
            finite = False
        if not finite:
            raise BadCoordinates(f"{where}: the coordinate {field!r} is no finite number; "
                                 "remove that atom, or write the file again as mmCIF if a number overflowed")


def _choose_model(parsed: gemmi.Structure, number: int, name: str) -> gemmi.Model:
    if not any(len(chain) for model in parsed for chain in model):
        raise EmptyFile(f"{name} holds no atom; fetch the whole file")
    for model in parsed:
        if model.num == number:
            return model
    numbers = [str(model.num) for model in parsed]
    raise NoSuchModel(f"{name} has no model {number}; its models are {_listed(numbers)}")


def _choose_chains(model: gemmi.Model, wanted: str | Sequence[str] | None, file: str) -> list[str]:
    sizes = {chain.name: len(protein_residues(chain)) for chain in model}
    proteins = {name: size for name, size in sizes.items() if size}
    offer = _listed([f"{name} ({size} residues)" for name, size in proteins.items()])
    if not proteins:
        raise NoProtein(f"{file} holds no protein residue; its chains are {_listed(list(sizes))}")
    if wanted is None and len(proteins) == 1:
        return list(proteins)
    if wanted is None:
        raise NoSuchChain(f"{file} has {len(proteins)} protein chains, {offer}; "
                          "choose with chain=, several as chain='A,B'")
    names = [n.strip() for n in (wanted.split(",") if isinstance(wanted, str) else wanted)]
    for name in names:
        if name not in sizes:
            raise NoSuchChain(f"{file} has no chain {name!r}; its protein chains are {offer}")
        if name not in proteins:
            raise NoProtein(f"{file}: chain {name!r} is no protein; its proteins are {offer}")
    if not names or len(set(names)) < len(names):
        raise NoSuchChain(f"chain={wanted!r} must name each chain once; {file} has {offer}")
    return names


def _check_size(count: int, limit: int, file: str) -> None:
    if count > limit:
        raise TooManyResidues(f"{file}: {count:,} residues are more than the limit of {limit:,}; "
                              "choose fewer chains with chain=, or raise max_residues=")


def _warn(structure: Structure, readings: Sequence[ChainReading]) -> None:
    if structure.left_out:
        total = sum(reading.omitted for reading in readings)
        text = "; ".join(structure.left_out)
        plural = "s" if total > 1 else ""
        message = f"{structure.id}: {total} residue{plural} left out: {text}"
        warnings.warn(message, ResiduesLeftOut, stacklevel=3)


def _listed(names: list[str], limit: int = 30) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more if names else "none"
