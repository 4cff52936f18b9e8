"""Schedules, parameterisations and samplers: the parts of a diffusion model without weights."""

from resfold_nb.diffusion.forms import FORMS, Parameterisation, edm, get_form, to_eps
from resfold_nb.diffusion.samplers import (Denoise, Samples, aligned, ddim, ddpm, ddpm_step, predict_x0,
                                           spaced_timesteps)
from resfold_nb.diffusion.schedule import Schedule, cosine, get_schedule, linear

__all__ = ["FORMS", "Denoise", "Parameterisation", "Samples", "Schedule", "aligned", "cosine", "ddim", "ddpm",
           "ddpm_step", "edm", "get_form", "get_schedule", "linear", "predict_x0", "spaced_timesteps", "to_eps"]
