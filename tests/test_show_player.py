"""The player refuses what it cannot draw, and sends everything once."""

from __future__ import annotations

import base64
import re

import numpy as np
import pytest
import torch

from resfold_nb.show import Player, player
from resfold_nb.show.view import library, source
from resfold_nb.show.trajectory import Trajectory
from resfold_nb.show.view import shared_library

ALT = "A chain moves."


def frames(count: int = 4, length: int = 6) -> np.ndarray:
    """A random walk that drifts, (count, length, 3) Å."""
    steps = np.random.default_rng(0).normal(size=(count, length, 3)) * 3.8
    return np.cumsum(steps, axis=1)


def panes_of(made: Player) -> tuple[Trajectory, ...]:
    return made.panes


def test_frames_travel_as_one_float32_buffer() -> None:
    given = frames()
    pane = panes_of(player({"one": given}, alt=ALT))[0]
    sent = np.frombuffer(pane.frames, dtype="<f4").reshape(4, 6, 3)
    assert np.array_equal(sent, given.astype(np.float32))


def test_tensors_that_need_gradients_are_taken() -> None:
    given = torch.tensor(frames(), requires_grad=True)
    pane = panes_of(player({"one": given}, truth=given[0], alt=ALT))[0]
    assert len(pane.frames) == given.numel() * 4
    assert len(pane.truth) == given[0].numel() * 4


def test_a_single_frame_needs_no_slider() -> None:
    still, moving = player({"one": frames()[0]}, alt=ALT), player({"one": frames()}, alt=ALT)
    assert still.scrubber not in still.children
    assert moving.scrubber in moving.children


def test_the_library_is_held_once_and_by_reference() -> None:
    first, second = (player({"a": frames(), "b": frames()}, alt=ALT) for _ in range(2))
    shared = {pane.library.model_id for made in (first, second) for pane in panes_of(made)}
    assert shared == {shared_library().model_id}
    pane = panes_of(first)[0]
    assert pane.get_state()["library"] == f"IPY_MODEL_{shared_library().model_id}"
    assert all(len(v) < 20_000 for v in pane.get_state().values() if isinstance(v, (str, bytes)))


def test_panes_of_a_player_share_camera_and_scale_but_players_do_not() -> None:
    made, other = (player({"a": frames(), "b": 2 * frames()}, alt=ALT) for _ in range(2))
    groups = {pane.group for pane in panes_of(made)}
    assert len(groups) == 1 and groups.isdisjoint(pane.group for pane in panes_of(other))
    assert len({pane.radius for pane in panes_of(made)}) == 1


def test_a_diverging_pane_does_not_shrink_the_truth_to_a_dot() -> None:
    truth = frames()[0]
    calm = player({"a": frames()}, truth=truth, alt=ALT).panes[0].radius
    wild = player({"a": frames(), "b": 1e4 * frames()}, truth=truth, alt=ALT).panes[0].radius
    size = np.linalg.norm(truth - truth.mean(axis=0), axis=1).max()
    assert calm <= wild <= 1.501 * size


def test_without_widgets_a_still_picture_and_the_caption_remain() -> None:
    made = player({"one": frames(), "two & three": frames()}, truth=frames()[0], alt="A < B.")
    bundle = made._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "A &lt; B." in data["text/html"]
    picture = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', data["text/html"])
    svg = base64.b64decode(picture[1]).decode()
    assert svg.count("<line") == 4 * 5, "two chains and two ghosts of five bonds"
    assert "two &amp; three" in svg
    assert "application/vnd.jupyter.widget-view+json" in data


def test_no_stick_joins_two_chains() -> None:
    made = player({"one": frames()}, chain_index=[0, 0, 0, 1, 1, 1], colour="chain", alt=ALT)
    pane = panes_of(made)[0]
    assert pane.chain == [0, 0, 0, 1, 1, 1]
    colours = pane.palettes[pane.colour]
    assert colours[0] == colours[2] != colours[3] == colours[5]
    svg = base64.b64decode(re.search(r'base64,([^"]+)"', made.still)[1]).decode()
    assert svg.count("<line") == 4


def test_labels_go_beside_the_slider_or_under_their_pane() -> None:
    texts = [f"t = {t}" for t in range(4)]
    beside = player({"a": frames(), "b": frames()}, labels=texts, alt=ALT)
    assert beside.scrubber.labels == texts and beside.panes[0].captions == []
    under = player({"a": frames(), "b": frames()}, labels={"b": texts}, alt=ALT)
    assert under.scrubber.labels == [] and under.panes[0].captions == [""] * 4
    assert under.panes[1].captions == texts


def broken(value: float) -> np.ndarray:
    """Frames with one bad number."""
    bad = frames()
    bad[2, 3, 1] = value
    return bad


@pytest.mark.parametrize(("panes", "keywords", "message"), [
    ({"a": broken(np.nan)}, {}, r"pane 'a' holds 1 values .* first at index \(2, 3, 1\)"),
    ({"a": broken(np.inf)}, {}, "not finite"),
    ({"a": frames()}, {"truth": broken(np.nan)[2]}, "truth holds 1 values"),
    ({"a": frames(count=0)}, {}, "at least one frame"),
    ({"a": frames(length=0)}, {}, "at least one frame and one residue"),
    ({"a": frames(), "b": frames(count=5)}, {}, r"pane 'b' has shape \(5, 6, 3\), expected"),
    ({"a": frames(), "b": frames(length=7)}, {}, r"pane 'b' has shape \(4, 7, 3\)"),
    ({"a": frames()[..., :2]}, {}, r"expected \(4, 6, 3\)"),
    ({"a": frames()[0, 0]}, {}, "player takes frames of shape|expected"),
    ({"a": frames()}, {"truth": frames()[0, :5]}, r"truth has shape \(5, 3\), expected \(6, 3\)"),
    ({"a": frames(count=1, length=2001)}, {}, "at most 2000 residues, got 2001"),
    ({}, {}, "1 to 4 panes, got 0"),
    ({name: frames() for name in "abcde"}, {}, "1 to 4 panes, got 5"),
    ({"a": frames()}, {"labels": ["x"]}, "labels: 1 labels for 4 frames"),
    ({"a": frames()}, {"labels": {"a": ["x"]}}, "a: 1 labels for 4 frames"),
    ({"a": frames()}, {"labels": {"z": ["x"] * 4}}, r"do not exist: \['z'\]"),
    ({"a": frames()}, {"chain_index": [0, 0]}, "2 entries for 6 residues"),
    ({"a": frames()}, {"colour": "rainbow"}, "'error', got 'rainbow'"),
    ({"a": frames()}, {"alt": " "}, "player needs a text"),
])
def test_what_cannot_be_drawn_is_refused_with_its_reason(
    panes: dict[str, np.ndarray], keywords: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        player(panes, **{"alt": ALT, **keywords})


def test_a_missing_bundle_names_the_remedy(tmp_path: object) -> None:
    with pytest.raises(FileNotFoundError, match=r"python -m resfold_nb setup.*hatch_build\.py"):
        library("3Dmol.js", static=tmp_path)


def test_the_front_end_asks_nobody_on_the_network() -> None:
    for name in ("pane.js", "scrubber.js", "player.css", "shared.js", "scene.js", "pdb_text.js", "page.js",
                 "maths.js", "ready.js"):
        assert not re.search(r"https?://|//cdn", source(name)), name


def test_new_frames_keep_what_the_player_is() -> None:
    made = player({"a": frames(), "b": frames()}, alt=ALT)
    camera = made.panes[0].centre, made.panes[0].radius
    made.set_frames({"a": frames(count=9), "b": 2 * frames(count=9)})
    assert made.scrubber.count == 9 and len(made.panes[1].frames) == 9 * 6 * 3 * 4
    assert (made.panes[0].centre, made.panes[0].radius) == camera
    made.panes[0].set_truth(frames()[0])
    assert len(made.panes[0].truth) == 6 * 3 * 4


@pytest.mark.parametrize(("panes", "message"), [
    ({"z": frames()}, r"frames for \['z'\], but the panes are \['a'\]"),
    ({"a": frames(length=7)}, "7 residues, but the player shows 6"),
    ({"a": broken(np.nan)}, "holds 1 values"),
])
def test_unfit_new_frames_change_nothing(panes: dict[str, np.ndarray], message: str) -> None:
    made = player({"a": frames()}, alt=ALT)
    before = made.panes[0].frames
    with pytest.raises(ValueError, match=message):
        made.set_frames(panes)
    assert made.panes[0].frames == before


def test_a_way_of_colouring_needs_its_data() -> None:
    made = player({"a": frames()}, truth=frames()[0], secondary="HHEE--", sequence="ACDEFX",
                  colour="structure", alt=ALT)
    pane = made.panes[0]
    assert set(pane.palettes) == {"index", "chain", "structure"}
    assert pane.colour == "structure" and len(set(pane.palettes["structure"])) == 3
    assert pane.residues == ["ALA", "CYS", "ASP", "GLU", "PHE", "UNK"]
    for keywords, message in (({"colour": "structure"}, "needs secondary="),
                              ({"colour": "error"}, "needs truth="),
                              ({"secondary": "HH"}, "2 letters for 6 residues"),
                              ({"sequence": "AC"}, "2 letters for 6 residues")):
        with pytest.raises(ValueError, match=message):
            player({"a": frames()}, alt=ALT, **keywords)
