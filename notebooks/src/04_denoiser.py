# %% [markdown]
# # 04 · The denoiser
#
# The trunk ([notebook 03](03_trunk.ipynb)) has turned a protein into tokens. The *denoiser* adds the
# noisy points to them, is told the timestep, and puts out three numbers a residue: F. What F *means*
# is not the network's business but the form's. Here the denoiser is built by hand, one idea a
# cell, and held against the package's own.
#
# **You will learn** how a timestep gets into a transformer; what a gated feed-forward layer is; what
# four forms predict before any training; which symmetries this network has and which it has not.
# **Time:** 20 minutes. **Words:** [notation and glossary](reference.md).

# %% tags=["parameters"]
profile = "laptop"
seed = 0

# %%
import math

import numpy as np
import torch

from resfold_nb import measure, show
from resfold_nb.data import load, make_batch
from resfold_nb.diffusion import FORMS, linear
from resfold_nb.model import Features, NetworkSize, count_parameters
from resfold_nb.training import build, named_recipe, train
from resfold_nb.workbook import goal, metric, start

session = start(profile, seed, notebook="04_denoiser")

# %% [markdown]
# ## Two sets of weights
#
# Everything is shown with *untrained* weights, which are random numbers, and where it says *trained*
# with those of the same network after a short training on this one protein, as scaled
# residual (the report's).

# %%
protein = load(session.pick(ci="1WY3_A", laptop="1HZ6_A", gpu="1HZ6_A"))
batch = make_batch(protein)
features, L, sd = Features.of(batch), len(protein), float(batch.scale[0])
recipe = named_recipe("well_fed", profile, form="residual", trunk_layers=2, noise_levels=16,
                      steps=session.pick(ci=80, laptop=200, gpu=1000))
if profile == "gpu":  # the full size
    recipe = recipe.but(width=256, trunk_layers=9, denoiser_blocks=7, heads=8, learning_rate=5e-4)
for state in train(recipe, batch, seed, session.device):
    pass
models = {"untrained": build(recipe, seed).eval(), "trained": state.predictor.to("cpu").eval()}
networks = {name: model.network.requires_grad_(False) for name, model in models.items()}
weights = {name: network.denoiser.state_dict() for name, network in networks.items()}
w, T = weights["untrained"], recipe.timesteps
width, heads, blocks = recipe.size.width, recipe.size.heads, recipe.size.denoiser_blocks
print(f"width {width}, {blocks} blocks, {heads} heads; trained for {recipe.steps} steps")

# %%
def fed_by_time(denoiser):
    """Parameters of the time table and of all AdaLN layers."""
    norms = [norm for block in denoiser.blocks for norm in (block.attention_norm, block.feed_forward_norm)]
    return count_parameters(denoiser.time) + sum(map(count_parameters, norms))


here, full = (build(r, seed).network.denoiser for r in (recipe, recipe.but(size=NetworkSize.full())))
time_share = fed_by_time(here) / count_parameters(here)
show.say(f"Parameters of the denoiser: {count_parameters(here):,} here, {count_parameters(full):,} in the full size "
         f"(the public code's `train_resfold`). Time table and AdaLN, see below, are {time_share:.0%} of them here, "
         f"{fed_by_time(full) / count_parameters(full):.0%} there.")

# %% [markdown]
# ## What goes in
#
# The noisy points ([notebook 02](02_forward_process.ipynb)), the timestep and the trunk's tokens. In
# the report's model the trunk has read the noisy points too.

# %%
schedule = linear(T).to("cpu", torch.float32)
eps = torch.randn(batch.x0.shape, generator=torch.Generator().manual_seed(seed))    # (1, L, 3)
t = torch.tensor([25])                                                              # (1,)
x_t = schedule.add_noise(batch.x0, eps, t)                                          # (1, L, 3)
trunk_tokens = {name: network.trunk(features, x_t) for name, network in networks.items()}   # (1, L, width) each

# %% [markdown]
# ## Time: a row of a matrix
#
# The timestep is looked up in a learned table, as the amino acid was in the trunk: one vector for
# each t. It is *one* vector for the whole protein: every residue is told the same, as the report
# says (R5 in [the report in brief](00_tour.ipynb)).
#
# **Predict first:** before training, is the vector of t = 25 more like that of t = 24 or that of
# t = 3?

# %% tags=["plot"]
def draw(matrices, title, alt, x="channel", y="residue, from 0", value="value", diverging=True, **more):
    """Matrices (rows, columns) or (1, rows, columns) side by side, by heading."""
    grids = {name: m.reshape(m.shape[-2:]) for name, m in matrices.items()}
    show.figure(show.heatmaps(grids, title=title, x=x, y=y, value=value, diverging=diverging, **more), alt)

# %%
condition = w["time.weight"][t]                                                     # (1, width)


def similarity(vectors):
    """(..., n, width) -> (..., n, n): cosines."""
    unit = vectors / vectors.norm(dim=-1, keepdim=True)                             # (..., n, width)
    return (unit @ unit.mT).clamp(-1, 1)


draw({name: similarity(v["time.weight"]) for name, v in weights.items()},
     "Which timesteps have similar vectors?",
     "Cosine similarity between the time vectors of all timesteps, before and after a short training; on the "
     "diagonal it is 1.", x="timestep t", y="timestep t", value="cosine")
kept = torch.nn.functional.cosine_similarity(*(v["time.weight"] for v in weights.values()), dim=-1)     # (T,)
show.say("Nothing in a fresh table says that neighbouring timesteps are alike. Each row is trained by its own draws, "
         f"about {recipe.steps * recipe.noise_levels / T:.0f} here. Cosine of a row with itself before and after "
         f"{recipe.steps} steps with {recipe.noise_levels} noise levels: {kept.mean():.3f}.")

# %% [markdown]
# ## Points become tokens, and are added
#
# A linear layer takes each residue's three coordinates to a whole token, and the trunk's token is
# added.

# %%
def dense(x, w, name):
    """A linear layer by hand: (..., n) -> (..., m), with a weight of (m, n)."""
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


points = dense(x_t, w, "points")                                                    # (1, L, width)
tokens = points + trunk_tokens["untrained"]                                         # (1, L, width)
draw({"points": points, "trunk tokens": trunk_tokens["untrained"], "sum": tokens},
     f"What the first block gets ({protein.id}, untrained, t = 25)",
     "Embedded points, trunk tokens and their sum, residue by channel, on one colour scale.")

# %% [markdown]
# ## AdaLN: time sets the scale and the shift
#
# Layer norm makes each token's channels have mean 0 and standard deviation 1. An ordinary layer norm
# then stretches and shifts each channel by learned constants. In *adaptive* layer norm (Peebles & Xie
# 2022) these two vectors are a linear function of the condition, so of t:
#
# $$\mathrm{AdaLN}(h, t) = \mathrm{norm}(h)\,\bigl(1 + \mathrm{scale}(t)\bigr) + \mathrm{shift}(t).$$

# %%
def normalise(x):
    """Each token's channels to mean 0 and standard deviation 1."""
    centred = x - x.mean(-1, keepdim=True)                                          # (B, L, width)
    return centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + 1e-5)


def adaptive_norm(x, w, name, condition):
    """Tokens (B, L, width), condition (B, width) -> (B, L, width)."""
    both = dense(condition, w, f"{name}.modulation")                                # (B, 2 width)
    scale, shift = both[:, None, :].chunk(2, dim=-1)                                # (B, 1, width): for all residues
    return normalise(x) * (1 + scale) + shift


for name, v in weights.items():
    same = dense(x_t, v, "points") + trunk_tokens[name]                             # (1, L, width)
    draw({f"t = {k}": adaptive_norm(same, v, "blocks.0.attention_norm", v["time.weight"][[k]]) for k in (1, 25, 49)},
         f"The same tokens after AdaLN, told three timesteps ({protein.id}, {name})",
         f"Tokens after the first AdaLN, residue by channel, {name}: the same tokens come in, only the timestep that "
         "is told differs. It stretches and shifts whole columns.")

# %% [markdown]
# Whole columns change, in all rows alike: t can make a channel louder or quieter for all residues at
# once. That is the only door through which t comes in; further down we measure how wide it is open.
#
# ## Attention
#
# The attention is that of [notebook 03](03_trunk.ipynb). Only the norm before it has changed, so that
# who listens to whom may now depend on t.

# %%
def attention(x, w, name, heads, mask=None):
    """Tokens (B, L, width) -> mixed tokens (B, L, width) and maps (B, heads, L, L)."""
    q, k, v = (dense(x, w, f"{name}.{part}").unflatten(-1, (heads, -1)).transpose(1, 2)
               for part in ("query", "key", "value"))                               # (B, heads, L, d) each
    scores = q @ k.mT / math.sqrt(q.shape[-1])                                      # (B, heads, L, L)
    if mask is not None:
        scores = scores.masked_fill(~mask[:, None, None, :], -math.inf)
    maps = torch.softmax(scores, dim=-1)                                            # (B, heads, L, L)
    return dense((maps @ v).transpose(1, 2).flatten(-2), w, f"{name}.out"), maps


v, told = weights["trained"], {}
same = dense(x_t, v, "points") + trunk_tokens["trained"]                            # (1, L, width)
for k in (1, 49):
    normed = adaptive_norm(same, v, "blocks.0.attention_norm", v["time.weight"][[k]])
    told[k] = attention(normed, v, "blocks.0.attention", heads)[1][0]               # (heads, L, L)
draw({f"head {h}, told t = {k}": torch.log2(told[k][h] * L).clamp(-3, 3) for h in (0, 1) for k in told},
     f"Who listens to whom, told two timesteps ({protein.id}, trained)",
     "Attention of two heads of the first block, trained, for the same tokens told t = 1 and t = 49, against "
     "listening to everybody alike: 0 is alike, 1 twice as much, −1 half as much; cut off at ±3.",
     "residue heard", "listener", "log2", height=400)

# %%
heard = measure.attention_maps(models["trained"], x_t, t, features)
own = [k for k, name in enumerate(heard.names) if name.startswith("denoiser")]
show.attention_view(protein, heard.weights[own], [heard.names[k] for k in own], residue=L // 2, alt="Whom each "
                    "residue listens to in the trained denoiser, at t = 25: pick a residue, a block and a head.")

# %% [markdown]
# ## SwiGLU: a feed-forward layer with a gate
#
# The trunk's feed-forward layer cuts negative numbers off. Here (Shazeer 2020) one linear layer makes
# a *value*, another a *gate*, and the gate decides how much of the value passes:
#
# $$\mathrm{out}\bigl(\mathrm{silu}(\mathrm{gate}(h)) \cdot \mathrm{value}(h)\bigr), \qquad
#   \mathrm{silu}(g) = \frac{g}{1 + e^{-g}}.$$

# %%
def silu(g):
    return g / (1 + torch.exp(-g))


def swiglu(x, w, name):
    """(B, L, width) -> (B, L, width), and what happens in between, (B, L, 2 width) each."""
    gate, value = silu(dense(x, w, f"{name}.gate")), dense(x, w, f"{name}.value")   # (B, L, 2 width) each
    return dense(gate * value, w, f"{name}.out"), {"silu(gate)": gate, "value": value, "product": gate * value}


normed = adaptive_norm(tokens, w, "blocks.0.attention_norm", condition)             # (1, L, width)
after_attention = tokens + attention(normed, w, "blocks.0.attention", heads)[0]     # (1, L, width)
normed = adaptive_norm(after_attention, w, "blocks.0.feed_forward_norm", condition)     # (1, L, width)
thought, between = swiglu(normed, w, "blocks.0.feed_forward")                       # (1, L, width)
after_block = after_attention + thought                                             # (1, L, width)
draw(between, f"Inside SwiGLU ({protein.id}, untrained, t = 25)",
     "Gate, value and their product in the first block, residue by hidden channel, on one colour scale: where the "
     "gate is near zero nothing passes.", x="hidden channel")

# %% tags=["plot"]
g = torch.linspace(-6, 6, 121)
lines = [show.Line("silu (here)", g, silu(g), "#0072B2"),
         show.Line("ReLU (the trunk)", g, g.clamp(min=0), "#E69F00", "dash")]
show.figure(show.chart(lines, title="How a gate opens", x="what comes in", y="what goes out"),
            "silu and ReLU: both are near zero on the left and near the identity on the right; silu bends smoothly "
            "and dips a little below zero.")

# %% [markdown]
# ## Blocks on blocks, then the coordinate head
#
# Both parts add to what came in, as in the trunk. After the last block come a layer norm and a
# linear layer to three numbers a residue, the raw output F.

# %%
def block(x, w, name, heads, condition, mask=None):
    """One denoiser block by hand: (B, L, width) -> (B, L, width)."""
    normed = adaptive_norm(x, w, f"{name}.attention_norm", condition)
    x = x + attention(normed, w, f"{name}.attention", heads, mask)[0]
    normed = adaptive_norm(x, w, f"{name}.feed_forward_norm", condition)
    return x + swiglu(normed, w, f"{name}.feed_forward")[0]


def denoiser(w, x, t, trunk_tokens, heads, mask=None):
    """What comes out of each step, by name; the last is F (B, L, 3)."""
    condition = w["time.weight"][t]                                                 # (B, width)
    tokens = dense(x, w, "points") + trunk_tokens                                   # (B, L, width)
    steps = {"points + trunk": tokens}
    for i in range(1 + max(int(name.split(".")[1]) for name in w if name.startswith("blocks."))):
        steps[f"block {i + 1}"] = tokens = block(tokens, w, f"blocks.{i}", heads, condition, mask)
    steps["last norm"] = normalise(tokens) * w["norm.weight"] + w["norm.bias"]      # (B, L, width)
    return steps | {"F": dense(steps["last norm"], w, "head")}                      # (B, L, 3)


through = {name: denoiser(v, x_t, t, trunk_tokens[name], heads) for name, v in weights.items()}
goal("block in one function, against the cells above",
     float((through["untrained"]["block 1"] - after_block).abs().max()), "<=", 1e-5)

# %%
for name, steps in through.items():
    wanted = dict.fromkeys(["points + trunk", "block 1", f"block {blocks}", "last norm"])
    draw({n: similarity(steps[n]) for n in wanted}, f"Who resembles whom in the denoiser ({protein.id}, {name})",
         f"Cosine similarity between residues' tokens after four steps of the denoiser, {name}, at t = 25.",
         x="residue, from 0", value="cosine", height=420)

# %% [markdown]
# And the output? In the scaled residual F should be $F^* = \frac{s}{1+a}\,x_0 - \varepsilon$
# ([notebook 06](06_broken_residual.ipynb)).

# %%
target = FORMS["residual"].target(batch.x0, eps, *schedule.at(t))                   # (1, L, 3)
outputs = {name: steps["F"] for name, steps in through.items()}                     # (1, L, 3) each
draw({"F, untrained": outputs["untrained"].mT, "F, trained": outputs["trained"].mT, "F*": target.mT},
     f"Three numbers a residue ({protein.id}, t = 25)",
     "Raw output F before and after a short training beside the exact F*, coordinate by residue.",
     x="residue, from 0", y="coordinate", height=340, y_ticks=["x", "y", "z"])
fit = {name: float(np.corrcoef(f.flatten(), target.flatten())[0, 1]) for name, f in outputs.items()}
show.say("Correlation with F*: " + ", ".join(f"{r:.2f} ({name})" for name, r in fit.items()) + ".")

# %% [markdown]
# ## Hand-built = the package's
#
# The same weights, the same inputs: is the output the same? Block by block first, each fed
# with the package's own tokens, then the whole denoiser at t = 1, 25 and 49.

# %%
@torch.no_grad()
def differences(network):
    """Largest difference of each block on the package's tokens, and of the whole denoiser."""
    module, dtype = network.denoiser, network.denoiser.head.weight.dtype
    w, x, t = module.state_dict(), x_t.to(dtype).expand(3, -1, -1), torch.tensor([1, 25, 49])
    trunk_tokens = network.trunk(features, x_t.to(dtype)).expand(3, -1, -1)         # (3, L, width)
    tokens, condition, found = dense(x, w, "points") + trunk_tokens, w["time.weight"][t], []
    for i, theirs in enumerate(module.blocks):
        ours, tokens = block(tokens, w, f"blocks.{i}", heads, condition), theirs(tokens, condition)
        found.append(float((ours - tokens).abs().max()))
    ours, theirs = denoiser(w, x, t, trunk_tokens, heads)["F"], module(x, t, trunk_tokens, None)
    return [*found, float((ours - theirs).abs().max())]


goal("hand-built denoiser against the package, float32, untrained",
     max(differences(networks["untrained"])), "<=", 1e-5)
goal("hand-built denoiser against the package, float32, trained", differences(networks["trained"])[-1], "<=", 1e-5)
goal("hand-built denoiser against the package, float64",
     max(differences(build(recipe, seed).double().network)), "<=", 1e-10)

# %%
both, short = make_batch([load("1WY3_A"), load("1R69_A")]), make_batch(load("1WY3_A"))
padded, alone, network = Features.of(both), Features.of(short), networks["untrained"]
x = both.x0[:1, :short.x0.shape[1]]                                                 # (1, L of the shorter, 3)
together = denoiser(w, both.x0, t.expand(2), network.trunk(padded, both.x0), heads, padded.mask)["F"]
by_itself = denoiser(w, x, t, network.trunk(alone, x), heads)["F"]                  # (1, L of the shorter, 3)
goal("F of a padded protein against the same alone",
     float((together[:1, :x.shape[1]] - by_itself).abs().max()), "<=", 1e-5)

# %% [markdown]
# From here on the package's denoiser stands for ours.
#
# ## From F to a structure
#
# The network's work ends at F. The *form* makes a prediction of it, with two curves of t (all
# forms stand in the [reference](reference.md#Forms)):
#
# $$\hat x_0 = c_\mathrm{skip}(t)\,x_t + c_\mathrm{out}(t)\,F(x_t, t).$$
#
# ## Predict first
#
# Take *one* untrained network, so one and the same F, and read it in four forms. Which predicts the
# best structure at t = 1, which at t = 49, and which is furthest off?

# %%
names = ("residual", "x0", "eps", "v")
every = torch.arange(T)                                                             # (T,)
x_all = schedule.add_noise(batch.x0, eps, every)                                    # (T, L, 3)
F_all = networks["untrained"](x_all, every, features)                               # (T, L, 3)
predicted = {FORMS[n].label: FORMS[n].x0(x_all, F_all, *schedule.at(every)) for n in names}     # (T, L, 3) each
show.player({n: batch.angstrom(x).flip(0).numpy() for n, x in predicted.items()},
            truth=protein.centroids, chain_index=protein.chain_index, height=300,
            labels=[f"t = {k}" for k in reversed(range(T))],
            alt="What one untrained network predicts in four forms, from t = 49 to t = 0, the true centroids in "
                "grey. Where a form passes x_t on, the prediction clears up as x_t does; direct x0 shows the bare F.")

# %%
errors = {n: measure.error_by_timestep(build(recipe.but(form=n), seed), batch, draws=4).rmse for n in names}
base = measure.baselines(linear(T), 1.0, sd)
lines = [show.form_line(n, every, e) for n, e in errors.items()] + show.baseline_lines(base)
show.figure(show.chart(lines, log_y=True, x="timestep t", y="RMSE (Å)",
                       title=f"One untrained network in four forms ({protein.id})"),
            "Error by timestep of four forms before training, and of predicting zero, of copying x_t and of the best "
            "linear guess. Epsilon is the highest near t = 49. Zeros, at t = 0, cannot be drawn.")
best = {k: FORMS[min(names, key=lambda n: errors[n][k])].label for k in (1, 49)}
a49, s49 = float(schedule.a[49]), float(schedule.s[49])
show.say(f"Best before training: {best[1]} at t = 1, {best[49]} at t = 49. Epsilon divides by a: at t = 49 it takes "
         f"{1 / a49:.1f} times x_t and {s49 / a49:.1f} times F, so a small error of F is a large one of x0.")

# %% [markdown]
# So the forms start from different places before a single step of training. Copying is nearly free
# at the clean end and costs most at the noisy end; that is not learning, it is layout.
#
# ## How wide is the door for time?
#
# Keep the points fixed, at t = 25, and tell the network another timestep. How much does F change? For
# scale: how much does it change when t stays and the noise is drawn afresh?
#
# **Predict first:** which will be larger before training, and which after?

# %%
@torch.no_grad()
def relative_change(f, reference):
    """Root mean square of the change over that of the reference, for each row."""
    return ((f - reference).square().mean((1, 2)) / reference.square().mean((1, 2))).sqrt().numpy()


def told_another_time(network, right=25):
    """The points are those of t = right; the network is told t = 0 ... T - 1."""
    f = network(x_all[[right]].expand(T, -1, -1), every, features)                  # (T, L, 3)
    return relative_change(f, f[[right]])                                           # (T,)


def given_other_noise(network, draws=16):
    fresh = torch.randn(draws, *eps.shape[1:], generator=torch.Generator().manual_seed(seed + 1))
    x = schedule.add_noise(batch.x0, fresh, t)                                      # (draws, L, 3)
    return relative_change(network(x, t.expand(draws), features), network(x_t, t, features)).mean()


told = {name: told_another_time(network) for name, network in networks.items()}
other = {name: float(given_other_noise(network)) for name, network in networks.items()}
summary = float(np.mean([told_another_time(networks["trained"], k) for k in range(5, T, 10)]))

# %% tags=["plot"]
looks = {"untrained": "#E69F00", "trained": "#0072B2"}
lines = [show.Line(f"another t, {n}", np.arange(T), y, looks[n]) for n, y in told.items()]
lines += [show.Line(f"other noise, {n}", [0, T - 1], [y, y], looks[n], "dash") for n, y in other.items()]
show.figure(show.chart(lines, title=f"How much F changes ({protein.id}, points at t = 25)",
                       x="timestep that the network is told", y="change of F over F (rms)"),
            "Relative change of F when the network is told another timestep than 25, for the same points (solid), "
            "and when t stays and the noise is drawn afresh (dashed), before and after a short training.")
show.say(f"With points at t = 5, 15 … 45, and told any timestep, the trained network's F changes by {summary:.2f} of "
         f"its size; with other noise, at t = 25, by {other['trained']:.2f}. Seed {seed}, {recipe.steps} steps.")

# %% [markdown]
# $F^*$ holds $-\varepsilon$ at every t, so an F that is any good must change when the noise does. And
# a change with t is not yet a *useful* change; whether time conditioning is too weak to learn with,
# as the report says, is for [notebook 13](13_time_and_curriculum.ipynb). But that AdaLN is the only
# door can be shown here: shut it, by setting its weights to zero, and t makes no difference.

# %%
shut = build(recipe, seed).network.requires_grad_(False)
for layer in shut.denoiser.blocks:
    for norm in (layer.attention_norm, layer.feed_forward_norm):
        norm.modulation.weight.zero_()
goal("change of F with t, AdaLN shut", float(told_another_time(shut).max()), "<=", 1e-5)

# %% [markdown]
# ## What the network does not know
#
# A protein has no preferred direction, place or order of listing. Turn $x_t$ by a quarter about the z
# axis: a network that knew about rotations would turn F along with it. Shift $x_t$ by one unit: in the
# scaled residual F would stay. List the residues backwards, each with its own type, chain and position:
# F would be listed backwards.
#
# **Predict first:** which of the three does this network know, before any training?

# %%
quarter = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])        # about the z axis
backwards = Features(features.residue.flip(1), features.chain.flip(1), features.position.flip(1), None)


@torch.no_grad()
def symmetry_errors(network):
    f = network(x_t, t, features)                                                   # (1, L, 3)
    return {"turned": relative_change(network(x_t @ quarter.T, t, features), f @ quarter.T),
            "shifted": relative_change(network(x_t + 1.0, t, features), f),
            "listed backwards": relative_change(network(x_t.flip(1), t, backwards), f.flip(1))}


off = {name: {k: float(v[0]) for k, v in symmetry_errors(network).items()} for name, network in networks.items()}
show.table([{"weights": name} | {k: f"{v:.2g}" for k, v in errors.items()} for name, errors in off.items()],
           "How far F is from doing what the protein does: rms of the difference over rms of F, at t = 25")
goal("listed backwards, F follows", max(o["listed backwards"] for o in off.values()), "<=", 1e-4)

# %%
axis = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
turn = torch.matrix_exp(torch.linspace(0, 2 * math.pi, 25)[:, None, None] * axis)   # (25, 3, 3)
turned = x_t @ turn.mT                                                              # (25, L, 3)
x0_pred = models["trained"](turned, t.expand(25), features).detach()                # (25, L, 3)
show.player({n: batch.angstrom(x).numpy() for n, x in {"x_t, turned": turned, "its prediction": x0_pred}.items()},
            truth=protein.centroids, chain_index=protein.chain_index, height=340,
            labels=[f"turned by {k * 15}°" for k in range(25)],
            alt="Noisy points at t = 25, turned in steps of 15 degrees (left), and what the briefly trained network "
                "predicts from them (right). The truth in grey stays where it is.")

# %% [markdown]
# The order of listing it knows by construction: attention and all other layers treat tokens alike, and
# place in the chain enters as a feature. What turning and shifting do, it can only learn, if the
# training shows it. One protein in one orientation does not; AlphaFold 3 trains under random rotations
# and shifts (Abramson et al. 2024).
#
# ## Exercises
#
# **1.** A network may start with its coordinate head at zero, so that F = 0. What RMSE in Å has the
# scaled residual then, at t = 25? (The data have unit variance; a unit is `sd` Å.)

# %% tags=["exercise"]
my_rmse = None  # in Å

# %% tags=["solution"]
# Solution
# x0_pred = x_t, so the error is (a - 1) x0 + s eps, of variance (1 - a)^2 + s^2 = 2 - 2a on each axis.
a25 = math.sqrt(1 - 25 / 50)
solution_1 = sd * math.sqrt(3 * (2 - 2 * a25))

# %% tags=["check"]
answer = solution_1 if my_rmse is None else my_rmse
zero_head = build(recipe.but(zero_init_output=True), seed)
measured = measure.error_by_timestep(zero_head, batch, draws=16, timesteps=[25]).rmse[0]
truth = base["copy x_t"][25]
assert abs(answer - truth) < 0.06, f"F = 0 copies x_t: see the dashed line at t = 25, {truth:.2f} Å"
print("not answered; the solution is" if my_rmse is None else "right:", f"{answer:.2f} Å",
      f"(measured over 16 draws: {measured:.2f} Å)")

# %% [markdown]
# **2.** How many parameters of this notebook's denoiser are fed by the timestep? Count the time table
# and all AdaLN layers, biases included, from `width`, `blocks` and `T`.

# %% tags=["exercise"]
my_time_parameters = None

# %% tags=["solution"]
# Solution
one_norm = width * 2 * width + 2 * width  # a linear layer from width to 2 width
solution_2 = T * width + blocks * 2 * one_norm

# %% tags=["check"]
answer = solution_2 if my_time_parameters is None else my_time_parameters
truth = fed_by_time(here)
assert answer == truth, "each block has two AdaLN layers, each with a scale and a shift"
print("not answered; the solution is" if my_time_parameters is None else "right:", f"{answer:,}")

# %%
metric("parameters of the denoiser", count_parameters(here))
metric("share of the denoiser fed by the timestep", time_share)
metric("epsilon at t = 49, untrained", errors["eps"][49], "Å")
metric("direct x0 at t = 49, untrained", errors["x0"][49], "Å")
metric("correlation of F with F*, trained, t = 25", fit["trained"])
metric("change of F when told another timestep, trained", summary)
