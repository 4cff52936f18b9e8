"""One slider for the timestep: points in 3D, a marker on the curve of the error, the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from resfold_nb.data import Batch, rmsd, rmse, superpose
from resfold_nb.diffusion import Schedule
from resfold_nb.measure import MEASURING_SEED, baselines, draws_of, sample
from resfold_nb.model import Features, Predictor
from resfold_nb.show.charts import Curves, Line, Marker, baseline_lines, chart, curves
from resfold_nb.show.theme import PALETTE, SERIES, require_alt
from resfold_nb.show.trajectory import Player, player

CHART_HEIGHT = 380


def noising(batch: Batch, schedule: Schedule, *, seed: int = MEASURING_SEED, alt: str) -> Player:
    """The forward process: x_t = a x0 + s eps of one noise draw, and how far it is from x0.

    The first protein of the batch. The chart has the draw's RMSE beside the expected one.
    """
    x0, eps, scale = _draw(batch, seed)
    x_t = schedule.add_noise(x0, eps, torch.arange(schedule.timesteps)).to(x0)
    return _view(batch, schedule, {"x_t": x_t}, {"x_t": PALETTE["residual"]}, scale,
                 alt=alt, superposed=False, title="Distance of x_t from the protein")


def denoising(models: Mapping[str, Predictor], batch: Batch, *, seed: int = MEASURING_SEED,
              superposed: bool = False, alt: str) -> Player:
    """One denoising step at each t, from one noise draw: x_t, and what each model makes of it.

    Parameters
    ----------
    models : name -> model, one to three, all with the schedule of the first.
    batch : its first protein is shown.
    seed : of the noise, which is the same at each t and for each model.
    superposed : turn each prediction onto the truth, where no orientation is the right one.

    Raises ValueError for no or too many models, and for unequal schedules.
    """
    _require_alike(models, 3)
    schedule = next(iter(models.values())).schedule
    x0, eps, scale = _draw(batch, seed)
    panes = {"x_t": schedule.add_noise(x0, eps, torch.arange(schedule.timesteps)).to(x0)}
    panes |= {name: one_step(model, batch, range(schedule.timesteps), seed) for name, model in models.items()}
    return _view(batch, schedule, panes, _colours(models), scale, alt=alt, superposed=superposed,
                 title="Error of one denoising step")


@torch.no_grad()
def one_step(model: Predictor, batch: Batch, timesteps: Sequence[int], seed: int = MEASURING_SEED) -> Tensor:
    """x0_pred (n, L, 3) on the CPU at n timesteps, from one noise draw of the first protein."""
    model.eval()
    x0, eps, _ = _draw(batch, seed)
    t = torch.tensor(list(timesteps), device=model.a.device)
    denoise = model.denoiser_for(Features.of(_first(batch).to(model.a.device, model.a.dtype)))
    return denoise(model.add_noise(x0.to(model.a), eps.to(model.a), t), t).cpu()


def sampling(models: Mapping[str, Predictor], batch: Batch, *, seed: int = MEASURING_SEED,
             sampler: str = "ddpm", superposed: bool = False, x0_clamp: float | None = None,
             align: Mapping[str, str] | None = None, alt: str) -> Player:
    """Trajectories of a sampler from the same noise: x_t of each model, and its x0_pred for one.

    Arguments as in `denoising`, and `x0_clamp` and, by name, `align` as in `measure.sample`; up to four models. The
    chart has the error of x0_pred on the way.
    """
    _require_alike(models, 4)
    one, first = _first(batch), next(iter(models.values()))
    made = {name: sample(model, one, copies=1, seed=seed, sampler=sampler, x0_clamp=x0_clamp,
                         align=(align or {}).get(name)) for name, model in models.items()}
    x = {name: s.x[:, 0].cpu() for name, s in made.items()}
    guesses = {name: torch.cat([s.x0_pred[:, 0], s.x[-1:, 0]]).cpu() for name, s in made.items()}
    if len(models) == 1:
        (name,) = models
        x = {f"x_t, {name}": x[name], f"x0_pred, {name}": guesses[name]}
    times = next(iter(made.values())).t
    return _view(batch, first.schedule, x, _colours(models), float(batch.scale[0]), alt=alt, superposed=superposed,
                 title="Error of x0_pred on the way", times=times, measured=guesses)


def _view(batch: Batch, schedule: Schedule, panes: Mapping[str, Tensor], colours: Mapping[str, str], scale: float, *,
          alt: str, superposed: bool, title: str, times: Sequence[int] | None = None,
          measured: Mapping[str, Tensor] | None = None) -> Player:
    """Panes (T, L, 3) in units of x_t, the error of those that have a colour, one slider for all."""
    truth = _first(batch).x0[0]
    t = np.arange(schedule.timesteps) if times is None else np.asarray(times)
    measured = panes if measured is None else measured
    clean, ab, snr = truth.double(), schedule.alpha_bar.numpy(), schedule.snr.numpy()
    errors = {name: [(scale * error(x, clean.expand_as(x))).numpy() for error in (rmse, rmsd)]
              for name, x in ((name, measured[name].double()) for name in colours)}
    shown = {name: scale * (superpose(x, truth.expand_as(x)) if superposed else x) for name, x in panes.items()}
    labels = [f"t = {k} · ᾱ {ab[k]:.2f} · SNR {f'{snr[k]:.3g}' if k else '∞'}" for k in t]
    chain = batch.chain[0][batch.mask[0]]
    made = player(shown, truth=scale * truth, labels=labels, chain_index=chain, alt=require_alt(alt, "scrubber"),
                  colour="chain" if chain.any() else "index")
    said = "" if times is None else "x0_pred: "
    for pane in made.panes:
        name = pane.heading.removeprefix("x0_pred, ")
        pane.captions = [""] * len(t) if name not in errors else [
            f"{said}RMSE {a:.2f} Å, RMSD {b:.2f} Å" for a, b in zip(*errors[name], strict=True)]
    kind = int(superposed)  # of the error that the chart shows
    lines = [Line(n, t, errors[n][kind], colours[n]) for n in colours]
    lines += baseline_lines(baselines(schedule, float(truth.square().mean().sqrt()), scale))
    fig = chart(lines, title=title, x="timestep t", y=("RMSE (Å)", "RMSD (Å)")[kind], log_y=True)
    fig.update_layout(height=CHART_HEIGHT)
    if times is not None:  # a sampler goes from T - 1 down
        fig.update_xaxes(autorange="reversed")
    marks = [Marker(i, t, np.where(errors[n][kind] > 0, errors[n][kind], np.nan)) for i, n in enumerate(colours)]
    follow(made, curves(fig, alt=f"{title}, a marker at the slider's timestep. {alt}", marks=marks))
    return made


def follow(made: Player, chart: Curves) -> None:
    """Let a player's slider move a chart's markers, too, and show the chart under it."""
    made.scrubber.panes = [*made.scrubber.panes, chart]
    row, *rest = made.children
    made.children = [row, *rest[:1], chart, *rest[1:]]


def _first(batch: Batch) -> Batch:
    return batch.select([0])


def _draw(batch: Batch, seed: int) -> tuple[Tensor, Tensor, float]:
    """x0 (L, 3), noise (L, 3) and Å a unit, of the first protein."""
    drawn = draws_of(_first(batch), 1, seed)
    return drawn.x0[0], drawn.eps[0], float(drawn.scale[0])


def _colours(models: Mapping[str, Predictor]) -> dict[str, str]:
    """A form's own colour for the first model that has it; for others one that is left over."""
    found: dict[str, str] = {}
    for name, model in models.items():
        own = PALETTE.get(model.form.name)
        if own is not None and own not in found.values():
            found[name] = own
    left = [colour for colour in SERIES[::-1] if colour not in found.values()]
    found |= {name: left.pop() for name in models if name not in found}
    return {name: found[name] for name in models}


def _require_alike(models: Mapping[str, Predictor], most: int) -> None:
    """ValueError unless one slider can serve them all."""
    if not 1 <= len(models) <= most:
        raise ValueError(f"the scrubber takes 1 to {most} models, got {len(models)}")
    bars = {name: model.schedule.alpha_bar.cpu() for name, model in models.items()}
    first = next(iter(bars.values()))
    other = [name for name, bar in bars.items() if not torch.equal(bar, first)]
    if other:
        raise ValueError(f"{other} have another schedule than {next(iter(bars))!r}; "
                         "x_t at one t would not be the same for all")
