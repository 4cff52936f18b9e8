"""Bands: what a recorded number may be, measured over seeds.

A band is median ± max(4 MAD, floor), from at least five seeds, MAD being the median distance from the median. Only
seeds, values, floor and reasons are stored; its limits follow from them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from resfold_nb.workbook import BANDS
from resfold_nb.workbook.metrics import Metric, Result, quantity

MADS = 4
FEWEST_SEEDS = 5
WIDEST = 0.5  # of the value, without a written reason

# float32 sums come out differently in their last digits on another processor.
DEFAULT_FLOOR = 1e-5
DEFAULT_FLOOR_REASON = "default: 1e-5 of the value, for rounding that differs between processors"


@dataclass(frozen=True)
class Band:
    """The measured values of one metric, a seed each, and the least half-width of its band.

    `floor` is in the metric's unit and `floor_reason` says where it comes from. `reason` says why a band wider than
    half its value is right; it is empty for a narrower one.
    """

    unit: str
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    floor: float
    floor_reason: str = DEFAULT_FLOOR_REASON
    reason: str = ""

    @property
    def middle(self) -> float:
        """The median over seeds."""
        return median(self.values)

    @property
    def half_width(self) -> float:
        """max(4 MAD, floor)."""
        mad = median(abs(value - self.middle) for value in self.values)
        return max(MADS * mad, self.floor)

    @property
    def low(self) -> float:
        """The band's lower limit."""
        return self.middle - self.half_width

    @property
    def high(self) -> float:
        """And its upper limit."""
        return self.middle + self.half_width

    @property
    def is_wide(self) -> bool:
        """Whether the band's whole width exceeds half of its value."""
        return 2 * self.half_width > WIDEST * abs(self.middle)

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low:.4g} … {quantity(self.high, self.unit)}"

    def faults(self) -> list[str]:
        """What makes this no band, a text each: too few seeds, a width without a reason, …"""
        seeds = len(set(self.seeds))
        rules = {
            f"fewer than {FEWEST_SEEDS} seeds": seeds < FEWEST_SEEDS,
            "a seed twice": seeds < len(self.seeds),
            "not one value a seed": len(self.values) != len(self.seeds),
            "a value that is not finite": not all(map(math.isfinite, (*self.values, self.floor))),
            "a negative floor": self.floor < 0,
            "a floor without a reason": not self.floor_reason.strip(),
            f"wider than {WIDEST:.0%} of its value without a reason":
                bool(self.values) and self.is_wide and not self.reason.strip(),
        }
        return [text for text, wrong in rules.items() if wrong]


Bands = dict[str, dict[str, Band]]  # notebook -> metric -> band


@dataclass(frozen=True)
class Miss:
    """One disagreement between a run and its bands."""

    notebook: str
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.notebook} · {self.name}: {self.text}"


def measure(unit: str, values: Mapping[int, float], previous: Band | None = None) -> Band:
    """A band from a value for each seed. What was written by hand in the previous one is kept."""
    seeds, numbers = zip(*sorted(values.items()), strict=True)
    floor, floor_reason = DEFAULT_FLOOR * abs(median(numbers)), DEFAULT_FLOOR_REASON
    if previous is not None and not previous.floor_reason.startswith("default:"):
        floor, floor_reason = previous.floor, previous.floor_reason
    return Band(unit, seeds, numbers, floor, floor_reason, previous.reason if previous is not None else "")


def check(results: Iterable[Result], bands: Bands) -> list[Miss]:
    """Numbers out of band, bands without a number, numbers without a band. Goals have no bands."""
    misses = []
    for result in results:
        known = bands.get(result.notebook, {})
        metrics = {m.name: m for m in result.metrics if m.kind == "metric"}
        misses += [miss for m in metrics.values() if (miss := _compare(m, known.get(m.name)))]
        if not result.error:  # a notebook that failed is reported once, as failed
            absent = [name for name in known if name not in metrics]
            misses += [Miss(result.notebook, name, "has a band, not recorded") for name in absent]
    return misses


def _compare(metric: Metric, band: Band | None) -> Miss | None:
    if band is None:
        text = "recorded, has no band: run `python -m resfold_nb bands`"
    elif metric.unit != band.unit:
        text = f"recorded in {metric.unit or 'no unit'}, its band is in {band.unit or 'no unit'}"
    elif metric.value not in band:
        text = f"{quantity(metric.value, metric.unit)} is outside its band {band}"
    else:
        return None
    return Miss(metric.notebook, metric.name, text)


def load(profile: str, folder: Path = BANDS) -> Bands | None:
    """The profile's bands, or None where none are recorded.

    Raises ValueError: the file is not one of bands.
    """
    file = folder / f"{profile}.json"
    if not file.exists():
        return None
    try:
        notebooks = json.loads(file.read_text(encoding="utf-8"))["notebooks"]
        return {notebook: {name: Band(**e | {"seeds": tuple(e["seeds"]), "values": tuple(e["values"])})
                           for name, e in entries.items()} for notebook, entries in notebooks.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file} does not hold bands ({type(error).__name__}: {error}); "
                         f"measure them anew: python -m resfold_nb bands --profile {profile}") from error


def save(profile: str, bands: Bands, measured: dict[str, Any], folder: Path = BANDS) -> Path:
    """Write the bands, with a note of what they were measured under."""
    notebooks = {notebook: {name: asdict(band) for name, band in sorted(entries.items())}
                 for notebook, entries in sorted(bands.items())}
    content = {"profile": profile, "measured": measured, "notebooks": notebooks}
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    # Seeds and values on one line each, so that a change of one metric is a change of few lines.
    text = re.sub(r"\[\s+([^][{}]*?)\s+\]", lambda m: f"[{' '.join(m[1].split())}]", text)
    file = folder / f"{profile}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n", encoding="utf-8", newline="\n")
    return file
