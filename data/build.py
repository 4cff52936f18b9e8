#!/usr/bin/env python3
"""Rebuild structures.npz, index.csv and complexes.csv from two named registry packages.

Fetch the inputs with the ordinary package clients of Debian 12 and Python:

    apt-get download promod3-data=3.2.1+ds-6      # 371 MB: 21,119 PDB chains
    apt-get install mmseqs2                       # 14-7e284: sequence clusters
    pip download --no-deps --no-binary prodigy-prot prodigy-prot==2.4.0    # 81 complexes

then

    python data/build.py --promod3-deb promod3-data_3.2.1+ds-6_all.deb \\
        --prodigy-sdist prodigy_prot-2.4.0.tar.gz --out rebuilt
    sha256sum rebuilt/*                           # compare with data/README.md

It needs numpy and gemmi, 0.5 GB of disk for its working files and about a minute.
Nothing in it is random: the same inputs give the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import itertools
import json
import struct
import subprocess
import tarfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

AMINO_ACIDS = set("ACDEFGHIKLMNPQRSTVWY")
ATOMS = ("N", "CA", "C", "O")
PROMOD3 = ("promod3-data (Debian)", "3.2.1+ds-6")
PRODIGY = ("prodigy-prot (PyPI sdist)", "2.4.0")
SHA256 = {
    "promod3": "7d1011a2686ea92e263f3daf9940f787351ff94f19eb47646c624754d80b8f56",
    "prodigy": "43fca93102b619f3fb17bf577b9f1a2186cc23934f296a16e5d3214eafe35aa4",
}
DATABASE_MEMBER = "./usr/share/promod3/loop_data/structure_db.dat"
LENGTHS = (20, 256)
# How many monomers of 20-63, 64-127 and 128-256 residues at most, and how many complexes.
BIN_EDGES, QUOTAS, MAX_COMPLEXES = (64, 128), (150, 400, 350), 150


# ---------------------------------------------------------------------------------- one chain
@dataclass(eq=False)
class Chain:
    """One chain: what its source says, and what is measured on it here."""

    pdb: str
    name: str
    sequence: str
    dssp: str
    xyz: np.ndarray  # (L, 4, 3) float64, Å
    numbers: np.ndarray  # (L,) residue numbers
    package: tuple[str, str]
    file: str
    method: str
    key: str  # unique; names the chain to the clustering
    breaks: int = 0
    cluster: int = -1
    shape: Shape = field(init=False)

    def __len__(self) -> int:
        """Number of residues."""
        return len(self.sequence)

    def measure(self) -> Chain:
        """Fill in the shape, and return the chain."""
        self.shape = shape(self.xyz[:, 1], self.dssp)
        return self


@dataclass(frozen=True)
class Shape:
    """Size and folds of a chain, from its CA atoms and DSSP letters."""

    rg: float  # radius of gyration, Å
    contacts: float  # CA pairs below 8 Å and more than 3 apart, counted both ways, a residue
    clashes: int  # CA pairs below 3 Å that are not neighbours
    helix: float
    strand: float


@dataclass(frozen=True)
class Pair:
    """Two chains in contact."""

    a: Chain
    b: Chain
    contacts: int
    fraction_a: float
    fraction_b: float

    @property
    def id(self) -> str:
        """Like 1AK4_A_D."""
        return f"{self.a.pdb}_{self.a.name}_{self.b.name}"


@dataclass(frozen=True)
class Row:
    """A chain in the output; `complex_id` is "" for a monomer."""

    chain: Chain
    complex_id: str = ""


def shape(ca: np.ndarray, dssp: str) -> Shape:
    """Measure a chain from its (L, 3) CA coordinates."""
    length = len(ca)
    index = np.arange(length)
    separation = abs(index[:, None] - index[None])
    distance = np.linalg.norm(ca[:, None] - ca[None], axis=-1)
    return Shape(
        rg=float(np.sqrt(((ca - ca.mean(0)) ** 2).sum(1).mean())),
        contacts=float(((separation > 3) & (distance < 8)).sum() / length),
        clashes=int(((separation > 1) & (distance < 3.0)).sum()),
        helix=sum(letter in "HGI" for letter in dssp) / length,
        strand=sum(letter in "EB" for letter in dssp) / length,
    )


def peptide_bonds(xyz: np.ndarray) -> np.ndarray:
    """(L-1,) distances C to the next N, Å."""
    return np.linalg.norm(xyz[:-1, 2] - xyz[1:, 0], axis=-1)


def geometry_is_ideal(xyz: np.ndarray, breaks_allowed: int = 0) -> bool:
    """Whether bond lengths are within 0.12 Å and consecutive CA atoms 2.7 to 4.2 Å apart."""
    for first, second, ideal in ((0, 1, 1.459), (1, 2, 1.525), (2, 3, 1.23)):
        lengths = np.linalg.norm(xyz[:, first] - xyz[:, second], axis=-1)
        if abs(lengths - ideal).max() > 0.12:
            return False
    bonds = peptide_bonds(xyz)
    broken = (bonds > 1.5) | (bonds < 1.2)
    steps = np.linalg.norm(xyz[:-1, 1] - xyz[1:, 1], axis=-1)
    return broken.sum() <= breaks_allowed and not ((steps < 2.7) | ((steps > 4.2) & ~broken)).any()


def interface(a: Chain, b: Chain) -> tuple[int, float, float, float]:
    """CA contacts below 8 Å, the fraction of each chain that has one, and the least distance."""
    distance = np.linalg.norm(a.xyz[:, None, 1] - b.xyz[None, :, 1], axis=-1)
    close = distance < 8
    return (
        int(close.sum()),
        float(close.any(1).mean()),
        float(close.any(0).mean()),
        float(distance.min()),
    )


def stable_hash(text: str) -> int:
    """32 bits that are the same everywhere; they stand in for a random order."""
    return int(hashlib.md5(text.encode()).hexdigest()[:8], 16)


# ------------------------------------------------------------------------- promod3's database
class StructureDatabase:
    """ProMod3's portable StructureDB, mapped from disk.

    Little endian: a header of 73 bytes (magic number 1234, version, type sizes), int32 -1,
    uint64 n, then n entries {u32 length + PDB id, u32 length + chain, u32 offset, u16 size,
    u16 first residue number, 3 f32 shift}, then 8 arrays {u64 count, items}: sequence S1,
    coordinates 12 u16 in 0.01 Å (N, CA, C, O), dihedrals 2 i16, accessibility u16, depth u16,
    DSSP S1, profile 20 i16, structure profile 20 i16. Coordinate = 0.01 stored - shift.
    """

    def __init__(self, path: Path) -> None:
        raw = np.memmap(path, dtype=np.uint8, mode="r")
        head = bytes(raw[:4_000_000])
        if struct.unpack_from("<I", head, 0)[0] != 1234:
            raise SystemExit(f"{path} is no StructureDB (wrong magic number); extract it again")
        at = head.index(b"\xff\xff\xff\xff", 60) + 4
        self.contents, at = self._read_contents(head, at)
        self.sequence, at = self._array(raw, at, 1)
        coordinates, at = self._array(raw, at, 24)
        self.coordinates = coordinates.view("<u2").reshape(-1, 4, 3)
        for size in (4, 2, 2):
            _, at = self._array(raw, at, size)
        self.dssp, at = self._array(raw, at, 1)
        for size in (40, 40):
            _, at = self._array(raw, at, size)
        if at != len(raw):
            raise SystemExit(f"{path}: {len(raw) - at} bytes too many; its layout has changed")

    @staticmethod
    def _read_contents(head: bytes, at: int) -> tuple[list[tuple], int]:
        (count,) = struct.unpack_from("<Q", head, at)
        at += 8
        entries = []
        for _ in range(count):
            names = []
            for _ in range(2):
                (size,) = struct.unpack_from("<I", head, at)
                names.append(head[at + 4 : at + 4 + size].decode())
                at += 4 + size
            offset, size, first, *shift = struct.unpack_from("<IHHfff", head, at)
            at += 20
            entries.append((*names, offset, size, first, np.array(shift)))
        return entries, at

    @staticmethod
    def _array(raw: np.ndarray, at: int, item_size: int) -> tuple[np.ndarray, int]:
        (count,) = struct.unpack("<Q", bytes(raw[at : at + 8]))
        end = at + 8 + count * item_size
        return raw[at + 8 : end], end

    def chain(self, i: int) -> Chain:
        """Entry i."""
        pdb, name, offset, size, first, shift = self.contents[i]
        span = slice(offset, offset + size)
        return Chain(
            pdb=pdb,
            name=name,
            sequence=self.sequence[span].tobytes().decode(),
            dssp=self.dssp[span].tobytes().decode(),
            xyz=self.coordinates[span] * 0.01 - shift,
            numbers=np.arange(first, first + size),
            package=PROMOD3,
            file=f"loop_data/structure_db.dat#{i}",
            method="X-ray (inferred)",
            key=str(i),
        )


def extract_database(package: Path, work: Path) -> Path:
    """The database file out of the Debian package, once."""
    target = work / "structure_db.dat"
    if not target.exists():
        unpack = ["dpkg-deb", "--fsys-tarfile", str(package)]
        with subprocess.Popen(unpack, stdout=subprocess.PIPE) as archive, open(target, "wb") as out:
            subprocess.check_call(
                ["tar", "-xO", DATABASE_MEMBER], stdin=archive.stdout, stdout=out
            )
    return target


def clean_chains(database: StructureDatabase, log: Counter[str]) -> dict[int, Chain]:
    """Chains of the right length, of standard residues, ideal geometry and no clash."""
    kept = {}
    for i, entry in enumerate(database.contents):
        if not LENGTHS[0] <= entry[3] <= LENGTHS[1]:
            log["length"] += 1
            continue
        chain = database.chain(i)
        if set(chain.sequence) - AMINO_ACIDS:
            log["non-standard residue"] += 1
        elif not geometry_is_ideal(chain.xyz):
            log["geometry"] += 1
        elif chain.measure().shape.clashes:
            log["clash"] += 1
        else:
            kept[i] = chain
    return kept


def _is_globular(chain: Chain) -> bool:
    # radius of gyration of folded proteins: about 2.2 L^0.38 Å (Skolnick et al. 1997)
    compact = chain.shape.rg <= 1.12 * 2.2 * len(chain) ** 0.38
    return compact and chain.shape.contacts >= (3.0 if len(chain) >= 64 else 2.2)


def _is_diverse(chain: Chain) -> bool:
    counts = Counter(chain.sequence)
    return len(counts) >= 10 and counts.most_common(1)[0][1] <= 0.25 * len(chain)


def monomer_candidates(
    database: StructureDatabase, clean: dict[int, Chain], log: Counter[str]
) -> list[Chain]:
    """Whole, globular, single chains; the first condition that fails is counted."""
    chains_of = Counter(entry[0] for entry in database.contents)
    conditions: tuple[tuple[str, Callable[[Chain], bool]], ...] = (
        ("N-term stretch missing (>10)", lambda c: int(c.numbers[0]) <= 10),
        ("entry has several chains", lambda c: chains_of[c.pdb] == 1),
        ("not globular", _is_globular),
        ("little secondary structure", lambda c: c.shape.helix + c.shape.strand >= 0.3),
        ("low complexity", _is_diverse),
    )
    kept = []
    for chain in clean.values():
        failed = next((reason for reason, holds in conditions if not holds(chain)), None)
        if failed:
            log[failed] += 1
        else:
            kept.append(chain)
    return kept


def database_pairs(clean: dict[int, Chain]) -> Iterator[Pair]:
    """Pairs of small chains of one entry with at least 20 contacts."""
    entries = defaultdict(list)
    for chain in clean.values():
        entries[chain.pdb].append(chain)
    for pdb in sorted(entries):
        for a, b in itertools.combinations(entries[pdb], 2):
            if max(len(a), len(b)) > 160 or len(a) + len(b) > LENGTHS[1]:
                continue
            *measured, nearest = interface(a, b)
            if measured[0] >= 20 and nearest > 3.0:
                yield Pair(a, b, *measured)


# ------------------------------------------------------------------------ PRODIGY's complexes
def prodigy_pairs(sdist: Path) -> Iterator[Pair]:
    """Complexes of two single chains with a full backbone and at most six breaks a chain."""
    for a, b in _prodigy_chains(sdist):
        if all(_is_usable(chain) for chain in (a, b)):
            for chain in (a, b):
                chain.measure().breaks = int((peptide_bonds(chain.xyz) > 1.5).sum())
            yield Pair(a, b, *interface(a, b)[:3])


def _is_usable(chain: Chain) -> bool:
    return (
        LENGTHS[0] <= len(chain) <= LENGTHS[1]
        and not set(chain.sequence) - AMINO_ACIDS
        and geometry_is_ideal(chain.xyz, breaks_allowed=6)
    )


def _prodigy_chains(sdist: Path) -> Iterator[tuple[Chain, Chain]]:
    import gemmi

    with tarfile.open(sdist) as archive:
        partners = json.loads(_member(archive, "tests/test_data/dataset.json"))
        inner = _member(archive, "tests/test_data/dataset.tgz")
    with tarfile.open(fileobj=io.BytesIO(inner)) as dataset:
        names = [n for n in dataset.getnames() if n.endswith(".pdb") and "/._" not in n]
        for name in sorted(names):
            pdb = Path(name).name[:4]
            authors = partners[pdb]["Interacting_chains"].split(":")
            if max(map(len, authors)) > 1:  # a partner made of several merged chains
                continue
            model = gemmi.read_pdb_string(_member(dataset, name).decode())[0]
            a, b = (
                _prodigy_chain(pdb, label, author, model[label])
                for label, author in zip("AB", authors, strict=True)
            )
            if a is not None and b is not None:
                yield a, b


def _member(archive: tarfile.TarFile, ending: str) -> bytes:
    name = next(n for n in archive.getnames() if n.endswith(ending))
    file = archive.extractfile(name)
    if file is None:
        raise SystemExit(f"{name} in {archive.name} is no file; fetch the package again")
    return file.read()


def _prodigy_chain(pdb: str, label: str, author: str, residues: Sequence) -> Chain | None:
    """Label "A" or "B" of the file, which the PDB calls `author`; None if backbone is missing."""
    import gemmi

    letters, points, numbers = [], [], []
    for residue in residues:
        known = gemmi.find_tabulated_residue(residue.name)
        if not known.is_amino_acid():
            continue
        first = {atom.name: atom.pos.tolist() for atom in reversed(residue)}
        if any(name not in first for name in ATOMS):
            return None
        letters.append(known.one_letter_code.upper())
        points.append([first[name] for name in ATOMS])
        numbers.append(residue.seqid.num)
    if not letters:
        return None
    return Chain(
        pdb=pdb,
        name=author,
        sequence="".join(letters),
        dssp="-" * len(letters),
        xyz=np.array(points),
        numbers=np.array(numbers),
        package=PRODIGY,
        file=f"tests/test_data/dataset.tgz:PRODIGYdataset/{pdb}.pdb",
        method="X-ray/NMR (not in file)",
        key=f"P{pdb}{label}",
    )


# --------------------------------------------------------------------------------- choosing
def assign_clusters(chains: dict[str, Chain], mmseqs: str, work: Path) -> None:
    """Number the clusters of 30 % identity over everything, and give each chain its own."""
    fasta = work / "all.fasta"
    fasta.write_text("".join(f">{key}\n{chains[key].sequence}\n" for key in sorted(chains)))
    command = [mmseqs, "easy-cluster", str(fasta), str(work / "clu"), str(work / "tmp")]
    command += "--min-seq-id 0.3 -c 0.5 --cov-mode 1 -s 7.5 --cluster-mode 1".split()
    subprocess.check_call([*command, "--threads", "2", "-v", "1"])
    lines = (work / "clu_cluster.tsv").read_text().splitlines()
    representative = {member: first for first, member in (line.split() for line in lines)}
    number = {key: n for n, key in enumerate(sorted(set(representative.values())))}
    for key, chain in chains.items():
        chain.cluster = number[representative[key]]


def choose_pairs(pairs: list[Pair]) -> list[Pair]:
    """One a pair of clusters: PRODIGY's first, then in the order of a hash."""
    chosen: dict[tuple[int, ...], Pair] = {}
    for pair in sorted(pairs, key=lambda p: (p.a.package != PRODIGY, stable_hash(p.id))):
        key = tuple(sorted((pair.a.cluster, pair.b.cluster)))
        if key not in chosen and len(chosen) < MAX_COMPLEXES:
            chosen[key] = pair
    return list(chosen.values())


def choose_monomers(candidates: list[Chain], used: set[int]) -> list[Chain]:
    """One a cluster, none of a cluster that a complex uses, up to each quota of length."""
    taken, filled, picked = set(used), Counter(), []
    for chain in sorted(candidates, key=lambda c: stable_hash(f"{c.pdb}_{c.name}")):
        if chain.cluster in taken:
            continue
        taken.add(chain.cluster)
        size = sum(len(chain) >= edge for edge in BIN_EDGES)
        if filled[size] < QUOTAS[size]:
            filled[size] += 1
            picked.append(chain)
    return sorted(picked, key=lambda c: (c.pdb, c.name))


def split_by_groups(rows: list[Row], pairs: list[Pair]) -> list[str]:
    """Name each row's split, "train" or "test"; a complex joins its two clusters."""
    parent: dict[int, int] = {}

    def group(cluster: int) -> int:
        while parent.setdefault(cluster, cluster) != cluster:
            cluster = parent[cluster]
        return cluster

    for pair in pairs:
        parent[group(pair.a.cluster)] = group(pair.b.cluster)
    names: dict[int, str] = {}
    for row in rows:
        names.setdefault(group(row.chain.cluster), f"{row.chain.pdb}_{row.chain.name}")
    hashes = [stable_hash("split" + names[group(row.chain.cluster)]) for row in rows]
    return ["test" if value % 5 == 0 else "train" for value in hashes]


# ---------------------------------------------------------------------------------- writing
def centred(rows: list[Row]) -> list[np.ndarray]:
    """Coordinates in hundredths of an Å, each monomer or complex about its CA centroid."""
    members: dict[str, list[np.ndarray]] = defaultdict(list)
    for row in rows:
        members[row.complex_id or row.chain.key].append(row.chain.xyz[:, 1])
    centre = {key: np.concatenate(parts).mean(0) for key, parts in members.items()}
    moved = [row.chain.xyz - centre[row.complex_id or row.chain.key] for row in rows]
    return [np.round(xyz * 100).astype(np.int16) for xyz in moved]


def write_arrays(path: Path, rows: list[Row], splits: list[str]) -> None:
    """structures.npz; data/README.md says what each array is."""
    chains = [row.chain for row in rows]
    length = np.array([len(chain) for chain in chains], np.int16)
    members = defaultdict(list)
    for n, row in enumerate(rows):
        if row.complex_id:
            members[row.complex_id].append(n)
    np.savez_compressed(
        path,
        pdb_id=np.array([chain.pdb for chain in chains]),
        chain=np.array([chain.name for chain in chains]),
        length=length,
        offset=np.concatenate([[0], np.cumsum(length)[:-1]]).astype(np.int32),
        is_complex=np.array([bool(row.complex_id) for row in rows]),
        split=np.array(splits),
        cluster30=np.array([chain.cluster for chain in chains]).astype(np.int32),
        sequence=_letters(chain.sequence for chain in chains),
        dssp=_letters(chain.dssp for chain in chains),
        resnum=np.concatenate([chain.numbers for chain in chains]).astype(np.int16),
        xyz_centi_angstrom=np.concatenate(centred(rows)),
        complex_id=np.array(list(members)),
        complex_chains=np.array(list(members.values()), np.int32),
    )


def _letters(texts: Iterator[str]) -> np.ndarray:
    return np.frombuffer("".join(texts).encode(), np.uint8)


def write_index(path: Path, rows: list[Row], splits: list[str]) -> None:
    """index.csv: one line a chain."""
    names = (
        "index pdb_id chain length role complex_id split cluster30 method resolution start_resnum "
        "chain_breaks rg contacts_per_residue helix_frac strand_frac source_package "
        "source_version source_file"
    )
    lines = []
    for n, (row, split) in enumerate(zip(rows, splits, strict=True)):
        c, s = row.chain, row.chain.shape
        known = c.package == PROMOD3  # PRODIGY's files give no secondary structure
        folds = [f"{s.helix:.2f}", f"{s.strand:.2f}"] if known else ["", ""]
        role = "complex" if row.complex_id else "monomer"
        described = [n, c.pdb, c.name, len(c), role, row.complex_id, split, c.cluster, c.method]
        measured = ["", c.numbers[0], c.breaks, f"{s.rg:.2f}", f"{s.contacts:.2f}", *folds]
        lines.append([*described, *measured, *c.package, c.file])
    _write_csv(path, names, lines)


def write_complexes(path: Path, pairs: list[Pair], splits: dict[str, str]) -> None:
    """complexes.csv: one line a complex."""
    names = (
        "complex_id chain_a length_a chain_b length_b ca_contacts_8A interface_frac_a "
        "interface_frac_b split source_package"
    )
    lines = [
        [p.id, p.a.name, len(p.a), p.b.name, len(p.b), p.contacts]
        + [f"{p.fraction_a:.2f}", f"{p.fraction_b:.2f}", splits[p.id], p.a.package[0]]
        for p in pairs
    ]
    _write_csv(path, names, lines)


def _write_csv(path: Path, names: str, lines: list[list]) -> None:
    with open(path, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([names.split(), *lines])


# ------------------------------------------------------------------------------------- main
def check_input(path: Path, name: str) -> None:
    """Stop when a package is missing or not the one that made the committed files."""
    if not path.is_file():
        raise SystemExit(f"no file {path}; `{Path(__file__).name} --help` says how to fetch it")
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256[name]:
        raise SystemExit(f"{path} has sha256 {found}, expected {SHA256[name]}; fetch that version")


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--promod3-deb", type=Path, required=True, help="the Debian package")
    parser.add_argument("--prodigy-sdist", type=Path, required=True, help="the PyPI sdist")
    parser.add_argument("--mmseqs", default="mmseqs", help="the mmseqs program")
    parser.add_argument("--out", type=Path, required=True, help="folder for the three files")
    parser.add_argument("--work", type=Path, default=Path("build/data"), help="working files")
    return parser.parse_args()


def main() -> None:
    """Read, filter, cluster, choose, split, write."""
    arguments = parse_arguments()
    out, work = arguments.out, arguments.work
    check_input(arguments.promod3_deb, "promod3")
    check_input(arguments.prodigy_sdist, "prodigy")
    for folder in (out, work):
        folder.mkdir(parents=True, exist_ok=True)
    log: Counter[str] = Counter()
    database = StructureDatabase(extract_database(arguments.promod3_deb, work))
    clean = clean_chains(database, log)
    candidates = monomer_candidates(database, clean, log)
    print(f"{len(database.contents)} chains, {len(clean)} clean, {len(candidates)} monomers")
    print("refused:", dict(log))

    pairs = [*database_pairs(clean), *prodigy_pairs(arguments.prodigy_sdist)]
    chains = candidates + [chain for pair in pairs for chain in (pair.a, pair.b)]
    assign_clusters({chain.key: chain for chain in chains}, arguments.mmseqs, work)
    chosen = choose_pairs(pairs)
    used = {chain.cluster for pair in chosen for chain in (pair.a, pair.b)}
    rows = [Row(chain) for chain in choose_monomers(candidates, used)]
    rows += [Row(chain, pair.id) for pair in chosen for chain in (pair.a, pair.b)]

    splits = split_by_groups(rows, chosen)
    write_arrays(out / "structures.npz", rows, splits)
    write_index(out / "index.csv", rows, splits)
    of_complex = {row.complex_id: split for row, split in zip(rows, splits, strict=True)}
    write_complexes(out / "complexes.csv", chosen, of_complex)
    print(f"{len(rows)} chains, {len(rows) - 2 * len(chosen)} monomers, {len(chosen)} complexes")


if __name__ == "__main__":
    main()
