# %% [markdown]
# # 03 · The trunk
#
# The network has two halves. The *trunk* turns what is known about each residue into a vector, its
# *token*, and lets the tokens look at one another. The *denoiser*
# ([notebook 04](04_denoiser.ipynb)) does the rest. Here the trunk is built by hand, one idea a
# cell, on a real protein, and then held against the package's own.
#
# **You will learn** what embedding, layer norm, attention and residual connections do to the tokens
# of a real protein; to prove that your block is somebody else's block; what changes when the trunk
# stops seeing the noisy points (fix E).
# **Time:** 20 minutes. **Words:** [notation and glossary](reference.md).

# %% tags=["parameters"]
profile = "laptop"
seed = 0

# %%
import math

import numpy as np
import torch

from resfold_nb import measure, show
from resfold_nb.data import AMINO_ACIDS, load, make_batch
from resfold_nb.diffusion import linear
from resfold_nb.engine import as_written
from resfold_nb.model import Features, NetworkSize, count_parameters
from resfold_nb.training import build, named_recipe, train
from resfold_nb.workbook import goal, metric, start

session = start(profile, seed, notebook="03_trunk")

# %% [markdown]
# ## What goes in
#
# Three integers a residue: its amino acid, its chain, its place in the chain. In the report's model
# the trunk is also given the noisy points $x_t$ ([notebook 02](02_forward_process.ipynb)); the
# report calls that a fault (R4 in [the report in brief](00_tour.ipynb)). Here $t = 25$.

# %%
protein = load(session.pick(ci="1WY3_A", laptop="1HZ6_A", gpu="1HZ6_A"))
batch = make_batch(protein)
features, L = Features.of(batch), len(protein)
schedule = linear(50).to("cpu", torch.float32)
eps = torch.randn(batch.x0.shape, generator=torch.Generator().manual_seed(seed))    # (1, L, 3)
x_t = schedule.add_noise(batch.x0, eps, torch.tensor([25]))                         # (1, L, 3)
print(f"the first residues: {protein.sequence[:8]}, {batch.residue[0, :8].tolist()}")
show.structure(protein, alt=f"Backbone of {protein.id}, {L} residues, dark at the first and light at the last.")

# %% [markdown]
# ## The weights
#
# All arithmetic below is plain matrix arithmetic on the package's own weights. They come in a
# dictionary from names to tensors. Untrained weights are random numbers, so a picture of them shows
# what the *layout* does. Where it says *trained*, the same network was given a short training on
# this one protein, as scaled residual (the report's).

# %%
recipe = named_recipe("well_fed", profile, form="residual", trunk_layers=2, noise_levels=16,
                      steps=session.pick(ci=80, laptop=200, gpu=1000))
if profile == "gpu":  # the full size
    recipe = recipe.but(width=256, trunk_layers=9, denoiser_blocks=7, heads=8, learning_rate=5e-4)
untrained = build(recipe, seed)
for state in train(recipe, batch, seed, session.device):
    pass
trained = state.predictor.to("cpu").eval()
weights = {"untrained": untrained.network.trunk.state_dict(), "trained": trained.network.trunk.state_dict()}
w = weights["untrained"]
width, heads, layers = recipe.size.width, recipe.size.heads, recipe.size.trunk_layers
print(f"width {width}, {layers} blocks, {heads} heads; trained for {recipe.steps} steps")

# %%
full = build(recipe.but(size=NetworkSize.full()), seed).network
sizes = {name: {part: count_parameters(module) for part, module in (*trunk.named_children(), ("all", trunk))}
         for name, trunk in (("here", untrained.network.trunk), ("full size", full.trunk))}
show.table([{"trunk": name} | {part: f"{n:,}" for part, n in parts.items()} for name, parts in sizes.items()],
           "Parameters of the trunk by part. Full size: the public code's train_resfold")
trunk_share = sizes["full size"]["all"] / count_parameters(full)
show.say(f"In the full size the trunk holds {trunk_share:.0%} of {count_parameters(full):,} parameters.")

# %% [markdown]
# ## Residue type: a row of a matrix
#
# An *embedding* is a matrix with a row for each kind of thing. Looking a row up is the same as
# multiplying a one-hot vector by the matrix.

# %% tags=["plot"]
def draw(matrices, title, alt, x="channel", y="residue, from 0", value="value", diverging=True, **more):
    """Matrices (rows, columns) or (1, rows, columns) side by side, by heading."""
    grids = {name: m.reshape(m.shape[-2:]) for name, m in matrices.items()}
    show.figure(show.heatmaps(grids, title=title, x=x, y=y, value=value, diverging=diverging, **more), alt)

# %%
table = w["residue.weight"]                                                         # (21, width)
looked_up = table[batch.residue]                                                    # (1, L, width)
one_hot = torch.nn.functional.one_hot(batch.residue, len(table)).float()            # (1, L, 21)
goal("lookup against one-hot product", float((looked_up - one_hot @ table).abs().max()), "<=", 1e-6)
draw({"": looked_up}, f"Residue type as {width} channels ({protein.id}, untrained)",
     "Embedded residue types, a row for each residue and a column for each channel. Residues of the same amino "
     "acid have the same row.")

# %% [markdown]
# Which residues have tokens that point the same way? The *cosine similarity* of two tokens is 1 for
# the same direction, 0 for unrelated ones, −1 for opposite ones. This picture, residue by residue,
# will follow us through the trunk.

# %%
def similarity(tokens):
    """(1, L, width) -> (1, L, L): cosines between residues."""
    unit = tokens / tokens.norm(dim=-1, keepdim=True)                               # (1, L, width)
    return (unit @ unit.mT).clamp(-1, 1)


def draw_similarity(tokens, title, alt):
    draw({n: similarity(v) for n, v in tokens.items()}, title, alt, "residue, from 0", value="cosine", height=420)

# %% [markdown]
# ## Chain
#
# The same with two rows, and a quarter of the channels. In a single chain all residues share one
# row; in a complex this is what tells the chains apart.

# %%
chain = w["chain.weight"][batch.chain]                                              # (1, L, width / 4)
complex_chain = w["chain.weight"][make_batch(load("1AK4_A_D")).chain]               # (1, L of both, width / 4)
show.say(f"Different rows in {protein.id}: {len(chain[0].unique(dim=0))}. In 1AK4_A_D, a complex of "
         f"{complex_chain.shape[1]} residues: {len(complex_chain[0].unique(dim=0))}.")

# %% [markdown]
# ## Position: waves
#
# A network with attention has no idea of order: unless it is told the position, a shuffled sequence
# is the same to it. The position $p$ is told in sines and cosines of slower and slower waves,
# which need no training (Vaswani et al. 2017):
#
# $$\sin(p\,\omega_k),\quad \cos(p\,\omega_k), \qquad \omega_k = 10000^{-2k/w}, \quad k = 0 \ldots w/2 - 1,$$
#
# with $w$ the width.

# %%
def waves(position, width):
    """(B, L) -> (B, L, width): sines, then cosines, of slower and slower waves."""
    two_k = torch.arange(0, width, 2, dtype=torch.float32)                          # (width / 2,)
    frequency = torch.exp(-math.log(10_000.0) / width * two_k)                      # (width / 2,)
    angle = position[..., None] * frequency                                         # (B, L, width / 2)
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


position = waves(batch.position, width)                                             # (1, L, width)
draw({"": position}, f"Position as {width} channels ({protein.id})",
     "Sinusoidal position channels by residue: the left half are sines, the right half cosines, each from fast "
     "waves to slow ones.")

# %%
draw_similarity({"residue type": looked_up, "position": position},
                f"Who resembles whom, before anything is mixed ({protein.id}, untrained)",
                "Cosine similarity between residues: by residue type it is 1 wherever two residues are of one "
                "kind; by position it is a band that fades with the distance along the chain.")

# %% [markdown]
# ## Points through a linear layer
#
# Three coordinates become half a token's width by a matrix and an offset: $x_t W^\top + b$. Look
# at what is lost on the way to noise.

# %%
def dense(x, w, name):
    """A linear layer by hand: (..., n) -> (..., m), with a weight of (m, n)."""
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


points = dense(x_t, w, "points")                                                    # (1, L, width / 2)
noisy = {f"t = {t}": schedule.add_noise(batch.x0, eps, torch.tensor([t])) for t in (0, 25, 49)}
draw_similarity({t: dense(x, w, "points") for t, x in noisy.items()},
                f"Points as {width // 2} channels, from clean to noise ({protein.id}, untrained)",
                "Cosine similarity between residues of the embedded points at three noise levels: the fold's "
                "pattern at t = 0 is overlaid by noise at t = 25 and hardly left at t = 49.")

# %% [markdown]
# ## Predict first
#
# Type, chain, position and points are laid side by side and multiplied by one matrix. From which of
# the four will most of the *difference between residues* come, before training?
#
# ## Concatenate and project

# %%
side_by_side = torch.cat([looked_up, chain, position, points], dim=-1)              # (1, L, 2.75 width)
projected = dense(side_by_side, w, "project")                                       # (1, L, width)
draw({"": projected}, f"Tokens after the projection ({protein.id}, untrained)",
     "The projected tokens, residue by channel: every channel mixes all four parts.")

# %% [markdown]
# The projection is linear, so a token is a sum of one term for each part. That lets us ask how
# much each of them varies from residue to residue.

# %%
def shares(w, x):
    """Variance over residues of each part's term, as a share of the four terms' sum."""
    given = {"residue type": w["residue.weight"][batch.residue], "chain": w["chain.weight"][batch.chain],
             "position": position, "points": dense(x, w, "points")}                 # (1, L, n) each
    columns = w["project.weight"].split([p.shape[-1] for p in given.values()], dim=1)   # (width, n) each
    terms = {name: p @ c.T for (name, p), c in zip(given.items(), columns)}         # (1, L, width) each
    variance = {name: float(term[0].var(0).sum()) for name, term in terms.items()}
    return {name: v / sum(variance.values()) for name, v in variance.items()}


by_part = {name: shares(v, x_t) for name, v in weights.items()}
show.table([{"weights": name} | {n: f"{v:.0%}" for n, v in s.items()} for name, s in by_part.items()],
           f"Where the difference between residues comes from, at t = 25 ({recipe.steps} steps)")

# %% [markdown]
# ## Layer norm
#
# Each token by itself: subtract the mean of its channels, divide by their standard deviation, then
# stretch and shift every channel by two learned vectors. Whatever length a token had, it is
# forgotten.

# %%
def layer_norm(x, w, name):
    """(..., width) -> the same; 1e-5 keeps the root away from zero."""
    centred = x - x.mean(-1, keepdim=True)                                          # (..., width)
    spread = torch.sqrt((centred**2).mean(-1, keepdim=True) + 1e-5)                 # (..., 1)
    return centred / spread * w[f"{name}.weight"] + w[f"{name}.bias"]


normed = layer_norm(projected, w, "blocks.0.attention_norm")                        # (1, L, width)
draw({"before": projected, "after": normed}, f"Layer norm, residue by residue ({protein.id}, untrained)",
     "Tokens before and after layer norm, residue by channel, on one colour scale: afterwards no row is paler "
     "than another.")
before, after = (x.std(-1, correction=0) for x in (projected, normed))
show.say(f"Standard deviation of a token's channels: {before.min():.2f} to {before.max():.2f} before, "
         f"{after.min():.2f} to {after.max():.2f} after.")

# %% [markdown]
# ## Attention
#
# Each token asks a *query* q, offers a *key* k and holds a *value* v, all three by linear layers.
# Query and key decide who listens to whom; the values are what is heard:
#
# $$\mathrm{softmax}\!\left(\frac{q\,k^\top}{\sqrt{d}}\right) v.$$
#
# Several *heads* do this at once, each on its own slice of $d$ channels. A *mask* sets the scores of
# padding to −∞, so that nobody listens to it: a shorter protein in a batch is filled up with
# residues that do not exist ([notebook 01](01_proteins_as_points.ipynb)).

# %%
def attention(x, w, name, heads, mask=None):
    """Tokens (B, L, width) -> mixed tokens (B, L, width) and maps (B, heads, L, L)."""
    q, k, v = (dense(x, w, f"{name}.{part}").unflatten(-1, (heads, -1)).transpose(1, 2)
               for part in ("query", "key", "value"))                               # (B, heads, L, d) each
    scores = q @ k.mT / math.sqrt(q.shape[-1])                                      # (B, heads, L, L)
    if mask is not None:
        scores = scores.masked_fill(~mask[:, None, None, :], -math.inf)
    weight = torch.exp(scores - scores.amax(-1, keepdim=True))                      # (B, heads, L, L)
    weight = weight / weight.sum(-1, keepdim=True)                                  # each row sums to 1
    heard = (weight @ v).transpose(1, 2).flatten(-2)                                # (B, L, width) heads side by side
    return dense(heard, w, f"{name}.out"), weight


mixed, maps = attention(normed, w, "blocks.0.attention", heads)                     # (1, L, width), (1, heads, L, L)

# %% [markdown]
# **Predict first:** random queries and keys. Will an untrained head look at a few residues or at
# all of them alike?

# %%
def embed(w, features, x, with_position=True):
    """Integers (and points, unless the trunk has no use for them) to tokens (B, L, width)."""
    given = [w["residue.weight"][features.residue],                                 # (B, L, width)
             w["chain.weight"][features.chain],                                     # (B, L, width / 4)
             waves(features.position, width).to(w["norm.weight"].dtype) * with_position]
    if "points.weight" in w:
        given.append(dense(x, w, "points"))                                         # (B, L, width / 2)
    return dense(torch.cat(given, dim=-1), w, "project")


goal("embedding in one function, against the cells above",
     float((embed(w, features, x_t) - projected).abs().max()), "<=", 1e-6)
first_norm = {n: layer_norm(embed(v, features, x_t), v, "blocks.0.attention_norm") for n, v in weights.items()}
pictures = {n: attention(first_norm[n], v, "blocks.0.attention", heads)[1][0] for n, v in weights.items()}

# %%
for name, heads_of in pictures.items():
    draw({f"head {h}": torch.log2(heads_of[h] * L).clamp(-3, 3) for h in range(4)},
         f"Who listens to whom, first block, {name} ({protein.id}, t = 25)",
         f"Attention of four heads, {name}, against listening to everybody alike: 0 is alike, 1 twice as much, "
         "−1 half as much; cut off at ±3.", "residue heard", "listener", "log2", height=380)
# exp(entropy): as many residues listened to alike would have the same entropy
reach = {name: float(torch.exp(-(m * torch.log(m + 1e-30)).sum(-1)).mean()) for name, m in pictures.items()}
show.say("A residue listens to " + ", ".join(f"{v:.1f} of {L} residues ({n})" for n, v in reach.items())
         + f" in the mean over heads and residues (exponential of the entropy); {recipe.steps} steps of training.")

# %% [markdown]
# The same for every block and head, to play with: pick a residue in the sequence or in 3D. The
# weights are written out for the picture; the network computes them in one fused step, and a test
# holds the two equal.

# %%
heard = measure.attention_maps(trained, x_t, torch.tensor([25]), features)
own = [k for k, name in enumerate(heard.names) if name.startswith("trunk")]
show.attention_view(protein, heard.weights[own], [heard.names[k] for k in own], residue=L // 2, alt=f"Whom each "
                    f"residue of {protein.id} listens to in the trained trunk, at t = 25: pick a residue, a block "
                    "and a head. Left on the chain, right all residues.")

# %% [markdown]
# ## Add, do not replace
#
# What attention returns is *added* to what came in. The norm stands before the attention, inside the
# branch (*pre-norm*), so that a straight path leads from the first token to the last one, and each
# block only writes a correction onto it. This is the network's own residual connection. It is not
# the scaled residual, which adds $x_t$ to the output.

# %%
after_attention = projected + mixed                                                 # (1, L, width)
draw({"came in": projected, "attention adds": mixed, "goes on": after_attention},
     f"The residual connection ({protein.id}, untrained)",
     "Tokens before attention, what attention adds and their sum, on one colour scale: what is added is nearly "
     "the same for all residues when attention is nearly even.")

# %% [markdown]
# ## Feed-forward
#
# After listening, each token thinks for itself: four times as wide, negative numbers set to zero
# (ReLU), and back to its width. No residue sees another one here.

# %%
def feed_forward(x, w, name):
    """(B, L, width) -> (B, L, width), and the hidden layer (B, L, 4 width)."""
    hidden = torch.clamp(dense(x, w, f"{name}.0"), min=0)
    return dense(hidden, w, f"{name}.2"), hidden


second_norm = layer_norm(after_attention, w, "blocks.0.feed_forward_norm")          # (1, L, width)
thought, hidden = feed_forward(second_norm, w, "blocks.0.feed_forward")             # ..., (1, L, 4 width)
after_block = after_attention + thought                                             # (1, L, width)
draw({"": hidden}, f"The hidden layer ({protein.id}, untrained)",
     "Hidden layer of the first block's feed-forward part, residue by hidden channel; dark is zero, where ReLU "
     "has cut a negative number off.", x="hidden channel", diverging=False)
show.say(f"{float((hidden == 0).float().mean()):.0%} of the numbers are zero.")

# %% [markdown]
# ## Blocks on blocks, and a last norm
#
# That was one block. The trunk is a stack of them with a layer norm at the end.

# %%
def block(x, w, name, heads, mask=None):
    """One trunk block by hand: (B, L, width) -> (B, L, width)."""
    x = x + attention(layer_norm(x, w, f"{name}.attention_norm"), w, f"{name}.attention", heads, mask)[0]
    return x + feed_forward(layer_norm(x, w, f"{name}.feed_forward_norm"), w, f"{name}.feed_forward")[0]


def trunk(w, features, x, heads, with_position=True):
    """The tokens (B, L, width) after each step, by name; the last is what the denoiser gets."""
    tokens = embed(w, features, x, with_position)
    steps = {"projected": tokens}
    for i in range(1 + max(int(name.split(".")[1]) for name in w if name.startswith("blocks."))):
        steps[f"block {i + 1}"] = tokens = block(tokens, w, f"blocks.{i}", heads, features.mask)
    return steps | {"last norm": layer_norm(tokens, w, "norm")}


through = {name: trunk(v, features, x_t, heads) for name, v in weights.items()}
goal("block in one function, against the cells above",
     float((through["untrained"]["block 1"] - after_block).abs().max()), "<=", 1e-5)

# %%
for name, steps in through.items():
    draw_similarity({k: steps[k] for k in dict.fromkeys(["projected", "block 1", f"block {layers}", "last norm"])},
                    f"Who resembles whom in the trunk ({protein.id}, {name})",
                    f"Cosine similarity between residues after the projection, the first and the last block and "
                    f"the last norm, {name}, at t = 25.")
i, j = torch.triu_indices(L, L, 1)
distance = torch.cdist(batch.x0, batch.x0)[0, i, j]                                 # (L (L - 1) / 2,)
fold = {n: np.corrcoef(similarity(steps["last norm"])[0, i, j], distance)[0, 1] for n, steps in through.items()}
show.say("Correlation of two residues' cosine with their distance in the true structure (−1 would be: the nearer, "
         "the more alike): " + ", ".join(f"{v:.2f} ({n})" for n, v in fold.items()) + ".")

# %% [markdown]
# ## Hand-built = the package's
#
# The same weights, the same inputs: is the output the same? Block by block first, each fed
# with the package's own tokens, then the whole trunk.

# %%
@torch.no_grad()
def differences(module, x):
    """Largest difference of each block on the package's tokens, and of the whole trunk."""
    weights, x = module.state_dict(), x.to(module.norm.weight.dtype)
    tokens, found = embed(weights, features, x), []
    for i, theirs in enumerate(module.blocks):
        ours, tokens = block(tokens, weights, f"blocks.{i}", heads), theirs(tokens)
        found.append(float((ours - tokens).abs().max()))
    whole = trunk(weights, features, x, heads)["last norm"]
    return [*found, float((whole - module(features, x)).abs().max())]


goal("hand-built trunk against the package, float32", max(differences(trained.network.trunk, x_t)), "<=", 1e-5)
goal("hand-built trunk against the package, float64",
     max(differences(build(recipe, seed).double().network.trunk, x_t)), "<=", 1e-10)

# %% [markdown]
# PyTorch has a transformer block of its own. With our weights copied over, it too is this block. It
# keeps query, key and value in one matrix, three times as high.

# %%
def torchs_own(w, name):
    """torch.nn.TransformerEncoderLayer holding the weights of one of our blocks."""
    layer = torch.nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, batch_first=True, norm_first=True).eval()
    renamed = {"attention_norm": "norm1", "feed_forward_norm": "norm2", "feed_forward.0": "linear1",
               "feed_forward.2": "linear2", "attention.out": "self_attn.out_proj"}
    state = {f"{theirs}.{kind}": w[f"{name}.{ours}.{kind}"]
             for ours, theirs in renamed.items() for kind in ("weight", "bias")}
    for kind in ("weight", "bias"):                                                 # (3 width, width), (3 width,)
        three = [w[f"{name}.attention.{part}.{kind}"] for part in ("query", "key", "value")]
        state[f"self_attn.in_proj_{kind}"] = torch.cat(three)
    layer.load_state_dict(state)
    return layer


with torch.no_grad():
    theirs = torchs_own(weights["trained"], "blocks.0")(through["trained"]["projected"])
goal("hand-built block against torch.nn.TransformerEncoderLayer",
     float((theirs - through["trained"]["block 1"]).abs().max()), "<=", 1e-5)

# %% [markdown]
# And the mask: a short protein beside a long one must get the tokens it gets alone.

# %%
both = make_batch([load("1WY3_A"), load("1R69_A")])
alone, padded = Features.of(make_batch(load("1WY3_A"))), Features.of(both)
n = alone.residue.shape[1]
beside = trunk(w, padded, both.x0, heads)["last norm"][:1, :n]
by_itself = trunk(w, alone, both.x0[:1, :n], heads)["last norm"]
goal("tokens of a padded protein against the same alone", float((beside - by_itself).abs().max()), "<=", 1e-5)
maps = attention(embed(w, padded, both.x0), w, "blocks.0.attention", heads, padded.mask)[1]
goal("attention weight on padding", float(maps[0, :, :, n:].max()), "==", 0.0)

# %% [markdown]
# From here on the package's trunk stands for ours.
#
# ## Predict first: what the trunk sees
#
# Take the tokens of one protein at t = 0 and at t = 49, with the same noise. How alike are they, in
# the trunk that reads the points? In one that does not (fix E)?

# %%
blind = build(recipe.but(trunk_sees_points=False), seed)
x_all = schedule.add_noise(batch.x0, eps, torch.arange(50))                         # (50, L, 3)


@torch.no_grad()
def likeness(network):
    """Mean cosine of each residue's token at t with its token at t = 0, for t = 0 ... 49."""
    tokens = network.trunk(features.repeat(50), x_all)                              # (50, L, width)
    return torch.nn.functional.cosine_similarity(tokens, tokens[:1], dim=-1).mean(-1).numpy()


curves = {"reads the points, untrained": likeness(untrained.network),
          "reads the points, trained": likeness(trained.network), "sequence only (fix E)": likeness(blind.network)}
goal("fix E: tokens move by", float(np.abs(curves["sequence only (fix E)"] - 1).max()), "<=", 1e-5)

# %% tags=["plot"]
looks = (("#E69F00", "dash"), ("#D55E00", "solid"), ("#0072B2", "dashdot"))
fig = show.chart([show.Line(name, np.arange(50), y, *look) for (name, y), look in zip(curves.items(), looks)],
                 title=f"How far the trunk's tokens move with the noise ({protein.id})",
                 x="timestep t", y="cosine with the token at t = 0")
show.figure(fig, "Cosine between a residue's token at t and its token at t = 0, mean over residues: falling with t "
                 "for a trunk that reads the points, 1 at every t for one that reads the sequence alone.")
show.say("At t = 49 the cosine is " + ", ".join(f"{y[49]:.2f} ({n})" for n, y in curves.items()) + ".")

# %% [markdown]
# Two consequences. What the denoiser hears from the report's trunk depends on the noise; what it
# hears from fix E's is the same at every t. And the first trunk has to run again for every noise
# level, the second once for each protein. A counter on the trunk shows it:

# %%
def trunk_passes(predictor):
    """Proteins that pass through the trunk while one structure is sampled."""
    passes = []
    hook = predictor.network.trunk.register_forward_hook(lambda module, args, out: passes.append(len(out)))
    with as_written():  # a GPU would play later calls from a recording, past the counter
        measure.sample(predictor, batch, copies=1)
    hook.remove()
    return sum(passes)


goal("trunk passes for one sample, reads the points", trunk_passes(untrained), "==", 49)
goal("trunk passes for one sample, sequence only", trunk_passes(blind), "==", 1)

# %% [markdown]
# Whether fix E also makes a better model is for [notebook 11](11_fix_e_clean_trunk.ipynb) to measure.
#
# ## Exercises
#
# **1.** Fix E drops the points' linear layer and their columns of the projection. How many
# parameters does this notebook's trunk lose?

# %% tags=["exercise"]
my_lost_parameters = None

# %% tags=["solution"]
# Solution
half = width // 2
solution_1 = (3 * half + half) + half * width  # points' weight and bias; columns of project

# %% tags=["check"]
answer = solution_1 if my_lost_parameters is None else my_lost_parameters
truth = count_parameters(untrained.network.trunk) - count_parameters(blind.network.trunk)
assert answer == truth, f"points: 3 numbers in, {width // 2} out; project: {width // 2} columns fewer"
print("not answered; the solution is" if my_lost_parameters is None else "right:", f"{answer:,}")

# %% [markdown]
# **2.** Take the position away from fix E's trunk: the waves are set to zero. How many *different*
# tokens does it return for this protein, which has one chain?

# %% tags=["exercise"]
my_different_tokens = None

# %% tags=["solution"]
# Solution
# Residues of one kind come in alike, hear the same and think the same: one token an amino acid.
solution_2 = len(set(protein.sequence))

# %% tags=["check"]
answer = solution_2 if my_different_tokens is None else my_different_tokens
twin = build(recipe.but(trunk_sees_points=False), seed).double().network.trunk.state_dict()
orderless = trunk(twin, features, None, heads, with_position=False)["last norm"]
truth = len(orderless[0].round(decimals=6).unique(dim=0))
assert answer == truth, f"which residues of {protein.sequence} could the trunk still tell apart?"
missing = sorted(set(AMINO_ACIDS) - set(protein.sequence))
print("not answered; the solution is" if my_different_tokens is None else "right:",
      f"{answer}; amino acids that do not occur here: {', '.join(missing) or 'none'}")

# %%
metric("parameters of the trunk", sizes["here"]["all"])
metric("trunk's share of the full network's parameters", trunk_share)
metric("residue type's share of the difference between residues, untrained", by_part["untrained"]["residue type"])
metric("residues listened to, first block, untrained", reach["untrained"])
metric("cosine of tokens at t = 49 and t = 0, untrained", curves["reads the points, untrained"][49])
metric("cosine of tokens at t = 49 and t = 0, trained", curves["reads the points, trained"][49])
