# %% [markdown]
# # 15 · A hundred proteins
#
# So far a network had to remember one protein, or ten. The report wants a predictor that *folds*:
# sequence in, structure out, for chains it has never seen. Here 1, 10 and 100 chains are trained
# on and held-out ones are sampled. The question is not only which form is better, but whether
# anything was learnt that a baseline without any training does not know.
#
# **You will learn** to score a structure five ways, to build baselines that cost nothing, and to
# tell memory from knowledge. **Time:** 20 minutes to read, under a minute to run. **Words:**
# [notation and glossary](reference.md).

# %% tags=["parameters"]
profile = "laptop"
seed = 0
kind = "monomer"  # "complex" also trains on one two-chain complex
own_pdb = ""  # path of a PDB or mmCIF file of your own

# %%
import numpy as np
import torch
from plotly.subplots import make_subplots

from resfold_nb import analysis, show
from resfold_nb.analysis import structures
from resfold_nb.analysis.settings import FIRST_TEN, HUNDRED, hundred_ids
from resfold_nb.data import catalogue, load, make_batch, read_structure, superpose
from resfold_nb.diffusion import get_schedule
from resfold_nb.model import count_parameters
from resfold_nb.training import named_recipe
from resfold_nb.workbook import goal, record, start

session = start(profile, seed, notebook="15_hundred_proteins")

# %% [markdown]
# ## The chains
#
# A hundred training monomers of 40 to 72 residues, and all held-out monomers of these lengths.
# Train and held out share no 30 % sequence cluster. Each is divided by *one* constant, the
# training set's standard deviation: a held-out chain's own size must not be looked at.
#
# Chains of unequal length are padded. Sorted by length and cut in parts of twelve, few points are
# padding:

# %%
TRAIN, TEST = hundred_ids(), hundred_ids("test")
truth = {name: load(name).centroids for name in (*TRAIN, *TEST)}
recipe = named_recipe("many_chains", "laptop")
lengths = np.array([len(truth[name]) for name in TRAIN])


def padding(lengths, size):
    """Share of the points of batches of `size` that are padding."""
    parts = [lengths[i : i + size] for i in range(0, len(lengths), size)]
    return 1 - lengths.sum() / sum(len(p) * p.max() for p in parts)


shares = {"sorted by length": padding(np.sort(lengths), recipe.proteins),
          "in order of their ids": padding(lengths, recipe.proteins),
          "all in one batch": padding(lengths, len(lengths))}
show.table([{"batches": k, "padding": f"{v:.1%}"} for k, v in shares.items()],
           f"{len(TRAIN)} training chains of {lengths.min()} to {lengths.max()} residues; "
           f"{len(TEST)} held out")

# %% [markdown]
# ## Five scores
#
# Points are centroids of N, CA, C, O. Scores that are defined for CA atoms take **centroids as
# CA**.
#
# - **RMSD** after superposition *without reflection*, and **to the mirror image** of the truth.
#   Where the two are alike, the model has not found the hand of the chain.
# - **lDDT** (biotite): how many pair distances below 15 Å are right within 0.5, 1, 2, 4 Å. It
#   needs no superposition, and it is blind to mirror images, since distances are.
# - **TM-score**: $\frac1L\sum_i 1/(1 + (d_i/d_0)^2)$, for the known correspondence, normalised by
#   the target's length. The superposition is *searched*, from the whole chain and pieces of it:
#   the score is a lower bound of the optimum.
# - **Contact precision**: of *all* predicted pairs with $|i-j| \ge 6$ below 8 Å, the share that is
#   so in the truth. Without predicted contacts it is undefined and left out of medians.
#
# ## Baselines without training
#
# - a **random coil** (freely jointed, with the mean step of the training chains) and a
#   right-handed **alpha helix** of equal length;
# - the **mean distance** of training pairs by $|i-j|$, embedded in 3D by classical scaling.
#   Distances cannot know the hand, so the training chains' mean handedness chooses it; where the
#   embedding has nearly none itself, the choice is nearly a coin;
# - the **nearest training chain** by sequence alignment, whose points are copied. Residues that
#   are not aligned are *not placed*: RMSD and lDDT are of the aligned ones, the TM-score counts
#   the rest as wrong.

# %%
dice, known = np.random.default_rng(0), [truth[name] for name in TRAIN]
step = structures.neighbour_step(known)
SETS = {"train": TRAIN[:30], "held out": TEST}
makers = {"random coil": lambda n: structures.random_coil(n, dice, step), "helix": structures.helix,
          "mean distances": lambda n: structures.mean_structure(n, known)}
base = {name: {s: structures.score_all({i: make(len(truth[i])) for i in ids}, truth)
               for s, ids in SETS.items()} for name, make in makers.items()}
copied = {i: structures.nearest_chain(load(i).sequence, TRAIN) for i in TEST}
base["nearest chain"] = {"train": {}, "held out": {
    i: structures.score(c.points, truth[i][c.rows], len(truth[i])) for i, c in copied.items()}}
left = {i: 1 - len(c.rows) / len(truth[i]) for i, c in copied.items()}
show.say(f"Nearest chain: a median of {np.median(list(left.values())):.0%} of a target's residues "
         f"is not aligned (at most {max(left.values()):.0%}); of the aligned ones a median of "
         f"{np.median([c.identity for c in copied.values()]):.0%} is the same amino acid.")
average = structures.mean_structure(50, known)
flat = structures.handedness(average)
show.say(f"Handedness: helix {structures.handedness(structures.helix(50)):.2f}, training chains "
         f"{np.mean([structures.handedness(x) for x in known]):.2f} on average, mean distances "
         f"{flat:.4f}.")
show.say(f"Neighbours are {step:.2f} Å apart in training chains and "
         f"{structures.neighbour_step([average]):.2f} Å in the embedding: averages of distances "
         "do not fit in 3D, and what is left is shrunken and smooth. No protein looks so; an RMSD "
         "rewards it all the same, as it rewards every average.")

# %% [markdown]
# ## Predict first
#
# The training below does **not** rotate: each chain is always shown in one orientation. How well
# will a network do that sees *neither $x_t$ nor t*, only the sequence, on the chains trained on?
# And on the held-out ones? Will any form beat the helix there?
#
# ## Ten chains, live
#
# Recipe *ten chains*, fewer steps, one seed, no rotations. Held out: those of similar length.

# %%
ten = named_recipe("ten_chains", profile)
ten = ten.but(steps=session.pick(ci=40, laptop=130, gpu=ten.steps))
batch = analysis.batch_for(ten, analysis.TEN_CHAINS)
similar = [i for i in TEST if len(truth[i]) <= 50][:4]
held = make_batch([load(i) for i in similar], scale=float(batch.scale[0]))
truth |= {i: load(i).centroids for i in batch.ids}
LIVE = {"broken": ten.but(form="residual"), "A": ten.but(form="x0")}
runs = {n: analysis.run(r, batch, seed, device=session.device, marks=(), draws=1, copies=1,
                        progress=show.progress) for n, r in LIVE.items()}


def sampled(predictor, batch):
    """One structure of each chain in Å, by id."""
    final = analysis.sample(predictor, batch, copies=1).final.cpu()
    return {i: batch.angstrom(final)[k, : int(batch.mask[k].sum())].numpy()
            for k, i in enumerate(batch.ids)}


live = {(n, s): structures.score_all(sampled(r.predictor, b), truth)
        for n, r in runs.items() for s, b in (("train", batch), ("held out", held))}

# %%
FIELDS = {"RMSD (Å)": "rmsd", "RMSD to mirror (Å)": "mirror_rmsd", "lDDT": "lddt",
          "TM-score": "tm_score", "contact precision": "contact_precision"}


def median(scores, field):
    """Median over chains, those without a value left out; NaN if none has one."""
    values = np.array([getattr(s, field) for s in scores.values()])
    return float(np.nanmedian(values)) if np.isfinite(values).any() else float("nan")


show.table([{"form": n, "set": s, "chains": len(v),
             **{k: f"{median(v, f):.2f}" for k, f in FIELDS.items()},
             "parameters": count_parameters(runs[n].predictor), "steps": ten.steps,
             "draws a chain": ten.steps * ten.noise_levels} for (n, s), v in live.items()],
           f"Live: recipe {ten.name}, not rotated, seed {seed}, {session.device}; medians over "
           "chains, one sample each; nan: no contact predicted")

# %% [markdown]
# ## 1, 10 and 100 chains, recorded
#
# `python -m resfold_nb study hundred --out data/recorded`: recipe *many chains*, profile laptop,
# three seeds, CPU, one thread. The number of steps is the *same* for any number of chains, so one
# of a hundred is seen less often than one alone. One structure is sampled for up to 30 training
# chains and every held-out one. Structures were kept, weights were not.

# %%
NAMES = ("broken", "A", "C", "A + E", "A, blind to x_t and t")
PLAN = {"1": ("1HZ6_A", ("broken", "A"), {"scale": "training set"}), "10": (FIRST_TEN, NAMES, {}),
        "100": (HUNDRED, NAMES, {}), "100, rotated": (HUNDRED, NAMES[:3], {"rotate": True})}
cells = {(s, n): (analysis.variant(n, "many_chains").but(**changes), where)
         for s, (where, names, changes) in PLAN.items() for n in names}
found = {}
for key, (r, where) in cells.items():
    stored = analysis.recorded_samples("hundred", r, where) or {}
    for k, points in stored.items():
        found[(*key, k)] = structures.score_all(points, truth)


def scores(setting, name, which):
    """One dictionary of scores a seed, of the chains trained on or held out."""
    return [{i: s for i, s in v.items() if (i in TEST) == (which == "held out")}
            for key, v in found.items() if key[:2] == (setting, name)]


def medians(setting, name, which, field):
    """(seeds,) median over chains; None if not recorded."""
    each = [median(v, field) for v in scores(setting, name, which)]
    return np.array(each) if each else None


# %%
def one(value):
    """To a hundredth, or what there is to say instead."""
    return f"{value:.2f}" if np.isfinite(value) else "none predicted"


def cell(values):
    """Median (range) over seeds, or what there is to say instead."""
    if values is not None and not np.isfinite(values).all():
        return "none predicted"
    return analysis.median_range(values)


for which in SETS:
    rows = [{"trained on": s, "variant": n, "rotates": "yes" if r.rotate else "no",
             **{k: cell(medians(s, n, which, f)) for k, f in FIELDS.items()}}
            for (s, n), (r, _) in cells.items()]
    rows += [{"trained on": "–", "variant": n, "rotates": "–",
              **{k: one(median(v[which], f)) for k, f in FIELDS.items()}}
             for n, v in base.items() if v[which]]
    show.table(rows, f"{which}, recorded: medians over chains; median (range) over seeds. "
                     "Baselines need no training")

# %%
COUNT = {"1": 1, "10": 10, "100": len(TRAIN), "100, rotated": len(TRAIN)}
budget = []
for (s, n), (r, where) in cells.items():
    cost = analysis.recorded_budget("hundred", r, where)
    share = min(1, r.proteins / COUNT[s])  # of the steps, in which a chain is drawn
    budget.append({"trained on": s, "variant": n, "steps": f"{r.steps:,}",
                   "draws a chain, about": f"{r.steps * r.noise_levels * share:,.0f}",
                   "parameters": f"{cost['parameters']:,.0f}" if cost else "not recorded",
                   "training (s)": f"{cost['seconds']:.0f}" if cost else "not recorded"})
show.table(budget, "What a run cost; times are of a shared machine. The blind network has fewer "
                   "parameters, and fewer chains have more draws each")

# %% [markdown]
# ## Every chain
#
# A box holds half of the chains, all seeds together; the line is the median. Compare a box with
# the baselines under it, and orange (held out) with blue (trained on).

# %%
def box_rows():
    """Label and scores of each set, for the settings with a hundred chains and the baselines."""
    for s in ("100", "100, rotated"):
        for n in PLAN[s][1]:
            yield n + (" (rotated)" if "rotated" in s else ""), {
                w: [x for v in scores(s, n, w) for x in v.values()] for w in SETS}
    for n, v in base.items():
        yield n, {w: list(v[w].values()) for w in SETS}


# %%
rows = list(box_rows())[::-1]
fig = make_subplots(cols=2, shared_yaxes=True, horizontal_spacing=0.04)
for col, (title, field) in enumerate((("RMSD (Å)", "rmsd"), ("lDDT", "lddt")), start=1):
    for which, colour in (("held out", show.PALETTE["residual"]), ("train", show.PALETTE["x0"])):
        pairs = [(getattr(x, field), n) for n, v in rows for x in v[which]]
        fig.add_box(x=[p[0] for p in pairs], y=[p[1] for p in pairs], name=which, orientation="h",
                    marker_color=colour, legendgroup=which, showlegend=col == 1, boxpoints=False,
                    row=1, col=col)
    fig.update_xaxes(title_text=title, row=1, col=col)
fig.update_yaxes(categoryorder="array", categoryarray=[n for n, _ in rows])
fig.update_layout(boxmode="group", height=680, title="A hundred chains: trained on and held out",
                  legend=dict(orientation="h", y=-0.12, traceorder="reversed"))
show.figure(fig, "Boxes of RMSD (left) and lDDT (right) over chains and seeds for each variant "
                 "trained on 100 chains and for baselines without training; two boxes a row, chains "
                 "trained on and held out. Recorded; a row without a box was not recorded.")

# %% [markdown]
# ## Which hand?
#
# On the diagonal the truth and its mirror image are equally far: there the fold was not found,
# whatever the RMSD. Below it is the right hand.

# %%
groups = {"chains trained on": "train", "held out": "held out"}
fig = make_subplots(cols=2, shared_yaxes=True, subplot_titles=list(groups), horizontal_spacing=0.04)
styles = {"broken": ("residual", "circle"), "A": ("x0", "diamond"),
          "A, blind to x_t and t": ("ink", "cross")}
for col, which in enumerate(groups.values(), start=1):
    for n, (colour, symbol) in styles.items():
        points = [x for v in scores("100", n, which) for x in v.values()]
        fig.add_scatter(x=[p.mirror_rmsd for p in points], y=[p.rmsd for p in points],
                        marker=dict(color=show.PALETTE[colour], symbol=symbol, size=6, opacity=0.7),
                        mode="markers", name=n, legendgroup=n, showlegend=col == 1, row=1, col=col)
    fig.add_scatter(x=[0, 20], y=[0, 20], mode="lines", line=dict(color="#777777", dash="dash"),
                    showlegend=False, row=1, col=col)
    fig.update_xaxes(title_text="RMSD to mirror image (Å)", range=[0, 20], row=1, col=col)
fig.update_yaxes(title_text="RMSD (Å)", range=[0, 20], row=1, col=1)
fig.update_layout(title="Truth or mirror image: 100 chains, not rotated", height=480,
                  legend=dict(orientation="h", y=-0.22))
show.figure(fig, "RMSD to the truth against RMSD to its mirror image, a point a sampled "
                 "structure, for the broken form, A and the blind network, chains trained on (left) and held out "
                 "(right); the dashed diagonal is where they are equal. Recorded, three seeds.")

# %% [markdown]
# ## One held-out chain
#
# The slider goes through the seeds. Grey is the truth; each sample is superposed on it without
# reflection.

# %%
TARGET, SHOWN = TEST[0], ("broken", "A", "A, blind to x_t and t")
views = {}
for n in SHOWN:
    stored = analysis.recorded_samples("hundred", *cells["100", n])
    if stored:
        views[n] = np.stack([superpose(torch.as_tensor(x[TARGET]).double(),
                                       torch.as_tensor(truth[TARGET]).double()).numpy()
                             for x in stored.values()])
count = min((len(v) for v in views.values()), default=0)
show.player({n: v[:count] for n, v in views.items()}, truth=truth[TARGET],
            labels=[f"seed {k}" for k in range(count)], interval=1200,
            alt=f"Recorded samples of the held-out chain {TARGET}, superposed on its true "
                "centroids in grey: broken form, A and the blind network, a frame a seed."
            ) if views else show.say("not recorded")

# %% [markdown]
# ## One step, at each noise level
#
# At small t the answer is mostly in $x_t$, also for a chain never seen: that is denoising, not
# folding. Without rotations no orientation is right for a held-out chain but the one in $x_t$, and
# a blind network cannot see it.

# %%
LEVELS = (0, 1, 5, 25, 49)
SCALE = float(batch.scale[0])
linear = analysis.baselines(get_schedule("linear"), 1.0, SCALE)
look = {"broken": ("residual", "solid"), "A": ("x0", "dash"), "C": ("v", "dashdot"),
        "A, blind to x_t and t": ("ink", "dot")}


def by_level(setting, name, which):
    """(seeds, levels) RMSE in Å; None if not recorded."""
    r, where = cells[setting, name]
    if which == "held out":
        each = [analysis.recorded_quantity("hundred", r, where, f"held out, t = {t}, RMSE (Å)")
                for t in LEVELS]
    else:
        each = [analysis.recorded_ends("hundred", r, (where,), t) for t in LEVELS]
    return None if any(e is None for e in each) else np.stack(each, axis=1)


# %%
groups = {f"{s}, {w}": [show.Line(n, LEVELS, e, show.PALETTE[look[n][0]], look[n][1])
                        for n in look if (s, n) in cells and (e := by_level(s, n, w)) is not None]
          + [show.Line("best linear", LEVELS, linear["best linear"][list(LEVELS)], "#777777",
                       "longdash")]
          for s in ("100", "100, rotated") for w in SETS}
fig = show.panels(groups, x="t", y="RMSE (Å)", title="One denoising step: trained on and held out")
fig.update_annotations(font_size=13)
show.figure(fig, "RMSE of one denoising step at t = 0, 1, 5, 25 and 49 for chains trained on and "
                 "held out, without and with random rotations, for the broken form, A, C and the blind "
                 "network, median and range over seeds; and the best multiple of x_t. Recorded.")

# %% [markdown]
# ## Two chains
#
# A complex is a longer batch whose `chain` says which residue belongs to whom; positions start
# anew. With `kind = "complex"` a model is trained on the smallest bundled training complex. An
# interface is *between* chains, so a good RMSD of each chain is not one of the whole.

# %%
entry = min(catalogue(kind="complex", split="train"), key=lambda e: e.length)
pair = load(entry.id)
two = make_batch(pair)
show.say(f"{pair.id}: {len(pair)} residues, of chains {', '.join(pair.chain_names)} "
         f"({', '.join(str(int((pair.chain_index == c).sum())) for c in range(2))}).")
if kind == "complex":
    short = named_recipe("well_fed", profile, form="x0")
    short = short.but(steps=session.pick(ci=40, laptop=150, gpu=short.steps))
    joint = analysis.run(short, two, seed, device=session.device, marks=(), draws=1, copies=1)
    points = sampled(joint.predictor, two)[pair.id]
    parts = {c: pair.chain_index == k for k, c in enumerate(pair.chain_names)}
    scored = {c: structures.score(points[p], pair.centroids[p])
              for c, p in {"both": slice(None), **parts}.items()}
    show.table([{"chains": c, **{k: one(getattr(v, f)) for k, f in FIELDS.items()}}
                for c, v in scored.items()],
               f"Live: A on {pair.id}, {short.steps} steps, seed {seed}; this is memory of one "
               "complex")
else:
    show.say('Not trained here; set `kind = "complex"` in the parameters.')

# %% [markdown]
# ## Your own protein
#
# Give `own_pdb` a path. The live model of ten chains, form A, is sampled for it in the training
# set's units. Without a path a held-out chain plays the part. Expect little: it has seen ten
# chains.

# %%
own = read_structure(own_pdb) if own_pdb else load(similar[0])
guess = sampled(runs["A"].predictor, make_batch(own, scale=SCALE))[own.id]
found_own = structures.score(guess, own.centroids)
rows = [{"structure": "A, live, ten chains",
         **{k: one(getattr(found_own, f)) for k, f in FIELDS.items()}}]
for name, points in (("helix", structures.helix(len(own))),
                     ("random coil", structures.random_coil(len(own), dice, step))):
    other = structures.score(points, own.centroids)
    rows.append({"structure": name, **{k: one(getattr(other, f)) for k, f in FIELDS.items()}})
show.table(rows, f"{own.id}, {len(own)} residues: one sample, live, seed {seed}")

# %% [markdown]
# ## What a hundred proteins can and cannot teach
#
# *Better* means: of the medians over chains, the worst seed's beats the baseline.

# %%
rivals = {f: pick((median(v["held out"], f), n) for n, v in base.items() if n != "nearest chain")
          for f, pick in (("rmsd", min), ("lddt", max))}


def against(setting, name):
    """Held-out medians of a variant, and whether its worst seed beats the best baseline."""
    far, near = (medians(setting, name, "held out", f) for f in ("rmsd", "lddt"))
    if far is None:
        return {"trained on": setting, "variant": name, "RMSD (Å)": "not recorded", "better": "–",
                "lDDT": "not recorded", "better by lDDT": "–"}
    wins = far.max() < rivals["rmsd"][0], near.min() > rivals["lddt"][0]
    return {"trained on": setting, "variant": name, "RMSD (Å)": cell(far),
            "better": "yes" if wins[0] else "no", "lDDT": cell(near),
            "better by lDDT": "yes" if wins[1] else "no"}


rows = [against(*key) for key in cells]
counted = [row for row in rows if row["better"] != "–"]
show.table(rows, f"Held out, recorded: median (range) over seeds, against the best baseline that places every "
                 f"residue: {rivals['rmsd'][1]} by RMSD ({rivals['rmsd'][0]:.2f} Å), {rivals['lddt'][1]} by "
                 f"lDDT ({rivals['lddt'][0]:.2f})")
show.say(f"Of {len(counted)} recorded, **{sum(row['better'] == 'yes' for row in counted)}** are better by RMSD "
         f"and **{sum(row['better by lDDT'] == 'yes' for row in counted)}** by lDDT. The nearest chain is "
         "left out of this count: it places fewer residues.")

# %%
show.table([{"variant": n, **{s: cell(medians(s, n, "train", "rmsd")) if (s, n) in cells else "not run"
                              for s in PLAN}} for n in NAMES],
           "Chains trained on, recorded: RMSD in Å by the number of chains, median (range) over seeds")
rows = []
for s in ("10", "100", "100, rotated"):
    for which in SETS:
        pairs = [medians(s, n, which, "rmsd") for n in ("broken", "A")]
        if all(p is not None for p in pairs):
            ratio = analysis.ratio([pairs[0]], [pairs[1]])
            verdict = ("A is better" if ratio.low > 1 else "broken is better" if ratio.high < 1
                       else "the interval holds 1: no difference is shown")
            rows.append({"trained on": s, "chains": which, "ratio": str(ratio), "so": verdict})
show.table(rows or [{"study": "not recorded"}],
           "Broken over A: ratio of RMSD with 95 % interval over three seeds")

# %% [markdown]
# ## What to take away
#
# - Where training does not rotate, the sequence names the chain and the answer is a constant a
#   chain. A network that looks at $x_t$ has no need to; whether it pays for looking is said above.
# - A small training error is memory. Only held-out chains, beside a baseline, say what was learnt.
# - With 600 steps and three layers, 100 chains and their 100 folds, a missing gain says nothing
#   about what a large model with many thousands of chains would learn; nor do three seeds settle
#   small differences.
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
      f"rotated it is about {linear['predict zero'][0]:.1f} Å")

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
print("not answered; the solution is" if my_random is None else "right:", f"{answer:.2f}; a "
      "sample of a held-out chain has to be well above this to mean anything")

# %%
goal("padding of sorted batches, share", shares["sorted by length"], "<", 0.1)
goal("mirror image of a chain, lDDT", mirrored.lddt, ">=", 0.999)
record("helix, held out, median RMSD", median(base["helix"]["held out"], "rmsd"), "Å")
record("TM-score of unrelated chains, median", solution_3)
record("A, live, ten chains, RMSD of samples", median(live["A", "train"], "rmsd"), "Å")
record("A, live, held out, RMSD of samples", median(live["A", "held out"], "rmsd"), "Å")
record("broken, live, ten chains, RMSD of samples", median(live["broken", "train"], "rmsd"), "Å")
