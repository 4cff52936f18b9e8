"""Which residues of a chain are used, and a record of those that are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from resfold_nb.data.errors import BadCoordinates, TooFewResidues
from resfold_nb.data.structure import AMINO_ACIDS, BACKBONE_ATOMS, Structure

if TYPE_CHECKING:
    import gemmi

LEFT_OUT = {"incomplete": "without a full N, CA, C, O backbone",
            "foreign": "with no parent among the twenty amino acids"}
NOTED = {"parent": "modified, read as the parent amino acid",
         "locations": "in several locations, the one of highest occupancy taken"}
MIN_RESIDUES = 3  # three points fix a rigid superposition


@dataclass(frozen=True)
class ChainReading:
    """The residues of one chain that are used, and what was left out or chosen."""

    name: str
    letters: str
    backbone: np.ndarray
    numbers: list[int]
    omitted: int
    left_out: tuple[str, ...]
    notes: tuple[str, ...]


def protein_residues(chain: gemmi.Chain) -> list[gemmi.Residue]:
    """Residues of the protein part of a chain, in order, or none for anything else.

    gemmi tells the polymer from ligands and waters under the same chain name. Where it sees no polymer, as in a
    fragment of one residue, every amino acid of the chain counts.
    """
    polymer = list(chain.get_polymer())
    if polymer:
        return polymer if any(map(_is_amino_acid, polymer)) else []
    return [residue for residue in chain if _is_amino_acid(residue)]


def read_chain(parsed: gemmi.Structure, chain: gemmi.Chain, residues: Sequence[gemmi.Residue],
               file: str) -> ChainReading:
    """Choose one conformer of each residue and keep those with a full backbone.

    Raises BadCoordinates when a backbone coordinate is not finite.
    """
    log: dict[str, list[str]] = {"incomplete": [], "foreign": [], "parent": [], "locations": []}
    kept = []
    for _, variants in groupby(residues, key=lambda r: str(r.seqid)):
        letter, atoms, number = _read_residue(list(variants), log)
        if letter and len(atoms) == len(BACKBONE_ATOMS):
            points = [atom.pos.tolist() for atom in atoms]
            if not np.isfinite(points).all():
                raise BadCoordinates(f"{file}, chain {chain.name}, residue {number}: a backbone coordinate is no "
                                     "finite number; remove the residue or repair it")
            kept.append((letter, points, number))
    return ChainReading(name=chain.name, letters="".join(letter for letter, _, _ in kept),
                        backbone=np.array([p for _, p, _ in kept], dtype=np.float32).reshape(-1, 4, 3),
                        numbers=[number for _, _, number in kept],
                        omitted=len(log["incomplete"]) + len(log["foreign"]), left_out=_lines(chain.name, log, LEFT_OUT),
                        notes=_lines(chain.name, log, NOTED) + _unseen(parsed, chain, residues))


def assemble(readings: Sequence[ChainReading], *, file: str, model: int, notes: tuple[str, ...]) -> Structure:
    """One Structure from the chains read.

    Raises TooFewResidues when fewer than three residues are left.
    """
    left_out = tuple(line for reading in readings for line in reading.left_out)
    total = sum(len(reading.letters) for reading in readings)
    if total < MIN_RESIDUES:
        why = f" (left out: {'; '.join(left_out)})" if left_out else ""
        raise TooFewResidues(f"{file}: {total} residue{'' if total == 1 else 's'} with a full N, CA, C, O backbone, "
                             f"but at least {MIN_RESIDUES} are needed{why}; choose another chain or file")
    import gemmi

    used = [reading for reading in readings if reading.letters]
    names = tuple(reading.name for reading in used)
    return Structure(id="_".join((file.removesuffix(".gz").rsplit(".", 1)[0], *names)), sequence="".join(reading.letters for reading in used),
                     backbone=np.concatenate([reading.backbone for reading in used]),
                     chain_index=np.repeat(np.arange(len(used)), [len(r.letters) for r in used]),
                     residue_number=np.array([n for r in used for n in r.numbers], dtype=np.int64),
                     secondary_structure="".join(map(annotate, used)), chain_names=names,
                     source=f"{file}, model {model}, read with gemmi {gemmi.__version__}", left_out=left_out,
                     notes=notes + tuple(line for reading in readings for line in reading.notes))


def annotate(reading: ChainReading) -> str:
    """Secondary structure by biotite's P-SEA from CA atoms (H, E, C), or "-" without biotite."""
    try:
        from biotite.structure import AtomArray, annotate_sse
    except ImportError:
        return "-" * len(reading.letters)
    atoms = AtomArray(len(reading.letters))
    atoms.coord = reading.backbone[:, 1]
    atoms.res_id = np.arange(len(reading.letters)) + 1
    atoms.set_annotation("atom_name", np.full(len(reading.letters), "CA"))
    atoms.set_annotation("res_name", np.full(len(reading.letters), "ALA"))
    atoms.set_annotation("element", np.full(len(reading.letters), "C"))
    return "".join({"a": "H", "b": "E", "c": "C"}.get(s, "-") for s in annotate_sse(atoms))


def _is_amino_acid(residue: gemmi.Residue) -> bool:
    import gemmi

    known = gemmi.find_tabulated_residue(residue.name)
    return known.is_amino_acid() or (not known.is_water() and all(residue.find_atom(n, "*") for n in BACKBONE_ATOMS))


def _read_residue(variants: list[gemmi.Residue], log: dict[str, list[str]]) -> tuple[str, list[gemmi.Atom], int]:
    """Letter ("" when there is none), backbone atoms and number of one residue; fills the log."""
    import gemmi

    residue = max(variants, key=lambda r: max((a.occ for a in r if a.name == "CA"), default=0))
    atoms, several = _backbone(residue)
    label = f"{residue.name} {residue.seqid}"
    known = gemmi.find_tabulated_residue(residue.name)
    letter = known.one_letter_code.upper()
    if not letter.strip() or letter not in AMINO_ACIDS:
        log["foreign"].append(label)
        return "", atoms, residue.seqid.num
    missing = [n for n in BACKBONE_ATOMS if n not in {a.name for a in atoms}]
    if missing:
        log["incomplete"].append(f"{label} (no {', '.join(missing)})")
        return "", atoms, residue.seqid.num
    if not known.is_standard():
        log["parent"].append(f"{label} as {letter}")
    if several or len(variants) > 1:
        log["locations"].append(label)
    return letter, atoms, residue.seqid.num


def _backbone(residue: gemmi.Residue) -> tuple[list[gemmi.Atom], bool]:
    """Backbone atoms of the location with the highest occupancy; whether there were several."""
    by_name = {n: [a for a in residue if a.name == n] for n in BACKBONE_ATOMS}
    occupancy: dict[str, float] = {}
    for atom in (a for atoms in by_name.values() for a in atoms if a.has_altloc()):
        occupancy[atom.altloc] = occupancy.get(atom.altloc, 0.0) + atom.occ
    best = max(sorted(occupancy), key=occupancy.__getitem__, default="")
    # One location for the whole residue, so that its atoms belong together; an atom that lacks
    # it is taken from what there is.
    chosen = [max(atoms, key=lambda a: (a.altloc == best, not a.has_altloc(), a.occ))
              for atoms in by_name.values()
              if atoms]
    return chosen, len(occupancy) > 1


def _lines(chain: str, log: dict[str, list[str]], reasons: dict[str, str]) -> tuple[str, ...]:
    """A line for each of the reasons that was met, with the first dozen residues."""
    lines = []
    for key, reason in reasons.items():
        labels, more = log[key], f" and {len(log[key]) - 12} more" if len(log[key]) > 12 else ""
        if labels:
            lines.append(f"chain {chain}, {len(labels)} residue{'s' if len(labels) > 1 else ''} {reason}: "
                         f"{', '.join(labels[:12])}{more}")
    return tuple(lines)


def _unseen(parsed: gemmi.Structure, chain: gemmi.Chain, residues: Sequence[gemmi.Residue]) -> tuple[str, ...]:
    """A note when the file's own sequence is longer than what has coordinates."""
    entity = parsed.get_entity_of(chain.get_polymer()) if len(chain.get_polymer()) else None
    declared = len(entity.full_sequence) if entity else 0
    present = len({str(r.seqid) for r in residues})
    if declared <= present:
        return ()
    return (f"chain {chain.name}: the file's sequence has {declared} residues, {present} of them with "
            "coordinates; the others were not seen, or the file is cut short",)
