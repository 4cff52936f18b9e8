"""A recipe is the whole truth about a run: with a seed and a protein it fixes every number."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass, field
from random import Random
from typing import Any

from resfold_nb.data import POSITIONS
from resfold_nb.diffusion import get_form, get_schedule
from resfold_nb.model import TIME_EMBEDDINGS, AtomSize, NetworkSize

PRECISIONS = ("fp32", "tf32", "bf16")

NETWORK = ("trunk_sees_points", "denoiser_sees_points", "zero_init_output", "time_embedding", "atoms")
"""Fields that are options of `ResFold`."""

# What the first recorded studies fixed for every hash: fields younger than they are, which count when they are
# used; fields that stood in `size`; fields that had another name.
ADDED = ("rollout", "curriculum", "rotate", "denoiser_sees_points", "time_embedding", "atoms", "scale",
         "proteins_per_step", "precision", "accumulate", "planned_updates", "last_learning_rate", "public_loss",
         "contact", "positions")
HASHED_IN_SIZE, HASHED_AS = (*NETWORK, "timesteps"), {"cosine_decay": "decay", "proteins_per_step": "proteins"}


@dataclass(frozen=True)
class Rollout:
    """When a step is a rollout (fix D), how long it is and how far its gradient reaches."""

    calls: int = 5  # K, network calls; the last of them is where the error is taken
    random: bool = False  # draw K uniformly from 1 ... `calls` at each rollout
    share: float = 0.5  # of the steps that are rollouts, spread evenly; 1 leaves no ordinary step
    through: bool = True  # gradient through the whole trajectory; else through the last call alone
    checkpoint: bool = False  # keep no activations of a call but compute them again in the backward pass

    def __post_init__(self) -> None:
        """Refuse what cannot be run; ValueError says why."""
        if self.calls < 1:
            raise ValueError(f"a rollout needs at least one call, got {self.calls}")
        if not 0 < self.share <= 1:
            raise ValueError(f"a rollout's share lies above 0 and at most at 1: {self.share}")

    def length_at(self, step: int, dice: Random) -> int:
        """K of step 1, 2, ..., 0 where it is no rollout."""
        if int(step * self.share) == int((step - 1) * self.share):
            return 0
        return dice.randint(1, self.calls) if self.random else self.calls

    @property
    def mean_calls(self) -> float:
        """Network calls of a rollout, on average."""
        return (1 + self.calls) / 2 if self.random else float(self.calls)


@dataclass(frozen=True)
class Curriculum:
    """How the range of timesteps grows from little noise upwards."""

    kind: str = "linear"  # or "cosine" for a half cosine, slow at both ends
    share: float = 0.5  # of the run's steps over which the range grows, above 0 and at most 1

    def __post_init__(self) -> None:
        """Refuse what cannot be run; ValueError says why."""
        if self.kind not in ("linear", "cosine"):
            raise ValueError(f"curriculum is {self.kind!r}; choose one of linear, cosine")
        if not 0 < self.share <= 1:
            raise ValueError(f"a curriculum's share lies above 0 and at most at 1: {self.share}")

    def timesteps(self, step: int, steps: int, first: int, timesteps: int) -> int:
        """One above the largest t that step 1 ... `steps` may draw; t starts at `first`."""
        progress = min(1.0, step / (self.share * steps))
        if self.kind == "cosine":
            progress = (1 - math.cos(math.pi * progress)) / 2
        return first + max(1, math.ceil(progress * (timesteps - first)))


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run, but for the seed and the protein."""

    name: str  # how figures and tables call it
    form: str = "residual"  # row of `resfold_nb.diffusion.FORMS`
    schedule: str = "linear"  # or "cosine"
    timesteps: int = 50  # T, the number of noise levels
    # the network, as in `ResFold`
    size: NetworkSize = field(default_factory=NetworkSize)
    trunk_sees_points: bool = True
    denoiser_sees_points: bool = True
    zero_init_output: bool = False
    time_embedding: str = "table"
    atoms: AtomSize | None = None
    # the optimiser, AdamW with betas 0.9, 0.999
    steps: int = 500
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: int = 0  # steps over which the learning rate rises linearly
    cosine_decay: bool = True  # let the learning rate fall along a half cosine
    planned_updates: int | None = None  # over which it falls; None for those of this run
    last_learning_rate: float = 0.0  # what it falls to
    accumulate: int = 1  # steps whose mean gradient makes one update of the weights: `steps` are then micro-steps
    clip: float | None = None  # largest norm of the gradient
    # what a step draws
    noise_levels: int = 16  # (t, eps) pairs for each protein
    proteins_per_step: int | None = None  # out of a large set, those of similar length together; None for all
    first_timestep: int = 0  # smallest t, 0 (as the report) or more
    curriculum: Curriculum | None = None  # how the range of t grows; None for the whole range from the start
    rollout: Rollout | None = None  # fix D
    rotate: bool = False  # turn each draw of a protein by a random rotation, in measuring too
    # coordinates and loss
    scale: float | str = "own"  # divisor in Å, or "training set": the standard deviation there, or "own": for one
    #                             protein its own, for many that of the training set, or "atoms": of its own backbone
    positions: str = "chain"  # counted within each chain, gaps showing, or "across" all chains, 0 ... L - 1
    loss_space: str = "x0"  # squared error of x0_pred, or "F", that of the raw output, or "min-SNR", x0's weighted
    superposed: bool = False  # superpose the truth on the prediction before taking the error
    pair_distance: float = 0.0  # weight of the squared error of all pair distances
    contact: float = 0.0  # weight of that of contacts, in which pairs between chains count double
    public_loss: bool = False  # sum squared errors over axes, and average pair distances over all L x L of them
    x0_clamp: float | None = None  # clamp x0_pred to +- this value when sampling
    precision: str = "fp32"  # of matrix products in training, or "tf32" (on a GPU), "bf16"; all else is fp32

    def __post_init__(self) -> None:
        """Refuse recipes that cannot run; ValueError names the field, the value and the remedy."""
        get_form(self.form)
        get_schedule(self.schedule, self.timesteps)
        for remedy, wrong in self._faults():
            if wrong:
                raise ValueError(f"recipe {self.name!r}: {remedy}")

    def _faults(self) -> list[tuple[str, bool]]:
        choices = {"loss_space": ("x0", "F", "min-SNR"), "precision": PRECISIONS, "time_embedding": TIME_EMBEDDINGS,
                   "positions": POSITIONS}
        in_f, last = self.loss_space == "F", self.timesteps - 1
        return [
            *((f"{name} is {getattr(self, name)!r}; use one of {', '.join(known)}", getattr(self, name) not in known)
              for name, known in choices.items()),
            *((f"{name} must be at least 1", getattr(self, name) < 1)
              for name in ("steps", "noise_levels", "accumulate")),
            (f"proteins_per_step is {self.proteins_per_step}; give None for all of them, or at least 1",
             self.proteins_per_step is not None and self.proteins_per_step < 1),
            (f"first_timestep {self.first_timestep} lies outside 0 ... {last}", not 0 <= self.first_timestep <= last),
            (f"scale is {self.scale!r}; use 'own', 'atoms', 'training set' or a number of Å",
             isinstance(self.scale, str) and self.scale not in ("own", "atoms", "training set")),
            (f"steps is {self.steps}, of which {self.accumulate} make an update; give a multiple of that",
             self.steps % max(1, self.accumulate) != 0),
            (f"planned_updates is {self.planned_updates}; give None for those of the run, or at least as many as its "
             f"{self.updates}", self.planned_updates is not None and self.planned_updates < self.updates),
            ("pair distances and contacts need x0", in_f and bool(self.pair_distance or self.contact)),
            ("a superposed loss on F has no weight at t = 0, where c_out is 0; set first_timestep=1",
             in_f and self.superposed and self.form != "x0" and self.first_timestep < 1),
            ("contacts are of centroids: leave contact at 0 with atoms", bool(self.contact) and self.atoms is not None),
            (f"a rollout of {self.rollout and self.rollout.calls} calls does not fit T = {self.timesteps}; at most {last}",
             self.rollout is not None and self.rollout.calls > last),
            ("F has no target at t = 0 in this form; set first_timestep=1",
             in_f and self.form == "scaled_no_skip" and self.first_timestep < 1),
            ("an atom encoder reads the noisy atoms; a denoiser that must not see them needs atoms=None, or atom "
             "blocks=0", self.atoms is not None and self.atoms.blocks > 0 and not self.denoiser_sees_points),
        ]

    def but(self, **changes: Any) -> Recipe:
        """The same recipe with some fields changed; fields of `size` are taken too."""
        size_fields = {f.name for f in dataclasses.fields(NetworkSize)}
        part = {k: changes.pop(k) for k in list(changes) if k in size_fields}
        size = dataclasses.replace(changes.pop("size", self.size), **part)
        return dataclasses.replace(self, size=size, **changes)

    def timesteps_at(self, step: int | None) -> int:
        """One above the largest t that a step may draw; None stands for no curriculum."""
        if self.curriculum is None or step is None:
            return self.timesteps
        return self.curriculum.timesteps(step, self.steps, self.first_timestep, self.timesteps)

    @property
    def updates(self) -> int:
        """How often the weights are changed."""
        return self.steps // max(1, self.accumulate)

    @property
    def network_options(self) -> dict[str, Any]:
        """What `ResFold` takes besides size and schedule."""
        return {name: getattr(self, name) for name in NETWORK}

    @property
    def point_set(self) -> str:
        """What `make_batch` calls the points of the network: four atoms a residue, or a centroid."""
        return "centroid" if self.atoms is None else "backbone"

    @property
    def network_calls(self) -> int:
        """Evaluations of the network in the whole run for each protein of a step, forwards alone."""
        if self.rollout is None:
            return self.steps * self.noise_levels
        share, calls = self.rollout.share, self.rollout.mean_calls
        return round(self.steps * self.noise_levels * (1 - share + share * calls))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """The recipe that `as_dict` wrote."""
        kinds = {"size": NetworkSize, "atoms": AtomSize, "rollout": Rollout, "curriculum": Curriculum}
        return cls(**values | {name: kind(**values[name]) for name, kind in kinds.items() if values.get(name)})

    @property
    def hash(self) -> str:
        """Twelve hex digits that name the recipe's results; the display name does not count."""
        defaults = {f.name: f.default for f in dataclasses.fields(self)}
        values = {HASHED_AS.get(k, k): v for k, v in self.as_dict().items()
                  if k != "name" and not (k in ADDED and v == defaults[k])}
        values["size"] |= {k: values.pop(k) for k in HASHED_IN_SIZE if k in values}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
