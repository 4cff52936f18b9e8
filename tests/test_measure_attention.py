"""Attention weights: they are what the fused path mixes with, and looking changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from resfold_nb.data import load, make_batch
from resfold_nb.diffusion import get_form, linear
from resfold_nb.measure.attention import attention_maps
from resfold_nb.model import AtomSize, Features, NetworkSize, Predictor, ResFold
from resfold_nb.model.layers import Attention

OPTIONS: dict[str, dict[str, Any]] = {
    "noisy trunk": {},
    "clean trunk": {"trunk_sees_points": False},
    "atoms": {"atoms": AtomSize(2, 16, 2)},
}


def predictor_of(dtype: torch.dtype = torch.float32, **options: Any) -> Predictor:
    torch.manual_seed(0)
    return Predictor(ResFold(NetworkSize(), **options).to(dtype), get_form("residual"), linear(50))


def inputs_of(dtype: torch.dtype = torch.float32, atoms: AtomSize | None = None, **options: Any
              ) -> tuple[torch.Tensor, torch.Tensor, Features]:
    batch = make_batch(load("1WY3_A"), points="backbone" if atoms else "centroid").to("cpu", dtype)
    noise = torch.randn(batch.x0.shape, generator=torch.Generator().manual_seed(0), dtype=dtype)
    return batch.x0 + noise, torch.tensor([25]), Features.of(batch)


def mixed_by_hand(layer: Attention, tokens: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    heard = layer.weights(tokens, mask) @ layer.split(layer.value(tokens))
    return layer.out(heard.transpose(1, 2).flatten(-2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
def test_weights_are_those_of_the_fused_path(dtype: torch.dtype, masked: bool) -> None:
    torch.manual_seed(0)
    layer, tokens = Attention(32, 4).to(dtype), torch.randn(3, 11, 32, dtype=dtype)
    mask = torch.arange(11).expand(3, 11) < torch.tensor([[8], [11], [3]]) if masked else None
    limit = 1e-6 if dtype == torch.float32 else 1e-14
    torch.testing.assert_close(mixed_by_hand(layer, tokens, mask), layer(tokens, mask), rtol=0, atol=limit)
    weights = layer.weights(tokens, mask)
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    if mask is not None:
        assert not weights.masked_select(~mask[:, None, None, :]).any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_every_block_of_the_real_network_is_explained(options: dict[str, Any], dtype: torch.dtype) -> None:
    predictor, (x_t, t, features) = predictor_of(dtype, **options), inputs_of(dtype, **options)
    seen = []
    parts = predictor.network.trunk, predictor.network.denoiser
    layers = [block.attention for part in parts for block in part.blocks]
    hooks = [layer.register_forward_hook(lambda *call: seen.append(call)) for layer in layers]
    with torch.no_grad():
        maps = attention_maps(predictor, x_t, t, features)
        assert len(seen) == len(layers) == len(maps.names)
        for (layer, given, out), weights in zip(seen, maps.weights, strict=True):
            limit = 2e-6 if dtype == torch.float32 else 1e-13
            torch.testing.assert_close(mixed_by_hand(layer, *given), out, rtol=0, atol=limit)
            torch.testing.assert_close(weights, layer.weights(*given)[0].float(), rtol=0, atol=0)
    for hook in hooks:
        hook.remove()


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_looking_changes_nothing(options: dict[str, Any]) -> None:
    predictor, (x_t, t, features) = predictor_of(**options).train(), inputs_of(**options)
    state, random = predictor.training, torch.get_rng_state()
    before = predictor(x_t, t, features)
    maps = attention_maps(predictor, x_t, t, features)
    assert torch.equal(predictor(x_t, t, features), before)
    assert predictor.training == state and torch.equal(torch.get_rng_state(), random)
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in predictor.modules())
    assert all(p.grad is None for p in predictor.parameters())
    L = features.residue.shape[1]
    assert maps.names == ["trunk 1", "trunk 2", "denoiser 1", "denoiser 2"]
    assert maps.weights.shape == (4, 4, L, L) and maps.weights.dtype == torch.float32


def test_nobody_listens_to_padding() -> None:
    batch, (x_t, t, _) = make_batch([load("1WY3_A"), load("1HZ6_A")]), inputs_of()
    padded = Features(*(None if part is None else part[:1] for part in Features.of(batch)))
    real = int(padded.mask.sum())
    x_t = torch.cat((x_t, torch.zeros(1, padded.mask.shape[1] - real, 3)), dim=1)
    weights = attention_maps(predictor_of(), x_t, t, padded).weights
    assert real < weights.shape[-1] and not weights[..., real:].any()
    assert torch.allclose(weights.sum(-1), torch.ones(()))


def test_hooks_go_when_the_run_fails() -> None:
    predictor, (x_t, _, features) = predictor_of(), inputs_of()
    with pytest.raises(IndexError):
        attention_maps(predictor, x_t, torch.tensor([999]), features)
    assert not any(m._forward_pre_hooks for m in predictor.modules())


def test_one_protein_at_one_noise_level() -> None:
    x_t, t, features = inputs_of()
    with pytest.raises(ValueError, match="one protein at one noise level; got 2 sets"):
        attention_maps(predictor_of(), x_t.repeat(2, 1, 1), t.repeat(2), features)
