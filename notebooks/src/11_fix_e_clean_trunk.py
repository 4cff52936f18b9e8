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
import pandas as pd
import torch

from resfold_nb import measure, show, studies
from resfold_nb.data import load, make_batch, random_rotations
from resfold_nb.diffusion import ddim, get_schedule
from resfold_nb.engine import as_written
from resfold_nb.model import Features, NetworkSize, ResFold, count_parameters
from resfold_nb.studies import plans
from resfold_nb.training import build, draw, mean_squared_error
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
#
# | goes in | noisy trunk (report) | clean trunk (E) | denoiser |
# |---|---|---|---|
# | residue type, chain, position | yes | yes | through the trunk's tokens |
# | timestep t | no | no | yes, by AdaLN |
# | noisy points $x_t$ | yes | no | yes, in both models |

# %%
recipes = {name: studies.variant(name, "well_fed", profile) for name in ("scaled residual", "A", "A + E")}
fewer = session.pick(ci=90, laptop=220, gpu=recipes["A"].steps)
recipes = {name: recipe.but(steps=fewer) for name, recipe in recipes.items()}
sizes = {n: count_parameters(build(recipe, seed)) for n, recipe in recipes.items()}
show.say(f"Fix E drops the points' layer from the trunk: {sizes['A']:,} parameters become {sizes['A + E']:,}.")

# %% [markdown]
# ## Three models, live
#
# The scaled residual (the report's), fix A, and fix A with fix E; recipe *well fed* (in `ci` and
# `laptop` with fewer steps, so that three runs fit in a minute), the same seed, so the same timesteps
# and noise. This is *one
# memorised protein*: the answer never changes, the sequence alone could give it, and a network blind
# to $x_t$ would do. It cannot show what a trunk is good for; it can show that nothing breaks.

# %%
runs = {name: measure.train_and_measure(recipe, batch, seed, device=session.device, marks=[], draws=8,
                                        progress=show.progress) for name, recipe in recipes.items()}
show.say(f"Live, recipe {recipes['A'].name}, seed {seed}, {session.device}: all three take {fewer:,} steps and "
         f"{fewer * recipes['A'].noise_levels:,} noise-level draws, and not the same time: "
         + ", ".join(f"{n} {r.train_seconds:.1f} s" for n, r in runs.items()) + ".")

# %%
errors = {n: r.last.errors for n, r in runs.items()}
show.by_timestep(studies.frame_of(runs), lines=show.baseline_lines(measure.baselines(schedule, 1.0, sd)),
                 title=f"Live, one protein: error of one denoising step ({protein.id})",
                 alt=f"RMSE of one step by t, live, seed {seed}, 8 draws; grey dashes predict without learning.")
show.say("Mean error over t: " + ", ".join(f"{n} **{e.rmse.mean():.2f} Å**" for n, e in errors.items())
         + "; sampled: " + ", ".join(f"{n} {r.last.sampled_rmse:.2f} Å" for n, r in runs.items()) + ". One seed.")
goal("A + E, worst RMSE over t = 0 … 49, mean of 8 draws", errors["A + E"].worst, "<", 2.0, "Å")

# %%
show.denoising({n: r.predictor for n, r in runs.items()}, batch, alt="One denoising step from the same x_t with the "
               "live models, the true centroids in grey; below, the error of this one noise draw by timestep.")

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
    x_t = predictor.add_noise(x0, noise, torch.full((DRAWS,), t))
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
trunks = {"noisy, trained": runs["A"].predictor, "noisy, untrained": build(recipes["A"], seed),
          "clean, trained": runs["A + E"].predictor, "clean, untrained": build(recipes["A + E"], seed)}
scores = {where: {n: measure.probe_tokens(p, batch, timesteps=every, draws=DRAWS, rotate=turn)
                  for n, p in trunks.items()}
          for where, turn in (("same orientation", False), ("every draw turned", True))}

# %% tags=["plot"]
groups = {where: [show.Line(f"tokens: {n}", every, found[n]["trunk tokens"], *look)
                  for n, look in show.looks(trunks).items()]
          + [show.Line("the residue's own x_t", every, found["noisy, trained"]["x_t"], "#777777", "longdash")]
          for where, found in scores.items()}
fig = show.panels(groups, x="timestep t", y="R² of the probe", y_range=(-0.1, 1.05),
                  title=f"Live: what a linear probe reads from the trunk's tokens ({protein.id})")
show.figure(fig, f"R² of probes, protein always the same way round or turned; live, seed {seed}, {DRAWS} draws.")

# %%
same, spun = ({n: f[n]["trunk tokens"][-1] for n in trunks} for f in scores.values())  # at t = 49
show.say(f"**Same orientation, t = 49:** the *untrained* clean trunk already scores **{same['clean, untrained']:.3f}**, "
         f"the trained one {same['clean, trained']:.3f}. A token of {recipes['A'].size.width} numbers is fitted to "
         f"only {L} residues, which sit in both halves of the draws: the probe learns the protein by heart from *where* a "
         "residue is. So a high score in this setting says nothing about the trunk.")
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
truth, models = turned.double().flatten(0, 1), {"read: noisy trunk": "A", "read: clean trunk": "A + E"}
pictures = {"x_t, one axis": [], **{name: [] for name in models}}
for t in range(T):
    for name, model in models.items():
        tokens, x_t = tokens_at(runs[model].predictor, turned, t)
        pictures[name].append(probe(tokens, truth, half)[0].reshape(DRAWS, L, 3)[1, :, 0] * sd)
    pictures["x_t, one axis"].append(x_t.reshape(DRAWS, L, 3)[1, :, 0] * sd)
fig = show.heatmaps({n: torch.stack(p, 1) for n, p in pictures.items()}, x="timestep t", y="residue", value="Å",
                    diverging=True, title=f"One turned draw of {protein.id}, held out from the probe")
show.figure(fig, "One coordinate of each residue by timestep: of x_t, as read from the noisy and the clean trunk.")

# %% [markdown]
# ## Trained where the trunk could matter (recorded)
#
# The live trunks never saw a turned protein in training. The recorded ones did. Settings: *one
# protein*; *random rotations*, each draw turned in training too; *ten chains* with one set of weights,
# where no one constant answers, but the sequence still says which of ten, so that a network blind to
# $x_t$ and t can be best there; *starved*. Made with `python -m resfold_nb study trunk --out
# data/recorded`. The line *best possible* is what the exact posterior mean would score.

# %%
TURNED = "random rotations"
SETTINGS = ("one protein", TURNED, "ten chains")
one = make_batch(load("1HZ6_A"))
floor = measure.rotation_floor(one.x0[0], schedule, float(one.scale[0]))
best = 1 - floor**2 / (3 * float(one.scale[0]) ** 2)
asked = studies.load("trunk", table="quantities")
asked = asked.join(asked["quantity"].str.extract(r"probe of (?P<of>.+), t = (?P<t>\d+), R²")).dropna(subset="of")
asked["reader"] = "tokens of " + asked["variant"]
asked.loc[asked["of"] == "x_t", "reader"] = "x_t of the residue itself"
read = asked["reader"].isin(["tokens of A", "tokens of A + E", "tokens of scaled residual"])
asked = asked[asked["setting"].isin(SETTINGS) & (read | (asked["variant"] == "A"))]
probed = asked.astype({"t": int}).pivot(index=["setting", "reader", "seed"], columns="t", values="value")


def untrained(name, setting):
    """R² of the probe at LEVELS before training."""
    recipe, chains = studies.variant(name, plans.SETTINGS[setting][0]), plans.SETTINGS[setting][1]
    found = measure.probe_tokens(build(recipe, seed), studies.batch_for(recipe, chains), rotate=recipe.rotate,
                                 timesteps=LEVELS, draws=8 if setting == "ten chains" else 32)
    return found["trunk tokens"]

# %% tags=["plot"]
look = show.looks(["tokens of A", "tokens of A + E", "tokens of scaled residual"])
groups = {s: [show.Line(f"{who}, untrained", LEVELS, untrained(who.removeprefix("tokens of "), s), colour, "dot")
              for who, (colour, _) in list(look.items())[:2]] for s in SETTINGS}
for (s, who), seeds in probed.groupby(level=["setting", "reader"], sort=False):
    colour, dash = (look[who][0], "solid") if who in look else ("#777777", "longdash")
    groups[s].append(show.Line(who, LEVELS, seeds, colour, dash))
groups[TURNED].append(show.Line("best possible", range(T), best, show.PALETTE["ink"], "dashdot"))
fig = show.panels(groups, x="timestep t", y="R² of the probe", y_range=(-0.1, 1.05),
                  title="Recorded: what a linear probe reads after training")
show.figure(fig, "Recorded R² of linear probes, median and range over three seeds; dotted: untrained, computed here.")

# %% [markdown]
# How to read it. Compare *trained* with *untrained* for what was learned, and both with *x_t of the
# residue itself* for what was there without a trunk. A trunk can score above the residue's own $x_t$,
# since attention lets it use its neighbours' noisy points and what it knows of the protein. It cannot
# score above *best possible*. **R4 read as a test:** "a leak" would be a high score at small t, "blind"
# a score at t = 49 below what $x_t$ holds there.

# %%
middle = probed.loc[TURNED].groupby("reader").median()
mine, its = middle.loc["tokens of A"], middle.loc["x_t of the residue itself"]
show.say(f"**R4, leak and blindness** (random rotations, recorded medians): the noisy trunk's tokens score {mine[1]:.2f} "
         f"at t = 1 and {mine[49]:.2f} at t = 49, **{mine[1] / best[1]:.0%}** and **{mine[49] / best[49]:.0%}** of what "
         "any reader of all of x_t could have. What they lack at t = 49 is for the most part "
         f"{'not in x_t' if mine[49] > 0.5 * best[49] else 'there to be had'}; they are "
         f"{'more' if mine[49] > its[49] else 'not more'} informative there than the residue's own noisy point. What "
         "they have at t = 1, the denoiser is given anyway.")

# %% [markdown]
# ## The change of model: errors at equal steps
#
# **Predict first:** under random rotations the clean trunk carries nothing about the orientation. Will
# A + E be worse than A, and at which t? (Both denoisers read $x_t$ and t.) And does the clean trunk help
# the scaled residual at t = 49, as R16 has it?

# %%
earlier = studies.load("contrast").query("setting == 'starved' and protein == '1HZ6_A'")
recorded = pd.concat([studies.load("trunk"), earlier[earlier["variant"].isin(["scaled residual", "A"])]])
recorded = studies.ends(recorded)
recorded["at"] = recorded["t"].map(lambda t: "sampled, RMSD" if t == "sampled" else f"t = {t}")
MORE, BLIND = "A + E, one more denoiser block", "A, blind to x_t and t"
PANELS = ("one protein", "starved", TURNED, "ten chains")
order = ["scaled residual", "scaled residual + E", "A", "A + E", BLIND, *PANELS]
show.by_timestep(recorded[recorded["variant"] != MORE], panel="setting", order=order,
                 lines={TURNED: [show.Line("floor under rotations", np.arange(1, T), floor[1:], "#777777", "dot")]},
                 title="Recorded: error by timestep, noisy and clean trunk",
                 alt="Recorded RMSE of one step with either trunk in four settings; dotted: floor under rotations.")

# %%
ends = recorded.groupby(["variant", "setting", "at"])["error"].agg(["median", "min", "max"])


def effect(before, after):
    """Error of `after` over that of `before` by setting and t: ratio of medians, the furthest that seeds allow."""
    a, b = ends.loc[before], ends.loc[after]
    found = pd.DataFrame(dict(ratio=b["median"] / a["median"], low=b["min"] / a["max"], high=b["max"] / a["min"]))
    found["word"] = np.select([found["high"] < 1, found["low"] > 1], ["better", "worse"], "ranges overlap")
    return found.assign(change=f"{after} / {before}").dropna().reset_index()


levels = [*(f"t = {t}" for t in (1, 5, 25, 49)), "sampled, RMSD"]
effects = pd.concat([effect("A", "A + E"), effect("scaled residual", "scaled residual + E")])
show.dots(effects[effects["at"].isin(levels)], value="ratio", rows="setting", colour="change", panel="at",
          order=[*PANELS, *levels], reference=1, x="error with the clean trunk over error without",
          title="Recorded: what the clean trunk does to the error",
          alt="Ratios of medians; a bar, the furthest that seeds allow, left of the line is better.")

# %% [markdown]
# One reading, by counting. With the noisy trunk, $x_t$ passes through the trunk's layers *and* the
# denoiser's blocks; with the clean trunk through the denoiser's blocks alone. What fix E takes away is
# depth for $x_t$. Where the answer does not depend on $x_t$, that depth is idle. Where it does, as under
# random rotations, it may be missed: R13's "more capacity in the denoiser". If so, one more denoiser
# block should give it back.

# %%
turned = recorded[(recorded["setting"] == TURNED) & recorded["variant"].isin(["A", "A + E", MORE])]
level = turned.pivot_table(index="at", columns="variant", values="error", aggfunc="median").loc[["t = 0", *levels]]
level["E costs"], level["the block gives back"] = level["A + E"] - level["A"], level["A + E"] - level[MORE]
show.table(level.rename_axis("at").rename_axis(None, axis=1), "Recorded medians under random rotations, in Å")

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
    out = naive_and_once[way](model, model.add_noise(d.x0, d.eps, d.t), d.t, f)
    loss = mean_squared_error(out, d.x0)
    loss.backward()
    return out.detach(), loss.detach(), torch.cat([p.grad.flatten() for p in model.parameters()])


for dtype, limit in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
    for what, x, y in zip(("output", "loss", "gradient"), *(one_step(dtype, w) for w in naive_and_once), strict=True):
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
def arithmetic(size, k):
    """GFLOP of a training step with k noise levels and of a 49-call trajectory, each three ways."""
    with torch.device("meta"):  # shapes without numbers: nothing is computed, all is counted
        noisy, clean = (ResFold(size, trunk_sees_points=sees) for sees in (True, False))
        many, few = ((torch.empty(n, L, 3), torch.zeros(n, dtype=torch.long)) for n in (k, 1))
    f = Features(*(x if x is None else x.to("meta") for x in features))
    ways = {"noisy trunk": (noisy, naive_and_once["every copy"])}
    ways |= {f"clean trunk, {way}": (clean, call) for way, call in naive_and_once.items()}
    step = {n: 1e-9 * measure.count_flop(lambda: call(m, *many, f).sum().backward()) for n, (m, call) in ways.items()}
    with torch.no_grad():
        one_call = {n: 1e-9 * measure.count_flop(lambda: call(m, *few, f)) for n, (m, call) in ways.items()}
        tokens = clean.trunk_tokens(f)
        head = 1e-9 * measure.count_flop(lambda: clean.denoiser(*few, tokens, f.mask))
    walk = {n: 49 * v for n, v in one_call.items()}
    walk["clean trunk, once"] = one_call["clean trunk, once"] + 48 * head
    return step, walk, head / one_call["clean trunk, once"]

# %%
CASES = {"well fed": (recipes["A"].size, recipes["A"].noise_levels),
         "starved": (studies.variant("A", "starved").size, 1), "full size": (NetworkSize.full(), 64)}
counted = {name: arithmetic(size, k) for name, (size, k) in CASES.items()}
gains, rows = {}, []
for n, (step, walk, _) in counted.items():
    gains[n] = [work["clean trunk, every copy"] / work["clean trunk, once"] for work in (step, walk)]
    name = f"{n} ({CASES[n][0].trunk_layers} + {CASES[n][0].denoiser_blocks}), k = {CASES[n][1]}"
    rows += [{"size": name, "GFLOP of": what, **work, "gain": gain}
             for what, work, gain in zip(("a step", "a trajectory"), (step, walk), gains[n])]
show.table(rows, f"Counted, {L} residues: a training step with k noise levels and a trajectory of 49 calls; gain of "
                 "the clean trunk once over the same model with the trunk on every copy; layers + blocks")
goal("starved, one noise level a step: gain of a training step", gains["starved"][0], "==", 1.0)

# %% [markdown]
# The first two columns differ by the *change of model*: the points' layer of the trunk. The
# last two differ by *speed alone*. (*Starved* is counted in the laptop size; the public code draws 64
# noise levels a step from one protein, the full size here.)

# %% [markdown]
# Does the clock agree? Samples by both ways in turn, the median of several, on the CPU. Other work on the
# machine disturbs this, so it is shown, and neither recorded nor asserted.

# %%
clean, took = runs["A + E"].predictor, {"every copy": [], "once": []}
for _ in range(session.pick(ci=2, laptop=5, gpu=15)):
    for way, denoise in (("every copy", lambda x, t: clean(x, t, features)), ("once", clean.denoiser_for(features))):
        begin = time.perf_counter()
        ddim(denoise, schedule, noise[:1])
        took[way].append(time.perf_counter() - begin)
slow, fast = (1e3 * statistics.median(times) for times in took.values())
show.say(f"A sample of 49 calls, well fed, {torch.get_num_threads()} CPU thread(s): {slow:.1f} ms on every copy, "
         f"{fast:.1f} ms once: **{slow / fast:.2f} times** by the clock, {gains['well fed'][1]:.2f} counted.")

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
show.dots(recorded[recorded["at"].isin(levels) & recorded["variant"].isin(order[:4])], value="error", rows="setting",
          colour="variant", panel="at", order=order + levels, goal=1.0, x="RMSE; of samples RMSD (Å)",
          title="Recorded: all errors", alt="RMSE of one step and RMSD of samples, median and range; dotted: 1 Å.")
show.say(f"At t = 49 under random rotations the floor is {floor[49]:.2f} Å. Runs by the laptop's recipes on a CPU, three "
         "seeds; *scaled residual* and *A* of *starved* come from the study of notebook 07, five seeds. The floor is a "
         "mean over many draws, each recorded error one over 2 draws: a run can lie a little below it by chance.")

# %%
paid = studies.load("trunk", table="runs").groupby(["setting", "variant"])[
    ["steps", "calls", "parameters", "teraflop", "megabytes", "seconds"]].median().reset_index()
paid = paid.astype({"steps": int, "calls": int, "parameters": int})
show.table(paid[paid["variant"].isin(["A", "A + E", MORE])], "What these runs cost, recorded: calls for each protein, "
           "MB at the peak of the largest step; seconds are medians on a shared CPU, so read them as a hint")

# %% [markdown]
# ## What to take away

# %%
for where, after, places in (
        ("Where the sequence gives the answer** (one protein, starved, ten chains)", "A + E", {*PANELS} - {TURNED}),
        ("Where it does not** (random rotations)", "A + E", {TURNED}), ("There, too**", MORE, {TURNED})):
    heard = effect("A", after).query("setting in @places and at in @levels")["word"].tolist()
    show.say(f"**{where}, t = 1, 5, 25, 49 and sampled, {after} against A: better in {heard.count('better')}, worse in "
             f"{heard.count('worse')}, no clear difference in {heard.count('ranges overlap')} of {len(heard)}.")
last = effect("scaled residual", "scaled residual + E").query("at == 't = 49'").set_index("setting").loc[list(PANELS)]
show.say("**R16, the scaled residual at t = 49** with the clean trunk, ratio of medians: "
         + "; ".join(f"{s} {e['ratio']:.2f} ({e['word']})" for s, e in last.iterrows()) + ".")
show.say("**Speed alone**, counted, training step and trajectory: "
         + "; ".join(f"{n} {step:.2f} and {walk:.2f} times less, at most {1 / counted[n][2]:.2f} for any k"
                     for n, (step, walk) in gains.items()) + ".")

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
noisy = schedule.add_noise(many, torch.randn(many.shape, generator=generator), torch.full((len(many),), 25))
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
metric("noisy trunk, every draw turned, R² at t = 1",
       scores["every draw turned"]["noisy, trained"]["trunk tokens"][1])
metric("gain of a training step, well fed, counted", gains["well fed"][0])
metric("gain of a trajectory, full size, counted", gains["full size"][1])
