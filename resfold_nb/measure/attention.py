"""Which residue's token listens to which, in every block of trunk and denoiser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from resfold_nb.model import Features, Predictor, ResFold
from resfold_nb.model.layers import Attention


class AttentionMaps(NamedTuple):
    """Attention weights of one protein at one noise level."""

    names: list[str]  # of the blocks in the order in which they run, "trunk 1", ..., "denoiser 1", 
    weights: Tensor  # (blocks, heads, L, L) float32 on the CPU; rows sum to 1


@torch.no_grad()
def attention_maps(predictor: Predictor, x_t: Tensor, t: Tensor, features: Features) -> AttentionMaps:
    """Run the predictor once and collect the attention weights of all its blocks; it is left as it was.

    `x_t` (1, N, 3) are noisy points of one protein, N as in `ResFold.forward`, `t` (1,) int64 is their timestep. A
    padded residue is listened to with weight 0.

    Raises ValueError for more than one set of points or more than one protein.
    """
    if len(x_t) != 1 or len(features.residue) != 1:
        raise ValueError(f"attention is shown for one protein at one noise level; got {len(x_t)} "
                         f"sets of points of {len(features.residue)} proteins: pass x_t[:1]")
    layers = _layers(predictor.network)
    with _listening(layers) as heard:
        predictor(x_t, t, features)
    return AttentionMaps(list(layers), torch.stack([heard[name] for name in layers]))


def _layers(network: ResFold) -> dict[str, Attention]:
    """The attention layer of each block, by name."""
    parts = {"trunk": network.trunk.blocks, "denoiser": network.denoiser.blocks}
    return {f"{part} {i}": block.attention
            for part, blocks in parts.items() for i, block in enumerate(blocks, start=1)}


@contextmanager
def _listening(layers: dict[str, Attention]) -> Iterator[dict[str, Tensor]]:
    """Collects, by name, the weights (heads, L, L) of each layer that runs inside."""
    heard: dict[str, Tensor] = {}

    def listen(name: str, layer: nn.Module, inputs: tuple[Tensor, Tensor | None]) -> None:
        heard[name] = layer.weights(*inputs)[0].float().cpu()

    hooks = [layer.register_forward_pre_hook(lambda one, inputs, name=name: listen(name, one, inputs))
             for name, layer in layers.items()]
    try:
        yield heard
    finally:
        for hook in hooks:
            hook.remove()
