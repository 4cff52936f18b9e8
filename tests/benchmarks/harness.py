"""Sides that are timed in turn in one run, so that a slow minute of the machine slows all of them."""

from __future__ import annotations

import csv
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from resfold_nb.workbook import ROOT

RECORDED = ROOT / "data" / "recorded" / "benchmarks"


@dataclass(frozen=True)
class Timing:
    """Seconds of each repeat of one side."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle of the repeats."""
        return statistics.median(self.seconds)


def alternate(sides: Mapping[str, Callable[[], object]], repeats: int, warm: int = 1
              ) -> dict[str, Timing]:
    """Time each side in turn, `repeats` times, after `warm` rounds that do not count.

    The order is turned round each time, so that no side always comes first.
    """
    found: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(-warm, repeats):
        for name in list(sides)[:: 1 if turn % 2 else -1]:
            start = time.perf_counter()
            sides[name]()
            if turn >= 0:
                found[name].append(time.perf_counter() - start)
    return {name: Timing(tuple(seconds)) for name, seconds in found.items()}


def ratio(slow: Timing, fast: Timing) -> tuple[float, float, float]:
    """Median of the repeats' ratios slow / fast, and their lowest and highest."""
    each = [a / b for a, b in zip(slow.seconds, fast.seconds, strict=True)]
    return statistics.median(each), min(each), max(each)


def machine(device: str = "cpu") -> dict[str, Any]:
    """What the numbers were taken on."""
    name = torch.cuda.get_device_name() if device == "cuda" else device
    return {"device": name, "processor": _processor(), "threads": torch.get_num_threads(),
            "torch": torch.__version__, "numpy": np.__version__,
            "python": platform.python_version()}


def record(name: str, rows: Sequence[Mapping[str, Any]], device: str = "cpu") -> Path:
    """Write NAME.csv with the machine beside each row, and print it."""
    RECORDED.mkdir(parents=True, exist_ok=True)
    full = [{**row, **machine(device)} for row in rows]
    path = RECORDED / f"{name}.csv"
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(full[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(full)
    for row in rows:
        print("  ".join(f"{k}: {v:.4g}" if isinstance(v, float) else f"{k}: {v}"
                        for k, v in row.items()), flush=True)
    return path


def _processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")),
                platform.machine())
