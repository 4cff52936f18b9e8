# %% [markdown]
# # 12 · AF3-style atoms
#
# The report compares ResFold with a model "in the style of AlphaFold 3": four atoms a residue are
# diffused instead of one centroid, and small attention layers turn atoms into tokens and back. It
# says that this model does better even with the same scaled residual (the report's; R7): four times the points
# give four times the signal, local attention keeps bonds and angles, and the rigid geometry of a
# residue regularises. Those are three causes in one sentence. Here each gets its own switch.
#
# **You will learn** to take an architecture apart into parts that can be switched one by one, to
# spot a comparison that is easier on one side, and to tell AlphaFold 3 from what is called so.
# **Time:** 25 minutes to read, under a minute to run. **Words:** [notation and glossary](reference.md).

# %% tags=["parameters"]
profile = "laptop"
seed = 0

# %%
import numpy as np
import pandas as pd
import torch

from resfold_nb import measure, show, studies
from resfold_nb.data import load, make_batch, residue_centroids, superpose
from resfold_nb.diffusion import FORMS, get_schedule
from resfold_nb.model import AtomSize, Features, count_parameters
from resfold_nb.model.atoms import AtomDecoder, AtomEncoder, WindowAttention
from resfold_nb.studies.plans import FROZEN_ON, VARIANTS
from resfold_nb.training import build, draw, training_loss
from resfold_nb.workbook import goal, metric, start

session = start(profile, seed, notebook="12_af3_style_atoms")

# %% [markdown]
# ## Four points a residue
#
# Each residue now gives its atoms N, CA, C and O. The cloud of atoms is a little wider than that of
# the centroids, so it is divided by its own standard deviation
# ([notebook 01](01_proteins_as_points.ipynb)).
#
# Are these four times as many *independent* facts? The variance of the coordinates splits
# exactly in two: that of the residues' centroids, and that of the atoms around them.

# %%
protein = load(session.pick(ci="1WY3_A", laptop=FROZEN_ON, gpu=FROZEN_ON))
batch, centres = make_batch(protein, points="backbone"), make_batch(protein)
scale, scale_1 = float(batch.scale[0]), float(centres.scale[0])
middle = residue_centroids(batch.x0, 4)                                   # (1, L, 3)
share = float(middle.square().mean() / batch.x0.square().mean())
around = batch.x0.unflatten(1, (-1, 4)) - middle.unsqueeze(2)             # (1, L, 4, 3)
spread = scale * float(around.square().sum(-1).mean().sqrt())
show.say(f"{protein.id}: {centres.x0.shape[1]} centroids of sd {scale_1:.2f} Å, or {batch.x0.shape[1]} backbone "
         f"atoms of sd {scale:.2f} Å. Of the variance of the atoms, **{share:.1%}** is that of their residues' "
         f"centroids; the atoms lie {spread:.2f} Å (rms) from them.")

# %% [markdown]
# So predicting four atoms well is for the most part predicting one centroid well.

# %% [markdown]
# ## Predict first
#
# All four atoms get their own noise, of the same size as a centroid's. Average the four noisy
# atoms of a residue: how noisy is *that* centroid? So is t = 25 equally hard for both models?

# %%
schedule = get_schedule("linear")
noise = torch.randn(64, 4 * len(protein), 3, generator=torch.Generator().manual_seed(0))
measured = float(residue_centroids(noise, 4).std())
goal("noise of a centroid of four noisy atoms, from a half", abs(measured - 0.5), "<", 0.02)


def same_snr(t, atoms=4):
    """The t at which one noisy centroid has the SNR of the mean of `atoms` noisy points at t."""
    bar = float(schedule.alpha_bar[t])
    return 50 * (1 - atoms * bar / (1 - bar + atoms * bar))


show.say(f"The mean of four noises has {measured:.2f} of the amplitude of one. The t of a centroid model with the "
         "SNR of the atom model's t: " + ", ".join(f"{same_snr(t):.1f} for {t}" for t in (1, 5, 25, 40, 49)) + ".")

# %% [markdown]
# The mean of four independent noises is half as large. So at *equal t* the atom model sees its
# residues twice as clearly: SNR four times as large. The schedule has moved without a line of it
# being changed, as it does when an image gets more pixels (Hoogeboom et al. 2023). A comparison
# at equal t is therefore easier for the atom model. Where one constant answers at every t that
# does not matter, since x_t need not be read. Where the orientation must be read from x_t it
# does. A bound that can be computed shows how much: the error of the *best possible* model under
# random rotations, for the centroids, given one noisy centroid or four noisy atoms a residue.

# %%
def centroid_floor(kind, t, draws=32):
    """RMSE in Å of residues' centroids that no model can beat when the protein comes turned."""
    points, generator = make_batch(load(FROZEN_ON), points=kind), torch.Generator().manual_seed(1)
    clean = points.x0[0].double()
    eps = torch.randn(draws, *clean.shape, generator=generator, dtype=torch.float64)
    x_t = schedule.add_noise(clean, eps, torch.tensor([t]))
    error = measure.best_rotated(x_t, clean, float(schedule.a[t]), float(schedule.s[t])) - clean
    squared = residue_centroids(error, points.points_per_residue).square().sum(-1).mean()
    return float(points.scale[0] * squared.sqrt())


floors = pd.DataFrame({n: {t: centroid_floor(kind, t) for t in (1, 5, 25, 49)} for n, kind in (
    ("one noisy centroid", "centroid"), ("four noisy atoms", "backbone"))})
show.table(floors.T.rename_axis("given, for each residue").rename(columns="t = {} (Å)".format),
           f"{FROZEN_ON} under random rotations: the lowest error of centroids that is possible")

# %% [markdown]
# ## From atoms to tokens
#
# The encoder, by hand. Each atom adds up what it knows: its noisy coordinates, its *name* (a
# learned vector for N, CA, C or O) and the token of its residue from the trunk. A block mixes the
# atoms, and what it leaves is kept as a **skip state**. The mean over the four atoms becomes the
# residue's token.

# %%
recipe = studies.variant("A, 4 atoms, attention + skips", "well_fed", profile)
network = build(recipe, seed).network
encoder, features = network.denoiser.encoder, Features.of(batch)
t = torch.tensor([25])
x_t = schedule.to("cpu", torch.float32).add_noise(batch.x0, noise[:1], t)     # (1, 4 L, 3)
with torch.no_grad():
    trunk = network.trunk(features, x_t)                                      # (1, L, width)
    atoms = encoder.points(x_t.unflatten(1, (-1, 4))) + encoder.name          # (1, L, 4, 32)
    atoms = atoms + encoder.from_token(trunk).unsqueeze(2)
    for block in encoder.blocks:
        atoms = block(atoms, None)                                            # a skip state
    tokens = encoder.to_token(atoms.mean(2))                                  # (1, L, width)
    theirs, skips = encoder(x_t, trunk, None)
goal("encoder by hand against the package's", float((tokens - theirs).abs().max()), "<=", 1e-6)

# %% [markdown]
# The tokens then pass the denoiser's blocks as before ([notebook 04](04_denoiser.ipynb)), all
# residues seeing each other. The decoder goes the other way: every atom starts from its
# residue's token plus its name, and each block adds an encoder's skip state *before* it runs: the
# first decoder block that of the last encoder block, and so on in reverse. Three blocks show the
# order (the models below have one, so there the order is moot).

# %%
three = AtomSize(blocks=3)
torch.manual_seed(0)
encode, decode = AtomEncoder(three, trunk.shape[-1]), AtomDecoder(three, trunk.shape[-1])
with torch.no_grad():
    tokens, skips = encode(x_t, trunk, None)
    atoms = decode.from_token(tokens).unsqueeze(2) + decode.name              # (1, L, 4, 32)
    for block, skip in zip(decode.blocks, skips[::-1]):
        atoms = block(atoms + skip, None)
    mine = decode.head(decode.norm(atoms)).flatten(1, 2)                      # (1, 4 L, 3)
    gap = float((decode(tokens, skips, None) - mine).abs().max())
goal("skips in reverse order: decoder by hand against the package's", gap, "<=", 1e-6)

# %% [markdown]
# ## What tells four atoms apart
#
# All four atoms of a residue start in the decoder from one token. **Predict first:** if their names
# are set to zero and the skips are cut, where do the four atoms come out?

# %%
def atom_spread(skips, names):
    """rms distance of a residue's atoms from their centroid in the raw output F."""
    net = build(recipe.but(atoms=AtomSize(skips=skips)), seed).network
    with torch.no_grad():
        if not names:
            net.denoiser.decoder.name.zero_()
        f = net(x_t, t, features).unflatten(1, (-1, 4))                       # (1, L, 4, 3)
    return float((f - f.mean(2, keepdim=True)).square().sum(-1).mean().sqrt())


spreads = {k: {n: atom_spread(k == "yes", n == "yes") for n in ("yes", "zeroed")} for k in ("yes", "no")}
show.table([{"skips": k} | {f"names in the decoder: {n}": v for n, v in row.items()} for k, row in spreads.items()],
           f"Untrained, seed {seed}: spread of a residue's atoms in F")
goal("spread without skips and names", spreads["no"]["zeroed"], "<", 1e-5)

# %% [markdown]
# Equal input, equal output: attention over four equal vectors returns four equal vectors. A name
# says *which* atom, a skip state also says *where* it was. So without skips an atom's own noisy
# position reaches the decoder only through the token, a mean over four. A form that must copy
# the noise of every atom (the scaled residual) needs that path; fix A, whose F holds no noise, does not.
#
# ## How far an atom sees
#
# The report's attention stays inside a residue. The published AlphaFold 3 cuts the sequence of atoms
# into windows of 32 queries, each seeing 128 keys around it. With four atoms a residue these are
# 8 and 32 whole residues, so that both can be drawn residue by residue.

# %%
def window_mask(count):
    """(count, count) bool: does atom i (row) see atom j in windows of 32 queries, 128 keys?"""
    i, j = np.arange(count)[:, None], np.arange(count)[None, :]
    first = 32 * (i // 32) - 48
    return (j >= first) & (j < first + 128)


residues = 67
reach = {"inside a residue": np.kron(np.eye(residues), np.ones((4, 4))) > 0,
         "windows, 32 / 128": window_mask(4 * residues)}
fig = show.heatmaps({k: m[::4, ::4] for k, m in reach.items()}, x="residue that is seen", y="residue that looks",
                    value="sees (1)", height=480, title=f"What attention of atoms may see, {residues} residues")
show.figure(fig, "Inside a residue: the diagonal alone. Windows: blocks of 8 residues that each see 32 around them.")

# %%
# C of residue i and N of residue i + 1 are bound: do they see each other?
C, N = 4 * np.arange(residues - 1) + 2, 4 * np.arange(1, residues)
for name, seen in reach.items():
    show.say(f"Attention *{name}*: an atom sees {seen.sum(1).mean():.4g} atoms on average, and "
             f"{(seen[C, N] & seen[N, C]).sum()} of {residues - 1} peptide bonds have both ends in view.")
torch.manual_seed(0)
window, states, seen = WindowAttention(32, 2), torch.randn(2, 4 * residues, 32), torch.from_numpy(seen)
with torch.no_grad():
    q, k, v = (window.split(p(states)) for p in (window.query, window.key, window.value))  # (2, heads, 4 L, 16)
    mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)
    difference = float((window.out(mixed.transpose(1, 2).flatten(-2)) - window(states)).abs().max())
goal("windows against dense attention with the mask", difference, "<=", 1e-5)

# %% [markdown]
# The package computes windows without ever making the large matrix; with the mask above, dense
# attention gives the same numbers. And the peptide bond C–N, which joins two residues, is
# invisible to attention inside one: if that bond comes out right, then the tokens, or the
# memorised answer, did it.
#
# ## Is four times the points four times the signal?
#
# The loss is a *mean* over points, so more points do not make it larger. They could make the
# gradient steadier: four independent witnesses would quarter its variance. Measured: the gradient
# over the weights of the denoiser's blocks for single draws (t, ε), untrained. Its scatter over its
# squared mean is the number of draws at which noise equals signal (McCandlish et al. 2018).

# %%
def draws_needed(name, count=48):
    """tr Cov(g) / |E g|^2 of one-draw gradients g over the weights of the denoiser's blocks."""
    one = studies.variant(name, "well_fed", profile).but(noise_levels=1)
    data = batch if one.atoms else centres
    model, known = build(one, seed), Features.of(data)
    weights = list(model.network.denoiser.blocks.parameters())
    generator, rows = torch.Generator().manual_seed(11), []
    for _ in range(count):
        loss = training_loss(one, model, draw(one, data, known, generator), known)
        rows.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, weights)]))
    g = torch.stack(rows).double()                                            # (count, weights)
    scatter = g.var(0).sum()
    return float(scatter / (g.mean(0).square().sum() - scatter / count).clamp_min(1e-12))


WAYS = {"centroids": "", "4 atoms": ", 4 atoms", "4 atoms, attention + skips": ", 4 atoms, attention + skips"}
needed = {f: {k: draws_needed(f + way) for k, way in WAYS.items()} for f in ("scaled residual", "A")}
show.table([{"form": f} | v | {"4 atoms over centroids": v["4 atoms"] / v["centroids"]} for f, v in needed.items()],
           f"Draws at which noise equals signal, untrained, 48 draws, seed {seed}; the report's "
           "'four times the signal' would be 0.25 in the last column")

# %% [markdown]
# *4 atoms* is the plain version: the twelve coordinates of a residue enter its token by one linear
# layer and leave it by another; no atom network at all. It separates *more points* from *attention*.
# The draw of t is shared by all points, and so is most of what they say.
#
# ## Predict first
#
# One protein, fix A and the scaled residual, centroids and atoms. Compared on the centroids, at equal
# steps: does the atom model win? And does it rescue the scaled residual?
#
# ## All four, live
#
# An atom step costs more than a centroid step, so in this notebook *all four* get fewer noise levels
# a step than the recipe's, and fewer steps.

# %%
ATOMIC, BOTH = "A, 4 atoms, attention + skips", "scaled residual, 4 atoms, attention + skips"
LIVE = {"scaled residual": centres, "A": centres, BOTH: batch, ATOMIC: batch}
small = dict(noise_levels=8, steps=session.pick(ci=80, laptop=200, gpu=2000))
runs = {}
for name, data in LIVE.items():
    one = studies.variant(name, "well_fed", profile).but(**small)
    runs[name] = measure.train_and_measure(one, data, seed, device=session.device, marks=(one.steps,),
                                           progress=show.progress)
show.table([{"variant": n, "parameters": count_parameters(r.predictor), "steps": r.recipe.steps,
             "draws": r.recipe.steps * r.recipe.noise_levels, "points a draw": LIVE[n].x0.shape[1],
             "training (s)": r.train_seconds} for n, r in runs.items()],
           f"Live budget: {protein.id}, recipe well fed with 8 noise levels, seed {seed}, {session.device}")

# %%
errors = {n: measure.error_by_timestep(r.predictor, LIVE[n], centroids=True) for n, r in runs.items()}
live = studies.frame_of(runs).query("t != 'sampled'").assign(rmse=np.concatenate([e.rmse for e in errors.values()]))
show.by_timestep(live, lines=show.baseline_lines(measure.baselines(schedule, 1.0, scale_1)),
                 title=f"Live: centroids after {small['steps']} steps ({protein.id})",
                 alt="Error by timestep. Dashed grey lines predict without learning, from one noisy centroid.")

# %%
mean = {n: float(e.rmse.mean()) for n, e in errors.items()}
for form, ratio in (("A", mean[ATOMIC] / mean["A"]), ("scaled residual", mean[BOTH] / mean["scaled residual"])):
    show.say(f"*{form}*, live, one seed: with atoms the mean error of the centroids is **{ratio:.2f} "
             f"times** that with centroids, {'lower' if ratio < 1 else 'not lower'}.")

# %% [markdown]
# Mind t = 1 of the scaled residual. It starts from $x_t$, and a centroid of four noisy atoms is only half
# as noisy as a noisy centroid; part of any gain there is that.

# %% [markdown]
# ## Bonds and angles of samples
#
# Atoms have what centroids have not: bonds to check, against ideal values (Engh & Huber 2001).
# If the errors of two bound atoms were independent, each of rms length r, their bond would deviate
# by about $r\sqrt{2/3}$, since a third of each squared error lies along the bond. Less than that
# means that neighbours err *together*: the local geometry is better than the atoms' places. More
# means that these atoms err more than the average one, or against each other.

# %%
atoms = {n: measure.sample(runs[n].predictor, batch).final for n in (BOTH, ATOMIC)}
found = {n: measure.geometry_errors(scale * x.cpu().numpy(), np.diff(protein.position) == 1)
         for n, x in {"true structure": batch.x0, **atoms}.items()}
show.table(pd.DataFrame({"ideal": measure.IDEAL} | found).rename_axis("bond (Å) or angle (°)"),
           f"Live, 4 samples, seed {seed}: ideal, and rms deviations; {', '.join(measure.ACROSS)} span two residues")
for n, x in atoms.items():
    whole = measure.sample_errors(x, batch)[1].mean()
    show.say(f"{n}: samples are {whole:.2f} Å off (RMSD of atoms), so independent errors would give "
             f"{whole * np.sqrt(2 / 3):.2f} Å a bond; N–CA has {found[n]['N-CA']:.2f} Å and "
             f"C–N, across residues, {found[n]['C-N']:.2f} Å.")

# %% [markdown]
# Four samples of each, superposed on the truth. Only N, CA and C are drawn, so that the sticks
# follow the backbone.

# %%
def trace(x):
    """(F, 4 L, 3) normalised atoms -> (F, 3 L, 3) N, CA, C in Å, superposed on the truth."""
    x = superpose(x.cpu(), batch.x0.expand(len(x), -1, -1)) * scale
    return x.unflatten(1, (-1, 4))[:, :, :3].flatten(1, 2).numpy()


show.player({n: trace(x) for n, x in atoms.items()}, truth=trace(batch.x0)[0], interval=1000,
            alt="Four sampled backbones (N, CA, C) of each form, superposed on the true one in grey.")

# %% [markdown]
# ## Recorded: points, attention and skips apart
#
# Recorded with `python -m resfold_nb study atoms --out data/recorded`: profile laptop, CPU, one
# thread a run, three seeds, 1HZ6_A or ten chains. Each step below adds one thing; all diffuse the
# same four atoms. All errors are those of the **centroids**, so that every row measures the same
# points.
#
# - *4 atoms*: one linear layer in, one out
# - *no attention*: an atom network with skips
# - *attention*: an atom network without skips, attention inside a residue
# - *attention + skips*: both
# - *windows + skips*: attention in windows, skips
#
# What do they cost? The floating-point operations are those of the matrix products of training,
# attention included. *1.75 times the steps* gives the centroid model about the work of the atom
# model.

# %%
COSTS = ["parameters", "teraflop", "megabytes", "seconds"]
cost = studies.load("atoms", table="runs").melt(["setting", "variant"], COSTS, "what")
cost = cost.groupby(["what", "setting", "variant"]).value.median().unstack().reindex(columns=list(VARIANTS))
over = cost.div(cost["A"], axis=0).stack().dropna().rename("over A").reset_index()
show.dots(over, value="over A", panel="what", colour="setting", order=VARIANTS, reference=1, x="over A",
          title="Recorded: what a run costs, over A in the same setting",
          alt="Parameters, operations, memory of a step and seconds of training, which are indicative.")
for flop in cost.query("what == 'teraflop' and setting == 'one protein'").to_dict("records"):
    extra = flop["A, 1.75 times the steps"] / flop[ATOMIC] - 1
    show.say(f"A takes {flop['A']:.2f} TFLOP, with atoms {flop[ATOMIC]:.2f}. *1.75 times the steps* is "
             f"{abs(extra):.0%} {'more' if extra > 0 else 'less'} work than the atom model.")

# %% [markdown]
# So the work is *about equal*; wall time, which small tensors dominate, is another matter.

# %%
names = {f"centroids, t = {t}, RMSE (Å)": t for t in (0, 1, 5, 25, 49)} | {"centroids, sampled, RMSD (Å)": "sampled"}
quantities, points = studies.load("atoms", table="quantities"), studies.load("atoms")
atomic = quantities.assign(t=quantities.quantity.map(names), step=quantities.steps, rmse=quantities.value,
                           rmsd=quantities.value, of="centroids").dropna(subset="t")
points["of"] = np.where(points.variant.str.contains("4 atoms"), "all atoms", "centroids")
ends = studies.ends(pd.concat([points[points.t.isin(names.values())], atomic]))
centroids = ends[ends.of == "centroids"]
lines = [show.Line(f"floor, {n}", floors.index, floors[n], c, "dot") for n, c in zip(floors, ("#222222", "#9A9A9A"))]
shown = ("scaled residual", "A", "A, 4 atoms", ATOMIC, "A, blind to x_t and t")
show.by_timestep(centroids[centroids.variant.isin(shown)], panel="setting", order=shown, y="RMSE of centroids (Å)",
                 lines={"random rotations": lines}, title="Recorded: centroids and atoms in three settings",
                 alt="Recorded error of centroids at t = 0, 1, 5, 25, 49. Floors hold under random rotations alone.")

# %% [markdown]
# How to read it. *One protein*: one constant answers, so x_t is a distraction and the blind network
# is the measure of how easy the task is. *Random rotations*: no constant answers; compare
# with the floors above, which are lower for atoms. *Ten chains*: no one constant answers, but the
# sequence says which of the ten to give, so again a blind network is best placed. Where the
# blind network wins, the setting ranks how fast forms and networks forget x_t, not how well they
# denoise.
#
# ## One change at a time
#
# **Predict first:** which of *points*, *an atom network*, *attention*, *skips* and *windows* moves
# the error most?

# %%
PAIRS = {"four atoms for one centroid": ("A", "A, 4 atoms"),
         "an atom network with skips": ("A, 4 atoms", "A, 4 atoms, no attention"),
         "attention, given skips": ("A, 4 atoms, no attention", ATOMIC),
         "skips, given attention": ("A, 4 atoms, attention", ATOMIC),
         "windows for residues": (ATOMIC, "A, 4 atoms, windows + skips"),
         "scaled residual: four atoms": ("scaled residual", "scaled residual, 4 atoms"),
         "scaled residual: all, equal steps (R7)": ("scaled residual", BOTH),
         "fix A: all, equal steps": ("A", ATOMIC), "fix A: all, equal FLOPs": ("A, 1.75 times the steps", ATOMIC)}
mid, low, high = (centroids.pivot_table("error", ["setting", "t"], "variant", how, sort=False)
                  .reindex(columns=list(VARIANTS)) for how in ("median", "min", "max"))
changes = pd.concat({what: pd.DataFrame({"ratio": mid[new] / mid[old], "low": low[new] / high[old],
                                         "high": high[new] / low[old]}) for what, (old, new) in PAIRS.items()},
                    names=["change"]).dropna().reset_index()
AT = {1: "t = 1", 25: "t = 25", 49: "t = 49", "sampled": "the end, sampled"}
changes = changes.assign(at=changes.t.map(AT)).dropna(subset="at")
one = changes[changes.setting == "one protein"]
show.dots(one, rows="change", value="ratio", panel="at", reference=1, order=tuple(PAIRS), log_x=False,
          x="error after / before", title="Recorded, one protein: one change at a time",
          alt="Below 1 is better. Where a bar crosses 1 the ranges of three seeds overlap, which decides nothing.")

# %%
for at, single in one[one.change.isin(list(PAIRS)[:5])].set_index("change").groupby("at", sort=False):
    if at in ("t = 49", "the end, sampled"):
        best, clear = single.ratio.idxmin(), {"Helps": single.high < 1, "Hurts": single.low > 1}
        show.say(f"**At {at}.** " + " ".join(
            f"{word}, with ranges apart: {'; '.join(single.index[it]) or 'none'}." for word, it in clear.items())
            + f" Lowest ratio: {best}, × {single.ratio[best]:.2f}.")

# %% [markdown]
# ## Recorded bonds
#
# Does attention inside a residue keep bonds right, and windows also the peptide bond? Compare each
# row with its own *independent errors*, not with other rows alone: a model with better
# placed atoms has better bonds for that reason alone.

# %%
kinds = {f"{b}, deviation (Å)": "C–N, across" if b == "C-N" else "within" for b in ("N-CA", "CA-C", "C-O", "C-N")}
bonds = quantities[quantities.setting == "one protein"]
bonds = bonds.assign(kind=bonds.quantity.map(kinds), square=bonds.value**2, of="samples")
bonds = bonds.groupby(["of", "kind", "variant", "seed"]).square.mean().pow(0.5).rename("rms").reset_index()
free = ends[(ends.setting == "one protein") & (ends.t == "sampled") & (ends.of == "all atoms")]
free = free.assign(of="independent errors", rms=free.error * np.sqrt(2 / 3))
both = [bonds, free.assign(kind="within"), free.assign(kind="C–N, across")]
show.dots(pd.concat(both), value="rms", panel="kind", colour="of", x="rms deviation (Å)",
          title="Recorded, one protein: bonds of samples", order=VARIANTS,
          alt="Deviation from ideal, root mean square, beside what independent errors of the atoms would give.")

# %%
rms = bonds.pivot_table("rms", "variant", "kind", "median").filter(like="A, 4", axis=0)
for n, least in rms.get("within", pd.Series(dtype=float)).nsmallest(1).items():
    show.say(f"Of fix A's five atom models, **{n}** has the best bonds within a residue, {least:.2f} Å off.")
for n, part in rms.div(free.groupby("variant").rms.median(), axis=0).dropna().iterrows():
    show.say(f"{n}: bonds within a residue deviate by **{part['within']:.2f}** of what independent "
             f"errors would give, the peptide bond by **{part['C–N, across']:.2f}**.")

# %% [markdown]
# ## In Å, in every setting
#
# RMSE by timestep and RMSD of samples, median (range) over three seeds. Samples are superposed. Under
# random rotations the floors computed above hold.

# %%
for setting, rows in ends.assign(at=ends.t.map(AT)).dropna(subset="at").groupby("setting"):
    show.dots(rows, value="error", panel="at", colour="of", order=VARIANTS, goal=1.0, x="error (Å)",
              title=f"Recorded, {setting}", alt="RMSE by timestep and RMSD of samples; median and range over seeds.")

# %% [markdown]
# A lower error under random rotations need not be a better use of what came in, since four noisy
# atoms say more than one noisy centroid. So divide each error by its own floor:

# %%
for n, given in {"A": 0, "scaled residual": 0, "A, 4 atoms": 1, ATOMIC: 1}.items():
    over = (mid[n].get("random rotations", pd.Series()) / floors.iloc[:, given]).dropna().drop(1, errors="ignore")
    show.say(f"Random rotations, {n}, error over the floor: "
             + (", ".join(f"t = {t}: {v:.1f}" for t, v in over.items()) or "**not recorded**") + ".")

# %% [markdown]
# ## What the published AlphaFold 3 does
#
# The report says that the trunk of "AF3", too, reads noisy points and that its base version has the same
# scaling (R17). What it describes is the public project's own `af3_style.py`. The paper (Abramson et al. 2024) and its
# supplementary information say otherwise:
#
# | | the report's AF3-style model, built here | the published AlphaFold 3 |
# |---|---|---|
# | trunk | reads the noisy points unless fix E is on | sees no noisy coordinates; recycles its own output |
# | what is diffused | N, CA, C, O of protein residues | all heavy atoms, of nucleic acids, ligands and ions too |
# | noise | 50 discrete steps, variance-preserving, data scaled to sd 1 | continuous level σ, x = x₀ + σ ε in Å |
# | output | x_t + √(t/T) F, or F itself | EDM coefficients with σ_data = 16 Å (Karras et al. 2022) |
# | atom attention | inside a residue; windows as an option | windows of 32 queries and 128 keys across residues, with a bias from atom pairs |
# | what an atom knows | coordinates, name, its residue's token | also a reference conformer, charge, element, and the trunk's pairs |
# | trunk passes | one for each noise level here | one for 48 noise samples |
# | loss | mean squared error, not superposed in these recipes | weighted by noise level, after superposition, more weight for ligands and nucleic acids; a bond loss in fine-tuning and a smooth LDDT beside it |
# | orientations | fixed, or random in the setting *random rotations* | a random rotation and shift for each noise sample |
# | rollout | an option with gradient ([notebook 10](10_fix_d_rollout.ipynb)) | a mini-rollout of 20 steps without gradient into the denoiser, for confidence and for matching symmetric parts |
#
# One thing is nearer to the report than it looks. EDM's $c_\mathrm{out}$ also vanishes with the noise:

# %%
a, s = schedule.a, schedule.s
curves = pd.DataFrame({"noise σ = 16 Å × s/a": 16 * s / a} | {
    f"{c}, {n}": getattr(form, c)(a, s) * torch.ones(50) for c in ("c_out", "c_skip")
    for n, form in (("report", FORMS["residual"]), ("EDM", FORMS["edm"]))}).rename_axis("t")
show.table(curves.loc[[0, 1, 5, 25, 49]], "The report's form and EDM's, for data of variance 1 in the units of x_t")
gap = (curves["c_out, report"] - curves["c_out, EDM"]).abs().max()
show.say(f"The factors in front of F differ by at most **{gap:.1g}**; it is the *skip* that differs, 1 "
         f"against {curves['c_skip, EDM'][49]:.2f} at t = 49.")
goal("c_out of EDM against sqrt(t/T), largest difference", gap, "<=", 1e-5)

# %% [markdown]
# So R17 does not hold for the published model: its trunk sees no noisy coordinates, and its output is
# not x_t plus a scaled F. But a factor that vanishes with the noise it has all the same. EDM keeps
# that factor and lets the *skip* fade as the noise grows. Notebook 14 puts both on one map.
#
# ## What to take away

# %%
WORDS = {(-1,): "atoms are better", (1,): "atoms are worse", (0,): "the seeds do not decide",
         (-1, 0): "atoms are better or undecided", (0, 1): "atoms are worse or undecided"}
text = "Recorded, error of centroids with atoms (attention + skips) over that without:\n"
late = changes[(changes.t != 1) & changes.change.str.contains(": all")]
for (change, setting), rows in late.groupby(["change", "setting"], sort=False):
    signs = np.where(rows.high < 1, -1, np.where(rows.low > 1, 1, 0))
    parts = [f"{at}: × {ratio:.2f}{'' if sign else ' (overlap)'}"
             for at, ratio, sign in zip(rows["at"], rows.ratio, signs)]
    text += f"\n- {change}, {setting}: **{WORDS.get(tuple(np.unique(signs)), 'it depends')}**; {', '.join(parts)}."
left = needed["A"]["4 atoms"] / needed["A"]["centroids"]
show.say(f"{text}\n\n*Four times the signal*: {share:.1%} of the atoms' variance is their centroids', and of the "
         f"draws that fix A's gradient needs, four atoms leave {left:.2f} (live, untrained; a quarter would be R7).")

# %% [markdown]
# That is the first of the causes that R7 names. By algebra four atoms also halve the noise of a
# residue at equal t. *Attention* and *skips*: the figure of single changes. *Rigid local geometry*:
# the figure of bonds.

# %% [markdown]
# ## Exercises
#
# **1.** At which t (a real number) does one noisy centroid have the SNR that the mean of four noisy
# atoms has at t = 49? Take $\bar\alpha(t) = 1 - t/50$.

# %% tags=["exercise"]
my_t = None  # a number

# %% tags=["solution"]
# Solution
# bar / (1 - bar) = 4 * 0.02 / 0.98 gives bar = 0.08 / 1.06.
solution_1 = 50 * (1 - 0.08 / 1.06)

# %% tags=["check"]
answer = solution_1 if my_t is None else my_t
bar_there = 1 - answer / 50
assert abs(bar_there / (1 - bar_there) - 4 * 0.02 / 0.98) < 2e-3, f"it is {same_snr(49):.1f}"
print("not answered; the solution is" if my_t is None else "right:",
      f"{answer:.1f}. Four atoms at t = 49 start a little way down the centroids' schedule.")

# %% [markdown]
# **2.** With windows of 32 queries and 128 keys, how many residues do the atoms of the *first*
# residue see? And those of a residue in the middle of a long chain?

# %% tags=["exercise"]
my_first, my_middle = None, None  # two whole numbers

# %% tags=["solution"]
# Solution
# Keys run from 48 atoms before the window's first query to 80 after it: 80 / 4 at the end.
solution_2 = (80 // 4, 128 // 4)

# %% tags=["check"]
answer = solution_2 if my_first is None or my_middle is None else (my_first, my_middle)
mask = window_mask(4 * 200)
truth_2 = int(mask[0].sum() // 4), int(mask[400].sum() // 4)
assert answer == truth_2, f"they are {truth_2}"
print("not answered; the solution is" if my_first is None or my_middle is None else "right:",
      f"{answer[0]} and {answer[1]} residues")

# %%
metric("share of the atoms' variance that is the centroids'", share)
metric("A with atoms, mean RMSE of centroids over t", mean[ATOMIC], "Å")
metric("scaled residual with atoms, mean RMSE of centroids over t", mean[BOTH], "Å")
metric("A with centroids, mean RMSE over t", mean["A"], "Å")
metric("A with atoms, C-N of samples, deviation", found[ATOMIC]["C-N"], "Å")
