"""One structure in 3D through py3Dmol, with the library inlined so that no network is needed."""

from __future__ import annotations

import dataclasses
import html
import itertools
import string
from typing import TYPE_CHECKING, Any

import numpy as np
from IPython.display import display

from resfold_nb.data import AMINO_ACIDS, Structure
from resfold_nb.data.export import as_gemmi
from resfold_nb.show.theme import PALETTE, caption_html, chain_colours, index_colours
from resfold_nb.show.view import inline, library, source, still_image

if TYPE_CHECKING:
    import gemmi

STYLES = ("cartoon", "stick", "trace")
LIBRARY_MARK = 'data-resfold="3dmol"'


def structure(structure: Structure, *, style: str = "cartoon", alt: str | None = None, centroids: bool = False,
              height: int = 340) -> None:
    """Display a structure in 3D, without network, in JupyterLab and in an exported page.

    One chain is coloured from its first residue (dark) to its last (light), several by chain.

    Parameters
    ----------
    structure : from `resfold_nb.data`, at least two residues.
    style : "cartoon", "stick" or "trace".
    alt : visible caption and text alternative; by default id, length and chains.
    centroids : also draw each residue's centroid of N, CA, C and O, the point that is diffused.
    height : in pixels.
    """
    if style not in STYLES:
        raise ValueError(f"style must be one of {', '.join(STYLES)}, got {style!r}")
    if len(structure) < 2 or not np.isfinite(structure.backbone).all():
        raise ValueError(f"{structure.id} needs two residues or more with finite coordinates")
    chains, dots = structure.chain_names, ", with the centroid of each residue as a ball" if centroids else ""
    alt = (alt or f"{structure.id}: {len(structure)} residues, chain{'s' if len(chains) > 1 else ''} "
                  f"{', '.join(chains)}{dots}.").strip()
    several = len(np.unique(structure.chain_index)) > 1
    colours = chain_colours(structure.chain_index) if several else index_colours(len(structure))
    view = _view(structure, style, colours, centroids, height)
    still = still_image({structure.id: structure.backbone[:, 1]}, None, structure.chain_index.tolist(), colours, alt)
    page = library_script() + _stage(view.write_html(), still, alt)
    display({"text/html": page, "text/plain": f"[3D structure] {alt}"}, raw=True)


def library_script() -> str:
    """Script elements that give the page 3Dmol.js, once, and tell py3Dmol that it is there.

    Each view brings it, so that any of them may be drawn first, alone, or again; the browser runs it once. `define`
    and the like are hidden because Jupyter's pages have an AMD loader, which the library would otherwise register
    with instead of making itself global.
    """
    code = inline(library("3Dmol.js"))
    return (f"<script {LIBRARY_MARK}>if (!globalThis.$3Dmol) "
            f"(function (define, exports, module) {{{code}\n}}).call(window);</script>"
            f"<script>{inline(source('ready.js'))}</script>")


def to_pdb(structure: Structure) -> str:
    """PDB text with N, CA, C, O and the secondary structure; residues are numbered from 1, unknown ones are GLY."""
    import gemmi

    letters = string.ascii_letters + string.digits  # the PDB format has room for one
    plain = dataclasses.replace(
        structure, residue_number=np.arange(1, len(structure) + 1),
        chain_names=tuple(letters[i % len(letters)] for i in range(int(structure.chain_index.max()) + 1)),
        sequence="".join(c if c in AMINO_ACIDS else "G" for c in structure.sequence))
    out = as_gemmi(plain.backbone[None], plain)
    _add_secondary_structure(out, plain)
    return out.make_pdb_string(gemmi.PdbWriteOptions(cryst1_record=False))


def _add_secondary_structure(out: gemmi.Structure, structure: Structure) -> None:
    """HELIX and SHEET records from the DSSP letters; without any, 3Dmol assigns its own."""
    import gemmi

    for kind, first, last in _segments(structure):
        made = gemmi.Helix() if kind == "helix" else gemmi.Sheet.Strand()
        made.start, made.end = (gemmi.AtomAddress(
            structure.chain_names[int(structure.chain_index[i])], gemmi.SeqId(i + 1, " "),
            gemmi.expand_one_letter(structure.sequence[i], gemmi.ResidueKind.AA), "") for i in (first, last))
        if kind == "helix":
            out.helices.append(made)
        else:
            sheet = gemmi.Sheet(str(len(out.sheets) + 1))
            sheet.strands.append(made)
            out.sheets.append(sheet)


def _segments(structure: Structure) -> list[tuple[str, int, int]]:
    """Runs of helix (H, G, I) and strand (E) within a chain: (kind, first, last)."""
    kinds = {"H": "helix", "G": "helix", "I": "helix", "E": "strand"}
    labels = [(kinds.get(letter), int(chain)) for letter, chain
              in zip(structure.secondary_structure, structure.chain_index, strict=True)]
    runs = []
    for (kind, _), group in itertools.groupby(enumerate(labels), key=lambda pair: pair[1]):
        places = [i for i, _ in group]
        if kind is not None and len(places) > 1:
            runs.append((kind, places[0], places[-1]))
    return runs


def _view(structure: Structure, style: str, colours: list[str], centroids: bool, height: int) -> Any:
    """The py3Dmol view; it names no address to load the library from."""
    import py3Dmol

    view = py3Dmol.view(width="100%", height=height, js="")
    view.addModel(to_pdb(structure), "pdb")
    look: dict[str, Any] = {"colorscheme": {"prop": "resi", "map": {i + 1: c for i, c in enumerate(colours)}}}
    kind = style
    if style == "trace":
        kind, look["style"] = "cartoon", "trace"
    if centroids and kind == "cartoon":
        look["opacity"] = 0.75
    view.setStyle({kind: look})
    if centroids:  # a second model with one ball per residue
        points = structure.backbone.mean(axis=1)
        lines = [str(len(points)), "centroids", *(f"C {x:.3f} {y:.3f} {z:.3f}" for x, y, z in points)]
        view.addModel("\n".join(lines), "xyz")
        view.setStyle({"model": -1}, {"sphere": {"radius": 0.7, "color": PALETTE["residual"]}})
    view.zoomTo()
    view.zoom(1.3)  # zoomTo leaves a wide margin
    return view


def _stage(view: str, still: str, alt: str) -> str:
    """Frame with a name for screen readers, over a still picture that the 3D view replaces.

    The still is all that shows where scripts do not run (an untrusted notebook) or no WebGL is. Until then the 3D
    view has its width but no height: 3Dmol cannot start in a hidden element.
    """
    return f"""<div class="resfold-structure" role="img" aria-label="{html.escape(alt)}">
<div class="resfold-still">{still}</div>
<div class="resfold-3d" style="height:0;overflow:hidden;background:white">{view}</div>
<script>{inline(source("stage.js"))}</script>
</div>{caption_html(alt)}"""
