"""Where things are in the checkout."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
SOURCES = NOTEBOOKS / "src"
BANDS = ROOT / "data" / "bands"
BUILD = ROOT / "build"
CONSTRAINTS = ROOT / "constraints.txt"
