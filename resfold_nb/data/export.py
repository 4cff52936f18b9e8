"""Trajectories and samples as files that PyMOL and ChimeraX open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resfold_nb.data.atomic import write_whole
from resfold_nb.data.structure import AMINO_ACIDS, BACKBONE_ATOMS, Structure

if TYPE_CHECKING:
    import gemmi

PDB_SUFFIXES = (".pdb", ".ent")
MMCIF_SUFFIXES = (".cif", ".mmcif")
CENTROID_MARK = "CA ATOMS ARE CENTROIDS OF N, CA, C, O; NOT ALPHA CARBONS"
_MOST_ATOMS, _MOST_MODELS, _RESIDUE_NUMBERS = 99_999, 9_999, (-999, 9_999)
_LOWEST, _HIGHEST = -999.999, 9999.999  # what %8.3f holds


def write_trajectory(path: str | Path, frames: np.ndarray, structure: Structure, *, kind: str = "centroid") -> Path:
    """Write frames as the models of one PDB (.pdb, .ent) or mmCIF (.cif, .mmcif) file.

    The file appears whole or not at all: a full disk leaves the old one as it was.

    Parameters
    ----------
    path : where to; the suffix chooses the format.
    frames : (F, L, 3) centroids or (F, L, 4, 3) backbones in Å; a single frame may lack F.
    structure : names the residues and chains.
    kind : "centroid" writes points as a CA trace and says in REMARK or title that they are centroids; "ca" writes
        points that are alpha carbons. Backbones need no kind.

    Returns the path written.

    Raises OSError when the file cannot be written, and ValueError for an unknown suffix or kind, shapes that do not
    fit the structure, no frame, NaN or inf, or more than PDB can hold (the message says to write mmCIF).
    """
    import gemmi

    path, suffix = Path(path), Path(path).suffix.lower()
    if suffix not in PDB_SUFFIXES + MMCIF_SUFFIXES:
        allowed = ", ".join(PDB_SUFFIXES + MMCIF_SUFFIXES)
        raise ValueError(f"{path.name}: the suffix chooses the format; use one of {allowed}")
    if kind not in ("centroid", "ca"):
        raise ValueError(f'kind is {kind!r}; use "centroid" or "ca"')
    atoms = _as_atoms(frames, structure)
    if suffix in PDB_SUFFIXES:
        problem = _pdb_overflow(atoms, structure)
        if problem:
            raise ValueError(f"{path.name}: {problem}, more than PDB columns hold; write mmCIF (.cif)")
    built = as_gemmi(atoms, structure, marked=kind == "centroid" and atoms.shape[2] == 1)
    if suffix in PDB_SUFFIXES:
        # without CRYST1: there is no unit cell, and gemmi's 1 x 1 x 1 stand-in confuses viewers
        text = built.make_pdb_string(gemmi.PdbWriteOptions(cryst1_record=False))
    else:
        groups = gemmi.MmcifOutputGroups(True, cell=False, symmetry=False)
        text = built.make_mmcif_document(groups).as_string(gemmi.cif.Style.Pdbx)
    write_whole(path, text.encode())
    return path


def _as_atoms(frames: np.ndarray, structure: Structure) -> np.ndarray:
    """Frames as (F, L, A, 3) float64 with A = 1 or 4, checked."""
    array = np.asarray(frames, dtype=np.float64)
    length = len(structure)
    if array.shape in ((length, 3), (length, 4, 3)):
        array = array[None]
    if array.shape[1:] == (length, 3):
        array = array[:, :, None]
    if array.ndim != 4 or array.shape[1] != length or array.shape[2:] not in ((1, 3), (4, 3)):
        raise ValueError(f"frames have shape {np.shape(frames)}; {structure.id} needs (F, {length}, 3) or "
                         f"(F, {length}, 4, 3)")
    if not len(array):
        raise ValueError("there is no frame to write; give at least one")
    bad = np.flatnonzero(~np.isfinite(array).all(axis=(1, 2, 3)))
    if len(bad):
        raise ValueError(f"{len(bad)} of {len(array)} frames hold NaN or inf, the first is frame {bad[0]}; "
                         "leave them out, or find where the sampler diverged")
    return array


def _pdb_overflow(atoms: np.ndarray, structure: Structure) -> str:
    """What does not fit the fixed columns of PDB, or ""."""
    models, length, per_residue, _ = atoms.shape
    numbers = _numbers(structure)
    extreme = atoms.flat[np.abs(atoms).argmax()]
    # counted with one TER a chain, which takes a serial number too
    serials = length * per_residue + len(structure.chain_names)
    if serials > _MOST_ATOMS:
        return f"{serials:,} atoms and chain ends a model"
    if models > _MOST_MODELS:
        return f"{models:,} models"
    if atoms.max() >= _HIGHEST or atoms.min() <= _LOWEST:
        return f"a coordinate of {extreme:.1f} Å"
    if numbers.min() < _RESIDUE_NUMBERS[0] or numbers.max() > _RESIDUE_NUMBERS[1]:
        return f"residue numbers {numbers.min()} to {numbers.max()}"
    long_names = [chain for chain in structure.chain_names if len(chain) > 1]
    return f"the chain name {long_names[0]!r}" if long_names else ""


def _numbers(structure: Structure) -> np.ndarray:
    """Residue numbers; counted from 1 in a chain where the source's repeat or fall."""
    numbers = structure.residue_number.copy()
    for chain in range(len(structure.chain_names)):
        own = structure.chain_index == chain
        if (np.diff(numbers[own]) <= 0).any():
            numbers[own] = structure.position[own] + 1
    return numbers


def as_gemmi(atoms: np.ndarray, structure: Structure, marked: bool = False) -> gemmi.Structure:
    """Models (F, L, A, 3) in Å, of centroids (A = 1) or backbones (A = 4), with the structure's names and numbers.

    `marked` says in title and remark that the points are centroids.
    """
    import gemmi

    built = gemmi.Structure()
    built.name = structure.id
    title = f"{structure.id}, {len(atoms)} frame{'s' if len(atoms) > 1 else ''}"
    built.info["_struct.title"] = f"{title}; {CENTROID_MARK}" if marked else title
    if marked:
        built.raw_remarks = ["REMARK   1", f"REMARK   1 {CENTROID_MARK}"]
    three = {a: gemmi.expand_one_letter(a, gemmi.ResidueKind.AA) for a in AMINO_ACIDS}
    residues = [(three.get(letter, "UNK"), gemmi.SeqId(int(number), " "))
                for letter, number in zip(structure.sequence, _numbers(structure), strict=True)]
    built.entities = gemmi.EntityList(_entities(residues, structure))
    for number, frame in enumerate(atoms, 1):
        built.add_model(_model(number, frame, residues, structure))
    return built


def _entities(residues: list[tuple[str, gemmi.SeqId]], structure: Structure) -> list[gemmi.Entity]:
    """One polymer entity a chain; ChimeraX needs them to join residues."""
    import gemmi

    entities = []
    for i, chain in enumerate(structure.chain_names):
        entity = gemmi.Entity(str(i + 1))
        entity.entity_type, entity.polymer_type = gemmi.EntityType.Polymer, gemmi.PolymerType.PeptideL
        entity.subchains = [chain]
        entity.full_sequence = [residues[k][0] for k in np.flatnonzero(structure.chain_index == i)]
        entities.append(entity)
    return entities


def _model(number: int, frame: np.ndarray, residues: list[tuple[str, gemmi.SeqId]], structure: Structure
           ) -> gemmi.Model:
    import gemmi

    model = gemmi.Model(number)
    for i, chain_name in enumerate(structure.chain_names):
        chain = gemmi.Chain(chain_name)
        for label, k in enumerate(np.flatnonzero(structure.chain_index == i), 1):
            residue = _residue(*residues[k], frame[k])
            residue.subchain, residue.entity_id, residue.label_seq = chain_name, str(i + 1), label
            chain.add_residue(residue)
        model.add_chain(chain)
    return model


def _residue(name: str, number: gemmi.SeqId, points: np.ndarray) -> gemmi.Residue:
    """A residue of one CA or of the four backbone atoms."""
    import gemmi

    residue = gemmi.Residue()
    residue.name, residue.seqid, residue.het_flag = name, number, "A"
    residue.entity_type = gemmi.EntityType.Polymer
    for atom_name, point in zip(("CA",) if len(points) == 1 else BACKBONE_ATOMS, points.tolist(), strict=True):
        atom = gemmi.Atom()
        atom.name, atom.pos, atom.element = atom_name, gemmi.Position(*point), gemmi.Element(atom_name[0])
        residue.add_atom(atom)
    return residue
