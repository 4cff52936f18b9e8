# %% [markdown]
# # 15 · A hundred proteins
#
# So far a network had to remember one protein, or ten. But a structure predictor is meant to
# *fold*: sequence in, structure out, for chains that it has never seen. The report's second test
# (R15) is a hundred proteins. Here 1, 10 and 100 chains are trained on, and held-out chains are
# sampled too. The question is not only which form is better, but whether *any* of them learned what
# a baseline without training does not know. The form to fix is the scaled residual (the report's).
#
# **You will learn** to score a structure in five ways, to build baselines that cost nothing, and to
# tell memory from knowledge. **Time:** 25 minutes to read, under a minute to run. **Words:**
# [notation and glossary](reference.md).

# %% tags=["parameters"]
profile = "laptop"
seed = 0
kind = "monomer"  # "complex" also trains on one two-chain complex
own_pdb = ""  # path of a PDB or mmCIF file of your own
own_chain = ""  # the chain to take from it, where there are several; "A,B" for two

# %%
import numpy as np
import pandas as pd
import torch
from plotly.subplots import make_subplots

from resfold_nb import measure, show, studies
from resfold_nb.data import catalogue, load, make_batch, read_structure, superpose
from resfold_nb.diffusion import get_schedule
from resfold_nb.measure import MEASURING_SEED, structures
from resfold_nb.model import count_parameters
from resfold_nb.studies import plans, proteins, runner
from resfold_nb.training import named_recipe, train
from resfold_nb.workbook import goal, metric, start

session = start(profile, seed, notebook="15_hundred_proteins")

# %% [markdown]
# ## The chains
#
# All are bundled monomers of similar length. Whole clusters of similar sequence went to one side of
# the split, so no held-out chain has a near relative among the others; the code checks it. Every
# chain is divided by *one* constant, the training set's standard deviation: a held-out chain's own
# size must not be looked at, for nobody knows it before the structure is known.
#
# Chains of unequal length are padded to the longest of their batch. Sorted by length first, they
# need little padding:

# %%
TRAIN, TEST = proteins.hundred_ids(), proteins.hundred_ids("test")
folded = {name: load(name) for name in (*TRAIN, *TEST)}
truth = {name: structure.centroids for name, structure in folded.items()}
recipe = named_recipe("many_chains", "laptop")
lengths = np.array([len(truth[name]) for name in TRAIN])
clusters = [{c for e in catalogue() if e.id in ids for c in e.cluster} for ids in (TRAIN, TEST)]
goal("sequence clusters on both sides of the split", len(clusters[0] & clusters[1]), "==", 0)


def padding(lengths, size):
    """Share of the points of batches of `size` that are padding."""
    parts = [lengths[i : i + size] for i in range(0, len(lengths), size)]
    return 1 - lengths.sum() / sum(len(p) * p.max() for p in parts)


size = recipe.proteins_per_step
in_order, at_once, by_length = padding(lengths, size), padding(lengths, len(lengths)), padding(np.sort(lengths), size)
show.say(f"{len(TRAIN)} training chains of {lengths.min()} to {lengths.max()} residues; {len(TEST)} are held out. "
         f"Padding in batches of {size}, sorted by length: {by_length:.1%}; in order of their ids: {in_order:.1%}; "
         f"all in one batch: {at_once:.1%}.")

# %% [markdown]
# ## Five scores
#
# A point is the centroid of a residue's N, CA, C and O. Scores that are defined for CA atoms take
# **centroids as CA** here, so compare their values within this notebook only.
#
# - **RMSD** (Å; Kabsch 1976): root mean square distance after the best superposition *without
#   reflection*; and the same **to the mirror image** of the truth. Where the two are alike, the
#   fold was not found: a mirror image keeps all distances and turns every helix the wrong way.
# - **lDDT** (0 to 1; Mariani et al. 2013; biotite): of the true pair distances below 15 Å, the
#   share that is right within 0.5, 1, 2 and 4 Å, averaged over the four. It is local, needs no
#   superposition, and is blind to mirror images, since distances are.
# - **TM-score** (0 to 1; Zhang & Skolnick 2004): $\frac1L\sum_i 1/(1 + (d_i/d_0)^2)$, where $d_0$
#   grows with the length L so that unrelated chains score alike at any length; about 0.5 and more
#   means the same fold. Residue i is compared with residue i. It wants the superposition of
#   *highest score*, which is searched from many starts, so the score is a lower bound. The tests
#   hold it against tmtools, which wraps the authors' own program and searches too.
# - **Contact precision** (0 to 1): of *all* predicted pairs with $|i-j| \ge 6$ within 8 Å, the share
#   that is so in the truth. CASP assesses contacts so (Monastyrskyy et al. 2016), but between beta
#   carbons, and ranks them by a confidence that this model does not give. Without a
#   predicted contact it is undefined.
#
# ## Baselines without training
#
# - a **random coil**: steps of the training chains' mean length in random directions, drawn a few
#   times; and a right-handed **alpha helix** of the pitch and mean step of real ones;
# - **mean distances**: the mean over training pairs of each $|i-j|$, embedded in three dimensions
#   by classical scaling (Torgerson 1952). Distances do not know the hand, so the training chains'
#   mean handedness chooses it;
# - the **nearest training chain** by sequence alignment (BLOSUM62), whose points are copied. It
#   places only the residues that are aligned, so it has a table of its own.
#
# *Handedness* is the mean triple product of three unit steps in a row; its sign is the hand.

# %%
def scored(samples, at=None, **about):
    """A row a structure: where it comes from, and its five scores; `at` picks residues, by chain."""
    rows = {i: slice(None) for i in truth} if at is None else at
    return pd.DataFrame([{**about, "chain": i, "chains": "held out" if i in TEST else "trained on",
                          **vars(structures.score(x[rows[i]], truth[i][rows[i]], len(truth[i])))}
                         for i, x in samples.items() if i in rows])


dice, known = np.random.default_rng(0), [truth[name] for name in TRAIN]
step, turn = structures.neighbour_step(known), structures.helical_step([folded[i] for i in TRAIN])
by_separation = structures.mean_distances(known)
hand = float(np.mean([structures.handedness(x) for x in known]))
mean = {n: structures.embed(by_separation, n, hand) for n in range(lengths.min(), lengths.max() + 1)}
makers = {"random coil": (lambda n: structures.random_coil(n, dice, step), 3),
          "helix": (lambda n: structures.helix(n, turn), 1), "mean distances": (mean.get, 1)}
base = pd.concat([scored({i: make(len(truth[i])) for i in ids}, setting="no training", variant=name, seed=draw)
                  for name, (make, draws) in makers.items() for ids in (TRAIN[: runner.SHOWN], TEST)
                  for draw in range(draws)])

# %%
hands = {"a helix": structures.helix(50, turn), "mean distances, embedded": mean[int(np.median(lengths))]}
show.say("Handedness, and distance of neighbours: "
         + "; ".join(f"{name} {structures.handedness(x):.3f}, {structures.neighbour_step([x]):.2f} Å"
                     for name, x in hands.items()) + f"; training chains, mean, {hand:.3f}, {step:.2f} Å.")

# %% [markdown]
# An average of distances fits no chain in three dimensions, so the embedding shrinks: compare its
# neighbours with those of real chains. No protein looks like it. RMSD rewards it all the same, as it
# rewards every average. And a structure whose handedness is near zero is nearly its own mirror
# image.
#
# ## Predict first
#
# The training below does **not** rotate: each chain is always shown in one orientation. How well
# will a network do that sees *neither $x_t$ nor t*, only the sequence, on the chains that it was
# trained on? And on held-out ones? Will any form beat the mean distances there?
#
# ## Ten chains, live
#
# Recipe *ten chains* with fewer steps, one seed, no rotations; held out are those of similar length.

# %%
ten = named_recipe("ten_chains", profile)
ten = ten.but(steps=session.pick(ci=20, laptop=120, gpu=ten.steps))
batch = studies.batch_for(ten, studies.TEN_CHAINS)
SCALE = float(batch.scale[0])
similar = [i for i in TEST if len(truth[i]) <= 50]
held = make_batch([folded[i] for i in similar], scale=SCALE)
truth |= {i: load(i).centroids for i in (*batch.ids, plans.FROZEN_ON)}


def trained(recipe, batch):
    """The predictor after the last step."""
    for state in show.progress(train(recipe, batch, seed, session.device), recipe.steps + 1):
        last = state
    return last.predictor


def sampled(predictor, batch, draw=0):
    """One structure of each chain in Å, by id; another `draw`, other noise."""
    final = measure.sample(predictor, batch, copies=1, seed=MEASURING_SEED + 1000 * draw).final
    return {i: batch.angstrom(final.cpu())[k, : int(batch.mask[k].sum())].numpy()
            for k, i in enumerate(batch.ids)}


# %%
models = {n: trained(ten.but(form=form), batch) for n, form in (("scaled residual", "residual"), ("A", "x0"))}
live = pd.concat([scored(sampled(model, b), variant=n, seed=seed)
                  for n, model in models.items() for b in (batch, held)])
SCORES = {"rmsd": "RMSD (Å)", "mirror_rmsd": "to mirror (Å)", "lddt": "lDDT", "tm_score": "TM-score",
          "contact_precision": "contact precision"}
show.table(live.groupby(["variant", "chains"])[[*SCORES]].median().rename(columns=SCORES).round(2).reset_index(),
           f"Live: recipe {ten.name}, not rotated, {ten.steps} steps, {ten.steps * ten.noise_levels} draws a chain, "
           f"{count_parameters(models['A']):,} parameters, seed {seed}, {session.device}; medians over "
           f"{len(batch.ids)} chains trained on and {len(similar)} held out, one sample each: no spread over seeds")

# %% [markdown]
# ## 1, 10 and 100 chains, recorded
#
# `python -m resfold_nb study hundred --out data/recorded`: recipe *many chains*, profile laptop,
# CPU, one thread. The number of steps is the *same* for any number of chains, so that each of a
# hundred is seen less often than one alone: the table says how often. Sampled at the end: one
# structure of each held-out chain and of each trained on, or of the first of the hundred. These
# samples were kept, the weights were not.
#
# Before you look: on chains *trained on*, will A, which sees $x_t$, do better than the network
# that is blind to it?

# %%
cells = {(cell.setting, cell.variant): (cell.recipe, cell.protein) for cell in plans.hundred()}
drawn = {key: studies.samples("hundred", *which) for key, which in cells.items()}
found = pd.concat([base, *(scored(points, setting=setting, variant=variant, seed=k)
                           for (setting, variant), seeds in drawn.items() for k, points in seeds.items())])
medians = found.groupby(["setting", "variant", "chains", "seed"])[[*SCORES]].median()
ORDER = [*plans.MANY_VARIANTS, *makers, "trained on", "held out"]

# %%
runs = studies.load("hundred", table="runs")
runs["variant"] += runs["parameters"].map(" ({:,} parameters)".format)
seconds = runs.groupby(["variant", "setting"])["seconds"].median().map("{:.0f} s".format).unstack()
seen = {s: f"{r.steps * r.noise_levels * min(1, r.proteins_per_step / len(proteins.chains_of(where))):,.0f} ({s})"
        for (s, _), (r, where) in cells.items()}
show.table(seconds.fillna("not run").rename_axis(columns=None).reset_index(),
           f"Recorded: median time of training over {runs.seed.nunique()} seeds, on a shared machine, by what it was "
           f"trained on; {recipe.steps} steps each; draws a chain, about: {', '.join(seen.values())}. The blind "
           "network lacks the weights that read the points, A + E those of them in the trunk")

# %%
tidy = medians.rename(columns=SCORES).melt(ignore_index=False, var_name="score").reset_index()
for which in ("trained on", "held out"):
    for unit, scores in {"Å": [*SCORES.values()][:2], "0 to 1": [*SCORES.values()][2:]}.items():
        show.dots(tidy[(tidy.chains == which) & tidy.score.isin(scores)], value="value", panel="score",
                  colour="setting", order=ORDER, log_x=unit == "Å" and which == "trained on", x=unit,
                  title=f"Chains {which}: {', '.join(scores)}",
                  alt=f"Median over chains {which} of each score, a row a variant or a baseline, a colour what was "
                      "trained on; median and range over seeds or coils. Recorded, but for the baselines.")

# %% [markdown]
# *Chains trained on* are different ones for each colour: those that each was trained on, and for 100
# chains and the baselines those of the hundred that are sampled. *Chains held out* are the same for
# all.
#
# ## Every chain
#
# A bar holds half of the chains, all seeds together; its dot is the median. In each row, how far are
# held-out chains from those trained on? And are they anywhere clear of the baselines below?

# %%
spread = found[found.setting.str.contains("100|no training")]
for field in ("rmsd", "lddt"):
    half = spread.groupby(["setting", "variant", "chains"])[field].quantile([0.25, 0.5, 0.75]).unstack()
    show.dots(half.set_axis(["low", "value", "high"], axis=1).reset_index(), value="value", panel="chains",
              colour="setting", order=ORDER, log_x=False, x=SCORES[field], title="A hundred chains, every chain",
              alt=f"{SCORES[field]} over chains and seeds, median and middle half, a row a variant trained on 100 "
                  "chains or a baseline; chains trained on and held out. Recorded, but for the baselines.")

# %% [markdown]
# ## The nearest chain
#
# A helix copied onto a helix gives a low RMSD, and so does every *short* stretch: the fewer
# residues, the easier. So all others are scored here on the same residues as the copy. RMSD and
# lDDT are of these residues alone; the TM-score divides by the whole length, so residues that are
# not placed count as wrong.

# %%
copied = {i: structures.nearest_chain(folded[i].sequence, [folded[j] for j in TRAIN]) for i in TEST}
placed, copies = {i: c.rows for i, c in copied.items()}, {i: np.zeros_like(truth[i]) for i in TEST}
for i, c in copied.items():
    copies[i][c.rows] = c.points


def told(values):
    """Median (range) to a hundredth."""
    middle, low, high = (f"{v:.2f}" for v in (values.median(), values.min(), values.max()))
    return "undefined" if values.isna().all() else middle if len(values) == 1 else f"{middle} ({low}–{high})"


made = {("nearest training chain", 0): copies, ("mean distances", 0): {i: mean[len(truth[i])] for i in TEST}}
made |= {(f"{n}, 100 chains", k): points for n in ("scaled residual", "A", "A, blind to x_t and t")
         for k, points in drawn["100 chains", n].items()}
aligned = pd.concat([scored(x, placed, structure=name, seed=k) for (name, k), x in made.items()])
aligned = aligned.groupby(["structure", "seed"], sort=False)[[*SCORES]].median().rename(columns=SCORES)
show.table(aligned.groupby("structure", sort=False).agg(told).reset_index(),
           "Held out, aligned residues only: medians over chains; median (range) over seeds")
left = [1 - len(rows) / len(truth[i]) for i, rows in placed.items()]
show.say(f"Of a held-out chain a median of {np.median(left):.0%} of the residues is *not* aligned "
         f"(at most {max(left):.0%}); of the aligned ones a median of "
         f"{np.median([c.identity for c in copied.values()]):.0%} is the same amino acid.")

# %% [markdown]
# ## Which hand?
#
# On the diagonal the truth and its mirror image are equally far: there the fold was not found,
# whatever the RMSD. A point below it is nearer to the truth. A coin would put half below.

# %% tags=["plot"]
fig = make_subplots(cols=2, shared_yaxes=True, horizontal_spacing=0.04,
                    subplot_titles=["chains trained on", "chains held out"])
styles = {"scaled residual": "circle", "A": "diamond", "A, blind to x_t and t": "cross"}
for col, which in enumerate(("trained on", "held out"), start=1):
    for n, symbol in styles.items():
        points = found.query("setting == '100 chains' and variant == @n and chains == @which")
        fig.add_scatter(x=points.mirror_rmsd, y=points.rmsd, mode="markers", name=n, legendgroup=n, row=1, col=col,
                        marker=dict(color=show.look(n)[0], symbol=symbol, size=6, opacity=0.7), showlegend=col == 1)
    fig.update_xaxes(title_text="RMSD to mirror image (Å)", range=[0, 20], row=1, col=col)
fig.add_shape(type="line", x0=0, y0=0, x1=20, y1=20, line=dict(color="#777777", dash="dash"), row="all", col="all")
fig.update_yaxes(title_text="RMSD (Å)", range=[0, 20], row=1, col=1)
fig.update_layout(title="Truth or mirror image: 100 chains, not rotated", height=500,
                  margin_t=90, legend=dict(orientation="h", y=-0.22))
show.figure(fig, "RMSD to the truth against RMSD to its mirror image, a point a sampled structure; chains trained on "
                 "(left) and held out (right). On the dashed diagonal they are equal. Recorded, all seeds.")

# %%
right = spread.assign(share=spread.rmsd < spread.mirror_rmsd)
right = right.groupby(["setting", "variant", "chains", "seed"])["share"].mean().reset_index()
low, high = np.quantile(np.random.default_rng(0).binomial(len(TEST), 0.5, 10_000) / len(TEST), (0.025, 0.975))
show.dots(right, value="share", panel="chains", colour="setting", order=ORDER, log_x=False, reference=0.5,
          x="share of the chains", title="Nearer to the truth than to its mirror image",
          alt="Share of the chains nearer to the truth than to its mirror image; median and range over seeds. For "
              f"{len(TEST)} held-out chains a coin gives {low:.2f} to {high:.2f} in 95 % of cases.")

# %% [markdown]
# ## One held-out chain
#
# The slider goes through the seeds. Grey is the truth; each sample is superposed on it without
# reflection.

# %%
TARGET, fixed = TEST[0], torch.as_tensor(truth[TEST[0]]).double()
views = {n: np.stack([superpose(torch.as_tensor(x[TARGET]).double(), fixed).numpy()
                      for x in drawn["100 chains", n].values()]) for n in styles}
show.player(views, truth=truth[TARGET], labels=[f"seed {k}" for k in drawn["100 chains", "A"]], interval=1200,
            alt=f"Recorded samples of the held-out chain {TARGET} after 100 chains, superposed on its true centroids "
                f"in grey: {'; '.join(views)}. A frame a seed.")

# %% [markdown]
# ## One step, at each noise level
#
# Sampling a held-out chain is the hard test. The easy one is a single denoising step: at small t
# the answer is mostly in $x_t$, also for a chain never seen. That is *denoising*, not folding. For
# data of variance 1 the best multiple of $x_t$ is $a\,x_t$, whose error for a chain of standard
# deviation sd is $\sqrt{3\,(s^4\,\mathrm{sd}^2 + a^2 s^2)}$: what can be had of *any* cloud of points.

# %%
LEVELS, schedule = [0, 1, 5, 25, 49], get_schedule("linear")
signal, noise = schedule.a.numpy()[LEVELS], schedule.s.numpy()[LEVELS]


def linear(ids):
    """(levels,) expected RMSE in Å of a x_t, mean over chains."""
    sd = np.array([np.sqrt(np.square(truth[i] - truth[i].mean(0)).mean()) for i in ids]) / SCALE
    return SCALE * np.sqrt(3 * (noise**4 * sd[:, None] ** 2 + (signal * noise) ** 2)).mean(0)


best = {"trained on": linear(TRAIN), "held out": linear(TEST)}
near = studies.load("hundred").query("t in @LEVELS").assign(chains="trained on")
far = studies.load("hundred", table="quantities").assign(chains="held out", step=recipe.steps)
far["t"] = far.quantity.str.extract(r"held out, t = (\d+), RMSE")[0].astype(float)
one = pd.concat([near, far.rename(columns={"value": "rmse"}).dropna(subset="t")]).query("setting.str.contains('100')")
one["where"] = one.setting.str.removeprefix("100 chains, ") + ", " + one.chains
lines = {f"{s}, {which}": [show.Line("best multiple of x_t", LEVELS, best[which], show.PALETTE["ink"], "dot")]
         for s in ("100 chains", "rotated") for which in best}
show.by_timestep(one.query("variant != 'A + E'"), panel="where", order=[*ORDER, *lines], lines=lines,
                 goal=None, log_y=False, title="One denoising step: trained on and held out",
                 alt="RMSE of one denoising step at t = 0, 1, 5, 25 and 49, without and with random rotations, "
                     "median and range over seeds; and the best multiple of x_t, in expectation. Recorded.")

# %%
gain = one.query("chains == 'held out' and t > 0")
gain = gain.assign(gain=gain.rmse / gain.t.map(dict(zip(LEVELS, best["held out"]))), t=gain.t.map("{:.0f}".format))
show.dots(gain.assign(t="t = " + gain.t), value="gain", panel="t", colour="setting", order=ORDER, reference=1,
          x="error over the multiple's", title="One step on held-out chains against the best multiple of x_t",
          alt="Held out, recorded: error of one step over that of the best multiple of x_t, median and range over "
              "seeds; below 1, something was learned that helps with chains never seen. One noise draw a chain.")
largest = gain.groupby(["setting", "variant", "t"], sort=False)["gain"].max().unstack("t")

# %% [markdown]
# ## Two chains
#
# A complex is a longer batch, whose `chain` says which residue belongs to whom. An interface lies
# *between* chains: two good chains may be placed wrongly, so score the whole as well as the parts.
# With `kind = "complex"` in the parameters a model is trained on the smallest bundled one.

# %%
if kind not in ("monomer", "complex"):
    raise ValueError(f'kind is {kind!r}: set it to "monomer" or "complex" in the parameters')
pair = load(min(catalogue(kind="complex", split="train"), key=lambda entry: entry.length).id)
parts = {c: pair.chain_index == k for k, c in enumerate(pair.chain_names)}
show.say(f"{pair.id}: {len(pair)} residues; " + ", ".join(f"chain {c} has {p.sum()}" for c, p in parts.items()) + ".")
if kind == "complex":
    short = named_recipe("well_fed", profile).but(form="x0")
    short = short.but(steps=session.pick(ci=40, laptop=150, gpu=short.steps))
    two = make_batch(pair)
    joint = trained(short, two)
    each = [sampled(joint, two, k)[pair.id] for k in range(3)]
    rows = [{"chains": c, **vars(structures.score(x[p], pair.centroids[p]))} for x in each
            for c, p in {"both": slice(None), **parts}.items()]
    show.table(pd.DataFrame(rows).rename(columns=SCORES).groupby("chains").agg(told).reset_index(),
               f"Live: A trained on {pair.id} alone, {short.steps} steps, seed {seed}: median (range) of {len(each)} "
               "samples. This is memory of one complex")

# %% [markdown]
# ## Your own protein
#
# Give `own_pdb` a path (a relative one starts at this notebook's folder) and run again; of several
# chains `own_chain` picks one. The live form A of ten chains is sampled for its sequence, in the
# training set's units. Without a path a held-out chain plays the part. Expect little, and compare
# with what costs nothing.

# %%
own = read_structure(own_pdb, chain=own_chain or None) if own_pdb else folded[similar[0]]
own_batch, DRAWS = make_batch(own, scale=SCALE), 5
guesses = {"A, live, ten chains": [sampled(models["A"], own_batch, k)[own.id] for k in range(DRAWS)],
           "random coil": [structures.random_coil(len(own), dice, step) for _ in range(DRAWS)],
           "helix": [structures.helix(len(own), turn)]}
rows = [{"structure": n, **vars(structures.score(x, own.centroids))} for n, each in guesses.items() for x in each]
show.table(pd.DataFrame(rows).rename(columns=SCORES).groupby("structure", sort=False).agg(told).reset_index(),
           f"Live: {own.id}, {len(own)} residues, seed {seed}: median (range) of {DRAWS} samples or coils, one helix")

# %% [markdown]
# ## What a hundred proteins can and cannot teach
#
# **Held out, against a baseline.** For each chain the score minus that of the best baseline which
# places every residue; the mean over chains, and its 95 % bootstrap interval over chains and seeds.
# Only an interval on one side of zero says *better* or *worse*.

# %%
def interval(values):
    """Mean over chains and its 95 % bootstrap interval over chains and seeds."""
    return pd.Series(measure.bootstrap([x.to_numpy() for _, x in values.groupby("chain")]), ["value", "low", "high"])


judged = {}
idle = medians.xs("held out", level="chains").loc["no training"].groupby("variant").median()
known = base[base.chains == "held out"].groupby(["variant", "chain"])[[*SCORES]].mean()
far = found[found.setting.str.contains("100") & (found.chains == "held out")]
far = far.set_index(["setting", "variant", "chain", "seed"])
for field, better in (("rmsd", -1), ("lddt", 1)):  # the sign of a better score
    rival = (better * idle[field]).idxmax()
    apart = far[field] - known[field][rival].reindex(far.index, level="chain")
    table = apart.groupby(["setting", "variant"]).apply(interval).unstack()
    worst, most = np.sort(better * table[["low", "high"]]).T
    answer = pd.Series(np.select([worst > 0, most < 0], ["better", "worse"], "open")).value_counts()
    judged[field] = ", ".join(f"**{answer[k]}** {k}" for k in ("better", "worse", "open") if k in answer)
    show.dots(table.reset_index(), value="value", colour="setting", order=ORDER, log_x=False, reference=0,
              x=f"{SCORES[field]} minus that of {rival}", title=f"Held out, against {rival}: {SCORES[field]}",
              alt=f"Held out, recorded: {SCORES[field]} minus that of {rival}, the best baseline by it, mean and "
                  f"95 % interval over chains and seeds; better {'left' if better < 0 else 'right'} of 0.")
show.say("Judged by RMSD, " + "; by lDDT, ".join(judged.values()) + ".")

# %% [markdown]
# **Memory.** Look again at the RMSD of chains trained on, by how many there were (first picture of
# dots). As the number of steps is the same, a dot further to the right shows what these steps
# could no longer store.
#
# **The forms.** RMSD over A's, paired by chain and seed.

# %%
by_form = found.query("setting != '1 chain'").pivot_table("rmsd", ["setting", "chains", "chain", "seed"], "variant")
ratios = np.log(by_form.drop(columns=[*makers, "A"]).div(by_form["A"], axis=0)).stack().dropna()
ratios = np.exp(ratios.groupby(["variant", "setting", "chains"]).apply(interval).unstack())
ratios["says"] = [f"{measure.Interval(*row)}: {'larger' if row[1] > 1 else 'smaller' if row[2] < 1 else 'open'}"
                  for row in ratios.values]
show.dots(ratios.reset_index(), value="value", panel="chains", colour="setting", order=ORDER,
          reference=1, x="ratio of RMSD", title="The forms: RMSD over A's",
          alt="Ratio of RMSD to A's, geometric mean and 95 % interval over chains and seeds, for chains trained on "
              "and held out; open where the bar crosses 1. Recorded.")
show.say("Held out: " + "; ".join(f"{n} ({s}) {said}" for (n, s, which), said in ratios["says"].items()
                                  if which == "held out") + ".")

# %% [markdown]
# **What the numbers say**, all computed:

# %%
form, *_, blind = plans.MANY_VARIANTS
lines = [f"Median RMSD, {s}, {w}: "
         + ", ".join(f"{n} {told(medians.loc[(s, n, w), 'rmsd'])} Å" for n in (form, "A", blind))
         for s in ("10 chains", "100 chains") for w in ("trained on", "held out")]
lines += ["Does seeing $x_t$ help memory? RMSD of the blind network over A's, chains trained on: "
          f"{ratios['says'][blind, '100 chains', 'trained on']}",
          f"Is the repaired form ahead on held-out chains? RMSD of the {form} over A's: "
          + "; ".join(f"{s}: {x}" for s, x in ratios["says"][form].xs("held out", level="chains").items()),
          "Sampled folds of held-out chains, against the best baseline: by RMSD " + "; lDDT ".join(judged.values()),
          "One step on held-out chains, below the best multiple of $x_t$ in all seeds: "
          + "; ".join(f"{n} ({s}) at t = {', '.join(x.index[x < 1]) or 'none'}" for (s, n), x in largest.iterrows()),
          f"All of this after {recipe.steps} steps with {recipe.size.trunk_layers} + {recipe.size.denoiser_blocks} "
          f"blocks of width {recipe.size.width}"]
show.say("\n".join(f"- {line}." for line in lines))

# %% [markdown]
# ## What to take away
#
# - Where training does not rotate, each sequence has *one* answer, and a network needs no $x_t$ to
#   give it. So a small error on the chains trained on is memory, in any form. Whether looking at
#   $x_t$ helped or hurt this memory is computed above.
# - A form that is ahead on the chains trained on *fits* better. Only one that is ahead on held-out
#   ones too has learned more: read both panels of the ratios.
# - To denoise one step on a chain never seen, it is enough to know what all proteins share: steps of
#   one length, helices, compactness. To fold it, the sequence must be read. The first may be learned
#   from a hundred chains and the second not: the computed lines on one step and on sampled folds say.
# - Random rotations take the constant away: what is learned has to hold in any orientation. Compare
#   the rotated dots with the others.
# - Without a baseline, an RMSD or an lDDT of a held-out chain says nothing.
# - A small model, few steps and a hundred folds: a missing gain here says nothing about a large one
#   with many thousands of chains, and few seeds do not settle small differences.
#
# [Notebook 16](16_verdict.ipynb) brings the report's claims to a verdict.
#
# ## Exercises
#
# **1.** Take a true chain and mirror it. What is its lDDT? Why can no score of pair distances see
# it?

# %% tags=["exercise"]
my_lddt = None

# %% tags=["solution"]
# Solution
# A reflection keeps every distance, so every pair counts as right, and the score is 1.
solution_1 = 1.0

# %% tags=["check"]
mirrored = structures.score(truth[TARGET] * np.array([-1.0, 1.0, 1.0]), truth[TARGET])
answer = solution_1 if my_lddt is None else my_lddt
assert abs(answer - mirrored.lddt) < 1e-3, f"it is {mirrored.lddt:.3f}"
print("not answered; the solution is" if my_lddt is None else "right:", f"{answer:.2f}; its RMSD "
      f"is {mirrored.rmsd:.2f} Å, and {mirrored.mirror_rmsd:.2f} Å to the mirror image")

# %% [markdown]
# **2.** A network sees the sequence alone, neither $x_t$ nor t. Training does not rotate. What is
# the lowest RMSE (Å) that it can reach on its hundred different chains? And why not when training
# rotates?

# %% tags=["exercise"]
my_lowest = None

# %% tags=["solution"]
# Solution
# Zero: the sequences differ, and each chain has one constant answer. Rotated, the answer has every
# orientation, whose mean is the centre: the constant's error is that of predicting zero.
solution_2 = 0.0

# %% tags=["check"]
answer = solution_2 if my_lowest is None else my_lowest
assert len({load(i).sequence for i in TRAIN}) == len(TRAIN)
assert abs(answer) < 1e-6, "each chain's sequence is its own"
print("not answered; the solution is" if my_lowest is None else "right:", f"{answer:.1f} Å; "
      f"rotated it is about {np.sqrt(3) * SCALE:.1f} Å")

# %% [markdown]
# **3.** What is the median TM-score of two *unrelated* chains, a held-out one against a training
# chain cut to its length? Guess within 0.05.

# %% tags=["exercise"]
my_random = None

# %% tags=["solution"]
# Solution
def unrelated(names, pool):
    """TM-scores of chains against the first longer or equal ones of the pool."""
    return [structures.tm_score(truth[next(j for j in pool[k:] if len(truth[j]) >= len(truth[i]))]
                                [: len(truth[i])], truth[i])
            for k, i in enumerate(names) if any(len(truth[j]) >= len(truth[i]) for j in pool[k:])]


solution_3 = float(np.median(unrelated(TEST, TRAIN)))

# %% tags=["check"]
answer = solution_3 if my_random is None else my_random
assert abs(answer - solution_3) < 0.05, f"it is {solution_3:.2f}"
print("not answered; the solution is" if my_random is None else "right:", f"{answer:.2f}; "
      f"A after 100 chains, held out: {told(medians.loc[('100 chains', 'A', 'held out'), 'tm_score'])}")

# %%
goal("padding of sorted batches, share", by_length, "<", 0.1)
goal("mirror image of a chain, lDDT", mirrored.lddt, ">=", 0.999)
metric("helix, held out, median RMSD", medians.loc[("no training", "helix", "held out"), "rmsd"].item(), "Å")
metric("TM-score of unrelated chains, median", solution_3)
for (name, which), value in live.groupby(["variant", "chains"])["rmsd"].median().items():
    metric(f"{name}, live, chains {which}, RMSD of samples", value, "Å")
