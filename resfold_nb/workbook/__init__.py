"""Running notebooks, recorded metrics and their bands, the command line.

Names load on first use, so that `import resfold_nb.workbook` needs the standard library alone.
"""

from __future__ import annotations

from importlib import import_module

__all__ = ["Session", "goal", "metric", "start"]

_HOME = {"Session": "session", "start": "session", "goal": "metrics", "metric": "metrics"}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
