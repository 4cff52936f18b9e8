"""The progress bar of a training run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


def progress(states: Iterable[T], total: int) -> Iterable[T]:
    """The states of a training loop as they come, with a bar; `total` is how many there will be."""
    from tqdm.auto import tqdm

    return tqdm(states, total=total, mininterval=1, desc="training")
