"""`make bench`: all benchmarks, or those named. They report; they never decide a test."""

from __future__ import annotations

import importlib
import sys

NAMES = ("training", "sampling", "speedrun", "six_forms", "growth", "limit", "imports", "precision",
         "calls", "views", "walls", "figure")


def main(names: list[str]) -> int:
    """Run each in turn; 2 for an unknown name."""
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for name in names or NAMES:
        print(f"== {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
