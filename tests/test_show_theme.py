"""Colours that colour-blind readers tell apart; figures, tables and structures as sent."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import RichOutput, capture_output

from resfold_nb.data import load
from resfold_nb.show import PALETTE, figure, setup, structure, table
from resfold_nb.show.molecule import LIBRARY_MARK, to_pdb
from resfold_nb.show.theme import PLOTLY_MIME, index_colours

FORMS = ("residual", "x0", "eps", "v", "edm", "skip_unscaled", "scaled_no_skip",
         "truth", "baseline")

# Machado, Oliveira & Fernandes 2009, "A physiologically-based model for simulation of color
# vision deficiency", severity 1.0, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                            [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                              [-0.011820, 0.042940, 0.968881]]),
    "tritanopia": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                            [0.004733, 0.691367, 0.303900]]),
}
TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                   [0.0193339, 0.1191920, 0.9503041]])


def lab(colour: str, vision: str = "normal") -> np.ndarray:
    """CIELAB of a hex colour as that eye sees it (D65)."""
    srgb = np.array([int(colour[i:i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(VISION[vision] @ linear, 0, 1) / TO_XYZ.sum(axis=1)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """IPython, without which nothing is displayed; gone again for the tests that come after."""
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def shown(call: object, *arguments: object, **keywords: object) -> list[RichOutput]:
    """What a call displays."""
    with capture_output() as captured:
        call(*arguments, **keywords)
    return captured.outputs


@pytest.mark.parametrize("vision", VISION)
def test_the_forms_are_told_apart_by_every_eye(vision: str) -> None:
    seen = {name: lab(PALETTE[name], vision) for name in FORMS}
    nearest = min((np.linalg.norm(seen[a] - seen[b]), a, b)
                  for a, b in itertools.combinations(FORMS, 2))
    assert nearest[0] > 14, f"{nearest[1]} and {nearest[2]} look alike: {nearest[0]:.1f}"


@pytest.mark.parametrize("vision", VISION)
def test_the_chain_brightens_steadily_for_every_eye(vision: str) -> None:
    lightness = [lab(colour, vision)[0] for colour in index_colours(80)]
    assert (np.diff(lightness) > -0.2).all() and lightness[-1] - lightness[0] > 55
    assert lab("#ffffff")[0] - lightness[-1] > 10, "the end of the chain fades into the paper"


def test_the_ramp_copes_with_one_residue() -> None:
    assert index_colours(1) == ["#440154"] and index_colours(0) == []


def test_setup_makes_new_figures_readable_from_the_back_row() -> None:
    setup()
    layout = pio.templates["resfold"].layout
    assert pio.templates.default == "resfold" and pio.renderers.default == "plotly_mimetype"
    assert layout.font.size >= 14 and layout.paper_bgcolor == "white"


def test_a_figure_carries_caption_name_and_svg_download(shell: InteractiveShell) -> None:
    drawn, caption = shown(figure, go.Figure(go.Scatter(y=[1, 2])), 'Rises </script> & "falls".')
    assert drawn.data["text/plain"] == '[figure] Rises </script> & "falls".'
    config = drawn.data[PLOTLY_MIME]["config"]
    assert config["toImageButtonOptions"]["format"] == "svg" and not config["displaylogo"]
    text = caption.data["text/html"]
    assert "Rises &lt;/script&gt; &amp;" in text
    assert text.count("</script") == 1, "the caption must not end its own script"
    assert "aria-label" in text and json.dumps("figure") in text


def test_a_figure_without_text_is_refused(shell: InteractiveShell) -> None:
    with pytest.raises(ValueError, match="figure needs a text"):
        figure(go.Figure(), "  ")


def test_a_table_is_rounded_escaped_and_captioned(shell: InteractiveShell) -> None:
    rows = [{"form": "<b>", "RMSE": 0.123456}, {"form": "eps", "RMSE": 7.0}]
    (output,) = shown(table, rows, "Errors & forms")
    text = output.data["text/html"]
    assert "<caption>Errors &amp; forms</caption>" in text
    assert "0.1235" in text and "0.123456" not in text and "&lt;b&gt;" in text
    assert text == shown(table, pd.DataFrame(rows), "Errors & forms")[0].data["text/html"]


def test_an_empty_table_is_refused(shell: InteractiveShell) -> None:
    with pytest.raises(ValueError, match="'Nothing' has no rows"):
        table([], "Nothing")


def test_a_structure_brings_its_library_and_names_no_address(shell: InteractiveShell) -> None:
    protein = load("1R69_A")
    first, second = (shown(structure, protein, centroids=True)[0].data for _ in range(2))
    for data in (first, second):
        page = data["text/html"].split("</script>", 1)[1]
        assert LIBRARY_MARK in data["text/html"] and "http" not in page.replace("http://www.w3", "")
        assert 'role="img"' in page and "63 residues, chain A" in page
        assert "data:image/svg+xml;base64," in page
    assert first["text/plain"].startswith("[3D structure] 1R69_A")


def test_a_structure_refuses_an_unknown_style(shell: InteractiveShell) -> None:
    with pytest.raises(ValueError, match="cartoon, stick, trace, got 'ball'"):
        structure(load("1R69_A"), style="ball")


def test_the_structure_drawn_is_the_structure_given() -> None:
    import gemmi

    protein = load("1AK4_A_D")
    read = gemmi.read_pdb_string(to_pdb(protein))
    positions = [a.pos.tolist() for c in read[0] for r in c for a in r]
    assert np.allclose(positions, protein.backbone.reshape(-1, 3), atol=1e-3)
    assert [len(chain) for chain in read[0]] == np.bincount(protein.chain_index).tolist()
    letters = "".join(gemmi.one_letter_code([r.name for r in c]) for c in read[0])
    assert letters == protein.sequence


def test_helices_and_strands_are_those_of_the_data() -> None:
    import gemmi

    protein = load("1R69_A")
    helices = gemmi.read_pdb_string(to_pdb(protein)).helices
    spans = [(h.start.res_id.seqid.num, h.end.res_id.seqid.num) for h in helices]
    marked = {i for first, last in spans for i in range(first, last + 1)}
    expected = {i + 1 for i, letter in enumerate(protein.secondary_structure) if letter in "HGI"}
    assert marked == expected and len(spans) == 5
