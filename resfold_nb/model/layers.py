"""The parts that trunk and denoiser are built from."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017, arXiv 1706.03762)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} cannot be split into {heads} equal heads")
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Tokens (B, L, width) -> (B, L, width); mask (B, L), True where a token is real."""
        q, k, v = (self.split(proj(tokens)) for proj in (self.query, self.key, self.value))
        seen = None if mask is None else mask[:, None, None, :]
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)      # (B, heads, L, width / heads)
        return self.out(mixed.transpose(1, 2).flatten(-2))

    def weights(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Who listens to whom, (B, heads, L, L): rows sum to 1. `forward` mixes with these, fused, and holds none."""
        q, k = (self.split(proj(tokens)) for proj in (self.query, self.key))
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None, :], -math.inf)
        return scores.softmax(dim=-1)

    def split(self, tokens: Tensor) -> Tensor:
        """(B, L, width) -> (B, heads, L, width / heads)."""
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class SwiGLU(nn.Module):
    """Gated feed-forward layer, out(silu(gate(x)) * value(x)) (Shazeer 2020, arXiv 2002.05202)."""

    def __init__(self, width: int, expansion: int = 2) -> None:
        super().__init__()
        self.gate = nn.Linear(width, width * expansion)
        self.value = nn.Linear(width, width * expansion)
        self.out = nn.Linear(width * expansion, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (..., width) -> (..., width)."""
        return self.out(F.silu(self.gate(tokens)) * self.value(tokens))


class AdaLN(nn.Module):
    """Layer norm whose scale and shift come from the timestep (Peebles & Xie 2022, 2212.09748).

    norm(x) (1 + scale) + shift, with (scale, shift) a linear map of the condition.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 2 * width)

    def forward(self, tokens: Tensor, condition: Tensor) -> Tensor:
        """Tokens (B, L, width), condition (B, width) -> (B, L, width)."""
        scale, shift = self.modulation(condition).unsqueeze(1).chunk(2, dim=-1)
        return self.norm(tokens) * (1 + scale) + shift


class TrunkBlock(nn.Module):
    """Pre-norm transformer block: attention, then a two-layer network, each added to its input."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Tokens (B, L, width) -> (B, L, width)."""
        tokens = tokens + self.attention(self.attention_norm(tokens), mask)
        return tokens + self.feed_forward(self.feed_forward_norm(tokens))


class DenoiserBlock(nn.Module):
    """Transformer block with AdaLN in both places and SwiGLU."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention_norm = AdaLN(width)
        self.attention = Attention(width, heads)
        self.feed_forward_norm = AdaLN(width)
        self.feed_forward = SwiGLU(width)

    def forward(self, tokens: Tensor, condition: Tensor, mask: Tensor | None = None) -> Tensor:
        """Tokens (B, L, width), condition (B, width) -> (B, L, width)."""
        tokens = tokens + self.attention(self.attention_norm(tokens, condition), mask)
        return tokens + self.feed_forward(self.feed_forward_norm(tokens, condition))


def sinusoidal(position: Tensor, width: int) -> Tensor:
    """Sines and cosines of the position at geometrically spaced wavelengths, 2 pi ... 20000 pi.

    Vaswani et al. 2017, section 3.5. Position (...) -> (..., width); width must be even.
    """
    if width % 2:
        raise ValueError(f"a sinusoidal embedding needs an even width, got {width}")
    steps = torch.arange(0, width, 2, device=position.device, dtype=torch.float32)
    angles = position.unsqueeze(-1) * torch.exp(-math.log(10_000.0) / width * steps)
    return torch.cat((angles.sin(), angles.cos()), dim=-1)
