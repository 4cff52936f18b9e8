"""A recipe is the whole truth about a run: with a seed and a protein it fixes every number."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from resfold_nb.diffusion import get_form, get_schedule
from resfold_nb.model import AtomSize, NetworkSize
from resfold_nb.training.curriculum import Curriculum
from resfold_nb.training.precision import PRECISIONS
from resfold_nb.training.rollout import Rollout

ADDED = ("rollout", "curriculum", "rotate", "denoiser_sees_points", "time_embedding", "atoms",
         "scale", "proteins", "precision")
"""Fields younger than the first recorded studies: they count in the hash when they are used."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run, but for the seed and the protein.

    Attributes
    ----------
    name : how figures and tables call it.
    form : row of `resfold_nb.diffusion.FORMS`.
    schedule : "linear" or "cosine"; the number of timesteps is in `size`.
    size : the network.
    steps : optimiser steps.
    noise_levels : (t, eps) pairs drawn for each protein in one step.
    learning_rate, weight_decay : of AdamW (betas 0.9, 0.999).
    decay : let the learning rate fall to zero along a half cosine.
    warmup : steps over which the learning rate rises linearly.
    clip : largest norm of the gradient, or None.
    loss_space : "x0", the squared error of x0_pred, or "F", that of the raw output.
    superposed : superpose the truth on the prediction before taking the error.
    pair_distance : weight of the squared error of all pair distances.
    first_timestep : smallest t that is drawn, 0 (as the report) or more.
    x0_clamp : clamp x0_pred to +- this value when sampling, or None.
    rollout : fix D, or None.
    curriculum : how the range of t grows, or None for the whole range from the start.
    rotate : turn each draw of a protein by a random rotation, in training and in measuring.
    scale : what coordinates are divided by: "own" (one protein by its own standard deviation,
        many by that of the training set), "training set", or a number of Å.
    proteins : of a large set, how many a step trains on; those of similar length go together.
        None for all of them in every step.
    precision : of the network's matrix products in training: "fp32", "tf32" (on a GPU alone; else
        as fp32) or "bf16". Weights, loss and optimiser are fp32 always, and so are measurements.
    """

    name: str
    form: str = "residual"
    schedule: str = "linear"
    size: NetworkSize = field(default_factory=NetworkSize)
    steps: int = 500
    noise_levels: int = 16
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    decay: bool = True
    warmup: int = 0
    clip: float | None = None
    loss_space: str = "x0"
    superposed: bool = False
    pair_distance: float = 0.0
    first_timestep: int = 0
    x0_clamp: float | None = None
    rollout: Rollout | None = None
    curriculum: Curriculum | None = None
    rotate: bool = False
    scale: float | str = "own"
    proteins: int | None = None
    precision: str = "fp32"

    def __post_init__(self) -> None:
        """Refuse recipes that cannot run; ValueError names the field, the value and the remedy."""
        self._check_values()
        self._check_pairs()

    def _check_values(self) -> None:
        get_form(self.form)
        get_schedule(self.schedule, self.size.timesteps)
        for name in ("steps", "noise_levels"):
            if getattr(self, name) < 1:
                raise ValueError(f"recipe {self.name!r}: {name} must be at least 1")
        for name, choices in (("loss_space", ("x0", "F")), ("precision", PRECISIONS)):
            if getattr(self, name) not in choices:
                raise ValueError(f"recipe {self.name!r}: {name} is {getattr(self, name)!r}; use one "
                                 f"of {', '.join(choices)}")
        if not 0 <= self.first_timestep < self.size.timesteps:
            raise ValueError(
                f"recipe {self.name!r}: first_timestep {self.first_timestep} lies outside "
                f"0 ... {self.size.timesteps - 1}"
            )
        if self.proteins is not None and self.proteins < 1:
            raise ValueError(f"recipe {self.name!r}: proteins is {self.proteins}; give None for "
                             "all of them, or at least 1")
        if isinstance(self.scale, str) and self.scale not in ("own", "training set"):
            raise ValueError(f"recipe {self.name!r}: scale is {self.scale!r}; use 'own', "
                             "'training set' or a number of Å")

    def _check_pairs(self) -> None:
        if self.loss_space == "F" and (self.superposed or self.pair_distance):
            raise ValueError(f"recipe {self.name!r}: superposition and pair distances need x0")
        if self.rollout is not None and self.rollout.calls > self.size.timesteps - 1:
            raise ValueError(
                f"recipe {self.name!r}: a rollout of {self.rollout.calls} calls does not fit "
                f"T = {self.size.timesteps}; at most {self.size.timesteps - 1}"
            )
        if self.loss_space == "F" and self.form == "scaled_no_skip" and self.first_timestep < 1:
            raise ValueError(
                f"recipe {self.name!r}: F has no target at t = 0 in this form; "
                "set first_timestep=1"
            )

    def but(self, **changes: Any) -> Recipe:
        """The same recipe with some fields changed; fields of `size` are taken too."""
        size_fields = {f.name for f in dataclasses.fields(NetworkSize)}
        part = {k: changes.pop(k) for k in list(changes) if k in size_fields}
        size = dataclasses.replace(changes.pop("size", self.size), **part)
        return dataclasses.replace(self, size=size, **changes)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """The recipe that `as_dict` wrote."""
        size = _nested(values["size"], atoms=AtomSize)
        rest = _nested(values, rollout=Rollout, curriculum=Curriculum)
        return cls(**{**rest, "size": NetworkSize(**size)})

    @property
    def hash(self) -> str:
        """Twelve hex digits that name the recipe's results; the display name does not count.

        Nor does a field of `ADDED` that has its default, so that results recorded before the
        field existed keep their names.
        """
        values = _used(self) | {"size": _used(self.size)}
        values.pop("name")
        text = json.dumps(values, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def network_calls(self) -> int:
        """Evaluations of the network in the whole run for each protein of a step, forwards alone."""
        if self.rollout is None:
            return self.steps * self.noise_levels
        share, calls = self.rollout.share, self.rollout.mean_calls
        return round(self.steps * self.noise_levels * (1 - share + share * calls))


def _nested(values: dict[str, Any], **kinds: type) -> dict[str, Any]:
    """The values with the parts that are dataclasses made from their dicts."""
    made = {name: kind(**values[name]) for name, kind in kinds.items() if values.get(name)}
    return {**values, **made}


def _used(part: Any) -> dict[str, Any]:
    """A dataclass as plain values, without young fields that have their default."""
    values = dataclasses.asdict(part)
    defaults = {f.name: f.default for f in dataclasses.fields(part)}
    return {k: v for k, v in values.items() if k not in ADDED or v != defaults[k]}
