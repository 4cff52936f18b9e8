"""What a training run costs, counted instead of timed: operations and memory."""

from __future__ import annotations

import dataclasses
import itertools
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from resfold_nb.data import Batch
from resfold_nb.engine import train
from resfold_nb.training import Recipe


@dataclass(frozen=True)
class Cost:
    """The same on every machine with the same torch, unlike seconds."""

    teraflop: float  # 10^12 operations of the whole run's matrix products; a multiplication and an addition are two
    megabytes: float  # 10^6 bytes of the tensors alive at once in one training step, at the most


def training_cost(recipe: Recipe, batch: Batch) -> Cost:
    """Count one step of each kind that the recipe has, on the CPU; nothing is trained to its end.

    The memory is that of the most expensive step, the longest rollout if there are rollouts.
    """
    plan, ordinary = recipe.rollout, recipe.but(rollout=None)
    flop, megabytes = _step(ordinary, batch)
    if plan is None:
        return Cost(recipe.steps * flop / 1e12, megabytes)
    lengths = range(1, plan.calls + 1) if plan.random else (plan.calls,)
    fixed = dataclasses.replace(plan, random=False, share=1.0)
    rolled = [_step(recipe.but(rollout=dataclasses.replace(fixed, calls=k)), batch) for k in lengths]
    mean = sum(step for step, _ in rolled) / len(rolled)
    total = recipe.steps * ((1 - plan.share) * flop + plan.share * mean)
    return Cost(total / 1e12, max(megabytes, *(size for _, size in rolled)))


def _step(recipe: Recipe, batch: Batch) -> tuple[float, float]:
    """Operations of one training step, the mean over its parts, and megabytes of the largest."""
    if recipe.proteins_per_step is not None and recipe.proteins_per_step < len(batch):
        whole = recipe.but(proteins_per_step=None)
        each = [_step(whole, part) for part in batch.parts(recipe.proteins_per_step)]
        return sum(flop for flop, _ in each) / len(each), max(size for _, size in each)
    states = train(recipe, batch)
    list(itertools.islice(states, 2))  # the optimiser's state exists after the first step
    return count_flop(lambda: next(states)), peak_memory(lambda: next(states)) / 1e6


def count_flop(work: Callable[[], object]) -> float:
    """Floating-point operations of the matrix products in `work`, on any device, "meta" too."""
    # the counter does not know the CPU's fused attention; written out, its products are counted
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        work()
    return float(counter.get_total_flops())


class _LiveBytes(TorchDispatchMode):
    """Adds up the storages that operations make, and takes them off as they are freed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, torch.Tensor):
                self._watch(leaf.untyped_storage())
        return made

    def _watch(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._known:
            return
        self._known.add(key)
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._free, key, storage.nbytes())

    def _free(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


def peak_memory(work: Callable[[], object]) -> int:
    """Bytes of the tensors that `work` made and that were alive at once, at the most.

    Counts what operations return, on any device, not what was there before nor what a kernel uses inside; repeatable,
    unlike a process's memory. Slower than plain running.
    """
    with _LiveBytes() as count:
        work()
    return count.peak
