"""What a band is, when a run misses it, and how bands are measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import pytest
from checkouts import Checkout
from hypothesis import given
from hypothesis import strategies as st

from resfold_nb.workbook import BANDS, NOTEBOOKS, bands
from resfold_nb.workbook.bands import Band, check, measure
from resfold_nb.workbook.metrics import Metric, Result

NUMBER = st.floats(-1e6, 1e6)


def band(values: Sequence[float], floor: float = 0.0, **written: str) -> Band:
    return Band("Å", tuple(range(len(values))), tuple(values), floor, **written)


def test_band_is_four_mads_about_the_median() -> None:
    b = band([10.0, 11.0, 12.0, 14.0, 90.0])  # distances from 12: 2, 1, 0, 2, 78
    assert (b.middle, b.half_width, b.low, b.high) == (12.0, 8.0, 4.0, 20.0)
    assert 4.0 in b and 20.0 in b and 20.1 not in b and 90.0 not in b


def test_floor_holds_where_the_seeds_agree() -> None:
    assert (band([3.0] * 5, 0.5).low, band([3.0] * 5, 0.5).high) == (2.5, 3.5)
    assert measure("", dict.fromkeys(range(5), 3.0)).half_width == pytest.approx(3e-5)
    exact = measure("", dict.fromkeys(range(5), 0.0))
    assert 0.0 in exact and 1e-30 not in exact and not exact.is_wide


@given(values=st.lists(NUMBER, min_size=5, max_size=9), floor=st.floats(0, 10))
def test_band_holds_its_median_and_at_least_its_floor(values: list[float], floor: float) -> None:
    b = band(values, floor)
    assert median(values) in b
    assert b.high - b.low >= 2 * floor * (1 - 1e-6) - 1e-6


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (band([1.0] * 4), "fewer than 5 seeds"),
        (Band("", (0, 1, 2, 3, 4, 4), (1.0,) * 6, 0.0), "a seed twice"),
        (Band("", (0, 1, 2, 3, 4), (1.0,) * 4, 0.0), "not one value a seed"),
        (band([1.0] * 4 + [float("inf")]), "a value that is not finite"),
        (band([1.0] * 5, -1.0), "a negative floor"),
        (band([1.0] * 5, floor_reason=" "), "a floor without a reason"),
        (band([1.0] * 5, 0.26), "wider than 50% of its value without a reason"),
        (band([0.0] * 5, 1e-9), "wider than 50% of its value without a reason"),
    ],
)
def test_what_is_no_band(wrong: Band, fault: str) -> None:
    assert fault in wrong.faults()


def test_half_its_value_is_not_too_wide_and_a_reason_permits_more() -> None:
    assert band([1.0] * 5, 0.25).faults() == []
    assert band([1.0] * 5, 9.0, reason="depends on the machine").faults() == []


def test_run_within_its_bands_has_no_misses() -> None:
    run = [Result("01", 1, (Metric("01", "n", 1.0, "Å"), Metric("01", "g", 9, kind="goal")))]
    assert check(run, {"01": {"n": band([1.0] * 5)}, "02": {"m": band([1.0] * 5)}}) == []


@pytest.mark.parametrize(
    ("metrics", "text"),
    [
        ((Metric("01", "n", 1.1, "Å"),), "01 · n: 1.1 Å is outside its band 1 … 1 Å"),
        ((Metric("01", "n", 1.0, "nm"),), "01 · n: recorded in nm, its band is in Å"),
        ((), "01 · n: has a band, not recorded"),
        ((Metric("01", "n", 1.0, "Å"), Metric("01", "m", 1.0)), "01 · m: recorded, has no band"),
    ],
)
def test_misses(metrics: tuple[Metric, ...], text: str) -> None:
    (miss,) = check([Result("01", 1, metrics)], {"01": {"n": band([1.0] * 5)}})
    assert str(miss).startswith(text)


def test_failed_notebook_is_not_asked_for_what_it_did_not_reach() -> None:
    run = [Result("01", 1, error="cell [3]: it broke")]
    assert check(run, {"01": {"n": band([1.0] * 5)}}) == []


def test_saved_bands_come_back_and_limits_are_not_stored(tmp_path: Path) -> None:
    written = {"01_a": {"error, t = 0…49": band([1 / 3, 2.0, 3.0, 4.0, 5.0], 0.5, reason="ü")}}
    file = bands.save("ci", written, {"torch": "2"}, tmp_path)
    assert bands.load("ci", tmp_path) == written
    text = file.read_text("utf-8")
    assert "[0, 1, 2, 3, 4]" in text and "low" not in text and "high" not in text
    assert bands.load("laptop", tmp_path) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"notebooks": {"01": {"n": {"low": 1}}}}'])
def test_a_file_that_holds_no_bands_names_the_remedy(tmp_path: Path, content: str) -> None:
    (tmp_path / "ci.json").write_text(content)
    with pytest.raises(ValueError, match=r"ci\.json does not hold bands .*bands --profile ci"):
        bands.load("ci", tmp_path)


def test_what_was_written_by_hand_outlives_a_new_measurement() -> None:
    old = band([1.0] * 5, 0.7, floor_reason="one residue's worth", reason="machine")
    new = measure("Å", {s: 2.0 + s for s in range(5)}, old)
    assert (new.floor, new.floor_reason, new.reason) == (0.7, "one residue's worth", "machine")
    untouched = measure("Å", dict.fromkeys(range(5), 100.0), measure("Å", {0: 1.0}))
    assert untouched.floor == pytest.approx(1e-3)


def test_bands_are_measured_resumed_and_renewed(checkout: Checkout) -> None:
    start = "from resfold_nb.workbook import goal, metric\n"
    folder = checkout.root / "data" / "bands"
    checkout.add_notebook("01_a", start + 'goal("late", seed, "<", 4)')
    done = checkout.run("bands", "--profile", "ci")
    assert done.returncode == 1
    assert "01_a, seed 4: cell" in done.stdout and "01_a keeps its old bands" in done.stdout
    assert bands.load("ci", folder) == {}

    expected = {"01_a": {"n": measure("Å", {s: 10 + s for s in range(5)})}}
    checkout.add_notebook("01_a", start + 'metric("n", 10 + seed, "Å")')
    done = checkout.run("bands", "--profile", "ci")
    assert done.returncode == 0 and "are kept" not in done.stdout, done.stdout
    assert bands.load("ci", folder) == expected

    (checkout.root / "build" / "bands" / "ci" / "seed-2" / "01_a.ipynb").unlink()
    again = checkout.run("bands", "--profile", "ci")
    assert "4 of 5 runs are kept from before" in again.stdout
    assert bands.load("ci", folder) == expected

    too_few = checkout.run("bands", "--profile", "ci", "--seeds", "4")
    assert too_few.returncode == 2 and "at least 5 seeds, not 4" in too_few.stdout


@pytest.mark.parametrize("profile", ["ci", "laptop"])
def test_committed_bands_are_bands_and_each_is_of_a_notebook(profile: str) -> None:
    notebooks = {path.stem for path in NOTEBOOKS.glob("*.ipynb")}
    committed = bands.load(profile, BANDS) or {}
    assert set(committed) == notebooks
    faults = [
        f"{notebook} · {name}: {fault}"
        for notebook, entries in committed.items()
        for name, b in entries.items()
        for fault in b.faults()
    ]
    assert faults == []
