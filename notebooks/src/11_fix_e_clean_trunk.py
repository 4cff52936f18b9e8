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
import statistics
import time

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from tqdm.auto import tqdm

from resfold_nb import analysis, show
from resfold_nb.data import load, make_batch, random_rotations
from resfold_nb.diffusion import get_schedule
from resfold_nb.model import Features, NetworkSize, ResFold, count_parameters
from resfold_nb.training import build, draw, training_loss
from resfold_nb.workbook import goal, record, start

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
recipes = {name: analysis.variant(name, "well_fed", profile) for name in ("broken", "A", "A + E")}
sizes = {n: count_parameters(build(recipe, seed)) for n, recipe in recipes.items()}
show.say(f"Fix E drops the points' layer from the trunk: {sizes['A']:,} parameters become "
         f"{sizes['A + E']:,}.")

# %% [markdown]
# ## Three models, live
#
# Broken form, fix A, and fix A with fix E; recipe *well fed*, the same seed, so the same timesteps
# and noise. This is *one memorised protein*: the answer never changes, the sequence alone could
# give it, and a network blind to $x_t$ would do. It cannot show what a trunk is good for; it can
# show that nothing breaks.

# %%
LOOK = {"broken": (show.PALETTE["residual"], "solid"), "A": (show.PALETTE["x0"], "solid"),
        "A + E": (show.PALETTE["edm"], "dash"), "broken + E": (show.PALETTE["eps"], "dashdot"),
        "A + E, one more denoiser block": (show.PALETTE["v"], "longdash"),
        "A, blind to x_t and t": (show.PALETTE["scaled_no_skip"], "dot")}


def bar(states, total):
    return tqdm(states, total=total, mininterval=1, desc="training")


runs = {name: analysis.run(recipe, batch, seed, device=session.device, marks=(0,), progress=bar)
        for name, recipe in recipes.items()}
budget = [{"model": n, "parameters": count_parameters(r.predictor), "steps": r.recipe.steps,
           "noise-level draws": r.recipe.steps * r.recipe.noise_levels,
           "training (s)": r.train_seconds} for n, r in runs.items()]
show.table(budget, f"The same steps and draws for all three (live, recipe {recipes['A'].name}, seed "
                   f"{seed}, {session.device}); parameters differ, and so does the time")

# %%
errors = {n: analysis.error_by_timestep(r.predictor, batch, draws=8) for n, r in runs.items()}
samples = {n: analysis.sample(r.predictor, batch, copies=4) for n, r in runs.items()}
sampled = {n: float(analysis.sample_errors(s.final, batch)[0].mean()) for n, s in samples.items()}
lines = [show.Line(n, e.t, e.rmse, *LOOK[n]) for n, e in errors.items()]
base = analysis.baselines(schedule, 1.0, sd)
fig = show.chart(lines + show.baseline_lines(base), log_y=True, goal=1.0, x="timestep t",
                 y="RMSE (Å)", title=f"Live, one protein: error of one denoising step ({protein.id})")
show.figure(fig, "Error of one denoising step against the timestep for the broken form, fix A and "
                 f"fix A with the clean trunk, live, seed {seed}, mean of 8 noise draws. The dotted "
                 "line is 1 Å; grey dashed lines predict without learning.")
show.say("Mean error over t: " + ", ".join(f"{n} **{e.rmse.mean():.2f} Å**" for n, e in errors.items())
         + "; sampled: " + ", ".join(f"{n} {v:.2f} Å" for n, v in sampled.items())
         + ". One protein, one seed.")
goal("A + E, worst RMSE over t = 0 … 49, mean of 8 draws", errors["A + E"].worst, "<", 2.0, "Å")

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
eps = torch.randn(DRAWS, L, 3, generator=torch.Generator().manual_seed(seed))
turns = random_rotations(DRAWS, torch.Generator().manual_seed(seed + 1), eps)
half = (torch.arange(DRAWS) % 2 == 0).repeat_interleave(L)
for r in runs.values():
    r.predictor.to("cpu").eval()


@torch.no_grad()
def tokens_at(predictor, x0, t):
    """Tokens (DRAWS L, width) and noisy points (DRAWS L, 3), float64."""
    x_t = float(schedule.a[t]) * x0 + float(schedule.s[t]) * eps
    tokens = predictor.network.trunk(features.repeat(DRAWS), x_t)
    return tokens.double().flatten(0, 1), x_t.double().flatten(0, 1)

# %%
still, turned = batch.x0.expand(DRAWS, -1, -1), batch.x0 @ turns
eps_here, eps = eps, torch.randn(DRAWS, L, 3, generator=torch.Generator().manual_seed(7))
same_noise = analysis.probe_tokens(runs["A"].predictor, batch, timesteps=(25,), draws=DRAWS, seed=7)
ours = probe(tokens_at(runs["A"].predictor, still, 25)[0], still.double().flatten(0, 1), half)[1]
eps = eps_here
goal("probe by hand against the package's, R²", abs(ours - same_noise["trunk tokens"][0]), "<=", 1e-5)

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
scores = {where: {n: analysis.probe_tokens(p, batch, timesteps=every, draws=DRAWS, rotate=turn)
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
# of the sequence, linear or not, does better than the answer zero. So **turned draws are the fair test** of what
# a trunk has taken from $x_t$, and the untrained trunk beside it says what comes through unlearned.
#
# The same as a picture: one turned draw that the probe was not fitted on, one probe at each t.

# %%
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
floor = analysis.rotation_floor(one.x0[0], schedule, float(one.scale[0]))
best = {TURNED: 1 - floor**2 / (3 * float(one.scale[0]) ** 2)}


def probed(name, setting, of="trunk tokens"):
    """(seeds, levels) of recorded R², or None."""
    found = [analysis.variant_quantity(STUDY, name, setting, f"probe of {of}, t = {t}, R²")
             for t in LEVELS]
    return None if any(f is None for f in found) else np.stack(found, 1)


groups = {}
for s in SETTINGS:
    found = {n: probed(n, s) for n in ("broken", "A", "A + E")} | {"own x_t": probed("A", s, "x_t")}
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
    return "not recorded" if values is None else analysis.median_range(values)


def untrained(name, setting):
    recipe_name, protein_id = analysis.SETTINGS[setting]
    recipe = analysis.variant(name, recipe_name)
    many = protein_id == analysis.TEN_CHAINS
    found = analysis.probe_tokens(build(recipe, seed), analysis.batch_for(recipe, protein_id), rotate=recipe.rotate,
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
                     "untrained, t = 25": f"{raw[3]:.2f}", "untrained, t = 49": f"{raw[4]:.2f}"})
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
NAMES = ("broken", "broken + E", "A", "A + E")
PANELS = ("one protein", "starved", TURNED, "ten chains")


def by_timestep(names, setting):
    found = {n: analysis.variant_errors(STUDY, n, setting) for n in names}
    return [show.Line(n, np.arange(T), e, *LOOK[n]) for n, e in found.items() if e is not None]


groups = {s: by_timestep((*NAMES, "A, blind to x_t and t"), s) for s in PANELS}
if groups[TURNED]:
    groups[TURNED].append(show.Line("floor under rotations", np.arange(1, T), floor[1:], "#777777", "dot"))
fig = show.panels(groups, log_y=True, goal=1.0, x="timestep t", y="RMSE (Å)",
                  title="Recorded: error by timestep, noisy and clean trunk")
show.figure(fig, "Recorded error of one denoising step by timestep for the broken form and fix A, each "
                 "with the noisy and the clean trunk, and the blind baseline, in four settings; median and "
                 "range over seeds; under random rotations with the floor that no model can beat.")

# %%
def ends(name, setting, t):
    """(seeds,) RMSE at t, or RMSD of samples."""
    curve = analysis.variant_curve(STUDY, name, setting, t)
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
        for s in PANELS for n in ("A", "broken")]
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
@torch.device("meta")
def network_of(size):
    return ResFold(size)  # shapes without numbers: nothing is computed, all is counted


def gflop(work):
    """10^9 operations of matrix products; the attention written out, so that it counts."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        work()
    return counter.get_total_flops() / 1e9


def arithmetic(size, k):
    """GFLOP of a training step with k noise levels, and of a 49-call trajectory, three ways."""
    clean, noisy = network_of(size.but_clean), network_of(size.noisy)
    f = Features(*(x if x is None else x.to("meta") for x in features))
    points = lambda n: (torch.empty(n, L, 3, device="meta"),
                        torch.zeros(n, dtype=torch.long, device="meta"))
    step = {"noisy trunk": gflop(lambda: noisy(*points(k), f).sum().backward())}
    step |= {f"clean trunk, {way}": gflop(lambda: call(clean, *points(k), f).sum().backward())
             for way, call in naive_and_once.items()}
    with torch.no_grad():
        walk = {"noisy trunk": 49 * gflop(lambda: noisy(*points(1), f)),
                "clean trunk, every copy": 49 * gflop(lambda: clean(*points(1), f))}
        tokens = clean.trunk_tokens(f)
        walk["clean trunk, once"] = (49 * gflop(lambda: clean(*points(1), f, tokens))
                                     + gflop(lambda: clean.trunk_tokens(f)))
    return step, walk
