# %% [markdown]
# # 15 · A hundred proteins
#
# So far a network had to remember one protein, or ten. But a structure predictor is meant to
# *fold*: sequence in, structure out, for chains that it has never seen. The report's second test
# (R15) is a hundred proteins. Here 1, 10 and 100 chains are trained on, and held-out chains are
# sampled too. The question is not only which form is better, but whether *any* of them learned what
# a baseline without training does not know.
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
import torch
from plotly.subplots import make_subplots

from resfold_nb import measure, show, studies
from resfold_nb.measure import MEASURING_SEED, structures
from resfold_nb.studies.proteins import FIRST_TEN, HUNDRED, chains_of, hundred_ids
from resfold_nb.studies.runner import SHOWN
from resfold_nb.data import catalogue, load, make_batch, read_structure, superpose
from resfold_nb.diffusion import get_schedule
from resfold_nb.model import count_parameters
from resfold_nb.training import named_recipe, train
from resfold_nb.training.recipes import FROZEN_ON
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
TRAIN, TEST = hundred_ids(), hundred_ids("test")
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


shares = {f"of {recipe.proteins_per_step}, sorted by length": padding(np.sort(lengths), recipe.proteins_per_step),
          f"of {recipe.proteins_per_step}, in order of their ids": padding(lengths, recipe.proteins_per_step),
          "all in one": padding(lengths, len(lengths))}
show.table([{"batches": k, "padding": f"{v:.1%}"} for k, v in shares.items()],
           f"{len(TRAIN)} training chains of {lengths.min()} to {lengths.max()} residues; "
           f"{len(TEST)} are held out")

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

# %%
dice, known = np.random.default_rng(0), [truth[name] for name in TRAIN]
step, turn = structures.neighbour_step(known), structures.helical_step([folded[i] for i in TRAIN])
SETS = {"trained on": TRAIN[:SHOWN], "held out": TEST}
by_separation = structures.mean_distances(known)
hand = float(np.mean([structures.handedness(x) for x in known]))
mean = {n: structures.embed(by_separation, n, hand)
        for n in range(lengths.min(), lengths.max() + 1)}
makers = {"random coil": (lambda n: structures.random_coil(n, dice, step), 3),
          "helix": (lambda n: structures.helix(n, turn), 1), "mean distances": (mean.get, 1)}
base = {name: {s: [structures.score_all({i: make(len(truth[i])) for i in ids}, truth)
                   for _ in range(draws)] for s, ids in SETS.items()}
        for name, (make, draws) in makers.items()}
average = mean[int(np.median(lengths))]
hands = {"helix": structures.helix(50, turn), "mean distances, embedded": average}
show.table([{"structure": k, "handedness": f"{structures.handedness(x):.3f}",
             "neighbours (Å)": f"{structures.neighbour_step([x]):.2f}"} for k, x in hands.items()]
           + [{"structure": "training chains, mean", "neighbours (Å)": f"{step:.2f}",
               "handedness": f"{hand:.3f}"}],
           "Handedness: mean triple product of three unit steps in a row; its sign is the hand")

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
truth |= {i: load(i).centroids for i in (*batch.ids, *chains_of(FROZEN_ON))}


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
LIVE = {"scaled residual": ten.but(form="residual"), "A": ten.but(form="x0")}
models = {n: trained(r, batch) for n, r in LIVE.items()}
live = {(n, s): [structures.score_all(sampled(model, b), truth)]
        for n, model in models.items() for s, b in (("trained on", batch), ("held out", held))}

# %%
FIELDS = {"RMSD (Å)": "rmsd", "to mirror (Å)": "mirror_rmsd", "lDDT": "lddt",
          "TM-score": "tm_score", "contact precision": "contact_precision"}


def medians(runs, field):
    """(seeds,) median over chains, those without a value left out; None without runs."""
    values = [np.array([getattr(s, field) for s in v.values()]) for v in runs]
    return np.array([np.nanmedian(v) if np.isfinite(v).any() else np.nan for v in values]) \
        if values else None


def cell(values):
    """Median (range) to a hundredth, or what there is to say instead."""
    if values is None or np.isfinite(values).all():
        return f"{values[0]:.2f}" if values is not None and len(values) == 1 \
            else studies.median_range(values)
    return "undefined"


def shown(runs):
    """The five scores of runs, a column each."""
    return {title: cell(medians(runs, field)) for title, field in FIELDS.items()}


# %%
show.table([{"form": n, "chains": f"{len(v[0])} {s}", **shown(v), "steps": ten.steps,
             "draws a chain": ten.steps * ten.noise_levels,
             "parameters": f"{count_parameters(models[n]):,}"} for (n, s), v in live.items()],
           f"Live: recipe {ten.name}, not rotated, seed {seed}, {session.device}; medians over "
           "chains, one sample each, so no spread over seeds")

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
NAMES = ("scaled residual", "A", "C", "A + E", "A, blind to x_t and t")
PLAN = {"1": (FROZEN_ON, ("scaled residual", "A"), {"scale": "training set"}),
        "10": (FIRST_TEN, NAMES, {}), "100": (HUNDRED, NAMES, {}),
        "100, rotated": (HUNDRED, NAMES[:3], {"rotate": True})}
cells = {(s, n): (studies.variant(n, "many_chains").but(**changes), where)
         for s, (where, names, changes) in PLAN.items() for n in names}
drawn = {key: studies.recorded_samples("hundred", *where) or {} for key, where in cells.items()}
found = {key: [structures.score_all(points, truth) for points in seeds.values()]
         for key, seeds in drawn.items()}
results = {key: {which: [{i: s for i, s in scored.items() if (i in TEST) == (which == "held out")}
                         for scored in runs] for which in SETS} for key, runs in found.items()}

# %%
budget = []
for (s, n), (r, where) in cells.items():
    cost, chains = studies.recorded_budget("hundred", r, where), len(chains_of(where))
    seen = r.steps * r.noise_levels * min(1, r.proteins_per_step / chains)
    budget.append({"trained on": s, "variant": n, "seeds": len(drawn[s, n]) or "not recorded",
                   "steps": f"{r.steps:,}", "draws a chain, about": f"{seen:,.0f}",
                   "parameters": f"{cost['parameters']:,.0f}" if cost else "not recorded",
                   "training (s)": f"{cost['seconds']:.0f}" if cost else "not recorded"})
show.table(budget, "Recorded: what a run cost; times are of a shared machine. The blind network "
                   "lacks the weights that read the points, A + E those of them in the trunk")

# %%
for which in SETS:
    rows = [{"trained on": s, "variant": n, **shown(v[which])} for (s, n), v in results.items()]
    rows += [{"trained on": "nothing", "variant": n, **shown(v[which])} for n, v in base.items()]
    show.table(rows, f"Chains {which} (at most {len(SETS[which])}): medians over chains; where "
                     "there are several seeds or coils, the median (range) over them. Recorded, "
                     "but for the baselines")

# %% [markdown]
# The first table's rows are of different chains: those that each was trained on, and for 100 chains
# and the baselines those of the hundred that are sampled. In the second, all rows are of the same
# chains.
#
# ## Every chain
#
# A box holds half of the chains, all seeds together; its line is the median. In each row, how far
# is orange (held out) from blue (trained on)? And is orange anywhere clear of the baselines below?

# %%
rows = {n + (" (rotated)" if "rotated" in s else ""): v
        for (s, n), v in results.items() if s.startswith("100")} | base
colours = {"held out": show.PALETTE["residual"], "trained on": show.PALETTE["x0"]}
fig = make_subplots(cols=2, shared_yaxes=True, horizontal_spacing=0.04)
for col, (title, field) in enumerate((("RMSD (Å)", "rmsd"), ("lDDT", "lddt")), start=1):
    for which, colour in colours.items():
        pairs = [(getattr(x, field), n) for n, v in rows.items()
                 for scored in v[which] for x in scored.values()]
        fig.add_box(x=[p[0] for p in pairs], y=[p[1] for p in pairs], name=which, orientation="h",
                    marker_color=colour, legendgroup=which, showlegend=col == 1, boxpoints=False,
                    offsetgroup=which, alignmentgroup="row", row=1, col=col)
    fig.update_xaxes(title_text=title, row=1, col=col)

# %%
fig.update_yaxes(categoryorder="array", categoryarray=list(rows)[::-1])
fig.update_layout(boxmode="group", height=680, title="A hundred chains: trained on and held out",
                  legend=dict(orientation="h", y=-0.12, traceorder="reversed"))
show.figure(fig, "Boxes of RMSD (left) and lDDT (right) over chains and seeds, a row a variant "
                 "trained on 100 chains or a baseline without training; two boxes a row, chains "
                 "trained on and held out. Recorded, but for the baselines; a row without boxes "
                 "was not recorded.")

# %% [markdown]
# ## The nearest chain
#
# A helix copied onto a helix gives a low RMSD, and so does every *short* stretch: the fewer
# residues, the easier. So all others are scored here on the same residues as the copy. RMSD and
# lDDT are of these residues alone; the TM-score divides by the whole length, so residues that are
# not placed count as wrong.

# %%
copied = {i: structures.nearest_chain(folded[i].sequence, [folded[j] for j in TRAIN]) for i in TEST}
left = [1 - len(c.rows) / len(truth[i]) for i, c in copied.items()]


def on_aligned(seeds):
    """Scores on the residues that the copy places, of runs id -> points."""
    return [{i: structures.score(x[i][c.rows], truth[i][c.rows], len(truth[i]))
             for i, c in copied.items()} for x in seeds]


copies = [{i: structures.score(c.points, truth[i][c.rows], len(truth[i]))
           for i, c in copied.items()}]
rows = [{"structure": "nearest training chain", **shown(copies)},
        {"structure": "mean distances",
         **shown(on_aligned([{i: mean[len(truth[i])] for i in TEST}]))}]
rows += [{"structure": f"{n}, 100 chains", **shown(on_aligned(drawn["100", n].values()))}
         for n in ("scaled residual", "A", "A, blind to x_t and t")]
show.table(rows, "Held out, aligned residues only: medians over chains; median (range) over seeds")
show.say(f"Of a held-out chain a median of {np.median(left):.0%} of the residues is *not* aligned "
         f"(at most {max(left):.0%}); of the aligned ones a median of "
         f"{np.median([c.identity for c in copied.values()]):.0%} is the same amino acid.")

# %% [markdown]
# ## Which hand?
#
# On the diagonal the truth and its mirror image are equally far: there the fold was not found,
# whatever the RMSD. A point below it is nearer to the truth. A coin would put half below.

# %%
fig = make_subplots(cols=2, shared_yaxes=True, horizontal_spacing=0.04,
                    subplot_titles=[f"chains {which}" for which in SETS])
styles = {"scaled residual": ("residual", "circle"), "A": ("x0", "diamond"),
          "A, blind to x_t and t": ("ink", "cross")}
for col, which in enumerate(SETS, start=1):
    for n, (colour, symbol) in styles.items():
        points = [x for v in results["100", n][which] for x in v.values()]
        fig.add_scatter(x=[p.mirror_rmsd for p in points], y=[p.rmsd for p in points],
                        marker=dict(color=show.PALETTE[colour], symbol=symbol, size=6, opacity=0.7),
                        mode="markers", name=n, legendgroup=n, showlegend=col == 1, row=1, col=col)
    fig.add_scatter(x=[0, 20], y=[0, 20], mode="lines", line=dict(color="#777777", dash="dash"),
                    showlegend=False, row=1, col=col)
    fig.update_xaxes(title_text="RMSD to mirror image (Å)", range=[0, 20], row=1, col=col)
    if not any(results["100", n][which] for n in styles):
        fig.add_annotation(text="not recorded", x=10, y=15, showarrow=False, row=1, col=col)
fig.update_yaxes(title_text="RMSD (Å)", range=[0, 20], row=1, col=1)
fig.update_layout(title="Truth or mirror image: 100 chains, not rotated", height=500,
                  margin_t=90, legend=dict(orientation="h", y=-0.22))
show.figure(fig, "RMSD to the truth against RMSD to its mirror image, a point a sampled structure "
                 "of the broken form, A and the blind network; chains trained on (left) and held "
                 "out (right). On the dashed diagonal they are equal. Recorded, all seeds; without "
                 "points, not recorded.")

# %%
def right_hand(runs):
    """(seeds,) share of the chains that are nearer to the truth than to its mirror image."""
    return np.array([np.mean([x.rmsd < x.mirror_rmsd for x in v.values()]) for v in runs]) \
        if runs else None


hundreds = {key: v for key, v in results.items() if key[0].startswith("100")}
rows = [{"after": s, "variant": n, **{f"chains {w}": cell(right_hand(v[w])) for w in SETS}}
        for (s, n), v in (hundreds | {("nothing", n): v for n, v in base.items()}).items()]
chance = np.random.default_rng(0).binomial(len(TEST), 0.5, 10_000) / len(TEST)
low, high = np.quantile(chance, (0.025, 0.975))
show.table(rows, "Share of the chains nearer to the truth than to its mirror image; median (range) "
                 f"over seeds. For {len(TEST)} held-out chains a coin gives {low:.2f} to "
                 f"{high:.2f} in 95 % of cases")

# %% [markdown]
# ## One held-out chain
#
# The slider goes through the seeds. Grey is the truth; each sample is superposed on it without
# reflection.

# %%
TARGET = TEST[0]
fixed = torch.as_tensor(truth[TARGET]).double()
views = {n: np.stack([superpose(torch.as_tensor(x[TARGET]).double(), fixed).numpy()
                      for x in drawn["100", n].values()]) for n in styles if drawn["100", n]}
count = min(map(len, views.values()), default=0)
show.player(
    {n: v[:count] for n, v in views.items()}, truth=truth[TARGET],
    labels=[f"seed {k}" for k in range(count)], interval=1200,
    alt=f"Recorded samples of the held-out chain {TARGET} after 100 chains, superposed on its true "
        f"centroids in grey: {'; '.join(views)}. A frame a seed.",
) if views else show.say("Samples after 100 chains: not recorded.")

# %% [markdown]
# ## One step, at each noise level
#
# Sampling a held-out chain is the hard test. The easy one is a single denoising step: at small t
# the answer is mostly in $x_t$, also for a chain never seen. That is *denoising*, not folding. For
# data of variance 1 the best multiple of $x_t$ is $a\,x_t$, whose error for a chain of standard
# deviation sd is $\sqrt{3\,(s^4\,\mathrm{sd}^2 + a^2 s^2)}$: what can be had of *any* cloud of points.

# %%
LEVELS = [0, 1, 5, 25, 49]
schedule = get_schedule("linear")
signal, noise = schedule.a.numpy()[LEVELS], schedule.s.numpy()[LEVELS]
look = {"scaled residual": ("residual", "solid"), "A": ("x0", "dash"), "C": ("v", "dashdot"),
        "A, blind to x_t and t": ("ink", "dot")}


def linear(ids):
    """(levels,) expected RMSE in Å of a x_t, mean over chains."""
    sd = np.array([np.sqrt(np.square(truth[i] - truth[i].mean(0)).mean()) for i in ids]) / SCALE
    return SCALE * np.sqrt(3 * (noise**4 * sd[:, None] ** 2 + (signal * noise) ** 2)).mean(0)


def by_level(setting, name, which):
    """(seeds, levels) RMSE in Å; None if not recorded."""
    r, where = cells[setting, name]
    each = [studies.recorded_ends("hundred", r, (where,), t) if which == "trained on" else
            studies.recorded_quantity("hundred", r, where, f"held out, t = {t}, RMSE (Å)")
            for t in LEVELS]
    return None if any(e is None for e in each) else np.stack(each, axis=1)


# %%
groups, best = {}, {"trained on": linear(TRAIN), "held out": linear(TEST)}
for setting in ("100", "100, rotated"):
    for which in SETS:
        lines = [show.Line(n, LEVELS, e, show.PALETTE[look[n][0]], look[n][1]) for n in look
                 if (setting, n) in cells and (e := by_level(setting, n, which)) is not None]
        groups[f"{setting}, {which}"] = lines and [
            *lines, show.Line("best multiple of x_t", LEVELS, best[which], "#777777", "longdash")]
fig = show.panels(groups, x="t", y="RMSE (Å)", title="One denoising step: trained on and held out")
fig.update_annotations(font_size=13)
show.figure(fig, "RMSE of one denoising step at t = 0, 1, 5, 25 and 49 for chains trained on and "
                 "held out, without and with random rotations: the broken form, A, C and the blind "
                 "network, median and range over seeds; and the best multiple of x_t, in "
                 "expectation. Recorded.")

# %%
rows, helped = [], {}
for setting, n in hundreds:
    e = by_level(setting, n, "held out")
    gain = None if e is None else e[:, 1:] / best["held out"][1:]
    below = [] if e is None else [t for t, g in zip(LEVELS[1:], gain.T, strict=True) if g.max() < 1]
    helped[setting, n] = "not recorded" if e is None else ", ".join(map(str, below)) or "none"
    rows.append({"trained on": setting, "variant": n,
                 **{f"t = {t}": cell(None if e is None else gain[:, k])
                    for k, t in enumerate(LEVELS[1:])},
                 "below 1 in all seeds at t =": helped[setting, n]})
show.table(rows, "Held out, recorded: error of one step over that of the best multiple of x_t; "
                 "below 1, something was learned that helps with chains never seen. One noise draw "
                 "a chain")

# %% [markdown]
# ## Two chains
#
# A complex is a longer batch, whose `chain` says which residue belongs to whom. An interface lies
# *between* chains: two good chains may be placed wrongly, so score the whole as well as the parts.
# With `kind = "complex"` in the parameters a model is trained on the smallest bundled one.

# %%
if kind not in ("monomer", "complex"):
    raise ValueError(f'kind is {kind!r}: set it to "monomer" or "complex" in the parameters')
smallest = min(catalogue(kind="complex", split="train"), key=lambda entry: entry.length)
pair = load(smallest.id)
parts = {c: pair.chain_index == k for k, c in enumerate(pair.chain_names)}
show.say(f"{pair.id}: {len(pair)} residues; "
         + ", ".join(f"chain {c} has {int(p.sum())}" for c, p in parts.items()) + ".")
if kind == "complex":
    short = named_recipe("well_fed", profile).but(form="x0")
    short = short.but(steps=session.pick(ci=40, laptop=150, gpu=short.steps))
    two = make_batch(pair)
    joint = trained(short, two)
    each = [sampled(joint, two, k)[pair.id] for k in range(3)]
    scored = {c: [{pair.id: structures.score(x[p], pair.centroids[p])} for x in each]
              for c, p in {"both": slice(None), **parts}.items()}
    show.table([{"chains": c, **shown(v)} for c, v in scored.items()],
               f"Live: A trained on {pair.id} alone, {short.steps} steps, seed {seed}: median "
               f"(range) of {len(each)} samples. This is memory of one complex")
else:
    show.say('No complex is trained on here; set `kind = "complex"` to do so.')

# %% [markdown]
# ## Your own protein
#
# Give `own_pdb` a path (a relative one starts at this notebook's folder) and run again; of several
# chains `own_chain` picks one. The live form A of ten chains is sampled for its sequence, in the
# training set's units. Without a path a held-out chain plays the part. Expect little, and compare
# with what costs nothing.

# %%
own = read_structure(own_pdb, chain=own_chain or None) if own_pdb else folded[similar[0]]
own_batch, own_truth = make_batch(own, scale=SCALE), {own.id: own.centroids}
DRAWS = 5
guesses = {"A, live, ten chains": [sampled(models["A"], own_batch, k) for k in range(DRAWS)],
           "random coil": [{own.id: structures.random_coil(len(own), dice, step)}
                           for _ in range(DRAWS)],
           "helix": [{own.id: structures.helix(len(own), turn)}]}
show.table([{"structure": n, **shown([structures.score_all(g, own_truth) for g in v])}
            for n, v in guesses.items()],
           f"Live: {own.id}, {len(own)} residues, seed {seed}: median (range) of {DRAWS} samples "
           f"or coils, and one helix")

# %% [markdown]
# ## What a hundred proteins can and cannot teach
#
# **Held out, against a baseline.** For each chain the score minus that of the best baseline which
# places every residue; the mean over chains, and its 95 % bootstrap interval over chains and seeds.
# Only an interval on one side of zero says *better* or *worse*.

# %%
middle = {f: {n: np.median(medians(v["held out"], f)) for n, v in base.items()}
          for f in ("rmsd", "lddt")}
rivals = {"rmsd": min(middle["rmsd"], key=middle["rmsd"].get),
          "lddt": max(middle["lddt"], key=middle["lddt"].get)}


def against(runs, field):
    """Difference to the best baseline, chain by chain; None if not recorded."""
    rival = base[rivals[field]]["held out"]
    return measure.bootstrap([
        np.array([getattr(v[i], field) for v in runs])
        - np.mean([getattr(v[i], field) for v in rival]) for i in TEST]) if runs else None


def so(interval, better):
    """What an interval of differences says; `better` is the sign of a good one."""
    if interval is None:
        return "not recorded"
    ends = sorted((better * interval.low, better * interval.high))
    return "better" if ends[0] > 0 else "worse" if ends[1] < 0 else "open"


# %%
rows = []
for (setting, n), v in hundreds.items():
    far, near = (against(v["held out"], f) for f in ("rmsd", "lddt"))
    rows.append({"trained on": setting, "variant": n,
                 "RMSD above it (Å)": str(far or "not recorded"), "by RMSD": so(far, -1),
                 "lDDT above it": str(near or "not recorded"), "by lDDT": so(near, 1)})
show.table(rows, f"Held out, recorded: difference to the best baseline, {rivals['rmsd']} by RMSD "
                 f"and {rivals['lddt']} by lDDT; mean (95 % interval) over chains and seeds")
counts = {by: ", ".join(f"**{n}** {k}" for k in ("better", "worse", "open", "not recorded")
                        if (n := [row[by] for row in rows].count(k)))
          for by in ("by RMSD", "by lDDT")}
show.say("Judged " + "; ".join(f"{by}, {said}" for by, said in counts.items()) + ".")

# %% [markdown]
# **Memory.** The same, on chains trained on, by how many there were. As the number of steps is the
# same, a row that rises shows what these steps could no longer store.

# %%
show.table([{"variant": n, **{f"{s} (Å)": cell(medians(results[s, n]["trained on"], "rmsd"))
                              if (s, n) in cells else "not run" for s in PLAN}} for n in NAMES],
           "Chains trained on, recorded: median RMSD by how many; median (range) over seeds")


def over(setting, upper, lower, which):
    """Ratio of RMSD, paired by chain and seed, and what its interval says."""
    runs = [results[setting, n][which] for n in (upper, lower)]
    if not all(runs):
        return "not recorded"
    ratio = measure.ratio(*([np.array([v[i].rmsd for v in r]) for i in runs[0][0]] for r in runs))
    return f"{ratio}: " + ("larger" if ratio.low > 1 else "smaller" if ratio.high < 1 else "open")


PAIRS = [(s, "scaled residual", "A") for s in ("10", "100", "100, rotated")]
PAIRS += [("100", n, "A") for n in NAMES[2:]] + [("100, rotated", "C", "A")]
ratios = {pair: {w: over(*pair, w) for w in SETS} for pair in PAIRS}
show.table([{"after": s, "RMSD of": n, "over that of": m,
             **{f"chains {w}": v for w, v in each.items()}} for (s, n, m), each in ratios.items()],
           "The forms, recorded: ratio of RMSD, geometric mean (95 % interval) over chains and "
           "seeds; open where the interval holds 1")

# %% [markdown]
# **What the numbers say**, all computed:

# %%
def level(setting, n, which):
    """Median RMSD in Å, for a sentence."""
    return f"{n} {cell(medians(results[setting, n][which], 'rmsd'))} Å"


blind, size = NAMES[-1], recipe.size
lines = [f"- Median RMSD, {s} chains, {w}: "
         + ", ".join(level(s, n, w) for n in ("scaled residual", "A", blind)) + "."
         for s in ("10", "100") for w in SETS]
apart = "; ".join(f"{s}: {v['held out']}" for (s, n, m), v in ratios.items() if n == "scaled residual")
lines += [f"- Does seeing $x_t$ help memory? RMSD of the blind network over A's, chains trained "
          f"on: {ratios['100', blind, 'A']['trained on']}.",
          f"- Is the repaired form ahead on held-out chains? RMSD of broken over A's: {apart}.",
          "- Sampled folds of held-out chains, against the best baseline: "
          + "; ".join(f"{by} {said}" for by, said in counts.items()) + ".",
          "- One step on held-out chains, below the best multiple of $x_t$ in all seeds: "
          + "; ".join(f"{n} ({s}) at t = {t}" for (s, n), t in helped.items()) + "."]
lines += [f"- All of this after {recipe.steps} steps with {size.trunk_layers} + "
          f"{size.denoiser_blocks} blocks of width {size.width}."]
show.say("\n".join(lines))

# %% [markdown]
# ## What to take away
#
# - Where training does not rotate, each sequence has *one* answer, and a network needs no $x_t$ to
#   give it. So a small error on the chains trained on is memory, in any form. Whether looking at
#   $x_t$ helped or hurt this memory is computed above.
# - A form that is ahead on the chains trained on *fits* better. Only one that is ahead on held-out
#   ones too has learned more: read both columns of the ratios.
# - To denoise one step on a chain never seen, it is enough to know what all proteins share: steps of
#   one length, helices, compactness. To fold it, the sequence must be read. The first may be learned
#   from a hundred chains and the second not: the computed lines on one step and on sampled folds say.
# - Random rotations take the constant away: what is learned has to hold in any orientation. Compare
#   the rotated rows with the others.
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
      f"A after 100 chains, held out: {cell(medians(results['100', 'A']['held out'], 'tm_score'))}")

# %%
goal("padding of sorted batches, share", min(shares.values()), "<", 0.1)
goal("mirror image of a chain, lDDT", mirrored.lddt, ">=", 0.999)
metric("helix, held out, median RMSD", medians(base["helix"]["held out"], "rmsd")[0], "Å")
metric("TM-score of unrelated chains, median", solution_3)
for name, which in live:
    metric(f"{name}, live, chains {which}, RMSD of samples",
           medians(live[name, which], "rmsd")[0], "Å")
