"""Runs of a study trained together on a GPU: those alike but for form and seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from resfold_nb.data import Batch
from resfold_nb.engine import Member, can_train_together
from resfold_nb.measure.run import Run, marks_for, run_together
from resfold_nb.studies.plans import Cell
from resfold_nb.studies.proteins import batch_for
from resfold_nb.studies.store import Result

Finish = Callable[[Cell, Run, str], Result]
"""(cell, its run, device) -> what is kept of it."""


def looks(cell: Cell, batch: Batch) -> dict[str, Any]:
    """When and with how many draws and copies a cell is measured, as `run` takes them."""
    single = len(batch) == 1
    marks = cell.marks or ()
    if isinstance(marks, int):
        marks = marks_for(cell.recipe.steps, marks if single else 8)
    return {"draws": 2 if single else 1, "copies": cell.copies if single else 1, "marks": marks}


class InGroups:
    """Work of a study that does a cell's whole group, and keeps the rest until it is asked for.

    `alone` does a cell that has no group, or whose group failed; `finish` makes a result of a run; `keep` is called
    with each result of a group at once, so that none is lost when nobody asks; a group has at most `most` cells, by
    default as many as half the free memory of the GPU holds.
    """

    def __init__(self, cells: Sequence[Cell], alone: Callable[[Cell, str, int | None], Result], finish: Finish,
                 keep: Callable[[Cell, Result], object], most: int | None = None) -> None:
        self.alone, self.finish, self.keep, self.most = alone, finish, keep, most
        self.waiting = list(cells)
        self.ready: dict[str, Result] = {}

    def __call__(self, cell: Cell, device: str, threads: int | None = None) -> Result:
        """The cell's result."""
        if cell.key not in self.ready:
            group = self._take_group(cell, device)
            try:
                if len(group) > 1:
                    self._together(group, device)
            except torch.OutOfMemoryError as error:
                print(f"{len(group)} runs together failed ({error}); each is done alone", flush=True)
                torch.cuda.empty_cache()
        if cell.key not in self.ready:  # one that diverged says so alone
            return self.alone(cell, device, threads)
        return self.ready.pop(cell.key)

    def _take_group(self, cell: Cell, device: str) -> list[Cell]:
        """The cell and others like it that nobody has asked for, out of those waiting."""
        batch = batch_for(cell.recipe, cell.protein)
        if not can_train_together(cell.recipe, batch):
            return [cell]
        alike = [c for c in self.waiting if _kind(c) == _kind(cell) and c.key != cell.key]
        group = [cell, *alike][: self.most or _most(cell, len(batch.x0[0]) * len(batch), device)]
        taken = {c.key for c in group}
        self.waiting = [c for c in self.waiting if c.key not in taken]
        return group

    def _together(self, group: Sequence[Cell], device: str) -> None:
        """Do a group; what diverged is left out."""
        first = group[0]
        batch = batch_for(first.recipe, first.protein)
        members = [Member(c.recipe.form, c.seed) for c in group]
        runs = run_together(first.recipe, members, batch, device=device, **looks(first, batch))
        for cell, one in zip(group, runs, strict=True):
            if math.isfinite(one.losses[-1]):
                self.ready[cell.key] = self.finish(cell, one, device)
                self.keep(cell, self.ready[cell.key])


def _kind(cell: Cell) -> tuple[object, ...]:
    """What cells of a group have in common."""
    return cell.recipe.but(form="x0", name=""), cell.protein, cell.marks, cell.measured


def _most(cell: Cell, points: int, device: str) -> int:
    """How many runs half of the GPU's free memory holds."""
    free, _ = torch.cuda.mem_get_info(device)
    size = cell.recipe.size
    layers = size.trunk_layers + size.denoiser_blocks
    # some 40 numbers a channel are kept of each layer for the backward pass
    each = 4 * 40 * layers * size.width * points * cell.recipe.noise_levels
    return max(1, int(free / 2 / each))
