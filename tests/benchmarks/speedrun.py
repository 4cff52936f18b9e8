"""How long from a cold start until one protein of 100 residues is below 1 Å everywhere.

The goal: RMSE below 1 Å at each t from 0 to 49 (mean of 16 noise draws) and of each of four DDPM
samples, without superposition. It is looked for every 10 steps; looking counts.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from benchmarks.harness import record

from resfold_nb.measure import error_by_timestep, sample, sample_errors
from resfold_nb.data import Batch, catalogue, load, make_batch
from resfold_nb.diffusion import FORMS
from resfold_nb.model import Predictor
from resfold_nb.training import Recipe, named_recipe, train

GOAL, EVERY, DRAWS = 1.0, 10, 16
CHOSEN_ON, CONFIRMED_ON = slice(0, 2), slice(2, 7)

BEST = named_recipe("speed_run")
LADDER = {
    "well fed": named_recipe("well_fed", form="x0", steps=300),
    "learning rate x 3": dict(learning_rate=6e-3), "8 noise levels instead of 24": dict(noise_levels=8),
    "1 denoiser block instead of 2": dict(denoiser_blocks=1),
    "width 32 instead of 64, learning rate 1e-2": dict(width=32, learning_rate=1e-2),
    "output starts at zero": dict(zero_init_output=True),
    "shorter warm-up and decay": dict(warmup=10, steps=160, name="speed run"),
}
"""Each rung keeps the changes of those before it; the last is `speed_run`."""


def proteins() -> list[str]:
    """Seven training monomers of 98 to 102 residues."""
    entries = catalogue(kind="monomer", split="train", min_length=98, max_length=102)
    return [entry.id for entry in entries[:7]]


def reached(predictor: Predictor, batch: Batch) -> bool:
    """Whether the goal is met; a few timesteps are looked at first, because most often it is not."""
    if error_by_timestep(predictor, batch, draws=2, timesteps=(0, 10, 25, 40, 49)).worst >= GOAL:
        return False
    if error_by_timestep(predictor, batch, draws=DRAWS).worst >= GOAL:
        return False
    return bool(sample_errors(sample(predictor, batch, copies=4).final, batch)[0].max() < GOAL)


def run(recipe: Recipe, protein: str, seed: int) -> dict[str, Any]:
    """Train until the goal or the recipe's end: steps (None if not reached) and seconds."""
    batch, start = make_batch(load(protein)), time.perf_counter()
    for state in train(recipe, batch, seed):
        if state.step and state.step % EVERY == 0 and reached(state.predictor, batch):
            return {"steps": state.step, "seconds": time.perf_counter() - start}
    return {"steps": None, "seconds": time.perf_counter() - start}


def cold(protein: str, seed: int, form: str = "x0") -> dict[str, Any]:
    """The same in a process of its own; "wall" is from its start to its end."""
    code = ("import json, sys, torch; torch.set_num_threads(1); "
            "from benchmarks.speedrun import BEST, run; "
            f"print(json.dumps(run(BEST.but(form={form!r}), {protein!r}, {seed})))")
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          cwd=Path(__file__).parents[1])
    return {**json.loads(done.stdout), "wall": time.perf_counter() - start}


def rungs() -> Iterator[tuple[str, Recipe]]:
    """Name and recipe of each rung."""
    recipe = LADDER["well fed"]
    for name, change in LADDER.items():
        recipe = recipe if isinstance(change, Recipe) else recipe.but(**change)
        yield name, recipe


def row(kind: str, name: str, found: list[dict[str, Any]], seconds: str) -> dict[str, Any]:
    """Median and range over proteins and seeds; runs that failed count as such."""
    done = [f for f in found if f["steps"] is not None]
    spent = [f[seconds] for f in done] or [float("nan")]
    return {"kind": kind, "what": name, "reached": f"{len(done)} of {len(found)}",
            "steps": statistics.median(f["steps"] for f in done) if done else None,
            "s": statistics.median(spent), "s, lowest": min(spent), "s, highest": max(spent)}


def main() -> None:
    """Ladder, forms, and the cold start on proteins that the recipe was not chosen on."""
    torch.set_num_threads(1)
    names = proteins()
    assert list(rungs())[-1][1] == BEST, "the ladder must end in the recipe"
    rows = [row("ladder (training and looking)", name,
                [run(recipe, p, seed) for p in names[CHOSEN_ON] for seed in range(2)], "seconds")
            for name, recipe in rungs()]
    rows += [row("form (training and looking)", FORMS[form].label,
                 [run(BEST.but(form=form, steps=480), p, 0) for p in names[CHOSEN_ON]], "seconds")
             for form in FORMS]
    rows.append(row("cold start, other proteins", "speed run",
                    [cold(p, seed) for p in names[CONFIRMED_ON] for seed in range(2)], "wall"))
    record("speedrun", rows)


if __name__ == "__main__":
    main()
