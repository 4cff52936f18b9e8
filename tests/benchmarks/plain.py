"""The report's model as one would write it first, to hold ours against: same weights, same numbers.

`nn.TransformerEncoder` for the trunk, run again on every noisy copy; `nn.MultiheadAttention` in the
denoiser's blocks; AdamW with its defaults; the loss read at every step.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resfold_nb.data import Batch
from resfold_nb.diffusion import Parameterisation, Schedule
from resfold_nb.model import Features, NetworkSize, Predictor
from resfold_nb.model.layers import Attention, sinusoidal
from resfold_nb.model.network import MAX_CHAINS, RESIDUE_TYPES
from resfold_nb.training import Recipe


class PlainTrunk(nn.Module):
    """Embeddings, a projection and torch's own encoder."""

    def __init__(self, size: NetworkSize, sees_points: bool) -> None:
        super().__init__()
        width, points = size.width, size.width // 2 if sees_points else 0
        self.width = width
        self.residue = nn.Embedding(RESIDUE_TYPES, width)
        self.chain = nn.Embedding(MAX_CHAINS, width // 4)
        self.points = nn.Linear(3, points) if points else None
        self.project = nn.Linear(width + width // 4 + width + points, width)
        layer = nn.TransformerEncoderLayer(width, size.heads, 4 * width, dropout=0.0,
                                           batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, size.trunk_layers, nn.LayerNorm(width),
                                             enable_nested_tensor=False)

    def forward(self, features: Features, x: Tensor) -> Tensor:
        parts = [self.residue(features.residue), self.chain(features.chain),
                 sinusoidal(features.position, self.width).to(x.dtype)]
        if self.points is not None:
            parts.append(self.points(x))
        return self.encoder(self.project(torch.cat(parts, dim=-1)))


class PlainBlock(nn.Module):
    """A transformer block with AdaLN and SwiGLU."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.modulation1, self.modulation2 = (nn.Linear(width, 2 * width) for _ in range(2))
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.gate, self.value = nn.Linear(width, 2 * width), nn.Linear(width, 2 * width)
        self.out = nn.Linear(2 * width, width)

    def forward(self, h: Tensor, c: Tensor) -> Tensor:
        scale, shift = self.modulation1(c)[:, None].chunk(2, -1)
        x = F.layer_norm(h, h.shape[-1:]) * (1 + scale) + shift
        h = h + self.attention(x, x, x)[0]
        scale, shift = self.modulation2(c)[:, None].chunk(2, -1)
        x = F.layer_norm(h, h.shape[-1:]) * (1 + scale) + shift
        return h + self.out(F.silu(self.gate(x)) * self.value(x))


class PlainModel(nn.Module):
    """x0_pred from noisy points; the trunk runs on every copy."""

    def __init__(self, size: NetworkSize, sees_points: bool, form: Parameterisation, schedule: Schedule) -> None:
        super().__init__()
        self.form, self.schedule = form, schedule
        for name in ("a", "s"):
            self.register_buffer(name, getattr(schedule, name).float(), persistent=False)
        self.trunk = PlainTrunk(size, sees_points)
        self.time = nn.Embedding(schedule.timesteps, size.width)
        self.points = nn.Linear(3, size.width)
        self.blocks = nn.ModuleList(
            PlainBlock(size.width, size.heads) for _ in range(size.denoiser_blocks))
        self.norm = nn.LayerNorm(size.width)
        self.head = nn.Linear(size.width, 3)

    def forward(self, x_t: Tensor, t: Tensor, features: Features) -> Tensor:
        """(n, L, 3), (n,) and features of n copies -> x0_pred (n, L, 3)."""
        tokens, c = self.points(x_t) + self.trunk(features, x_t), self.time(t)
        for block in self.blocks:
            tokens = block(tokens, c)
        f = self.head(self.norm(tokens))
        a, s = (v[t].view(-1, 1, 1) for v in (self.a, self.s))
        return self.form.x0(x_t, f, a, s)


def plain_like(ours: Predictor) -> PlainModel:
    """The plain model with our weights, in our precision."""
    plain = PlainModel(ours.network.size, ours.network.trunk_sees_points, ours.form, ours.schedule).to(ours.a)
    trunk, denoiser = ours.network.trunk, ours.network.denoiser
    for name in ("residue", "chain", "project", "points"):
        if getattr(trunk, name) is not None:
            getattr(plain.trunk, name).load_state_dict(getattr(trunk, name).state_dict())
    plain.trunk.encoder.norm.load_state_dict(trunk.norm.state_dict())
    for mine, its in zip(trunk.blocks, plain.trunk.encoder.layers, strict=True):
        _copy_attention(mine.attention, its.self_attn)
        for a, b in ((mine.attention_norm, its.norm1), (mine.feed_forward_norm, its.norm2),
                     (mine.feed_forward[0], its.linear1), (mine.feed_forward[2], its.linear2)):
            b.load_state_dict(a.state_dict())
    for name in ("time", "points", "norm", "head"):
        getattr(plain, name).load_state_dict(getattr(denoiser, name).state_dict())
    for mine, its in zip(denoiser.blocks, plain.blocks, strict=True):
        _copy_attention(mine.attention, its.attention)
        feed = mine.feed_forward
        for a, b in ((mine.attention_norm.modulation, its.modulation1),
                     (mine.feed_forward_norm.modulation, its.modulation2),
                     (feed.gate, its.gate), (feed.value, its.value), (feed.out, its.out)):
            b.load_state_dict(a.state_dict())
    return plain


def _copy_attention(mine: Attention, its: nn.MultiheadAttention) -> None:
    parts = (mine.query, mine.key, mine.value)
    its.in_proj_weight.data.copy_(torch.cat([p.weight.data for p in parts]))
    its.in_proj_bias.data.copy_(torch.cat([p.bias.data for p in parts]))
    its.out_proj.load_state_dict(mine.out.state_dict())


def plain_training(model: PlainModel, recipe: Recipe, batch: Batch, seed: int = 0
                   ) -> Iterator[float]:
    """The loop that goes with it: the loss of each step, read as a number."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate)
    features = Features.of(batch).repeat(recipe.noise_levels)
    x0 = batch.x0.repeat_interleave(recipe.noise_levels, 0)
    torch.manual_seed(seed)
    while True:
        t = torch.randint(0, recipe.timesteps, (len(x0),), device=x0.device)
        eps = torch.randn_like(x0)
        a, s = (v[t].view(-1, 1, 1) for v in (model.a, model.s))
        loss = F.mse_loss(model(a * x0 + s * eps, t, features), x0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        yield loss.item()


@torch.no_grad()
def plain_sampling(model: PlainModel, batch: Batch, start: Tensor, noise: Tensor) -> Tensor:
    """DDPM from `start` (n, L, 3) with the z of each step (S, n, L, 3), the trunk in every call."""
    features, x = Features.of(batch).repeat(len(start)), start
    ab, last = model.schedule.alpha_bar.to(start), model.schedule.timesteps - 1
    for t in range(last, 0, -1):
        x0_pred = model(x, torch.full((len(x),), t, device=x.device), features)
        alpha = ab[t] / ab[t - 1]
        mean = ab[t - 1].sqrt() * (1 - alpha) * x0_pred + alpha.sqrt() * (1 - ab[t - 1]) * x
        variance = (1 - ab[t - 1]) / (1 - ab[t]) * (1 - alpha)
        x = mean / (1 - ab[t]) + variance.sqrt() * noise[last - t]
    return x
