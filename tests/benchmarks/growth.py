"""How the cost of a training step grows: residues, noise levels, proteins, rollout length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from benchmarks.harness import alternate, record
from benchmarks.training import ours, small

from resfold_nb.measure.cost import peak_memory
from resfold_nb.data import Batch, load, make_batch
from resfold_nb.training import Recipe, Rollout

BASE, REPEATS = small(noise_levels=4), 5


def chain(length: int) -> Batch:
    """A batch of a protein's points, repeated end to end until it has that many residues."""
    batch = make_batch(load("1HZ6_A"))
    index = torch.arange(length) % batch.x0.shape[1]
    cut = {name: getattr(batch, name)[:, index] for name in ("x0", "mask", "residue", "chain")}
    return batch.__class__(**{**vars(batch), **cut, "position": torch.arange(length)[None]})


def many(count: int) -> Batch:
    """The same protein several times."""
    return make_batch([load("1HZ6_A")] * count)


GRIDS: dict[str, list[tuple[int, Recipe, Batch]]] = {
    "residues": [(n, BASE, chain(n)) for n in (32, 64, 128, 256, 512, 1024)],
    "noise levels": [(n, BASE.but(noise_levels=n), chain(64)) for n in (1, 4, 16, 64, 256)],
    "proteins": [(n, BASE, many(n)) for n in (1, 2, 4, 8, 16, 32)],
    "K of the rollout": [(n, BASE.but(rollout=Rollout(n, share=1.0)), chain(64))
                         for n in (1, 2, 5, 10, 20)],
}


def rows_of(name: str, grid: list[tuple[int, Recipe, Batch]]) -> Iterator[dict[str, Any]]:
    """A row a size, and the exponent over the upper half of the sizes."""
    steps = {str(n): ours(recipe, batch) for n, recipe, batch in grid}
    timed = alternate(steps, REPEATS)
    sizes, seconds = [n for n, *_ in grid], [timed[str(n)].median for n, *_ in grid]
    upper = slice(len(sizes) // 2, None)
    exponent = np.polyfit(np.log(sizes[upper]), np.log(seconds[upper]), 1)[0]
    for n, s in zip(sizes, seconds, strict=True):
        yield {"along": name, "size": n, "ms a step": 1e3 * s,
               "peak MB": peak_memory(steps[str(n)]) / 1e6, "exponent": float(exponent),
               "repeats": REPEATS}


def main() -> None:
    """All four; about two minutes."""
    torch.set_num_threads(2)
    record("growth", [row for name, grid in GRIDS.items() for row in rows_of(name, grid)])


if __name__ == "__main__":
    main()
