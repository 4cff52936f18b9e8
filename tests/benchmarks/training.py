"""Training throughput against a plain version of the report's model and against smalldiffusion."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import MagicMock

import torch
from benchmarks.harness import alternate, ratio, record
from benchmarks.plain import plain_like, plain_training

from resfold_nb.data import Batch, catalogue, load, make_batch
from resfold_nb.model import NetworkSize
from resfold_nb.engine import train
from resfold_nb.training import Recipe, build, named_recipe


def protein_of(length: int) -> Batch:
    """The first bundled training monomer of about that many residues."""
    entries = catalogue(kind="monomer", split="train", min_length=length)
    return make_batch(load(min(entries, key=lambda e: (e.length, e.id)).id))


def full(**changes: Any) -> Recipe:
    """The full size, 48 noise levels."""
    return named_recipe("well_fed", "gpu", form="x0", steps=10**6, noise_levels=48).but(
        size=NetworkSize.full()).but(**changes)


def small(**changes: Any) -> Recipe:
    """The recipe of the notebooks."""
    return named_recipe("well_fed", form="x0", steps=10**6, **changes)


def ours(recipe: Recipe, batch: Batch) -> Callable[[], object]:
    """One step of our loop, each time it is called."""
    states = train(recipe, batch)
    next(states)
    return lambda: next(states)


def plain(recipe: Recipe, batch: Batch) -> Callable[[], object]:
    """One step of the plain loop."""
    losses = plain_training(plain_like(build(recipe)), recipe, batch)
    return lambda: next(losses)


def dit(batch: Batch, recipe: Recipe) -> Callable[[], object]:
    """One step of smalldiffusion's loop with its DiT: as many tokens, as wide, as deep, as many heads.

    64 tokens of 2 x 2 pixels; a token of ours has three numbers, of theirs twelve.
    """
    from torch.utils.data import DataLoader, TensorDataset

    DiT, ScheduleDDPM, training_loop = _smalldiffusion()

    size, count = recipe.size, recipe.noise_levels
    model = DiT(in_dim=16, channels=3, patch_size=2, depth=size.trunk_layers + size.denoiser_blocks,
                head_dim=size.width // size.heads, num_heads=size.heads)
    images = torch.randn(1, 3, 16, 16).expand(count, -1, -1, -1)
    loader = DataLoader(TensorDataset(images), batch_size=count,
                        collate_fn=lambda items: torch.stack([x for (x,) in items]))
    steps = training_loop(loader, model, ScheduleDDPM(50), epochs=10**6, lr=recipe.learning_rate)
    return lambda: next(steps)


def compare(label: str, sides: dict[str, Callable[[], object]], levels: int, against: str,
            repeats: int) -> Iterator[dict[str, Any]]:
    """A row a side: seconds a step, noise levels a second, and how much faster than `against`."""
    timed = alternate(sides, repeats)
    for name, timing in timed.items():
        middle, low, high = ratio(timed[against], timing)
        yield {"benchmark": label, "side": name, "ms a step": 1e3 * timing.median,
               "noise levels a second": levels / timing.median, "times as fast": middle,
               "low": low, "high": high, "against": against, "repeats": repeats}


def main() -> None:
    """All of it; about five minutes."""
    torch.set_num_threads(2)
    batch, small_batch = protein_of(100), protein_of(64)
    noisy, clean = full(), full(trunk_sees_points=False)
    rows = list(compare("full size, 100 residues, 48 noise levels", {
        "plain, noisy trunk": plain(noisy, batch), "ours, noisy trunk": ours(noisy, batch),
        "plain, clean trunk on every copy": plain(clean, batch),
        "ours, noisy trunk, bf16": ours(noisy.but(precision="bf16"), batch),
        "ours, clean trunk once": ours(clean, batch),
        "ours, clean trunk once, bf16": ours(clean.but(precision="bf16"), batch)},
        48, "plain, noisy trunk", repeats=5))
    tiny, tiny_clean = small(), small(trunk_sees_points=False)
    rows += compare("small, 64 residues, 24 noise levels", {
        "smalldiffusion, DiT": dit(small_batch, tiny), "plain, noisy trunk": plain(tiny, small_batch),
        "ours, noisy trunk": ours(tiny, small_batch),
        "ours, noisy trunk, bf16": ours(tiny.but(precision="bf16"), small_batch),
        "ours, clean trunk once": ours(tiny_clean, small_batch),
        "ours, clean trunk once, bf16": ours(tiny_clean.but(precision="bf16"), small_batch)},
        24, "smalldiffusion, DiT", repeats=60)
    record("training", rows)


def _smalldiffusion() -> tuple[Any, Any, Any]:
    """Its DiT, schedule and loop, all its own.

    It imports torchvision for image files, which nothing here reads and which has no CPU build
    in every index: a stand-in takes that place.
    """
    sys.modules.setdefault("torchvision", MagicMock())
    from smalldiffusion import DiT, ScheduleDDPM, training_loop

    return DiT, ScheduleDDPM, training_loop


if __name__ == "__main__":
    main()
