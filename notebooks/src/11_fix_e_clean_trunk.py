# %% [markdown]
# # 11 · Fix E: a trunk that sees the sequence only
#
# In the report's model the trunk reads the noisy points beside the sequence. The report calls this
# a leak at small t and blindness at large t (R4), says that it makes the scaling's fault worse
# (R16), and proposes a *clean trunk*: sequence only. It expects a price: less structural reasoning
# in the trunk, and perhaps a larger denoiser (R13; ids from
# [the report in brief](00_tour.ipynb#The-report-in-brief)). Fix E is two things at once, and here
# they are measured apart: another **model**, and a trunk that can be run **once**.
#
# **You will learn** to ask with a linear probe what a hidden layer knows, to tell what a probe
# found from what it learned by heart, and to tell a faster program from a different model.
# **Time:** 20 minutes to read, under a minute to run. **Words:** [notation and glossary](reference.md).

# %% tags=["parameters"]
profile = "laptop"
seed = 0

# %%
import dataclasses
import statistics
import time

import numpy as np
import torch

from resfold_nb import measure, show, studies
from resfold_nb.data import load, make_batch, random_rotations
from resfold_nb.diffusion import ddim, get_schedule
from resfold_nb.model import Features, NetworkSize, ResFold, as_written, count_parameters
from resfold_nb.training import build, draw
from resfold_nb.workbook import goal, metric, start

session = start(profile, seed, notebook="11_fix_e_clean_trunk")

# %%
protein = load(session.pick(ci="1WY3_A", laptop="1HZ6_A", gpu="1HZ6_A"))
batch = make_batch(protein)
features = Features.of(batch)
schedule, sd = get_schedule("linear"), float(batch.scale[0])
T, LEVELS = schedule.timesteps, (0, 1, 5, 25, 49)
print(f"{protein.id}: {len(protein)} residues, standard deviation {sd:.2f} Å")

# %% [markdown]
# ## What each trunk gets, and what the denoiser gets
#
# One switch, `trunk_sees_points`. Look at the last row before you worry about a leak: the denoiser is
# handed $x_t$ in *both* models. Nothing that the noisy trunk reads from $x_t$ is news to it.

# %%
rows = [{"goes in": what, "noisy trunk (report)": noisy, "clean trunk (E)": clean, "denoiser": den}
        for what, noisy, clean, den in (
            ("residue type, chain, position", "yes", "yes", "through the trunk's tokens"),
            ("timestep t", "no", "no", "yes, by AdaLN"),
            ("noisy points x_t", "yes", "no", "yes, in both models"))]
show.table(rows, "What the parts of the network are told")
recipes = {name: studies.variant(name, "well_fed", profile) for name in ("scaled residual", "A", "A + E")}
fewer = session.pick(ci=90, laptop=220, gpu=recipes["A"].steps)
recipes = {name: recipe.but(steps=fewer) for name, recipe in recipes.items()}
sizes = {n: count_parameters(build(recipe, seed)) for n, recipe in recipes.items()}
show.say(f"Fix E drops the points' layer from the trunk: {sizes['A']:,} parameters become "
         f"{sizes['A + E']:,}.")

# %% [markdown]
# ## Three models, live
#
# Broken form, fix A, and fix A with fix E; recipe *well fed* (in `ci` and `laptop` with fewer steps,
# so that three runs fit in a minute), the same seed, so the same timesteps and noise. This is *one
# memorised protein*: the answer never changes, the sequence alone could give it, and a network blind
# to $x_t$ would do. It cannot show what a trunk is good for; it can show that nothing breaks.

# %%
LOOK = {"scaled residual": (show.PALETTE["residual"], "solid"), "A": (show.PALETTE["x0"], "solid"),
        "A + E": (show.PALETTE["edm"], "dash"), "scaled residual + E": (show.PALETTE["eps"], "dashdot"),
        "A + E, one more denoiser block": (show.PALETTE["v"], "longdash"),
        "A, blind to x_t and t": (show.PALETTE["scaled_no_skip"], "dot")}


runs = {name: measure.train_and_measure(recipe, batch, seed, device=session.device, marks=(0,), progress=show.progress)
        for name, recipe in recipes.items()}
budget = [{"model": n, "parameters": count_parameters(r.predictor), "steps": r.recipe.steps,
           "noise-level draws": r.recipe.steps * r.recipe.noise_levels,
           "training (s)": r.train_seconds} for n, r in runs.items()]
show.table(budget, f"The same steps and draws for all three (live, recipe {recipes['A'].name}, seed "
                   f"{seed}, {session.device}); parameters differ, and so does the time")

# %%
errors = {n: measure.error_by_timestep(r.predictor, batch, draws=8) for n, r in runs.items()}
samples = {n: measure.sample(r.predictor, batch, copies=4) for n, r in runs.items()}
sampled = {n: float(measure.sample_errors(s.final, batch)[0].mean()) for n, s in samples.items()}
lines = [show.Line(n, e.t, e.rmse, *LOOK[n]) for n, e in errors.items()]
base = measure.baselines(schedule, 1.0, sd)
fig = show.chart(lines + show.baseline_lines(base), log_y=True, goal=1.0, x="timestep t",
                 y="RMSE (Å)", title=f"Live, one protein: error of one denoising step ({protein.id})")
show.figure(fig, "Error of one denoising step against the timestep for the broken form, fix A and "
                 f"fix A with the clean trunk, live, seed {seed}, mean of 8 noise draws. The dotted "
                 "line is 1 Å; grey dashed lines predict without learning.")
show.say("Mean error over t: " + ", ".join(f"{n} **{e.rmse.mean():.2f} Å**" for n, e in errors.items())
         + "; sampled: " + ", ".join(f"{n} {v:.2f} Å" for n, v in sampled.items())
         + ". One protein, one seed.")
goal("A + E, worst RMSE over t = 0 … 49, mean of 8 draws", errors["A + E"].worst, "<", 2.0, "Å")

# %%
show.denoising({n: r.predictor for n, r in runs.items()}, batch,
               alt="One denoising step from the same x_t with the live models, the true centroids in grey; "
                   "below, the error of this one noise draw by timestep.")

# %% [markdown]
# ## A linear probe
#
# What does a token *know*? Freeze the network and fit the simplest reader: one matrix and one
# constant that turn a residue's token into its three clean coordinates. Fit on half of the noise
# draws, score on the other half:
#
# $$R^2 = 1 - \frac{\sum |\text{read} - x_0|^2}{\sum |x_0|^2}$$
#
# The total is taken *about zero*, since a centred protein that may lie any way round has mean zero:
# 1 is perfect, 0 is what the reader scores who always answers zero, and a little below 0 is a reader
# misled by chance. A probe is a lower bound: what it cannot read linearly may still be there. By hand,
# then held against the package's:

# %%
def probe(inputs, truth, half):
    """Predictions (rows, 3) and R² outside `half`, of a ridge regression fitted inside."""
    x = (inputs - inputs[half].mean(0)) / (inputs[half].std(0) + 1e-9)
    x = torch.cat((x, torch.ones_like(x[:, :1])), 1)
    penalty = 1e-3 * half.sum() * torch.eye(x.shape[1], dtype=x.dtype)
    read = x @ torch.linalg.solve(x[half].T @ x[half] + penalty, x[half].T @ truth[half])
    return read, 1 - float((read - truth)[~half].square().sum() / truth[~half].square().sum())


DRAWS, L = 32, len(protein)
noise = torch.randn(DRAWS, L, 3, generator=torch.Generator().manual_seed(seed))
half = (torch.arange(DRAWS) % 2 == 0).repeat_interleave(L)
for r in runs.values():
    r.predictor.to("cpu").eval()


@torch.no_grad()
def tokens_at(predictor, x0, t):
    """Tokens (DRAWS L, width) and noisy points (DRAWS L, 3), float64."""
    x_t = float(schedule.a[t]) * x0 + float(schedule.s[t]) * noise
    tokens = predictor.network.trunk(features.repeat(DRAWS), x_t)
    return tokens.double().flatten(0, 1), x_t.double().flatten(0, 1)

# %%
still = batch.x0.expand(DRAWS, -1, -1)
theirs = measure.probe_tokens(runs["A"].predictor, batch, timesteps=(25,), draws=DRAWS, seed=seed)
ours = [probe(x, still.double().flatten(0, 1), half)[1]
        for x in tokens_at(runs["A"].predictor, still, 25)]
for name, mine in zip(("trunk tokens", "x_t"), ours, strict=True):
    goal(f"probe of {name} by hand against the package's, R²", abs(mine - theirs[name][0]), "<=", 1e-4)

# %% [markdown]
# ## Predict first
#
# Four trunks: noisy and clean, untrained and trained. Two ways to draw: the protein always the same
# way round, as in training, or every draw *turned* by its own random rotation. Which of the eight
# probes read the structure at t = 49? What does the clean trunk score when the draws are turned?

# %%
every = sorted({*LEVELS, *range(3, T, 4)})
trunks = {"noisy, trained": (runs["A"].predictor, show.PALETTE["x0"], "solid"),
          "noisy, untrained": (build(recipes["A"], seed), show.PALETTE["skip_unscaled"], "dashdot"),
          "clean, trained": (runs["A + E"].predictor, show.PALETTE["edm"], "dash"),
          "clean, untrained": (build(recipes["A + E"], seed), show.PALETTE["residual"], "dot")}
scores = {where: {n: measure.probe_tokens(p, batch, timesteps=every, draws=DRAWS, rotate=turn)
                  for n, (p, *_) in trunks.items()}
          for where, turn in (("same orientation", False), ("every draw turned", True))}
groups = {where: [show.Line(f"tokens: {n}", every, found[n]["trunk tokens"], *trunks[n][1:])
                  for n in trunks]
          + [show.Line("the residue's own x_t", every, found["noisy, trained"]["x_t"], "#777777", "longdash")]
          for where, found in scores.items()}
fig = show.panels(groups, x="timestep t", y="R² of the probe", y_range=(-0.1, 1.05),
                  title=f"Live: what a linear probe reads from the trunk's tokens ({protein.id})")
show.figure(fig, "R squared of linear probes against the timestep, for noisy and clean trunks, trained "
                 "and untrained, and for x_t itself; left with the protein always the same way round, "
                 f"right with each draw turned. Live, seed {seed}, {DRAWS} draws.")

# %%
at49 = {w: {n: f[n]["trunk tokens"][-1] for n in trunks} for w, f in scores.items()}
same, spun = at49["same orientation"], at49["every draw turned"]
show.say(f"**Same orientation, t = 49:** the *untrained* clean trunk already scores "
         f"**{same['clean, untrained']:.3f}**, the trained one {same['clean, trained']:.3f}. A token of "
         f"{recipes['A'].size.width} numbers is fitted to only {L} residues, which sit in both halves "
         "of the draws: the probe learns the protein by heart from *where* a residue is. So a high "
         "score in this setting says nothing about the trunk.")
show.say("**Every draw turned, t = 49:** " + ", ".join(f"{n} {v:.3f}" for n, v in spun.items())
         + f"; the residue's own x_t {scores['every draw turned']['noisy, trained']['x_t'][-1]:.3f}.")
moved = max(abs(float(np.ptp(f["clean, trained"]["trunk tokens"]))) for f in scores.values())
goal("clean trunk, how far R² moves with t", moved, "<=", 1e-6)
goal("clean trunk, every draw turned, R²", spun["clean, trained"], "<", 0.05)

# %% [markdown]
# Zero for the clean trunk is not a weakness of the probe. Its tokens are the same in every draw, the
# target $R x_0$ is turned at random, and the mean of $R x_0$ over all rotations is zero: no function
# of the sequence, linear or not, does better than the answer zero. So **turned draws are the fair
# test** of what a trunk has taken from $x_t$, and the untrained trunk beside it says what comes
# through unlearned.
#
# The same as a picture: one turned draw that the probe was not fitted on, one probe at each t.

# %%
turned = batch.x0 @ random_rotations(DRAWS, torch.Generator().manual_seed(seed + 1), noise)
truth, pictures = turned.double().flatten(0, 1), {"x_t": [], "noisy trunk": [], "clean trunk": []}
for t in range(T):
    for name, model in (("noisy trunk", "A"), ("clean trunk", "A + E")):
        tokens, x_t = tokens_at(runs[model].predictor, turned, t)
        pictures[name].append(probe(tokens, truth, half)[0].reshape(DRAWS, L, 3)[1, :, 0] * sd)
    pictures["x_t"].append(x_t.reshape(DRAWS, L, 3)[1, :, 0] * sd)
heads = {"x_t": "x_t, one axis", "noisy trunk": "read: noisy trunk", "clean trunk": "read: clean trunk"}
fig = show.heatmaps({heads[n]: torch.stack(p, 1) for n, p in pictures.items()}, x="timestep t",
                    title=f"One turned draw of {protein.id}, held out from the probe", y="residue",
                    value="Å", diverging=True)
show.figure(fig, "One coordinate of each residue by timestep: of the noisy points, as read by a probe "
                 "from the noisy trunk's tokens, and from the clean trunk's, which is close to zero "
                 "everywhere. Live; trunks trained on one orientation.")

# %% [markdown]
# ## Trained where the trunk could matter (recorded)
#
# The live trunks never saw a turned protein in training. The recorded ones did. Settings: *one
# protein*; *random rotations*, each draw turned in training too; *ten chains* with one set of weights,
# where no one constant answers, but the sequence still says which of ten, so that a network blind to
# $x_t$ and t can be best there; *starved*. Made with `python -m resfold_nb study trunk --out
# data/recorded`. The line *best possible* is what the exact posterior mean would score.

# %%
STUDY, TURNED = "trunk", "random rotations"
SETTINGS = ("one protein", TURNED, "ten chains")
one = make_batch(load("1HZ6_A"))
floor = measure.rotation_floor(one.x0[0], schedule, float(one.scale[0]))
best = {TURNED: 1 - floor**2 / (3 * float(one.scale[0]) ** 2)}


def probed(name, setting, of="trunk tokens"):
    """(seeds, levels) of recorded R², or None."""
    found = [studies.variant_quantity(STUDY, name, setting, f"probe of {of}, t = {t}, R²")
             for t in LEVELS]
    return None if any(f is None for f in found) else np.stack(found, 1)


groups = {}
for s in SETTINGS:
    found = {n: probed(n, s) for n in ("scaled residual", "A", "A + E")} | {"own x_t": probed("A", s, "x_t")}
    groups[s] = [show.Line("x_t of the residue itself" if n == "own x_t" else f"tokens of {n}", LEVELS, f,
                           *LOOK.get(n, ("#777777", "longdash")))
                 for n, f in found.items() if f is not None]
    if groups[s] and s in best:
        groups[s].append(show.Line("best possible", range(T), best[s], show.PALETTE["ink"], "dot"))
# %%
fig = show.panels(groups, x="timestep t", y="R² of the probe", y_range=(-0.1, 1.05),
                  title="Recorded: what a linear probe reads after training")
show.figure(fig, "Recorded R squared of linear probes by timestep (0, 1, 5, 25, 49) in three settings, "
                 "for the trunk's tokens of the broken form, fix A and fix A with the clean trunk, and for "
                 "x_t itself; median and range over three seeds.")


def r2(values):
    return "not recorded" if values is None else studies.median_range(np.round(values, 2) + 0.0)


def untrained(name, setting):
    recipe_name, protein_id = studies.SETTINGS[setting]
    recipe = studies.variant(name, recipe_name)
    many = protein_id == studies.TEN_CHAINS
    found = measure.probe_tokens(build(recipe, seed), studies.batch_for(recipe, protein_id), rotate=recipe.rotate,
                                  timesteps=LEVELS, draws=8 if many else 32)
    return found["trunk tokens"]

# %%
rows, held = [], {(n, s): probed(n, s) for n in ("A", "A + E") for s in SETTINGS}
for s in SETTINGS:
    for n in ("A", "A + E"):
        raw = untrained(n, s)
        rows.append({"setting": s, "trunk": {"A": "noisy (A)", "A + E": "clean (A + E)"}[n],
                     **{f"t = {t}": r2(None if held[n, s] is None else held[n, s][:, i])
                        for i, t in enumerate(LEVELS)},
                     "untrained, t = 25": f"{np.round(raw[3], 2) + 0:.2f}",
                     "untrained, t = 49": f"{np.round(raw[4], 2) + 0:.2f}"})
show.table(rows, "Recorded R² of the probe, median (range) over seeds; untrained: computed here, "
                 f"seed {seed}")

# %% [markdown]
# How to read it. Compare *trained* with *untrained* for what was learned, and both with *x_t of the
# residue itself* for what was there without a trunk. A trunk can score above the residue's own $x_t$,
# since attention lets it use its neighbours' noisy points and what it knows of the protein. It cannot
# score above *best possible*. **R4 read as a test:** "a leak" would be a high score at small t, "blind"
# a score at t = 49 below what $x_t$ holds there.

# %%
if held["A", TURNED] is not None:
    mine, own = np.median(held["A", TURNED], 0), np.median(probed("A", TURNED, "x_t"), 0)
    words = []
    for i, t in enumerate(LEVELS):
        limit = best[TURNED][t]
        words.append({"timestep": f"t = {t}", "noisy trunk's tokens": mine[i], "own x_t": own[i],
                      "best possible": limit, "tokens, share of the best": mine[i] / limit,
                      "tokens against own x_t": "above" if mine[i] > own[i] else "not above"})
    show.table(words, f"Setting {TURNED}, recorded medians: R² of what the trunk of fix A holds")
    show.say(f"At t = 49 the trained noisy trunk holds **{mine[-1] / best[TURNED][49]:.0%}** of what any "
             f"reader of all of x_t could have; at t = 1, {mine[1] / best[TURNED][1]:.0%}. "
             f"Its tokens are {'more' if mine[-1] > own[-1] else 'not more'} informative there than the "
             "residue's own noisy point.")
else:
    show.say("The probes of this setting are **not recorded**.")

# %% [markdown]
# ## The change of model: errors at equal steps
#
# **Predict first:** under random rotations the clean trunk carries nothing about the orientation. Will
# A + E be worse than A, and at which t? (Both denoisers read $x_t$ and t.) And does the clean trunk help
# the *broken* form at t = 49, as R16 has it?

# %%
NAMES = ("scaled residual", "scaled residual + E", "A", "A + E")
PANELS = ("one protein", "starved", TURNED, "ten chains")


def by_timestep(names, setting):
    found = {n: studies.variant_errors(STUDY, n, setting) for n in names}
    return [show.Line(n, np.arange(T), e, *LOOK[n]) for n, e in found.items() if e is not None]


groups = {s: by_timestep((*NAMES, "A, blind to x_t and t"), s) for s in PANELS}
if groups[TURNED]:
    groups[TURNED].append(show.Line("floor under rotations", np.arange(1, T), floor[1:], "#777777", "dot"))
fig = show.panels(groups, log_y=True, goal=1.0, x="timestep t", y="RMSE (Å)",
                  title="Recorded: error by timestep, noisy and clean trunk")
show.figure(fig, "Recorded error of one denoising step by timestep for the broken form and fix A, each "
                 "with the noisy and the clean trunk, and the blind baseline, in four settings; median and "
                 "range over seeds; under random rotations with the floor that no model can beat on average.")

# %%
def ends(name, setting, t):
    """(seeds,) RMSE at t, or RMSD of samples."""
    curve = studies.variant_curve(STUDY, name, setting, t)
    return None if curve is None else (curve.rmsd if t == "sampled" else curve.rmse)[:, -1]


def effect(before, after, setting, t):
    """Ratio of medians, and whether the ranges over seeds touch."""
    a, b = ends(before, setting, t), ends(after, setting, t)
    if a is None or b is None:
        return "not recorded"
    if np.median(a) == 0:
        return "0 in both" if np.median(b) == 0 else f"0 became {np.median(b):.2f} Å"
    apart = "better" if b.max() < a.min() else "worse" if b.min() > a.max() else "ranges overlap"
    return f"{np.median(b) / np.median(a):.2f} ({apart})"


rows = [{"setting": s, "E added to": n, **{f"t = {t}" if t != "sampled" else "sampled, RMSD":
                                           effect(n, f"{n} + E", s, t) for t in (*LEVELS, "sampled")}}
        for s in PANELS for n in ("A", "scaled residual")]
show.table(rows, "Recorded: error with the clean trunk over error without, ratio of medians; better or worse "
                 "where the ranges over seeds do not touch")

# %% [markdown]
# One reading, by counting. With the noisy trunk, $x_t$ passes through the trunk's layers *and* the
# denoiser's blocks; with the clean trunk through the denoiser's blocks alone. What fix E takes away is
# depth for $x_t$. Where the answer does not depend on $x_t$, that depth is idle. Where it does, as under
# random rotations, it may be missed: R13's "more capacity in the denoiser". If so, one more denoiser
# block should give it back.

# %%
MORE = "A + E, one more denoiser block"
groups = {"t = 0 … 35": [], "t = 36 … 49": []}
for line in by_timestep(("A", "A + E", MORE), TURNED):
    for name, part in zip(groups, (slice(0, 36), slice(36, T)), strict=True):
        groups[name].append(show.Line(line.label, line.x[part], line.y[:, part], line.colour, line.dash))
fig = show.panels(groups, log_y=True, x="timestep t", y="RMSE (Å)",
                  title="Recorded, random rotations: does a larger denoiser make up for it?")
show.figure(fig, "Recorded error of one denoising step by timestep under random rotations for fix A, fix A "
                 "with the clean trunk, and the latter with one more denoiser block; median and range over "
                 "three seeds, in two ranges of t.")
rows = []
for t in (*LEVELS, "sampled"):
    a, e, m = (ends(n, TURNED, t) for n in ("A", "A + E", MORE))
    if a is not None and e is not None and m is not None:
        a, e, m = (float(np.median(x)) for x in (a, e, m))
        rows.append({"at": t if t == "sampled" else f"t = {t}", "A (Å)": a, "A + E (Å)": e,
                     "A + E, one more block (Å)": m, "E costs (Å)": e - a, "the block gives back (Å)": e - m})
show.table(rows or [{"study": "not recorded"}], "Recorded medians under random rotations")

# %% [markdown]
# The block is not free: see parameters and arithmetic in the budget at the end.
#
# ## The pure gain in speed: the same model, the trunk run once
#
# Now keep the model *fixed*: fix A with the clean trunk. A programmer who does not notice that its
# tokens never change runs the trunk for every noisy copy; one who does runs it once per protein. Same
# outputs, same loss, same gradients:

# %%
naive_and_once = {"every copy": lambda model, x, t, f: model(x, t, f.repeat(len(x))),
                  "once": lambda model, x, t, f: model(x, t, f)}


def one_step(dtype, way):
    """Output, loss and gradient of one training step of the clean model, in one row."""
    data = batch.to("cpu", dtype)
    model, f = build(recipes["A + E"], seed).to(dtype), Features.of(data)
    d = draw(recipes["A + E"], data, f, torch.Generator().manual_seed(seed))
    a, s = model.amplitudes(d.t)
    out = naive_and_once[way](model, a * d.x0 + s * d.eps, d.t, f)
    loss = (out - d.x0).square().mean()
    loss.backward()
    return out.detach(), loss.detach(), torch.cat([p.grad.flatten() for p in model.parameters()])


for dtype, limit in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
    for what, x, y in zip(("output", "loss", "gradient"), *(one_step(dtype, w) for w in naive_and_once),
                          strict=True):
        goal(f"trunk once against every copy, {what}, {str(dtype)[6:]}, largest difference over largest value",
             float((x - y).abs().max() / x.abs().max()), "<=", limit)

# %% [markdown]
# Now the arithmetic. Let a trunk pass cost $\tau$ and a denoiser pass $\delta$. If tokens are used k
# times (k noise levels in a training step, or k network calls in a trajectory), the gain is
#
# $$\frac{k(\tau + \delta)}{\tau + k\delta}\;\longrightarrow\;\frac{\tau+\delta}{\delta}
# \quad\text{for large } k, \qquad 1 \text{ for } k = 1 .$$
#
# It never passes the inverse of the denoiser's share. **Predict first:** *well fed* has one trunk layer
# and two denoiser blocks, the full size nine and seven. What is the most that either can gain? And
# *starved*, which draws one noise level a step?

# %%
def gflop(work):
    """10^9 operations of the matrix products in some work."""
    return measure.count_flop(work) / 1e9


def arithmetic(size, k):
    """GFLOP of a training step with k noise levels and of a 49-call trajectory, each three ways."""
    with torch.device("meta"):  # shapes without numbers: nothing is computed, all is counted
        noisy, clean = (ResFold(dataclasses.replace(size, trunk_sees_points=sees))
                        for sees in (True, False))
        many, few = ((torch.empty(n, L, 3), torch.zeros(n, dtype=torch.long)) for n in (k, 1))
    f = Features(*(x if x is None else x.to("meta") for x in features))
    ways = {"noisy trunk": (noisy, naive_and_once["every copy"])}
    ways |= {f"clean trunk, {way}": (clean, call) for way, call in naive_and_once.items()}
    step = {n: gflop(lambda: call(m, *many, f).sum().backward()) for n, (m, call) in ways.items()}
    with torch.no_grad():
        one_call = {n: gflop(lambda: call(m, *few, f)) for n, (m, call) in ways.items()}
        tokens = clean.trunk_tokens(f)
        head = gflop(lambda: clean.denoiser(*few, tokens, f.mask))
    walk = {n: 49 * v for n, v in one_call.items()}
    walk["clean trunk, once"] = one_call["clean trunk, once"] + 48 * head
    return step, walk, head / one_call["clean trunk, once"]

# %%
wide = NetworkSize.full()
CASES = {"well fed": (recipes["A"].size, recipes["A"].noise_levels),
         "starved": (studies.variant("A", "starved").size, 1), "full size": (wide, 64)}
counted = {name: arithmetic(size, k) for name, (size, k) in CASES.items()}
rows = []
for name, (step, walk, share) in counted.items():
    for way in step:
        rows.append({"size": f"{name} ({CASES[name][0].trunk_layers} + {CASES[name][0].denoiser_blocks}), "
                             f"k = {CASES[name][1]}", "trunk": way,
                     "a step (GFLOP)": step[way], "step, gain": step["clean trunk, every copy"] / step[way],
                     "trajectory (GFLOP)": walk[way],
                     "trajectory, gain": walk["clean trunk, every copy"] / walk[way]})
show.table(rows, f"Counted, {L} residues: one training step with k noise levels and one trajectory of 49 "
                 "calls. Gain over the same clean model with the trunk on every copy; layers + blocks")
goal("starved, one noise level a step: gain of a training step", counted["starved"][0]["clean trunk, every copy"]
     / counted["starved"][0]["clean trunk, once"], "==", 1.0)

# %% [markdown]
# The first two rows of each size differ by the *change of model*: the points' layer of the trunk. The
# last two differ by *speed alone*. (*Starved* is counted in the laptop size; the public code draws 64
# noise levels a step from one protein, the full size here.)

# %%
k = np.arange(1, 257)
looks = {"well fed": (show.PALETTE["x0"], "solid"), "starved": (show.PALETTE["residual"], "dash"),
         "full size": (show.PALETTE["v"], "dashdot")}
lines = [show.Line(f"{n}: at most {1 / counted[n][2]:.2f}", k, k / (1 + (k - 1) * counted[n][2]), *looks[n])
         for n in CASES]
fig = show.chart(lines, log_x=True, x="k, times that a trunk pass is used", y="gain (times less arithmetic)",
                 title="What running a clean trunk once can save")
show.figure(fig, "Gain of running a clean trunk once, against the number of times that its tokens are used, "
                 "for three sizes of network: 1 at one use, rising towards a limit that the network's "
                 "depths set. From counted operations of the forward pass.")

# %% [markdown]
# Does the clock agree? Both ways in turn, the median of several, on the device of this session. Other
# work on the machine disturbs this, so it is shown, and neither recorded nor asserted.

# %%
def alternate(works, repeats):
    """Median seconds of each work, taken in turn; a number read from the device ends each."""
    taken = {name: [] for name in works}
    for i in range(repeats + 1):
        for name, work in works.items():
            begin = time.perf_counter()
            float(work())
            if i:  # the first round warms up
                taken[name].append(time.perf_counter() - begin)
    return {name: statistics.median(times) for name, times in taken.items()}

# %%
def steps_and_walks(setting):
    """Works for `alternate`: a training step and a sample of the clean model, both ways."""
    recipe = studies.variant("A + E", setting)
    data = batch.to(session.device)
    model, f = build(recipe, seed, session.device), Features.of(data)
    d = draw(recipe, data, f, torch.Generator(session.device).manual_seed(seed))
    start_at = torch.randn(1, L, 3, generator=torch.Generator().manual_seed(seed)).to(session.device)

    def step(call):
        a, s = model.amplitudes(d.t)
        loss = (call(model, a * d.x0 + s * d.eps, d.t, f) - d.x0).square().mean()
        model.zero_grad(set_to_none=True)
        loss.backward()
        return loss.detach()

    def walk(denoise):
        with as_written():  # both ways the same: nothing recorded on a GPU
            return ddim(denoise, schedule, start_at).final.sum()

    return ({way: lambda call=call: step(call) for way, call in naive_and_once.items()},
            {"every copy": lambda: walk(lambda x, t: model(x, t, f)),
             "once": lambda: walk(model.denoiser_for(f))}, recipe)

# %%
rows = []
for name, setting in (("well fed", "well_fed"), ("starved", "starved")):
    steps, walks, recipe = steps_and_walks(setting)
    for what, works, i in (("training step", steps, 0), ("sampling, 49 calls", walks, 1)):
        took = alternate(works, session.pick(ci=2, laptop=3, gpu=15))
        told = counted[name][i]
        rows.append({"size": name, "what": what,
                     "trunk passes": f"{recipe.noise_levels} or 1" if i == 0 else "49 or 1",
                     "every copy (ms)": 1e3 * took["every copy"], "once (ms)": 1e3 * took["once"],
                     "gain, clock": took["every copy"] / took["once"],
                     "gain, counted": told["clean trunk, every copy"] / told["clean trunk, once"]})
show.table(rows, f"Measured in turn on {session.device}, {torch.get_num_threads()} CPU thread(s): the same "
                 "clean model, the trunk on every copy or once")

# %%
def passes(model):
    """How many proteins go through the trunk while one structure is sampled."""
    seen = []
    hook = model.network.trunk.register_forward_hook(lambda m, args, out: seen.append(len(out)))
    with as_written():  # a GPU would play later calls from a recording, past the counter
        measure.sample(model, batch, copies=1)
    hook.remove()
    return sum(seen)


goal("trunk passes of one sample, noisy trunk", passes(runs["A"].predictor), "==", 49)
goal("trunk passes of one sample, clean trunk", passes(runs["A + E"].predictor), "==", 1)

# %% [markdown]
# AlphaFold 3, for comparison, has a trunk that sees no noisy coordinates, and shares one trunk pass
# among 48 noise samples of a training step (Abramson et al. 2024). There the trunk is the larger part
# by far; the formula says what that makes of the gain.
#
# ## All of it in Å

# %%
for s in PANELS:
    names = [*NAMES, *([MORE] if s == TURNED else []), *([] if s == "starved" else ["A, blind to x_t and t"])]
    show.table(studies.error_rows(STUDY, names, s), f"Recorded, {s}: median (range) over seeds")
    show.table(studies.budget_rows(STUDY, names, s), f"What these runs cost, {s}")
show.say(f"At t = 49 under random rotations the floor is {floor[49]:.2f} Å. Runs by the laptop's recipes on a CPU, "
         "three seeds; *broken* and *A* of *starved* come from the study of notebook 07, five seeds. The floor is a "
         "mean over many draws, each recorded error one over 2 draws: a run can lie a little below it by chance.")

# %% [markdown]
# ## What to take away

# %%
def verdict(before, after, places):
    """How often the clean trunk is better or worse beyond the seeds' ranges."""
    found = [effect(before, after, s, t) for s, t in places]
    known = [f for f in found if f != "not recorded"]
    count = {w: sum(f"({w})" in f for f in known) for w in ("better", "worse", "ranges overlap")}
    return (f"better in {count['better']}, worse in {count['worse']}, no clear difference in "
            f"{count['ranges overlap']} of {len(known)}" if known else "not recorded")


at = (1, 5, 25, 49, "sampled")
idle = [(s, t) for s in ("one protein", "starved", "ten chains") for t in at]
show.say(f"**Where the sequence gives the answer** (one protein, starved, ten chains; t = 1, 5, 25, 49 and "
         f"sampled), A + E against A: {verdict('A', 'A + E', idle)}.")
show.say(f"**Where it does not** (random rotations): {verdict('A', 'A + E', [(TURNED, t) for t in at])}; with one "
         f"more denoiser block: {verdict('A', MORE, [(TURNED, t) for t in at])}.")
noisy_end = [(s, 49) for s in PANELS]
show.say("**R16, the broken form at t = 49** with the clean trunk, ratio of medians: "
         + "; ".join(f"{s} {effect('scaled residual', 'scaled residual + E', s, 49)}" for s, _ in noisy_end) + ".")
# %%
if held["A", TURNED] is not None:
    m = np.median(held["A", TURNED], 0)
    show.say(f"**R4, leak and blindness** (random rotations, recorded): the noisy trunk's tokens score {m[1]:.2f} "
             f"at t = 1 and {m[4]:.2f} at t = 49, where the best possible is {best[TURNED][49]:.2f}. What it lacks at "
             f"t = 49 is for the most part {'not in x_t' if m[4] > 0.5 * best[TURNED][49] else 'there to be had'}; "
             "what it has at t = 1, the denoiser is given anyway.")
ratios = {n: (s["clean trunk, every copy"] / s["clean trunk, once"],
              w["clean trunk, every copy"] / w["clean trunk, once"]) for n, (s, w, _) in counted.items()}
show.say("**Speed alone**, counted, training step and trajectory: "
         + "; ".join(f"{n} {s:.2f} and {w:.2f} times less" for n, (s, w) in ratios.items()) + ".")

# %% [markdown]
# The gain in speed is certain and needs no training to prove; the change of model is a trade, and which
# way it goes depends on whether the answer hangs on $x_t$. These are small networks and few seeds;
# notebook 16 will judge R4, R13 and R16 with more.
#
# ## Exercises
#
# **1.** In the full size the denoiser's forward pass is the share that the cell below prints. Which
# is the largest gain that a clean trunk run once can bring, however many noise levels a step has?

# %%
share = counted["full size"][2]
print(f"denoiser's share of a forward pass, full size, {L} residues: {share:.3f}")

# %% tags=["exercise"]
my_largest_gain = None

# %% tags=["solution"]
# Solution
# k (tau + delta) / (tau + k delta) tends to (tau + delta) / delta, one over the denoiser's share.
solution_1 = 1 / share

# %% tags=["check"]
answer = solution_1 if my_largest_gain is None else my_largest_gain
k = 1_000_000
assert abs(answer - k / (1 + (k - 1) * share)) < 1e-2, "let k grow in the formula of the gain"
print("not answered; the solution is" if my_largest_gain is None else "right:", f"{answer:.2f} times")

# %% [markdown]
# **2.** Turn every draw. A probe of the residue's own $x_t$ can do no better than multiply it by a
# number. For data of unit variance, which $R^2$ must it score at t = 25? And why does the trunk at t
# = 25 score more once it is trained?

# %% tags=["exercise"]
my_r_squared = None

# %% tags=["solution"]
# Solution
# The best multiple leaves s^2 / (a^2 + s^2) = s^2 of the variance, so R^2 = a^2 = alpha_bar = 1 - 25/50.
# The trunk's attention sees all residues' noisy points, and one orientation explains them all.
solution_2 = float(schedule.alpha_bar[25])

# %% tags=["check"]
answer = solution_2 if my_r_squared is None else my_r_squared
generator = torch.Generator().manual_seed(0)
many = batch.x0 @ random_rotations(2000, generator, batch.x0)
noisy = schedule.a[25] * many + schedule.s[25] * torch.randn(many.shape, generator=generator)
simulated = probe(noisy.double().flatten(0, 1), many.double().flatten(0, 1),
                  torch.arange(many.shape[0]).repeat_interleave(L) % 2 == 0)[1]
assert abs(answer - simulated) < 0.03, f"simulated: {simulated:.3f}"
print("not answered; the solution is" if my_r_squared is None else "right:",
      f"{answer:.2f} (simulated {simulated:.2f})")

# %%
mean = {n: float(e.rmse.mean()) for n, e in errors.items()}
metric("A + E, mean RMSE over t", mean["A + E"], "Å")
metric("A, mean RMSE over t", mean["A"], "Å")
metric("A + E over A, mean RMSE over t", mean["A + E"] / mean["A"])
metric("noisy trunk, every draw turned, R² at t = 1", scores["every draw turned"]["noisy, trained"]["trunk tokens"][1])
metric("gain of a training step, well fed, counted", ratios["well fed"][0])
metric("gain of a trajectory, full size, counted", ratios["full size"][1])
