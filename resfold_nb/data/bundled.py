"""The bundled set: real chains and two-chain complexes, by id, and a catalogue to choose from."""

from __future__ import annotations

import csv
import difflib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from resfold_nb.data.errors import UnknownStructure
from resfold_nb.data.structure import Structure, standard_deviation

KINDS = ("monomer", "complex", "chain")
SPLITS = ("train", "test")


def data_directory() -> Path:
    """The folder of bundled data: `data/` of the repository, or what RESFOLD_DATA names.

    Raises FileNotFoundError when structures.npz is not there.
    """
    named = os.environ.get("RESFOLD_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "data"
    if not (folder / "structures.npz").is_file():
        raise FileNotFoundError(f"no structures.npz in {folder}: install the workbook from its repository with "
                                "`pip install -e .`, or set RESFOLD_DATA to the repository's data folder")
    return folder


@dataclass(frozen=True, repr=False)
class Entry:
    """One line of the catalogue."""

    id: str  # what `load` takes
    kind: str  # "monomer", "complex", or "chain" for one chain of a complex
    length: int  # residues, all chains together
    split: str  # "train" or "test"
    helix: float | None  # fraction of residues in helix (DSSP H, G, I); None where the source gives no structure
    strand: float | None  # fraction in strand (E, B)
    cluster: tuple[int, ...]  # 30 % sequence cluster of each chain
    rg: float  # radius of gyration of the CA atoms, Å
    source: str  # provenance in one line

    def __repr__(self) -> str:
        """One aligned line."""
        share = [" unknown" if f is None else f"{f:8.0%}" for f in (self.helix, self.strand)]
        return (f"{self.id:<9} {self.kind:<8} {self.length:4d} residues  {self.split:<5} "
                f"helix{share[0]} strand{share[1]}  Rg {self.rg:5.1f} Å")


def load(id: str) -> Structure:
    """One bundled chain ("1R69_A") or complex ("1AK4_A_D").

    Raises UnknownStructure: A KeyError that names the nearest ids.
    """
    members = _members()
    if id not in members:
        near = difflib.get_close_matches(id.upper(), members, n=5, cutoff=0.5)
        raise UnknownStructure(f"no structure {id!r} in the bundled set"
                               + (f"; near it: {', '.join(near)}" if near else "")
                               + "; catalogue() lists them, read_structure(path) reads a file of your own")
    return _assemble(id, members[id])


def catalogue(*, kind: str = "monomer", min_length: int | None = None, max_length: int | None = None,
              split: str | None = None, min_helix: float | None = None,
              min_strand: float | None = None) -> list[Entry]:
    """Bundled structures that meet every condition given, by id.

    `kind` is "monomer", "complex" or "chain" (the single chains of the complexes). Lengths are inclusive. `min_helix`
    and `min_strand` are fractions; a structure whose secondary structure is unknown meets neither.

    Raises ValueError for an unknown kind or split.
    """
    _require("kind", kind, KINDS)
    if split is not None:
        _require("split", split, SPLITS)
    bounds = (("length", min_length, max_length), ("helix", min_helix, None), ("strand", min_strand, None))
    return [entry
            for entry in _read_entries(data_directory())
            if entry.kind == kind
            and split in (None, entry.split)
            and all(_within(getattr(entry, name), low, high) for name, low, high in bounds)]


def training_set_scale(points: str = "centroid") -> float:
    """One constant for many proteins, Å: root mean square sd over the training monomers.

    `points` as in `Structure.points`.
    """
    return _training_set_scale(data_directory(), points)


@lru_cache(maxsize=4)
def _training_set_scale(folder: Path, points: str) -> float:
    """The same; `folder` is part of the cache's key."""
    chosen = catalogue(kind="monomer", split="train")
    return float(np.sqrt(np.mean([standard_deviation(load(e.id), points) ** 2 for e in chosen])))


def _require(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}; choose one of {', '.join(allowed)}")


def _within(value: float | None, low: float | None, high: float | None) -> bool:
    if value is None:
        return low is None and high is None
    return (low is None or value >= low) and (high is None or value <= high)


@lru_cache(maxsize=1)
def _read_tables(folder: Path) -> tuple[dict[str, np.ndarray], list[dict[str, str]]]:
    """The arrays of structures.npz and the rows of index.csv, one a chain."""
    with np.load(folder / "structures.npz") as archive:
        arrays = dict(archive)
    with open(folder / "index.csv", newline="", encoding="utf-8") as file:
        return arrays, list(csv.DictReader(file))


def _members() -> dict[str, tuple[int, ...]]:
    """Id -> chain indices. A chain that occurs in two complexes goes by its first copy."""
    arrays, rows = _read_tables(data_directory())
    complexes = zip(arrays["complex_id"].tolist(), arrays["complex_chains"].tolist(), strict=True)
    members = {name: tuple(chains) for name, chains in complexes}
    for i, row in enumerate(rows):
        members.setdefault(f"{row['pdb_id']}_{row['chain']}", (i,))
    return members


def _assemble(id: str, chains: tuple[int, ...]) -> Structure:
    arrays, rows = _read_tables(data_directory())
    starts, lengths = arrays["offset"][list(chains)], arrays["length"][list(chains)]

    def gather(name: str) -> np.ndarray:
        parts = [arrays[name][s : s + n] for s, n in zip(starts, lengths, strict=True)]
        return np.concatenate(parts)

    return Structure(id=id, sequence=gather("sequence").tobytes().decode("ascii"),
                     backbone=(gather("xyz_centi_angstrom") / 100).astype(np.float32),
                     chain_index=np.repeat(np.arange(len(chains)), lengths),
                     residue_number=gather("resnum").astype(np.int64),
                     secondary_structure=gather("dssp").tobytes().decode("ascii"),
                     chain_names=tuple(rows[i]["chain"] for i in chains), split=rows[chains[0]]["split"],
                     source=_provenance(rows, chains))


def _provenance(rows: list[dict[str, str]], chains: tuple[int, ...]) -> str:
    row = rows[chains[0]]
    files = ", ".join(dict.fromkeys(rows[i]["source_file"] for i in chains))
    return f"PDB {row['pdb_id']}, from {row['source_package']} {row['source_version']}: {files}"


@lru_cache(maxsize=1)
def _read_entries(folder: Path) -> list[Entry]:
    """The whole catalogue; `folder` is the key of the cache."""
    return [_entry(id, chains) for id, chains in sorted(_members().items())]


def _entry(id: str, chains: tuple[int, ...]) -> Entry:
    rows = [_read_tables(data_directory())[1][i] for i in chains]
    structure = _assemble(id, chains)
    ca = structure.backbone[:, 1].astype(np.float64)
    kind = "complex" if len(chains) > 1 else "chain" if rows[0]["role"] == "complex" else "monomer"
    return Entry(id=id, kind=kind, length=len(structure), split=rows[0]["split"],
                 helix=_fraction(structure.secondary_structure, "HGI"),
                 strand=_fraction(structure.secondary_structure, "EB"),
                 cluster=tuple(int(row["cluster30"]) for row in rows),
                 rg=float(np.sqrt(np.square(ca - ca.mean(0)).sum(1).mean())), source=structure.source)


def _fraction(letters: str, wanted: str) -> float | None:
    known = [c for c in letters if c != "-"]
    return sum(c in wanted for c in known) / len(known) if known else None
