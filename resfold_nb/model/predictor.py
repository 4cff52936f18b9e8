"""A network, a form and a schedule together: the thing that predicts x0."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from resfold_nb.diffusion import Denoise, Parameterisation, Schedule
from resfold_nb.model.network import Features, ResFold
from resfold_nb.model.replay import Replay


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

    def amplitudes(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """a and s at timesteps (B,), shaped (B, 1, 1)."""
        return self.a[t].view(-1, 1, 1), self.s[t].view(-1, 1, 1)

    def raw(self, x_t: Tensor, t: Tensor, features: Features,
            trunk_tokens: Tensor | None = None, told: Tensor | None = None) -> Tensor:
        """The network's output F (B n, N, 3); arguments as in `ResFold.forward`.

        `told` is the timestep (B n,) that the network is given in place of t, which the
        coefficients keep.
        """
        a, s = self.amplitudes(t)
        given = t if told is None else told
        return self.network(self.form.c_in(a, s) * x_t, given, features, trunk_tokens)

    def forward(self, x_t: Tensor, t: Tensor, features: Features,
                trunk_tokens: Tensor | None = None, told: Tensor | None = None) -> Tensor:
        """The predicted clean points (B n, N, 3); arguments as in `raw`."""
        f = self.raw(x_t, t, features, trunk_tokens, told)
        return self.form.x0(x_t, f, *self.amplitudes(t))

    def denoiser_for(self, features: Features, told: Callable[[Tensor], Tensor] | None = None
                     ) -> Denoise:
        """A function (x_t, t) -> x0_pred for the samplers; runs a sequence-only trunk once.

        `told` says what the network is told of t, (B,) -> (B,); the truth by default.
        """
        reusable = not self.network.size.trunk_sees_points
        with torch.no_grad():
            tokens = self.network.trunk_tokens(features) if reusable else None

        def call(x_t: Tensor, t: Tensor, given: Tensor) -> Tensor:
            return self(x_t, t, features, tokens, given)

        replay = Replay(call, self.a.device)

        def denoise(x_t: Tensor, t: Tensor) -> Tensor:
            given = t if told is None else told(t)
            return (call if torch.is_grad_enabled() else replay)(x_t, t, given)

        return denoise
