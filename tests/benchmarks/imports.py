"""How long the package takes to import, in processes of their own, beside torch alone."""

from __future__ import annotations

import statistics
import subprocess
import sys

from benchmarks.harness import record

MODULES = ("resfold_nb", "torch", "resfold_nb.training", "resfold_nb.measure", "resfold_nb.show")
CODE = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def main(repeats: int = 5) -> None:
    """Seconds of `import`, interpreter start apart, in turn."""
    found: dict[str, list[float]] = {name: [] for name in MODULES}
    for _ in range(repeats):
        for name in MODULES:
            done = subprocess.run([sys.executable, "-c", CODE.format(name)], check=True,
                                  capture_output=True, text=True)
            found[name].append(float(done.stdout))
    record("imports", [{"import": name, "s": statistics.median(values), "highest": max(values),
                        "repeats": repeats} for name, values in found.items()])


if __name__ == "__main__":
    main()
