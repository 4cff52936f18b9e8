"""Structures a second at 49 calls: ours, the plain model, and diffusers' scheduler around our network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from benchmarks.harness import alternate, ratio, record
from benchmarks.plain import plain_like, plain_sampling
from benchmarks.training import full, protein_of, small

from resfold_nb.measure import sample
from resfold_nb.measure.errors import MEASURING_SEED, measuring_noise
from resfold_nb.data import Batch
from resfold_nb.model import Features, Predictor
from resfold_nb.training import Recipe, build

COPIES = 8


def with_diffusers(model: Predictor, batch: Batch, copies: int) -> Callable[[], torch.Tensor]:
    """DDPMScheduler with our alpha_bar, calling our network, sequence-only trunk once."""
    from diffusers import DDPMScheduler

    ab = model.schedule.alpha_bar
    betas = 1 - ab[1:] / ab[:-1]  # their index k is our t = k + 1: t = 0 has no noise
    scheduler = DDPMScheduler(num_train_timesteps=len(betas), trained_betas=betas.numpy(),
                              prediction_type="sample", variance_type="fixed_small",
                              clip_sample=False)
    denoise = model.denoiser_for(Features.of(batch))
    start = measuring_noise(batch, copies, MEASURING_SEED)

    @torch.no_grad()
    def run() -> torch.Tensor:
        scheduler.set_timesteps(len(betas))
        x, generator = start, torch.Generator().manual_seed(0)
        for k in scheduler.timesteps:
            x0_pred = denoise(x, torch.full((len(x),), int(k) + 1))
            x = scheduler.step(x0_pred, k, x, generator=generator).prev_sample
        return x

    return run


def sides(recipe: Recipe, noisy: Recipe, batch: Batch) -> dict[str, Callable[[], object]]:
    """What is timed: each draws `COPIES` structures."""
    ours, blind = build(noisy), build(recipe)
    start, *steps = (measuring_noise(batch, COPIES, MEASURING_SEED + i) for i in range(50))
    plain, noise = plain_like(ours), torch.stack(steps)
    return {"plain, noisy trunk": lambda: plain_sampling(plain, batch, start, noise),
            "ours, noisy trunk": lambda: sample(ours, batch, copies=COPIES),
            "ours, clean trunk once": lambda: sample(blind, batch, copies=COPIES),
            "diffusers' loop, clean trunk once": with_diffusers(blind, batch, COPIES)}


def rows_of(label: str, found: dict[str, Callable[[], object]], repeats: int
            ) -> Iterator[dict[str, Any]]:
    """A row a side."""
    timed = alternate(found, repeats)
    for name, timing in timed.items():
        middle, low, high = ratio(timed["plain, noisy trunk"], timing)
        against_diffusers = ratio(timed["diffusers' loop, clean trunk once"], timing)[0]
        yield {"benchmark": label, "side": name, "s a batch": timing.median,
               "structures a second": COPIES / timing.median, "times as fast": middle, "low": low,
               "high": high, "against": "plain, noisy trunk",
               "over diffusers": against_diffusers, "repeats": repeats}


def main() -> None:
    """Full size and small; about three minutes."""
    torch.set_num_threads(2)
    clean = dict(trunk_sees_points=False)
    rows = list(rows_of("full size, 100 residues, 8 structures, 49 calls",
                        sides(full(**clean), full(), protein_of(100)), 3))
    rows += rows_of("small, 64 residues, 8 structures, 49 calls",
                    sides(small(**clean), small(), protein_of(64)), 9)
    record("sampling", rows)


if __name__ == "__main__":
    main()
