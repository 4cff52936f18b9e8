"""Error by timestep of the full size after equal steps in each precision: is bf16 within fp32's band?

Six runs a precision (two forms x three seeds; on a GPU five). A band is the range over fp32's seeds.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from benchmarks.harness import record
from benchmarks.training import full, protein_of

from resfold_nb.measure import error_by_timestep, sample, sample_errors
from resfold_nb.data import Batch
from resfold_nb.model import Predictor
from resfold_nb.engine import train
from resfold_nb.training import Recipe

FORMS, LOOKS = ("residual", "x0"), (1, 25, 49)


def rows_of(recipe: Recipe, batch: Batch, kinds: Sequence[str], seeds: int, device: str = "cpu"
            ) -> Iterator[dict[str, Any]]:
    """A row a precision, form, seed and look; precisions in turn, as a slow minute is shared."""
    for seed in range(seeds):
        for form in FORMS:
            for kind in kinds:
                start = time.perf_counter()
                *_, last = train(recipe.but(precision=kind, form=form), batch, seed, device)
                float(last.loss)  # a GPU is waited for
                seconds = time.perf_counter() - start
                for look, value in looked_at(last.predictor, batch).items():
                    yield {"precision": kind, "form": form, "seed": seed, "at": look,
                           "RMSE (Å)": value, "steps": recipe.steps,
                           "noise levels": recipe.noise_levels, "s": seconds}


def looked_at(predictor: Predictor, batch: Batch) -> dict[str, float]:
    """RMSE at some timesteps, and of samples."""
    errors = error_by_timestep(predictor, batch, timesteps=LOOKS).rmse
    sampled = sample_errors(sample(predictor, batch).final, batch)[0].mean()
    return dict(zip(map(str, LOOKS), map(float, errors), strict=True)) | {"sampled": float(sampled)}


def main() -> None:
    """Clean trunk, 64 residues, 8 noise levels, 200 steps; some ten minutes on two cores."""
    torch.set_num_threads(2)
    recipe = full(trunk_sees_points=False, noise_levels=8).but(steps=200)
    record("precision", list(rows_of(recipe, protein_of(64), ("fp32", "bf16"), seeds=3)))


if __name__ == "__main__":
    main()
