"""The network: its size, its parts against torch's own, padding, and what each part may see."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from resfold_nb.data import load, make_batch
from resfold_nb.diffusion import get_form, linear
from resfold_nb.engine.precision import matrix_products
from resfold_nb.model import (
    AtomSize,
    Features,
    NetworkSize,
    Predictor,
    ResFold,
    count_parameters,
)
from resfold_nb.model.atoms import KEYS, QUERIES, AtomBlock, WindowAttention
from resfold_nb.model.layers import AdaLN, Attention, SwiGLU, TrunkBlock, sinusoidal
from resfold_nb.training import Recipe

SMALL = NetworkSize(width=32, trunk_layers=2, denoiser_blocks=2, heads=4)
ATOM_SIZES = {reach: AtomSize(2, 16, 2, reach) for reach in ("none", "residue", "window")}
OPTIONS: dict[str, dict[str, Any]] = {
    "noisy trunk": {},
    "clean trunk": {"trunk_sees_points": False},
    "twelve numbers": {"atoms": AtomSize(blocks=0)},
    **{f"atoms, {reach}": {"atoms": size} for reach, size in ATOM_SIZES.items()},
    "atoms, no skips": {"atoms": AtomSize(2, 16, 2, skips=False)},
    **{f"time: {kind}": {"time_embedding": kind} for kind in ("sinusoidal", "log_snr", "none")},
}


def network(size: NetworkSize = SMALL, seed: int = 0, **options: Any) -> ResFold:
    torch.manual_seed(seed)
    return ResFold(size, **options).eval()


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


def test_bf16_attention_rounds_its_inputs_and_nothing_else() -> None:
    """On a CPU; outputs and gradients are those of fp32 attention on the rounded inputs."""
    inputs = [torch.randn(2, 4, 11, 8).bfloat16().requires_grad_() for _ in range(3)]
    exact = [x.detach().float().requires_grad_() for x in inputs]
    with matrix_products("bf16", "cpu"):
        out = F.scaled_dot_product_attention(*inputs)
    expected = F.scaled_dot_product_attention(*exact)
    torch.testing.assert_close(out, expected)
    weights = torch.randn_like(expected)
    (out * weights).sum().backward()
    (expected * weights).sum().backward()
    for x, y in zip(inputs, exact, strict=True):
        torch.testing.assert_close(x.grad.float(), y.grad, rtol=1e-2, atol=1e-2)


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
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_padding_and_batching_change_nothing(dtype: torch.dtype, tolerance: float,
                                             options: dict[str, Any]) -> None:
    structures = [load(i) for i in ("1K61_C", "1R69_A", "1HZ6_A")]
    net, points = network(**options).to(dtype), "backbone" if "atoms" in options else "centroid"
    batch = make_batch(structures, points=points).to(dtype=dtype)
    t = torch.tensor([1, 25, 49])
    with torch.no_grad():
        together = net(batch.x0, t, Features.of(batch))
        for order in ([0, 1, 2], [2, 0, 1]):
            shuffled = make_batch([structures[i] for i in order], points=points).to(dtype=dtype)
            mixed = net(shuffled.x0, t[order], Features.of(shuffled))
            for place, i in enumerate(order):
                alone = make_batch(structures[i], points=points).to(dtype=dtype)
                expected = net(alone.x0, t[i : i + 1], Features.of(alone))[0]
                for output in (mixed[place], together[i]):
                    got = output[: len(expected)]
                    torch.testing.assert_close(got, expected, rtol=0, atol=tolerance)


def test_several_noise_levels_of_a_protein_equal_one_at_a_time() -> None:
    for sees in (True, False):
        net = network(trunk_sees_points=sees)
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
    seeing, clean = network(), network(trunk_sees_points=False)
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
    net = network(NetworkSize(32, 1, 1, 4), zero_init_output=True)
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


def test_windows_equal_dense_attention_with_their_mask() -> None:
    """32 queries see the 128 atoms around them; 150 atoms make windows that overhang both ends."""
    torch.manual_seed(0)
    layer, x = WindowAttention(16, 2), torch.randn(2, 150, 16)
    mask = torch.arange(150).expand(2, 150) < torch.tensor([[150], [90]])
    window, key = torch.arange(150).unsqueeze(1) // QUERIES, torch.arange(150)
    start = window * QUERIES - (KEYS - QUERIES) // 2
    near = (key >= start) & (key < start + KEYS)
    q, k, v = (layer.split(p(x)) for p in (layer.query, layer.key, layer.value))
    seen = near & mask[:, None, None, :]
    dense = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
    expected = layer.out(dense.transpose(1, 2).flatten(-2))
    torch.testing.assert_close(layer(x, mask)[mask], expected[mask], rtol=1e-5, atol=1e-6)
    assert torch.isfinite(layer(x, mask)).all()


@pytest.mark.parametrize(("reach", "farthest"), [("none", 0), ("residue", 0), ("window", 20)])
def test_how_far_an_atom_sees(reach: str, farthest: int) -> None:
    """Moving one residue's atom changes what is within reach and nothing else."""
    torch.manual_seed(0)
    block, x = AtomBlock(AtomSize(1, 16, 2, reach)).eval(), torch.randn(1, 60, 4, 16)
    moved = x.clone()
    moved[0, 30, 2] += torch.randn(16)  # a shift of all channels alike would be normed away
    changed = (block(moved, None) - block(x, None)).abs().amax((0, 3)) > 1e-7
    residues = changed.any(1).nonzero().squeeze(1)
    assert int((residues - 30).abs().max()) <= farthest
    assert changed[30].sum() == (1 if reach == "none" else 4)
    assert reach != "window" or len(residues) > 8


def test_skips_carry_what_a_token_forgets() -> None:
    """Without skips and without names, the atoms of a residue come out at one place."""
    for skips in (True, False):
        net = network(atoms=AtomSize(2, 16, 2, skips=skips))
        with torch.no_grad():
            net.denoiser.decoder.name.zero_()
        batch = make_batch(load("1K61_C"), points="backbone")
        atoms = net(batch.x0, torch.tensor([5]), Features.of(batch)).unflatten(1, (-1, 4))
        spread = float((atoms - atoms.mean(2, keepdim=True)).detach().abs().max())
        assert (spread > 1e-2) == skips


def test_the_decoder_takes_skips_last_block_first() -> None:
    net = network(atoms=AtomSize(2, 16, 2))
    decoder, tokens = net.denoiser.decoder, torch.randn(1, 9, 32)
    skips = [torch.randn(1, 9, 4, 16) for _ in range(2)]
    atoms = decoder.from_token(tokens).unsqueeze(2) + decoder.name
    for block, skip in ((decoder.blocks[0], skips[1]), (decoder.blocks[1], skips[0])):
        atoms = block(atoms + skip, None)
    expected = decoder.head(decoder.norm(atoms)).flatten(1, 2)
    torch.testing.assert_close(decoder(tokens, skips, None), expected)


def test_a_blind_network_gives_one_answer() -> None:
    net = network(**dict(trunk_sees_points=False, denoiser_sees_points=False,
                          time_embedding="none"))
    batch = make_batch(load("1K61_C"))
    t = torch.tensor([1, 25, 49])
    output = net(torch.randn(3, *batch.x0.shape[1:]), t, Features.of(batch))
    assert torch.equal(output[0], output[1]) and torch.equal(output[0], output[2])
    assert not torch.equal(network()(batch.x0, t[:1], Features.of(batch)),
                           network()(batch.x0, t[1:2], Features.of(batch)))


def test_a_log_snr_embedding_sees_the_schedule_and_not_the_number_of_the_timestep() -> None:
    """Two schedules that agree in log-SNR at t = 3 and 7 get one vector there."""
    level = torch.linspace(5, -5, 50, dtype=torch.float64)
    other = level.clone()
    other[7], other[3] = level[3], level[7]
    times = []
    for table in (level, other):
        torch.manual_seed(0)
        times.append(ResFold(SMALL, table, time_embedding="log_snr").denoiser.time)
    torch.testing.assert_close(times[0](torch.tensor([3, 7])), times[1](torch.tensor([7, 3])))


@pytest.mark.parametrize(("changes", "message"), [
    ({"time_embedding": "clock"}, "time_embedding is 'clock'.*table"),
    ({"atoms": AtomSize(), "denoiser_sees_points": False}, "atom encoder reads"),
])
def test_networks_that_cannot_be_built_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe("refused", size=SMALL, **changes)
    with pytest.raises(ValueError, match="reach is 'far'"):
        AtomSize(reach="far")
    with pytest.raises(ValueError, match="0 or more"):
        AtomSize(blocks=-1)


def test_zero_initialised_output_of_atoms_starts_at_zero() -> None:
    batch = make_batch(load("1R69_A"), points="backbone")
    for blocks in (0, 1):
        net = network(atoms=AtomSize(blocks), zero_init_output=True)
        assert not net(batch.x0, torch.tensor([25]), Features.of(batch)).any()
