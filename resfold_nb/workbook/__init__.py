"""Running notebooks, recorded metrics and their bands, the command line, and where things are in the checkout.

Names load on first use, so that `import resfold_nb.workbook` needs the standard library alone.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS, BANDS, BUILD = ROOT / "notebooks", ROOT / "data" / "bands", ROOT / "build"

_HOME = {"Session": "session", "start": "session", "goal": "metrics", "metric": "metrics"}
__all__ = [*_HOME]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
