# %% [markdown]
# # 12 · AF3-style atoms
#
# The report compares ResFold with a model "in the style of AlphaFold 3": four atoms a residue are
# diffused instead of one centroid, and small attention layers turn atoms into tokens and back. It
# says that this model does better *even with the same scaled residual* (R7): four times the points
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
import torch
import torch.nn.functional as functional

from resfold_nb import measure, show, studies
from resfold_nb.studies.plans import FROZEN_ON
from resfold_nb.data import BACKBONE_ATOMS, load, make_batch, residue_centroids, superpose
from resfold_nb.diffusion import FORMS, get_schedule
from resfold_nb.model import AtomSize, Features, count_parameters
from resfold_nb.model.atoms import AtomDecoder, AtomEncoder, WindowAttention
from resfold_nb.show.theme import SERIES
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
batch = make_batch(protein, points="backbone")
centres = make_batch(protein)
scale, scale_1 = float(batch.scale[0]), float(centres.scale[0])
share = float(residue_centroids(batch.x0, 4).square().mean() / batch.x0.square().mean())
around = batch.x0.unflatten(1, (-1, 4)) - residue_centroids(batch.x0, 4).unsqueeze(2)
spread = scale * float(around.square().sum(-1).mean().sqrt())
show.table([{"points": "centroids", "how many": centres.x0.shape[1], "sd (Å)": scale_1},
            {"points": "backbone atoms", "how many": batch.x0.shape[1], "sd (Å)": scale}],
           f"{protein.id}: what is diffused")
show.say(f"Of the variance of the atoms, **{share:.1%}** is that of their residues' centroids; the "
         f"atoms lie {spread:.2f} Å (rms) from them. Predicting four atoms well is for the most part "
         "predicting one centroid well.")

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


rows = [{"t of the atom model": t, "a/s of an atom": float(schedule.a[t] / schedule.s[t]),
         "a/s of the mean of four": float(2 * schedule.a[t] / schedule.s[t]),
         "a centroid model has that at t": round(same_snr(t), 1)} for t in (1, 5, 25, 40, 49)]
show.table(rows, f"The mean of four noises has {measured:.2f} of the amplitude of one")

# %% [markdown]
# The mean of four independent noises is half as large. So at *equal t* the atom model sees its
# residues twice as clearly: SNR four times as large. The schedule has moved without a line of it
# being changed, as it does when an image gets more pixels (Hoogeboom et al. 2023). A comparison
# at equal t is therefore easier for the atom model. Where one constant answers at every t that
# does not matter, since x_t need not be read. Where the orientation must be read from x_t it
# does. A bound that can be computed shows how much: the error of the *best possible* model under
# random rotations, for the centroids, given one noisy centroid or four noisy atoms a residue.

# %%
def centroid_floor(points, t, draws=32):
    """RMSE in Å of residues' centroids that no model can beat when the protein comes turned."""
    clean, each = points.x0[0].double(), points.points_per_residue
    generator = torch.Generator().manual_seed(1)
    eps = torch.randn(draws, *clean.shape, generator=generator, dtype=torch.float64)
    a, s = float(schedule.a[t]), float(schedule.s[t])
    error = measure.best_rotated(a * clean + s * eps, clean, a, s) - clean
    squared = residue_centroids(error, each).square().sum(-1).mean()
    return float(points.scale[0] * squared.sqrt())


frozen = {n: make_batch(load(FROZEN_ON), points=p)
          for n, p in (("one noisy centroid", "centroid"), ("four noisy atoms", "backbone"))}
floors = {n: {t: centroid_floor(b, t) for t in (1, 5, 25, 49)} for n, b in frozen.items()}
show.table([{"given, for each residue": n} | {f"t = {t} (Å)": v for t, v in at.items()}
            for n, at in floors.items()],
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
x_t = schedule.to("cpu", torch.float32).add_noise(batch.x0, noise[:1], t)
with torch.no_grad():
    trunk = network.trunk(features, x_t)
    shapes = {"noisy atoms": x_t, "tokens of the trunk": trunk}
    atoms = encoder.points(x_t.unflatten(1, (-1, 4))) + encoder.name
    atoms = atoms + encoder.from_token(trunk).unsqueeze(2)
    shapes["atoms: coordinates + name + token"] = atoms
    mine = []
    for block in encoder.blocks:
        atoms = block(atoms, None)
        mine.append(atoms)
    shapes["skip state, after a block"] = atoms
    tokens = encoder.to_token(atoms.mean(2))
    shapes["tokens, after the mean"] = tokens
    theirs, skips = encoder(x_t, trunk, None)
show.table([{"what": k, "shape": " × ".join(map(str, v.shape))} for k, v in shapes.items()],
           f"{protein.id}, {len(protein)} residues: one noise level through the encoder")
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
demo_encoder, demo_decoder = AtomEncoder(three, 64), AtomDecoder(three, 64)
seen, left = [], []
for block in demo_decoder.blocks:
    block.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    block.register_forward_hook(lambda module, inputs, output: left.append(output))
with torch.no_grad():
    out, states = demo_encoder(x_t, trunk, None)
    demo_decoder(out, states, None)
    before = [demo_decoder.from_token(out).unsqueeze(2) + demo_decoder.name, *left]
rows = []
for k, (given, had) in enumerate(zip(seen, before), start=1):
    gap = [float((given - had - state).abs().max()) for state in states]
    rows.append({"decoder block": k, "adds what encoder block left": int(np.argmin(gap)) + 1,
                 "difference": f"{min(gap):.0e}"})
show.table(rows, "Which skip state each decoder block receives, found by subtraction")
goal("skips in reverse order", sum(r["decoder block"] + r["adds what encoder block left"] == 4
                                   for r in rows), "==", 3)

# %% [markdown]
# ## What tells four atoms apart
#
# All four atoms of a residue start in the decoder from one token. **Predict first:** if their names
# are set to zero and the skips are cut, where do the four atoms come out?

# %%
def atom_spread(skips, names):
    """rms distance of a residue's atoms from their centroid in the raw output F."""
    changed = recipe.but(atoms=AtomSize(skips=skips))
    net = build(changed, seed).network
    with torch.no_grad():
        if not names:
            net.denoiser.decoder.name.zero_()
        f = net(x_t, t, features).unflatten(1, (-1, 4))
    return float((f - f.mean(2, keepdim=True)).square().sum(-1).mean().sqrt())


spreads = {(k, n): atom_spread(k, n) for k in (True, False) for n in (True, False)}
show.table([{"skips": "yes" if k else "no", "names in the decoder": "yes" if n else "zeroed",
             "spread of a residue's atoms in F": v} for (k, n), v in spreads.items()],
           f"Untrained, seed {seed}: are the four atoms of a residue told apart?")
goal("spread without skips and names", spreads[False, False], "<", 1e-5)

# %% [markdown]
# Equal input, equal output: attention over four equal vectors returns four equal vectors. A name
# says *which* atom, a skip state also says *where* it was. So without skips an atom's own noisy
# position reaches the decoder only through the token, a mean over four. A form that must copy
# the noise of every atom (the broken one) needs that path; fix A, whose F holds no noise, does not.
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
fig = show.heatmaps({k: m[::4, ::4] for k, m in reach.items()}, x="residue that is seen",
                    y="residue that looks", value="sees", height=480,
                    title=f"What attention of atoms may see, {residues} residues")
fig.update_layout(coloraxis_colorbar=dict(tickvals=[0, 1], ticktext=["no", "yes"]))
show.figure(fig, "Two square maps of which residue's atoms see which. Inside a residue: the diagonal "
                 "alone. Windows: blocks of 8 residues that each see 32 around them, fewer at "
                 "the ends of the chain.")

# %%
# C of residue i and N of residue i + 1 are bound: do they see each other?
C, N = 4 * np.arange(residues - 1) + 2, 4 * np.arange(1, residues)
rows = [{"attention": k, "atoms that an atom sees, mean": m.sum(1).mean(),
         "peptide bonds with both ends in view": f"{(m[C, N] & m[N, C]).sum()} of {residues - 1}"}
        for k, m in reach.items()]
show.table(rows, f"A chain of {residues} residues: what each reach covers")

torch.manual_seed(0)
window, states = WindowAttention(32, 2), torch.randn(2, 4 * residues, 32)
with torch.no_grad():
    q, k, v = (window.split(p(states)) for p in (window.query, window.key, window.value))
    dense = functional.scaled_dot_product_attention(
        q, k, v, attn_mask=torch.from_numpy(reach["windows, 32 / 128"]))
    dense = window.out(dense.transpose(1, 2).flatten(-2))
    difference = float((dense - window(states)).abs().max())
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
        found = torch.autograd.grad(loss, weights)
        rows.append(torch.cat([g.flatten() for g in found]))
    g = torch.stack(rows).double()
    scatter = g.var(0).sum()
    return float(scatter / (g.mean(0).square().sum() - scatter / count).clamp_min(1e-12))


LINEAR, ATOMIC = "4 atoms", "4 atoms, attention + skips"
needed = {f: {"centroids": draws_needed(f), LINEAR: draws_needed(f"{f}, {LINEAR}"),
              ATOMIC: draws_needed(f"{f}, {ATOMIC}")} for f in ("scaled residual", "A")}
show.table([{"form": f} | v | {"4 atoms over centroids": v[LINEAR] / v["centroids"]}
            for f, v in needed.items()],
           f"Draws at which noise equals signal, untrained, 48 draws, seed {seed}; the report's "
           "'four times the signal' would be 0.25 in the last column")

# %% [markdown]
# *4 atoms* is the plain version: the twelve coordinates of a residue enter its token by one linear
# layer and leave it by another; no atom network at all. It separates *more points* from *attention*.
# The draw of t is shared by all points, and so is most of what they say.
#
# ## Predict first
#
# One protein, fix A and the broken form, centroids and atoms. Compared on the centroids, at equal
# steps: does the atom model win? And does it rescue the broken form?
#
# ## All four, live
#
# An atom step costs more than a centroid step, so in this notebook *all four* get fewer noise levels
# a step than the recipe's, and fewer steps.

# %%
LIVE = ("scaled residual", "A", f"scaled residual, {ATOMIC}", f"A, {ATOMIC}")
small = dict(noise_levels=8, steps=session.pick(ci=80, laptop=200, gpu=2000))
runs, errors = {}, {}
for name in LIVE:
    one = studies.variant(name, "well_fed", profile).but(**small)
    data = batch if one.atoms else centres
    runs[name] = measure.train_and_measure(one, data, seed, device=session.device, marks=(one.steps,),
                              progress=show.progress)
    errors[name] = measure.error_by_timestep(runs[name].predictor, data, centroids=True)
show.table([{"variant": n, "parameters": f"{count_parameters(r.predictor):,}",
             "steps": r.recipe.steps, "draws": r.recipe.steps * r.recipe.noise_levels,
             "points a draw": 4 * len(protein) if r.recipe.atoms else len(protein),
             "training (s)": r.train_seconds} for n, r in runs.items()],
           f"Live budget: {protein.id}, recipe well fed with {small['noise_levels']} noise levels, "
           f"seed {seed}, {session.device}")

# %%
LOOK = {"scaled residual": (SERIES[1], "solid"), "A": (SERIES[0], "solid"),
        f"scaled residual, {ATOMIC}": (SERIES[3], "dashdot"), f"A, {ATOMIC}": (SERIES[2], "dashdot")}
base = measure.baselines(schedule, 1.0, scale_1)
lines = [show.Line(n, e.t, e.rmse, *LOOK[n]) for n, e in errors.items()]
fig = show.chart(lines + show.baseline_lines(base), log_y=True, goal=1.0, x="timestep t",
                 y="RMSE of centroids (Å)", title=f"Centroids after {small['steps']} steps")
fig.update_layout(legend=dict(orientation="h", y=-0.22, x=0, yanchor="top"), height=500)
show.figure(fig, f"Error of the residues' centroids by timestep, live, {protein.id}, seed {seed}, for "
                 "the broken form and fix A with centroids and with atoms. Dashed grey lines predict "
                 "without learning, from one noisy centroid; the dotted line is 1 Å.")

# %%
sampled = {n: measure.sample(r.predictor, batch if r.recipe.atoms else centres)
           for n, r in runs.items()}
rows = []
for n, e in errors.items():
    data = batch if runs[n].recipe.atoms else centres
    _, superposed = measure.sample_errors(sampled[n].final, data, centroids=True)
    rows.append({"variant": n} | {f"t = {k} (Å)": float(e.rmse[k]) for k in (0, 1, 5, 25, 49)}
                | {"mean over t (Å)": float(e.rmse.mean()), "sampled, RMSD (Å)": superposed.mean()})
show.table(rows, f"Live, centroids, seed {seed}: 4 noise draws, 4 samples")
mean = {r["variant"]: r["mean over t (Å)"] for r in rows}
for form in ("A", "scaled residual"):
    ratio = mean[f"{form}, {ATOMIC}"] / mean[form]
    show.say(f"*{form}*, live, one seed: with atoms the mean error of the centroids is **{ratio:.2f} "
             f"times** that with centroids, {'lower' if ratio < 1 else 'not lower'}.")

# %% [markdown]
# Mind t = 1 of the broken form. It starts from $x_t$, and a centroid of four noisy atoms is only half
# as noisy as a noisy centroid; part of any gain there is that.
#
# What does attention inside a residue look at, once trained? A row is the atom that looks.

# %%
trained = runs[f"A, {ATOMIC}"].predictor.network.cpu()
with torch.no_grad():
    part = trained.denoiser.encoder
    known = trained.trunk(features, x_t)
    states = part.points(x_t.unflatten(1, (-1, 4))) + part.name + part.from_token(known).unsqueeze(2)
    look = part.blocks[0]
    states = look.attention_norm(states).flatten(0, 1)
    q, k = (look.attention.split(p(states)) for p in (look.attention.query, look.attention.key))
    weight = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1).mean(0)
fig = show.heatmaps({f"head {h + 1}": w for h, w in enumerate(weight)}, x="atom that is seen",
                    y="atom that looks", value="share", height=400, x_ticks=BACKBONE_ATOMS,
                    y_ticks=BACKBONE_ATOMS, title="Encoder attention inside a residue, t = 25")
show.figure(fig, f"Two four by four maps, one a head, of the mean attention between N, CA, C and O "
                 f"over the residues of {protein.id}, live, A with atoms; each row adds up to one.")
trained.to(session.device);

# %% [markdown]
# ## Bonds and angles of samples
#
# Atoms have what centroids have not: bonds to check, against ideal values (Engh & Huber 2001).
# If the errors of two bound atoms were independent, each of rms length r, their bond would deviate
# by about $r\sqrt{2/3}$, since a third of each squared error lies along the bond. Less than that
# means that neighbours err *together*: the local geometry is better than the atoms' places. More
# means that these atoms err more than the average one, or against each other.

# %%
linked = np.diff(protein.position) == 1
made = {"true structure": scale * batch.x0.numpy()}
made |= {n: scale * sampled[n].final.cpu().numpy() for n in LIVE[2:]}
found = {n: measure.geometry_errors(x, linked) for n, x in made.items()}
rows = [{"bond or angle": b, "spans two residues": "yes" if b in measure.ACROSS else "",
         "unit": "°" if b.count("-") == 2 else "Å", "ideal": ideal}
        | {f"{n}: deviation": e[b] for n, e in found.items()} for b, ideal in measure.IDEAL.items()]
show.table(rows, f"Live, {protein.id}, 4 samples, seed {seed}: rms deviation from the ideal value")
for n in LIVE[2:]:
    _, whole = measure.sample_errors(sampled[n].final, batch)
    show.say(f"{n}: samples are {whole.mean():.2f} Å off (RMSD of atoms), so independent errors would give "
             f"{whole.mean() * np.sqrt(2 / 3):.2f} Å a bond; N–CA has {found[n]['N-CA']:.2f} Å and "
             f"C–N, across residues, {found[n]['C-N']:.2f} Å.")

# %% [markdown]
# Four samples of each, superposed on the truth. Only N, CA and C are drawn, so that the sticks
# follow the backbone.

# %%
def trace(x):
    """(F, 4 L, 3) normalised atoms -> (F, 3 L, 3) N, CA, C in Å, superposed on the truth."""
    x = superpose(x.cpu(), batch.x0.expand(len(x), -1, -1)) * scale
    return x.unflatten(1, (-1, 4))[:, :, :3].flatten(1, 2).numpy()


show.player({n: trace(sampled[n].final) for n in LIVE[2:]}, truth=trace(batch.x0)[0],
            chain_index=np.repeat(protein.chain_index, 3), interval=1000,
            labels=[f"sample {i + 1}" for i in range(4)],
            alt="Sampled backbones (N, CA, C) of the broken form and of fix A with atoms, superposed "
                "on the true backbone in grey; the slider steps through four samples.")

# %% [markdown]
# ## Recorded: points, attention and skips apart
#
# Recorded with `python -m resfold_nb study atoms --out data/recorded`: profile laptop, CPU, one
# thread a run, three seeds, 1HZ6_A or ten chains. Each step below adds one thing. All errors are
# those of the **centroids**, so that every row measures the same points.

# %%
STUDY = "atoms"
STEPS = ("A", "A, 1.75 times the steps", "A, 4 atoms", "A, 4 atoms, no attention",
         "A, 4 atoms, attention", "A, 4 atoms, attention + skips", "A, 4 atoms, windows + skips")
BROKEN = ("scaled residual", "scaled residual, 4 atoms", "scaled residual, 4 atoms, attention + skips")
ABOUT = {STEPS[2]: "one linear layer in, one out", STEPS[3]: "atom network with skips, no attention",
         STEPS[4]: "atom network, attention, no skips", STEPS[5]: "attention inside a residue, skips",
         STEPS[6]: "attention in windows, skips"}
BLIND = "A, blind to x_t and t"
SHOWN = {"one protein": (*STEPS, *BROKEN, BLIND),
         "random rotations": ("A", *STEPS[2:6:3], "scaled residual", BLIND),
         "ten chains": ("A", *STEPS[2:6:3], "scaled residual", BLIND)}
show.table([{"variant": n, "atoms and tokens": a} for n, a in ABOUT.items()],
           "The five ways from atoms to tokens and back; all diffuse the same four atoms")
for setting, names in SHOWN.items():
    rows = [{k: v for k, v in row.items() if k not in ("setting", "network calls a protein")}
            for row in studies.budget_rows(STUDY, names, setting)]
    show.table(rows, f"Recorded budgets, {setting}; seconds on a shared machine are indicative")

# %% [markdown]
# *1.75 times the steps* gives the centroid model about the work of the atom model. How equal is
# that? Counted: the floating-point operations of the matrix products of training, attention
# included, at the recorded size.

# %%
work = {}
for n in STEPS:
    one = studies.variant(n, "well_fed")
    work[n] = one, measure.training_cost(one, studies.batch_for(one, FROZEN_ON)).teraflop
rows = [{"variant": n, "GFLOP a step": 1000 * run / one.steps, "steps": one.steps,
         "TFLOP a run": run, "over A, 4 atoms, attention + skips": run / work[STEPS[5]][1]}
        for n, (one, run) in work.items()]
show.table(rows, f"Counted now: the recorded runs on {FROZEN_ON}, 24 noise levels a step")
extra = work[STEPS[1]][1] / work[STEPS[5]][1] - 1
show.say(f"*1.75 times the steps* is {abs(extra):.0%} {'more' if extra > 0 else 'less'} work than the "
         "atom model, so *about equal*; wall time, which small tensors dominate, is another matter.")

# %%
def ends(name, setting, t):
    """(seeds,) error of centroids in Å: RMSE at t, RMSD of samples; None if not recorded."""
    kind = "RMSD" if t == "sampled" else "RMSE"
    if "4 atoms" in name:
        at = "sampled" if t == "sampled" else f"t = {t}"
        return studies.variant_quantity(STUDY, name, setting, f"centroids, {at}, {kind} (Å)")
    curve = studies.variant_curve(STUDY, name, setting, t)
    return None if curve is None else (curve.rmsd if kind == "RMSD" else curve.rmse)[:, -1]


LEVELS = (0, 1, 5, 25, 49)
styles = {"A": (SERIES[0], "solid"), "scaled residual": (SERIES[1], "solid"),
          STEPS[2]: (SERIES[5], "dash"), STEPS[5]: (SERIES[2], "dashdot"), BLIND: ("#777777", "dash")}
groups = {setting: [show.Line(n, LEVELS, np.stack(at, 1), *look) for n, look in styles.items()
                    if all((at := [ends(n, setting, t) for t in LEVELS])[i] is not None
                           for i in range(len(LEVELS)))] for setting in SHOWN}
if groups["random rotations"]:
    groups["random rotations"] += [
        show.Line(f"floor, {n}", list(at), list(at.values()), c, d)
        for (n, at), c, d in zip(floors.items(), ("#222222", "#9A9A9A"), ("longdash", "dot"))]
fig = show.panels(groups, log_y=True, goal=1.0, x="timestep t", y="RMSE of centroids (Å)",
                  title="Recorded: centroids and atoms in three settings")
show.figure(fig, "Recorded error of the residues' centroids at t = 0, 1, 5, 25 and 49, straight lines "
                 "between; median and range over seeds; laptop size, CPU. The dotted line is 1 Å; an "
                 "error of zero cannot be drawn. Floors hold under random rotations alone.")

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
PAIRS = (("four atoms for one centroid", "A", STEPS[2]),
         ("an atom network with skips", STEPS[2], STEPS[3]), ("attention, given skips", STEPS[3], STEPS[5]),
         ("skips, given attention", STEPS[4], STEPS[5]), ("windows for residues", STEPS[5], STEPS[6]),
         ("all: equal steps", "A", STEPS[5]), ("all: about equal FLOPs", STEPS[1], STEPS[5]),
         ("broken: four atoms", BROKEN[0], BROKEN[1]), ("broken: all", BROKEN[0], BROKEN[2]))


def versus(before, after):
    """How the median changes, and whether the seeds' ranges part; None if not recorded."""
    if before is None or after is None:
        return None
    apart = "ranges apart" if after.max() < before.min() or after.min() > before.max() else "overlap"
    return float(np.median(after) / np.median(before)), apart


changes = {what: {t: versus(ends(b, "one protein", t), ends(a, "one protein", t))
                  for t in (1, 25, 49, "sampled")} for what, b, a in PAIRS}
show.table([{"change": what} | {t if t == "sampled" else f"t = {t}": "not recorded" if v is None
            else f"× {v[0]:.2f}, {v[1]}" for t, v in at.items()} for what, at in changes.items()],
           "Recorded, one protein: the median error of the centroids after the change over before; "
           "below 1 is better. Three seeds: ranges that overlap decide nothing")

# %%
for t in (49, "sampled"):
    single = {what: changes[what][t] for what, *_ in PAIRS[:5] if changes[what][t] is not None}
    at = "the end, sampled" if t == "sampled" else f"t = {t}"
    if not single:
        show.say(f"The single changes at {at} are **not recorded**.")
        continue
    helps = [w for w, (ratio, apart) in single.items() if ratio < 1 and apart != "overlap"]
    hurts = [w for w, (ratio, apart) in single.items() if ratio > 1 and apart != "overlap"]
    best = min(single, key=lambda w: single[w][0])
    show.say(f"**At {at}.** Helps, with ranges apart: {'; '.join(helps) or 'none'}. "
             f"Hurts, with ranges apart: {'; '.join(hurts) or 'none'}. Lowest ratio: {best}, "
             f"× {single[best][0]:.2f}.")

# %% [markdown]
# ## Recorded bonds
#
# Does attention inside a residue keep bonds right, and windows also the peptide bond? Compare each
# row with its own column *independent errors*, not with other rows alone: a model with better
# placed atoms has better bonds for that reason alone.

# %%
def deviation(name, parts, unit):
    """rms over bonds or angles, then the median over seeds; None if not recorded."""
    each = [studies.variant_quantity(STUDY, name, "one protein", f"{b}, deviation ({unit})")
            for b in parts]
    return None if any(e is None for e in each) else np.sqrt(np.mean(np.square(each), axis=0))


BONDS = {"bonds within (Å)": (("N-CA", "CA-C", "C-O"), "Å"), "C–N, across (Å)": (("C-N",), "Å"),
         "angles within (°)": (("N-CA-C", "CA-C-O"), "°"),
         "angles across (°)": (("CA-C-N", "C-N-CA"), "°")}
truth = measure.geometry_errors(load(FROZEN_ON).points("backbone"))
rows = [{"what": "true structure", "independent errors (Å)": "0"} | {
    k: f"{np.sqrt(np.mean([truth[b] ** 2 for b in parts])):.2f}" for k, (parts, _) in BONDS.items()}]
for n in (*STEPS[2:], *BROKEN[1:]):
    curve = studies.variant_curve(STUDY, n, "one protein", "sampled")
    free = None if curve is None else curve.rmsd[:, -1] * np.sqrt(2 / 3)
    rows.append({"what": n, "independent errors (Å)": studies.median_range(free)} | {
        k: studies.median_range(deviation(n, *b)) for k, b in BONDS.items()})
show.table(rows, "Recorded, one protein, samples: rms deviation from ideal, median (range) over seeds")

# %%
inside = {n: d for n in STEPS[2:] if (d := deviation(n, *BONDS["bonds within (Å)"])) is not None}
if inside:
    low = min(inside, key=lambda n: np.median(inside[n]))
    show.say(f"Of fix A's five atom models, **{low}** has the best bonds within a residue, "
             f"{np.median(inside[low]):.2f} Å off ({ABOUT[low]}).")
for n in STEPS[2:]:
    curve = studies.variant_curve(STUDY, n, "one protein", "sampled")
    inside, across = (deviation(n, *BONDS[k]) for k in list(BONDS)[:2])
    if curve is None or inside is None or across is None:
        show.say(f"{n}: bonds **not recorded**.")
        continue
    free = np.median(curve.rmsd[:, -1] * np.sqrt(2 / 3))
    show.say(f"{n}: bonds within a residue deviate by **{np.median(inside) / free:.2f}** of what independent "
             f"errors would give, the peptide bond by **{np.median(across) / free:.2f}**.")

# %% [markdown]
# ## In Å, in every setting
#
# RMSE of centroids by timestep and RMSD of samples, median (range) over three seeds. Under
# random rotations the floors computed above hold; samples are superposed.

# %%
def centroid_rows(setting):
    return [{"variant": n} | {("sampled, RMSD (Å)" if t == "sampled" else f"t = {t} (Å)"):
            studies.median_range(ends(n, setting, t)) for t in (*LEVELS, "sampled")}
            for n in SHOWN[setting]]


for setting in SHOWN:
    show.table(centroid_rows(setting), f"Recorded, centroids, {setting}")
show.table(studies.error_rows(STUDY, [n for n in SHOWN["one protein"] if "4 atoms" in n],
                               "one protein"),
           "Recorded, one protein, over all atoms instead of centroids")

# %% [markdown]
# A lower error under random rotations need not be a better use of what came in, since four noisy
# atoms say more than one noisy centroid. So divide each error by its own floor:

# %%
for given, names in (("one noisy centroid", ("A", "scaled residual")), ("four noisy atoms", SHOWN["random rotations"][1:3])):
    for n in names:
        parts = [f"t = {t}: {np.median(e) / floors[given][t]:.1f}" for t in (5, 25, 49)
                 if (e := ends(n, "random rotations", t)) is not None]
        show.say(f"Random rotations, {n}, error over the floor: {', '.join(parts) or '**not recorded**'}.")

# %% [markdown]
# ## What the published AlphaFold 3 does
#
# The report says that AlphaFold 3's trunk, too, reads noisy points and that its base version has the
# same scaling (R17). That describes a model in its style. The paper (Abramson et al. 2024) and its
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
edm, ours = FORMS["edm"], FORMS["residual"]
rows = []
for k in LEVELS:
    a, s = schedule.a[k], schedule.s[k]
    rows.append({"t": k, "noise σ = 16 Å × s/a": 16 * float(s / a)} | {
        f"{c}, {n}": float(getattr(form, c)(a, s)) for c in ("c_out", "c_skip")
        for n, form in (("report", ours), ("EDM", edm))})
show.table(rows, "The report's form and EDM's, both for data of variance 1 in the coordinates of x_t")
gap = max(abs(r["c_out, report"] - r["c_out, EDM"]) for r in rows)
show.say(f"The factors in front of F differ by at most **{gap:.1g}**; it is the *skip* that differs, 1 "
         f"against {rows[-1]['c_skip, EDM']:.2f} at t = 49.")
goal("c_out of EDM against sqrt(t/T), largest difference", gap, "<=", 1e-5)

# %% [markdown]
# So R17 does not hold for the published model: its trunk sees no noisy coordinates, and its output is
# not x_t plus a scaled F. But a factor that vanishes with the noise it has all the same. EDM keeps
# that factor and lets the *skip* fade as the noise grows. Notebook 14 puts both on one map.
#
# ## What to take away

# %%
def verdict(text, before, after, setting="one protein"):
    """A line: the medians' ratio at t = 25, 49 and of samples, and what follows from it."""
    found = {t: v for t in (25, 49, "sampled")
             if (v := versus(ends(before, setting, t), ends(after, setting, t)))}
    if not found:
        return f"- {text}: **not recorded**."
    signs = {0 if apart == "overlap" else int(np.sign(r - 1)) for r, apart in found.values()}
    word = {(-1,): "atoms are better", (1,): "atoms are worse", (0,): "the seeds do not decide",
            (-1, 0): "atoms are better or undecided", (0, 1): "atoms are worse or undecided"}
    parts = [f"{'sampled' if t == 'sampled' else f't = {t}'}: × {r:.2f}"
             + (" (overlap)" if apart == "overlap" else "") for t, (r, apart) in found.items()]
    return f"- {text}: **{word.get(tuple(sorted(signs)), 'it depends on where')}**; {', '.join(parts)}."


show.say("Recorded, error of centroids with atoms (attention + skips) over that without:\n\n" + "\n".join([
    verdict("**R7**, both *broken*, one protein, equal steps", BROKEN[0], BROKEN[2]),
    verdict("both *fix A*, one protein, equal steps", "A", STEPS[5]),
    verdict("both *fix A*, one protein, about equal FLOPs", STEPS[1], STEPS[5]),
    *(verdict(f"both *fix A*, {k}, equal steps", "A", STEPS[5], k) for k in list(SHOWN)[1:])]))
show.say(f"On the causes that R7 names. *Four times the signal*: {share:.1%} of the atoms' variance is "
         "their centroids', and of the draws that fix A's gradient needs, four atoms leave "
         f"{needed['A'][LINEAR] / needed['A']['centroids']:.2f} (live, untrained; a quarter would be R7). By "
         "algebra they halve the noise of a residue at equal t. *Attention* and *skips*: the table of "
         "single changes. *Rigid local geometry*: the table of bonds.")

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
metric("A with atoms, mean RMSE of centroids over t", mean[f"A, {ATOMIC}"], "Å")
metric("broken with atoms, mean RMSE of centroids over t", mean[f"broken, {ATOMIC}"], "Å")
metric("A with centroids, mean RMSE over t", mean["A"], "Å")
metric("A with atoms, C-N of samples, deviation", found[f"A, {ATOMIC}"]["C-N"], "Å")
