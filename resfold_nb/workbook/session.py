"""The first cell of each notebook: profile, seed and device, said in one line."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from resfold_nb import PROFILES
from resfold_nb.engine import best_device

T = TypeVar("T")

DEVICE_VARIABLE = "RESFOLD_DEVICE"


@dataclass(frozen=True)
class Session:
    """What a notebook runs under: the profile's sizes, the seed and the device."""

    profile: str
    seed: int
    device: torch.device

    def pick(self, *, ci: T, laptop: T, gpu: T) -> T:
        """The value for this profile."""
        return {"ci": ci, "laptop": laptop, "gpu": gpu}[self.profile]


def start(profile: str = "laptop", seed: int = 0, notebook: str | None = None) -> Session:
    """Seed Python's, numpy's and torch's generators, choose the device, set up the figures and say so in one line.

    `profile` is "ci", "laptop" or "gpu"; `notebook` stands at the head of the line. The device is CUDA if there is
    one, else MPS, else the CPU; the environment variable RESFOLD_DEVICE ("cpu", "cuda", "cuda:1", "mps") overrides it.

    Raises ValueError: an unknown profile, a seed that is no whole number >= 0, a device that this machine lacks.
    """
    from resfold_nb.show import setup

    if profile not in PROFILES:
        raise ValueError(f"unknown profile {profile!r}: choose from {', '.join(PROFILES)}")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ValueError(f"seed must be a whole number from 0 to 2^32 - 1, not {seed!r}")
    device = choose_device(os.environ.get(DEVICE_VARIABLE))
    for generator in (random.seed, np.random.seed, torch.manual_seed):
        generator(seed)
    setup()
    head = "" if notebook is None else f"{notebook} · "
    named = f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device
    print(f"{head}profile {profile} · device {named} · seed {seed} · "
          f"torch {torch.__version__} · {torch.get_num_threads()} CPU thread(s)")
    if profile == "gpu" and device.type == "cpu":
        print("Profile gpu without a GPU: this runs on the CPU and may take hours. "
              "Choose profile \"laptop\" for a run of about a minute.")
    return Session(profile, seed, device)


def choose_device(wanted: str | None = None) -> torch.device:
    """The wanted device, or the best of CUDA, MPS and CPU.

    Raises ValueError: the wanted device is unknown or not on this machine.
    """
    if not wanted:
        return best_device()
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{DEVICE_VARIABLE}={wanted}: this machine has no such device ({reason}); unset it, or "
                         "choose cpu") from None
    return device
