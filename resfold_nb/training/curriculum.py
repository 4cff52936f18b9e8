"""Timestep curricula: start with little noise and let the largest t rise."""

from __future__ import annotations

import math
from dataclasses import dataclass

KINDS = ("linear", "cosine")


@dataclass(frozen=True)
class Curriculum:
    """How the range of timesteps grows; from `share` of the steps on it is whole.

    Attributes
    ----------
    kind : "linear", or "cosine" for a half cosine, slow at both ends.
    share : of the run's steps over which the range grows, above 0 and at most 1.
    """

    kind: str = "linear"
    share: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what cannot be run; ValueError says why."""
        if self.kind not in KINDS:
            raise ValueError(f"curriculum is {self.kind!r}; choose one of {', '.join(KINDS)}")
        if not 0 < self.share <= 1:
            raise ValueError(f"a curriculum's share lies above 0 and at most at 1: {self.share}")

    def timesteps(self, step: int, steps: int, first: int, timesteps: int) -> int:
        """One above the largest t that step 1 ... `steps` may draw; t starts at `first`."""
        progress = min(1.0, step / (self.share * steps))
        if self.kind == "cosine":
            progress = (1 - math.cos(math.pi * progress)) / 2
        return first + max(1, math.ceil(progress * (timesteps - first)))
