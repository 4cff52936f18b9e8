"""A recipe is the whole truth about a run: with a seed and a protein it fixes every number."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from resfold_nb.diffusion import get_form, get_schedule
from resfold_nb.model import NetworkSize


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

    def __post_init__(self) -> None:
        """Refuse recipes that cannot run; ValueError names the field, the value and the remedy."""
        get_form(self.form)
        get_schedule(self.schedule, self.size.timesteps)
        for name in ("steps", "noise_levels"):
            if getattr(self, name) < 1:
                raise ValueError(f"recipe {self.name!r}: {name} must be at least 1")
        if not 0 <= self.first_timestep < self.size.timesteps:
            raise ValueError(
                f"recipe {self.name!r}: first_timestep {self.first_timestep} lies outside "
                f"0 ... {self.size.timesteps - 1}"
            )
        if self.loss_space not in ("x0", "F"):
            raise ValueError(f"recipe {self.name!r}: loss_space is 'x0' or 'F'")
        if self.loss_space == "F" and (self.superposed or self.pair_distance):
            raise ValueError(f"recipe {self.name!r}: superposition and pair distances need x0")
        if self.loss_space == "F" and self.form == "scaled_no_skip" and self.first_timestep < 1:
            raise ValueError(
                f"recipe {self.name!r}: F has no target at t = 0 in this form; "
                "set first_timestep=1"
            )

    def but(self, **changes: Any) -> Recipe:
        """The same recipe with some fields changed; fields of `size` are taken too."""
        size_fields = {f.name for f in dataclasses.fields(NetworkSize)}
        size = {k: changes.pop(k) for k in list(changes) if k in size_fields}
        return dataclasses.replace(
            self, size=dataclasses.replace(self.size, **size), **changes
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """The recipe that `as_dict` wrote."""
        return cls(**{**values, "size": NetworkSize(**values["size"])})

    @property
    def hash(self) -> str:
        """Twelve hex digits that name the recipe's results; the display name does not count."""
        values = {k: v for k, v in self.as_dict().items() if k != "name"}
        text = json.dumps(values, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
