"""The three named recipes, in the sizes of the three profiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resfold_nb.model import NetworkSize
from resfold_nb.training.recipe import Recipe


def well_fed(profile: str = "laptop") -> Recipe:
    """Small network, many noise levels a step."""
    steps = {"ci": 300, "laptop": 600, "gpu": 2000}[profile]
    return Recipe("well fed", size=NetworkSize(64, 1, 2, 4), steps=steps, noise_levels=24,
                  learning_rate=2e-3, warmup=20, clip=1.0)  # fmt: skip


def starved(profile: str = "laptop") -> Recipe:
    """Deep network, one noise level a step."""
    steps = {"ci": 300, "laptop": 1000, "gpu": 2000}[profile]
    return Recipe("starved", size=NetworkSize(64, 9, 7, 4), steps=steps, noise_levels=1)


def as_published(profile: str = "laptop") -> Recipe:
    """The public code's defaults (DESIGN: what the report leaves out); whole in profile gpu."""
    size = NetworkSize.full() if profile == "gpu" else NetworkSize(64, 3, 2, 4)
    steps = {"ci": 100, "laptop": 500, "gpu": 500}[profile]
    return Recipe("as published", size=size, steps=steps, noise_levels=64 if profile == "gpu" else 16,
                  superposed=True, pair_distance=0.1, x0_clamp=3.0)  # fmt: skip


NAMED: dict[str, Callable[[str], Recipe]] = {
    "well_fed": well_fed, "starved": starved, "as_published": as_published,
}  # fmt: skip


def named_recipe(name: str, profile: str = "laptop", **changes: Any) -> Recipe:
    """A named recipe in the size of a profile, with `changes` as in `Recipe.but`."""
    if name not in NAMED:
        raise ValueError(f"recipe {name!r} is unknown; choose one of {sorted(NAMED)}")
    return NAMED[name](profile).but(**changes)
