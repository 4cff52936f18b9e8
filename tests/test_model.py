"""The network: its size, its parts against torch's own, padding, and what each part may see."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from resfold_nb.data import load, make_batch
from resfold_nb.diffusion import get_form, linear
from resfold_nb.model import Features, NetworkSize, Predictor, ResFold, count_parameters
from resfold_nb.model.layers import AdaLN, Attention, SwiGLU, TrunkBlock, sinusoidal

SMALL = NetworkSize(width=32, trunk_layers=2, denoiser_blocks=2, heads=4)


def network(size: NetworkSize = SMALL, seed: int = 0) -> ResFold:
    torch.manual_seed(seed)
    return ResFold(size).eval()


def test_full_size_has_13_76_million_parameters() -> None:
    assert round(count_parameters(ResFold(NetworkSize.full())) / 1e6, 2) == 13.76


def test_attention_equals_torchs() -> None:
    torch.manual_seed(0)
    ours, theirs = Attention(32, 4), nn.MultiheadAttention(32, 4, batch_first=True)
    with torch.no_grad():
        projections = (ours.query, ours.key, ours.value)
        theirs.in_proj_weight.copy_(torch.cat([p.weight for p in projections]))
        theirs.in_proj_bias.copy_(torch.cat([p.bias for p in projections]))
        theirs.out_proj.load_state_dict(ours.out.state_dict())
    x, mask = torch.randn(3, 11, 32), torch.arange(11).expand(3, 11) < 8
    expected, _ = theirs(x, x, x, key_padding_mask=~mask)
    torch.testing.assert_close(ours(x, mask), expected, rtol=1e-5, atol=1e-6)


def test_trunk_block_equals_torchs_pre_norm_layer() -> None:
    torch.manual_seed(0)
    ours = TrunkBlock(32, 4)
    theirs = nn.TransformerEncoderLayer(32, 4, 128, 0.0, batch_first=True, norm_first=True)
    with torch.no_grad():
        projections = (ours.attention.query, ours.attention.key, ours.attention.value)
        theirs.self_attn.in_proj_weight.copy_(torch.cat([p.weight for p in projections]))
        theirs.self_attn.in_proj_bias.copy_(torch.cat([p.bias for p in projections]))
    pairs = ((theirs.self_attn.out_proj, ours.attention.out), (theirs.norm1, ours.attention_norm),
             (theirs.norm2, ours.feed_forward_norm), (theirs.linear1, ours.feed_forward[0]),
             (theirs.linear2, ours.feed_forward[2]))
    for their_part, our_part in pairs:
        their_part.load_state_dict(our_part.state_dict())
    x = torch.randn(2, 9, 32)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-6)


def test_adaln_without_modulation_is_layer_norm() -> None:
    norm, x = AdaLN(16), torch.randn(2, 5, 16)
    nn.init.zeros_(norm.modulation.weight)
    nn.init.zeros_(norm.modulation.bias)
    expected = nn.functional.layer_norm(x, (16,))
    torch.testing.assert_close(norm(x, torch.randn(2, 16)), expected)


def test_swiglu_follows_its_formula() -> None:
    layer, x = SwiGLU(8), torch.randn(4, 8)
    gate = layer.gate(x)
    expected = layer.out(gate * torch.sigmoid(gate) * layer.value(x))
    torch.testing.assert_close(layer(x), expected)


def test_sinusoidal_embedding_turns_shifts_into_rotations() -> None:
    """The dot product of two positions' embeddings depends on their distance alone."""
    e = sinusoidal(torch.arange(60), 64)
    products = e @ e.T
    torch.testing.assert_close(products.diagonal(7), products[0, 7].expand(53), rtol=0, atol=1e-4)
    with pytest.raises(ValueError, match="even width"):
        sinusoidal(torch.arange(3), 5)


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="width 30 cannot be split into 4"):
        Attention(30, 4)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("sees", [True, False])
def test_padding_and_batching_change_nothing(dtype: torch.dtype, tolerance: float,
                                             sees: bool) -> None:
    structures = [load(i) for i in ("1K61_C", "1R69_A", "1HZ6_A")]
    net = network(NetworkSize(32, 2, 2, 4, trunk_sees_points=sees)).to(dtype)
    batch = make_batch(structures).to(dtype=dtype)
    t = torch.tensor([1, 25, 49])
    with torch.no_grad():
        together = net(batch.x0, t, Features.of(batch))
        for order in ([0, 1, 2], [2, 0, 1]):
            shuffled = make_batch([structures[i] for i in order]).to(dtype=dtype)
            mixed = net(shuffled.x0, t[order], Features.of(shuffled))
            for place, i in enumerate(order):
                alone = make_batch(structures[i]).to(dtype=dtype)
                expected = net(alone.x0, t[i : i + 1], Features.of(alone))[0]
                for output in (mixed[place], together[i]):
                    got = output[: len(structures[i])]
                    torch.testing.assert_close(got, expected, rtol=0, atol=tolerance)


def test_several_noise_levels_of_a_protein_equal_one_at_a_time() -> None:
    for sees in (True, False):
        net = network(NetworkSize(32, 2, 2, 4, trunk_sees_points=sees))
        batch = make_batch([load("1R69_A"), load("1K61_C")])
        features, t = Features.of(batch), torch.tensor([1, 7, 25, 49])
        x = torch.randn(4, *batch.x0.shape[1:])
        together = net(x, t, features)
        for n in range(2):
            single = net(x[n::2], t[n::2], features)
            torch.testing.assert_close(together[n::2], single, rtol=0, atol=1e-5)


def test_fix_e_hides_the_points_from_the_trunk() -> None:
    batch = make_batch(load("1R69_A"))
    features = Features.of(batch)
    seeing, clean = network(), network(NetworkSize(32, 2, 2, 4, trunk_sees_points=False))
    moved = batch.x0 + 1
    assert not torch.equal(seeing.trunk(features, batch.x0), seeing.trunk(features, moved))
    assert torch.equal(clean.trunk(features, batch.x0), clean.trunk(features, moved))
    once = clean.trunk_tokens(features)
    t = torch.tensor([5])
    torch.testing.assert_close(clean(moved, t, features, once), clean(moved, t, features))
    with pytest.raises(ValueError, match="reads the noisy points"):
        seeing.trunk_tokens(features)


def test_zero_initialised_output_starts_at_zero() -> None:
    batch = make_batch(load("1R69_A"))
    net = network(NetworkSize(32, 1, 1, 4, zero_init_output=True))
    assert not net(batch.x0, torch.tensor([25]), Features.of(batch)).any()


@pytest.mark.parametrize("name", ["residual", "x0", "eps", "v", "edm"])
def test_predictor_applies_the_forms_curves(name: str) -> None:
    batch, form, schedule = make_batch(load("1R69_A")), get_form(name), linear()
    predictor, features = Predictor(network(), form, schedule), Features.of(batch)
    t = torch.tensor([0, 20, 49])
    x_t = torch.randn(3, *batch.x0.shape[1:])
    a, s = (c[t].float().view(-1, 1, 1) for c in (schedule.a, schedule.s))
    f = predictor.network(form.c_in(a, s) * x_t, t, features)
    expected = form.c_skip(a, s) * x_t + form.c_out(a, s) * f
    torch.testing.assert_close(predictor(x_t, t, features), expected)


def test_more_than_two_chains_are_refused() -> None:
    batch = make_batch(load("1R69_A"))
    three = batch.to()
    three.chain[0, 0] = 2
    with pytest.raises(ValueError, match="at most 2 chains"):
        Features.of(three)
