"""The attention view refuses what it cannot draw, and sends its weights once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from resfold_nb.data import load
from resfold_nb.show.attention import Attention, attention_view
from resfold_nb.show.view import shared_library

NAMES = ["trunk 1", "denoiser 1"]
LENGTH = 12
POINTS = np.random.default_rng(0).normal(size=(LENGTH, 3))


def weights_of(length: int = LENGTH, blocks: int = 2, heads: int = 3) -> torch.Tensor:
    scores = torch.randn(blocks, heads, length, length, generator=torch.Generator().manual_seed(0))
    return (2 * scores).softmax(-1)


def view_of(points: Any = POINTS, weights: Any = None, names: Any = NAMES, **more: Any
            ) -> Attention:
    given = {"sequence": "ACDEFGHIKLMN", "alt": "Attention."} | more
    return attention_view(points, weights_of() if weights is None else weights, names, **given).view


def test_weights_travel_once_to_within_a_65535th() -> None:
    weights, view = weights_of(), view_of()
    sent = np.frombuffer(view.weights, dtype="<u2").reshape(weights.shape) / 65535
    assert np.abs(sent - weights.numpy()).max() <= 0.5 / 65535 + 1e-7
    assert view.heads == 3 and view.names == NAMES and view.library is shared_library()


def test_weights_that_need_gradients_are_taken() -> None:
    assert len(view_of(weights=weights_of().requires_grad_()).weights) == 2 * 2 * 3 * LENGTH**2


def test_a_protein_brings_points_sequence_and_chains() -> None:
    pair = load("1AK4_A_D")
    part = attention_view(load("1WY3_A"), weights_of(len(load("1WY3_A"))), NAMES, alt="x").view
    assert part.sequence == load("1WY3_A").sequence
    if len(pair) <= 256:
        view = attention_view(pair, weights_of(len(pair), 2, 1), NAMES, alt="x").view
        assert set(view.chain) == {0, 1}


def test_colours_go_from_light_to_dark() -> None:
    lightness = [sum(int(c[k:k + 2], 16) * w for k, w in ((1, 0.3), (3, 0.59), (5, 0.11)))
                 for c in view_of().ramp]
    assert np.all(np.diff(lightness) < 0.5) and lightness[0] - lightness[-1] > 120


def test_modules_are_joined_into_one() -> None:
    assert Attention._esm.count("export default") == 1


def test_without_widgets_there_is_a_picture_with_words() -> None:
    made = attention_view(POINTS, weights_of(), NAMES, sequence="A" * LENGTH, alt="Who <listens>.")
    bundle = made._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert 'alt="Who &lt;listens&gt;."' in data["text/html"]
    assert data["text/plain"] == "[attention] Who <listens>."


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no words": ({"alt": " "}, "text that says what it shows"),
    "no points": ({"points": np.zeros((0, 3))}, "1 to 256 residues"),
    "flat points": ({"points": np.zeros(3)}, "points \\(L, 3\\)"),
    "too long": ({"points": np.zeros((5000, 3))}, "show a part of a longer protein"),
    "NaN in points": ({"points": POINTS * np.nan}, "points holds 36 values that are not finite"),
    "NaN in weights": ({"weights": weights_of() * np.nan}, "weights holds .* not finite"),
    "no blocks": ({"weights": np.zeros((0, 3, LENGTH, LENGTH)), "names": []}, "need \\(blocks"),
    "other length": ({"weights": weights_of(11)}, "12 residues need"),
    "no heads": ({"weights": weights_of()[:, 0]}, "need \\(blocks"),
    "scores": ({"weights": 3 * weights_of()}, "after the softmax"),
    "negative": ({"weights": -weights_of()}, "after the softmax"),
    "names": ({"names": ["one"]}, "1 names for 2 blocks"),
    "letters": ({"sequence": "ACD"}, "3 letters for 12 residues"),
    "no letters": ({"sequence": None}, "need sequence="),
    "chains": ({"chain_index": [0]}, "1 entries for 12 residues"),
    "residue": ({"residue": 12}, "residue 12 is not one of 0 to 11"),
}


@pytest.mark.parametrize(("given", "message"), REFUSED.values(), ids=REFUSED)
def test_refuses(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        view_of(**given)


def test_too_many_blocks_are_refused_with_a_way_out() -> None:
    weights = np.broadcast_to(np.float32(1 / 256), (9, 8, 256, 256))
    names, more = [str(k) for k in range(9)], {"sequence": "A" * 256, "alt": "x"}
    with pytest.raises(ValueError, match="k at most 7, or fewer heads"):
        attention_view(np.eye(256, 3), weights, names, **more)
    assert len(attention_view(np.eye(256, 3), weights[:7], names[:7], **more).view.weights) < 8e6
