"""A network, a form and a schedule together: the thing that predicts x0."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from resfold_nb.diffusion import Denoise, Parameterisation, Schedule
from resfold_nb.model.network import Features, ResFold


class Predictor(nn.Module):
    """x0_pred = c_skip x_t + c_out F(c_in x_t, t), with F a `ResFold`.

    Nothing here, nor in loss, sampler or figures, asks which form it is: they read its curves.
    """

    a: Tensor
    s: Tensor

    def __init__(self, network: ResFold, form: Parameterisation, schedule: Schedule) -> None:
        super().__init__()
        self.network, self.form, self.schedule = network, form, schedule
        dtype = next(network.parameters()).dtype
        self.register_buffer("a", schedule.a.to(dtype), persistent=False)
        self.register_buffer("s", schedule.s.to(dtype), persistent=False)

    def add_noise(self, x0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """x_t (B, N, 3) by the schedule, as precise as the network and on its device."""
        return replace(self.schedule, a=self.a, s=self.s).add_noise(x0, eps, t)

    def amplitudes(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """a and s at timesteps (B,), shaped (B, 1, 1)."""
        return replace(self.schedule, a=self.a, s=self.s).at(t)

    def raw(self, x_t: Tensor, t: Tensor, features: Features,
            trunk_tokens: Tensor | None = None, told: Tensor | None = None) -> Tensor:
        """The network's output F (B n, N, 3); arguments as in `ResFold.forward`.

        `told` is the timestep (B n,) that the network is given in place of t, which the coefficients keep.
        """
        a, s = self.amplitudes(t)
        return self.network(self.form.c_in(a, s) * x_t, t if told is None else told, features, trunk_tokens)

    def forward(self, x_t: Tensor, t: Tensor, features: Features,
                trunk_tokens: Tensor | None = None, told: Tensor | None = None) -> Tensor:
        """The predicted clean points (B n, N, 3); arguments as in `raw`."""
        f = self.raw(x_t, t, features, trunk_tokens, told)
        return self.form.x0(x_t, f, *self.amplitudes(t))

    def trunk_tokens(self, features: Features) -> Tensor | None:
        """(B, L, width) of a trunk that reads the sequence alone; None where they differ at each noise level."""
        return None if self.network.trunk_sees_points else self.network.trunk_tokens(features)

    def denoiser_for(self, features: Features) -> Denoise:
        """A function (x_t, t[, told]) -> x0_pred for the samplers; runs a sequence-only trunk once."""
        with torch.no_grad():
            tokens = self.trunk_tokens(features)

        def denoise(x_t: Tensor, t: Tensor, told: Tensor | None = None) -> Tensor:
            return self(x_t, t, features, tokens, told)

        return denoise
