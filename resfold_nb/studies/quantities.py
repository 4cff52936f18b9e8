"""What a study measures once more when a run has ended, as name -> number; names carry units."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from resfold_nb.data import Batch
from resfold_nb.diffusion import spaced_timesteps
from resfold_nb.measure.errors import error_by_timestep, sample, sample_errors
from resfold_nb.measure.geometry import geometry_errors
from resfold_nb.measure.probe import probe_tokens
from resfold_nb.measure.run import Run
from resfold_nb.studies.proteins import held_out_batch

CALLS = (49, 25, 10, 5, 1)
LEVELS = (0, 1, 5, 25, 49)
CLAMP = 3.0  # standard deviations, as the public code's sampler


def quantities(run: Run, batch: Batch, copies: int = 4, measured: str = "all") -> dict[str, float]:
    """What a key of `MEASURED` names; `copies` sampled structures of each protein."""
    return MEASURED[measured](run, batch, copies)


def every_quantity(run: Run, batch: Batch, copies: int) -> dict[str, float]:
    """Every quantity that applies to a run."""
    found = few_step_errors(run, batch, copies) | clamped_errors(run, batch, copies)
    found |= misled_errors(run, batch) | probe_scores(run, batch)
    return found if run.recipe.atoms is None else found | atom_errors(run, batch, copies)


def few_step_errors(run: Run, batch: Batch, copies: int) -> dict[str, float]:
    """Error of samples from 49, 25, 10, 5 and 1 network calls, DDPM and DDIM (eta = 0)."""
    found = {}
    for sampler, calls in product(("ddpm", "ddim"), CALLS):
        found |= _sampled(f"{sampler}, {calls} calls", run, batch, copies, sampler=sampler,
                          timesteps=spaced_timesteps(calls))
    return found


def start_errors(run: Run, batch: Batch, copies: int) -> dict[str, float]:
    """Error of samples with and without a clamp, and from an x_t at T - 1 that holds its signal.

    Training sees a x0 + s eps at t = T - 1, with a > 0; sampling starts from noise alone.
    """
    started = _sampled("sampled, started with signal", run, batch, copies, signal=True)
    return clamped_errors(run, batch, copies) | started


def clamped_errors(run: Run, batch: Batch, copies: int) -> dict[str, float]:
    """Error of samples when x0_pred is clamped to +-3 in each step, and when it is not."""
    return (_sampled("sampled, not clamped", run, batch, copies, x0_clamp=None)
            | _sampled("sampled, clamped to 3", run, batch, copies, x0_clamp=CLAMP))


def fifty_calls(run: Run, batch: Batch, copies: int) -> dict[str, float]:
    """Error of samples when the network is called at t = 0 too, as `train_resfold` samples."""
    return _sampled("sampled, 50 calls", run, batch, copies, timesteps=range(run.recipe.timesteps - 1, -1, -1))


def aligned_errors(run: Run, batch: Batch, copies: int) -> dict[str, float]:
    """Error of samples when each prediction is superposed on x_t, and when it is recentred after that."""
    return {k: x for how in ("aligned", "recentred") for k, x in
            _sampled(f"sampled, {how}", run, batch, copies, align=how).items()}


def held_out_errors(run: Run, batch: Batch, copies: int) -> dict[str, float]:
    """Error by timestep on chains that were not trained on."""
    return _by_timestep("held out", run, held_out_batch(batch, run.recipe.point_set), draws=1)


def misled_errors(run: Run, batch: Batch) -> dict[str, float]:
    """Error by timestep when the network is told another t than the true one."""
    shuffle, timesteps = torch.Generator().manual_seed(0), run.predictor.schedule.timesteps

    def shuffled(t: Tensor) -> Tensor:
        return torch.randint(0, timesteps, t.shape, generator=shuffle).to(t.device)

    lies = {"told the truth": None, "told a random t": shuffled}
    lies |= {f"told t = {level}": lambda t, level=level: torch.full_like(t, level) for level in LEVELS}
    found = {}
    for name, told in lies.items():
        errors = error_by_timestep(run.predictor, batch, draws=2, timesteps=LEVELS, told=told,
                                   rotate=run.recipe.rotate)
        found |= {f"{name}, t = {t}, RMSE (Å)": float(value) for t, value in zip(LEVELS, errors.rmse, strict=True)}
    return found


def probe_scores(run: Run, batch: Batch) -> dict[str, float]:
    """R^2 of linear probes on trunk tokens and on x_t, by timestep."""
    draws = 32 if len(batch) == 1 else 8
    scores = probe_tokens(run.predictor, batch, timesteps=LEVELS, draws=draws, rotate=run.recipe.rotate)
    return {f"probe of {name}, t = {t}, R²": float(value) for name, values in scores.items()
            for t, value in zip(LEVELS, values, strict=True)}


def atom_errors(run: Run, batch: Batch, copies: int) -> dict[str, float]:
    """Errors of the residues' centroids, and of bonds and angles of sampled backbones."""
    samples = sample(run.predictor, batch, copies=copies, x0_clamp=run.recipe.x0_clamp)
    return (_by_timestep("centroids", run, batch, draws=2, centroids=True)
            | _both("centroids, sampled", *sample_errors(samples.final, batch, centroids=True))
            | _bonds(samples.final.cpu().numpy(), batch, copies))


MEASURED: dict[str, Callable[[Run, Batch, int], dict[str, float]]] = {
    "all": every_quantity, "core": start_errors, "structures": held_out_errors, "calls": fifty_calls,
    "frame": aligned_errors, "few": few_step_errors, "none": lambda run, batch, copies: {}}


def _bonds(points: np.ndarray, batch: Batch, copies: int) -> dict[str, float]:
    """Mean over proteins of the deviation from ideal bonds and angles."""
    each = []
    for i, structure in enumerate(points.reshape(len(batch), copies, *points.shape[1:])):
        length = int(batch.mask[i].sum())
        linked = (batch.position[i, :length].diff() == 1).numpy()
        each.append(geometry_errors(structure[:, : 4 * length] * float(batch.scale[i]), linked))
    return {f"{name}, deviation ({'°' if name.count('-') == 2 else 'Å'})":
            float(np.mean([errors[name] for errors in each])) for name in each[0]}


def _by_timestep(name: str, run: Run, batch: Batch, **options: int) -> dict[str, float]:
    errors = error_by_timestep(run.predictor, batch, timesteps=LEVELS, rotate=run.recipe.rotate, **options)
    rows = zip(errors.t, errors.rmse, errors.rmsd, strict=True)
    return {k: x for t, *both in rows for k, x in _both(f"{name}, t = {t}", *both).items()}


def _sampled(name: str, run: Run, batch: Batch, copies: int, **how: Any) -> dict[str, float]:
    samples = sample(run.predictor, batch, copies=copies, **{"x0_clamp": run.recipe.x0_clamp} | how)
    return _both(name, *sample_errors(samples.final, batch))


def _both(name: str, plain: np.ndarray, superposed: np.ndarray) -> dict[str, float]:
    return {f"{name}, RMSE (Å)": float(np.mean(plain)), f"{name}, RMSD (Å)": float(np.mean(superposed))}
