# %% [markdown]
# # 13 · Time and curriculum
#
# The report's third critical fault is that *time conditioning is weak*: one learned vector a
# timestep, the same for every residue (R5). Its plan ends with a *timestep curriculum*: begin with
# little noise and let it grow (R14). This notebook asks what the network needs t for, whether $x_t$
# already tells it, what happens when it is lied to, and whether a curriculum helps at equal steps.
# Then the report's whole recommended path is run as written.
#
# **You will learn** to read the noise level from noisy points, to test what a network makes of an
# input by lying to it, and to see what a curriculum gives and takes. **Time:** 20 minutes to read,
# under a minute to run. **Words:** [notation and glossary](reference.md).

# %% tags=["parameters"]
profile = "laptop"
seed = 0

# %%
import numpy as np
import pandas as pd
import torch

from resfold_nb import measure, show, studies
from resfold_nb.data import load, make_batch
from resfold_nb.diffusion import FORMS, get_schedule
from resfold_nb.model import Features, count_parameters
from resfold_nb.studies.plans import VARIANTS
from resfold_nb.training import Curriculum, build, draw, learning_rate, named_recipe
from resfold_nb.workbook import goal, metric, start

session = start(profile, seed, notebook="13_time_and_curriculum")

# %%
protein = load(session.pick(ci="1WY3_A", laptop="1HZ6_A", gpu="1HZ6_A"))
batch = make_batch(protein)
schedule, sd, T = get_schedule("linear"), float(batch.scale[0]), 50
base = measure.baselines(schedule, 1.0, sd)
print(f"{protein.id}: {len(protein)} residues, standard deviation {sd:.2f} Å; "
      f"predicting zero has an RMSE of {base['predict zero'][0]:.2f} Å")

# %% [markdown]
# ## Is t in x_t already?
#
# Suppose nobody tells you t and you are handed $x_t = a\,x_0 + s\,\varepsilon$. Can you say how
# noisy it is? Not from its size: we divide by the standard deviation, so data and noise both have
# variance 1 an axis, and $x_t$ has $\bar\alpha + (1-\bar\alpha) = 1$ at *every* t. The schedule
# preserves variance, and so hides t.
#
# But a chain has neighbours. In the protein they are close; in noise they are strangers. With
# $d_0^2$ the mean squared distance of neighbours in the clean chain, and two independent noises of
# variance 1 on each of three axes, the mean squared distance of neighbours in $x_t$ is
#
# $$m(t) = \bar\alpha\, d_0^2 + (1-\bar\alpha)\, 6 .$$

# %%
DRAWS = session.pick(ci=1000, laptop=2000, gpu=4000)
generator = torch.Generator().manual_seed(seed)


def noisy(x0, t):
    """Many noisy copies (n, L, 3) of one protein (L, 3) at a timestep."""
    eps = torch.randn(DRAWS, *x0.shape, generator=generator, dtype=torch.float64)
    return schedule.add_noise(x0, eps, torch.tensor([t]))


x0, levels = batch.x0[0].double(), np.arange(T)
clean = float(x0.diff(dim=0).square().sum(-1).mean())             # d_0^2
size, apart, read = np.zeros((3, T, DRAWS))
for t in levels:
    x_t = noisy(x0, t)                                            # (n, L, 3)
    size[t] = x_t.square().mean((1, 2))
    apart[t] = x_t.diff(dim=1).square().sum(-1).mean(1)
    read[t] = measure.read_timestep(x_t, clean)
ab = schedule.alpha_bar.numpy()
m = ab * clean + (1 - ab) * 6
goal("mean squared neighbour distance, largest distance from m(t)", np.abs(apart.mean(1) - m).max(), "<", 0.15)

# %% tags=["plot"]
blue, red, ink = show.PALETTE["x0"], show.PALETTE["residual"], show.PALETTE["ink"]


def measured(values, algebra):
    """Two lines: values (T, n) as median and 5-95 %, and what algebra says."""
    band = np.quantile(values, (0.05, 0.5, 0.95), axis=1)
    return [show.Line("measured, 5–95 %", levels, band, blue), show.Line("algebra", levels, algebra, ink, "dash")]


fig = show.panels({"size of x_t (an axis)": measured(size, np.ones(T)), "neighbours in x_t": measured(apart, m)},
                  x="timestep t", y="mean square (σ²)", title=f"Neighbours tell t, size does not ({protein.id})")
show.figure(fig, "Left: the mean square of x_t an axis, which stays at one. Right: the mean squared distance of "
                 f"neighbours, which rises from {clean:.2f} to nearly 6. Live, {DRAWS} noise draws at each t.")

# %% [markdown]
# ## Reading t
#
# Turn $m(t)$ round. With the report's schedule, $\bar\alpha = 1 - t/T$, it is a straight line in t:
#
# $$\hat t = T\,\frac{m - d_0^2}{6 - d_0^2}.$$
#
# How far off is it? The mean runs over $n = L - 1$ pairs. Where noise rules, one squared distance
# has variance $24\,s^4$, and two that share a residue have covariance $6\,s^4$, so the mean has about
# $36\,s^4/n$, and with $s^2 = t/T$ the error of $\hat t$ is about
# $t / \sqrt{n}$ (times $6/(6-d_0^2)$). So it is a *relative* error, and it falls with the root of the
# chain's length: long proteins tell their noise level better. The full formula, with the
# terms of the signal, is in the code.
#
# A reader that knows the protein *and* how it lies can do better. No unbiased one can beat the
# Cramér–Rao bound, here $\frac{2t}{\sqrt{3L}} \sqrt{\bar\alpha/(1+\bar\alpha)}$.

# %%
def spread(x0, t):
    """Standard deviation of the t that is read from the neighbours of x0 (L, 3), by algebra."""
    d, ab = x0.diff(dim=0), float(schedule.alpha_bar[t])
    s2, n, gap = 1 - ab, len(d), 6 - float(d.square().sum(-1).mean())
    own = 8 * ab * s2 * d.square().sum() + 24 * s2**2 * n
    shared = -8 * ab * s2 * (d[1:] * d[:-1]).sum() + 12 * s2**2 * (n - 1)
    return T * float((own + shared).clamp(min=0).sqrt()) / n / gap


algebra = np.array([spread(x0, t) for t in levels])
bound = 2 * levels * np.sqrt(ab / (1 + ab) / (3 * len(protein)))
error = np.sqrt(np.square(read - levels[:, None]).mean(1))
goal("spread of the read t: measured over algebra, furthest from 1",
     np.abs(error[1:] / algebra[1:] - 1).max(), "<", 0.15)

# %% tags=["plot"]
lines = [show.Line("its rms error", levels, error, blue), show.Line("algebra", levels, algebra, ink, "dash"),
         show.Line("bound, protein known", levels, bound, "#666666", "dashdot")]
fig = show.panels({"read t": measured(read, levels), "its typical error": lines}, x="true timestep t", y="timesteps",
                  title=f"The timestep read from x_t alone ({protein.id}, L = {len(protein)})")
show.figure(fig, "Left: the timestep read from neighbour distances against the true one, on the diagonal. Right: its "
                 f"root mean square error with formula and Cramér–Rao bound. Live, {DRAWS} noise draws at each t.")

# %%
rows = []
for name in ("1WY3_A", "1HZ6_A", "1R69_A", "1CY5_A", "1TG0_A"):
    x = make_batch(load(name)).x0[0].double()
    found = measure.read_timestep(noisy(x, 25), float(x.diff(dim=0).square().sum(-1).mean()))
    off = float((found - 25).square().mean().sqrt())
    rows.append({"protein": name, "L": len(x), "typical error at t = 25": off, "by algebra": spread(x, 25),
                 "times √(L − 1) / 25": off * np.sqrt(len(x) - 1) / 25})
show.table(pd.DataFrame(rows).sort_values("L"), f"Live: t read from chains of several lengths, {DRAWS} draws")
typical = float(np.sqrt(np.square(error).mean()))
show.say(f"For {protein.id} the typical error over all t is **{typical:.1f} timesteps** of {T}; at t = 1 it is "
         f"{error[1]:.2f}, at t = 49 {error[49]:.1f}. A reader that knew the protein and how it lies might reach "
         f"{bound[49]:.1f} at t = 49.")

# %% [markdown]
# So most of the information is in the input. Sun et al. 2025
# ([bibliography](reference.md#Bibliography)) find the same for images: many denoisers lose little
# without t, because in many dimensions $x_t$ itself pins the noise level down. What is the loss here?
#
# ## What each form needs t for
#
# Let the network know its one protein by heart.
#
# - **A**: $F^* = x_0$. No t in it: a network at its optimum can be told anything.
# - **Scaled residual (the report's)**: $F^* = (x_0 - x_t)/s$. F must divide by $s(t)$, and the form then
#   multiplies by the true s again. Whoever uses another $s'$ gets $\hat x_0 - x_0 = (1 - s/s')\,(x_t - x_0)$: the error of
#   *copy x_t*, times $|1 - s/s'|$.
#
# So there is a price of not knowing t, and it is the *form's*: nearly nothing for A, and for the
# scaled residual, reading t from neighbours, about $\frac{\text{error of }\hat t}{2t}$ of *copy x_t*,
# since $s = \sqrt{t/T}$.
#
# ## Predict first
#
# We train both on one protein, then lie: the network is told another t than the true one, while the
# form's own coefficients keep the truth. Does the network believe what it is told, or what it sees?
# At a true t = 49, which form suffers from being told t = 7, and how badly?
#
# ## Scaled residual, A and A with a curriculum, live
#
# Recipe *well fed*, one protein, one seed; fewer steps in `ci` and `laptop`, so that three runs fit in
# a minute. The third run is for later: its t starts small and the
# range grows over the first half of the steps.

# %%
recipe = named_recipe("well_fed", profile)
recipe = recipe.but(steps=session.pick(ci=80, laptop=220, gpu=recipe.steps))
marks = measure.marks_for(recipe.steps, session.pick(ci=4, laptop=6, gpu=14))
LIVE = {"scaled residual": recipe.but(form="residual"), "A": recipe.but(form="x0"),
        "A, linear curriculum": recipe.but(form="x0", curriculum=Curriculum("linear", 0.5))}
runs = {name: measure.train_and_measure(r, batch, seed, device=session.device, marks=marks, progress=show.progress)
        for name, r in LIVE.items()}
live = studies.frame_of(runs)
show.table([{"run": name, "parameters": count_parameters(r.predictor), "steps": recipe.steps,
             "noise-level draws": recipe.steps * recipe.noise_levels,
             "training (s)": r.train_seconds} for name, r in runs.items()],
           f"One budget, recipe {recipe.name}, seed {seed}, {session.device}; the first two also have the same draws")

# %%
SEEN = range(0, T, 7)


def told_matrix(predictor):
    """RMSE in Å, a row a true t, a column a t that the network is told."""
    columns = [measure.error_by_timestep(predictor, batch, draws=2, timesteps=SEEN,
                                         told=lambda t, k=k: torch.full_like(t, k)).rmse for k in SEEN]
    return np.stack(columns, axis=1)


told = {name: told_matrix(runs[name].predictor) for name in ("scaled residual", "A")}
s = schedule.s.numpy()[list(SEEN)]
with np.errstate(divide="ignore", invalid="ignore"):
    belief = np.abs(1 - s[:, None] / s[None, :]) * base["copy x_t"][list(SEEN)][:, None]
belief[:, 0] = np.nan

# %% tags=["plot"]
def lie_figure(matrices, ticks, title, alt, cap, size=11):
    """Heat maps of the error by true and told t; the colours stop at `cap`."""
    names = [str(t) for t in ticks]
    fig = show.heatmaps(matrices, title=title, x="told t", y="true t", value="RMSE (Å)", x_ticks=names,
                        y_ticks=names)
    fig.update_traces(texttemplate="%{z:.1f}", textfont_size=size)
    fig.update_xaxes(type="category").update_yaxes(type="category").update_layout(coloraxis=dict(cmin=0, cmax=cap))
    show.figure(fig, f"{alt} Colours stop at {cap:.0f} Å.")


lie_figure({"scaled residual, measured": told["scaled residual"], "scaled residual, if it believed": belief,
            "A, measured": told["A"]}, SEEN, f"One step's error when the network is told another t ({protein.id})",
           "Live error of one denoising step; on the diagonal the network is told the truth. Middle: a network that "
           "knows the protein and believes every word; no answer if told t = 0.", 1.5 * base["predict zero"][0])

# %%
def lie_cost(matrix):
    """Mean error over lies, over mean error on the diagonal."""
    truth = np.eye(len(matrix), dtype=bool)
    return float(matrix[~truth].mean() / matrix[truth].mean())


for name, matrix in told.items():
    show.say(f"**{name}**, live, one seed: mean error when told the truth {np.diag(matrix).mean():.2f} Å, "
             f"over all lies {lie_cost(matrix):.2f} times that; at t = 49 told 7: {matrix[7, 1]:.2f} Å "
             f"against {matrix[7, 7]:.2f} Å.")
paired = ~np.eye(len(SEEN), dtype=bool) & np.isfinite(belief) & (belief > 0)
share = float(told["scaled residual"][paired].sum() / belief[paired].sum())
show.say(f"Of the error that a scaled-residual network would make if it believed every word, this "
         f"one makes {share:.0%}: where that is far below 100 %, it goes by what it *sees*.")

# %% [markdown]
# How to read it. Bright cells off the diagonal are lies that cost. A row of one shade means that the
# network, at that true t, ignores what it is told. What it is told and what it sees are mixed: a
# network that sees t in $x_t$ anyway may learn to lean on either.
#
# A ratio near one does **not** show that t is useless; here it shows that one protein is a constant.
# Where no constant answers, the same lies were told to recorded networks.
#
# ## Settings
#
# The rest is **recorded**: `python -m resfold_nb study time --out data/recorded`, profile laptop,
# three seeds, CPU, the same in every profile.
#
# | setting | recipe | what the best model needs |
# |---|---|---|
# | one protein | well fed, 1HZ6_A | a constant: nothing of $x_t$ and t |
# | random rotations | well fed, longer; each draw of 1HZ6_A turned at random | the orientation, from $x_t$ |
# | ten chains | well fed; ten chains, one set of weights | which of ten: the sequence says it |
#
# No one constant answers for ten chains, but a network blind to $x_t$ and t can still be best there.
# Only random rotations make it look; they also set a *floor*, the error of the best possible model,
# derived in [notebook 09](09_fix_c_velocity.ipynb).

# %%
WHERE, LEVELS = ("one protein", "random rotations", "ten chains"), (0, 1, 5, 25, 49)
quantities = studies.load("time", table="quantities")
parts = quantities.quantity.str.extract(r"told (?P<told>.+), t = (?P<t>\d+), RMSE").dropna()
lies = quantities.join(parts.astype({"t": int}), how="inner")
for name in ("scaled residual", "A"):
    maps = {setting: rows.pivot_table("value", "t", "told", "median")[[f"t = {k}" for k in LEVELS]]
            for setting, rows in lies[lies.variant == name].groupby("setting")}
    if maps:
        lie_figure(maps, LEVELS, f"{name}, recorded: error when told another t",
                   f"{name}: recorded RMSE by true and told t, median over seeds.", 15, 12)

# %%
said = lies[lies.told.isin(["the truth", "a random t", "t = 25"])]
said = said.groupby(["setting", "variant", "seed", "told"], as_index=False).value.mean()
show.dots(said, value="value", panel="setting", colour="told", order=VARIANTS, x="RMSE (Å)",
          title="Recorded: told the truth, a random t, or always 25", alt="Mean over t = 0, 1, 5, 25, 49.")

# %% [markdown]
# ## Trained without t
#
# A lie surprises a network that was trained on the truth. Fairer: never tell it t, and let it learn
# to read. *A, no t* and *scaled residual, no t* have zeros in place of the embedding, all else equal. (The
# form's own coefficients still know t.) **Predict first:** who pays more?

# %%
target = make_batch(load("1HZ6_A"))
scale = float(target.scale[0])
best = measure.rotation_floor(target.x0[0], schedule, scale)
reading = np.array([spread(target.x0[0].double(), t) for t in levels[1:]]) / (2 * levels[1:])
price = reading * measure.baselines(schedule, 1.0, scale)["copy x_t"][1:]
floor = {"random rotations": [show.Line("floor", levels, best, ink, "dot")]}
extra = {"one protein": [show.Line("scaled residual, price of reading t", levels[1:], price, ink, "longdashdot")]}
errors = studies.load("time")


def recorded(title, *names, where=WHERE, lines=floor, note=""):
    """Recorded error by timestep of some variants."""
    show.by_timestep(errors[errors.variant.isin(names) & errors.setting.isin(where)], panel="setting", lines=lines,
                     goal=None, title=f"Recorded: {title}",
                     alt=f"RMSE by timestep: {'; '.join(names)}. A zero cannot be drawn. {note}")


recorded("trained with t and without", "scaled residual", "scaled residual, no t", "A", "A, no t",
         "A, blind to x_t and t", lines=floor | extra, note="Scaled residual, no t: one protein only.")

# %%
final = studies.ends(errors)
several = {"mean over t = 1 … 49": final[final.t.isin(range(1, 50))], "t = 49": final[final.t == 49],
           "samples (RMSD)": final[final.t == "sampled"]}
level = pd.concat(several, names=["what"]).pivot_table("error", ["what", "setting", "seed"], "variant")
level = level.reindex(columns=list(VARIANTS))


def over(*pairs):
    """Ratio of errors, seed by seed, of each pair of variants; a row a seed."""
    return pd.concat({f"{new} / {old}": level[new] / level[old] for new, old in pairs}, names=["pair"]
                     ).dropna().rename("ratio").reset_index()


SEED_BY_SEED = dict(value="ratio", rows="pair", panel="what", colour="setting", reference=1, log_x=False, x="ratio",
                    alt="Recorded: ratio of errors, seed by seed, median and range; below 1 is better.")
show.dots(over(("A, no t", "A"), ("scaled residual, no t", "scaled residual")), title="No t over t", **SEED_BY_SEED)

# %% [markdown]
# Three seeds are few: "every seed" means three of three, and a ratio close to one is a small thing
# even then. The line *price of reading t* is what the neighbours' reader would add to a perfect
# network with the scaled residual; it is not a bound, because a network that knows its protein can read t
# better.
#
# ## Three ways to say t
#
# R5 names the *table*: a learned vector for each t. It starts at random, so at the start
# t = 24 and t = 25 are as unlike as any two, and each row learns only from its own draws. Two other
# ways know from the start that t is a number: *sinusoidal* (slow and fast waves of t, then a small
# network) and *log-SNR* (random waves of the log-SNR, clamped to ±20, so that t = 0 is finite). How
# smooth they make it, the figure shows. All three reach the residues in the same way, through AdaLN
# ([notebook 04](04_denoiser.ipynb)).

# %%
def similarity(network):
    """Cosine of the vectors of each two timesteps, their mean over t taken away."""
    device = next(network.parameters()).device
    with torch.no_grad():
        vectors = network.denoiser.time(torch.arange(T, device=device)).cpu().double()
    vectors = vectors - vectors.mean(0)
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    return (unit @ unit.T).numpy()


alike = {f"{name}, at start": similarity(build(recipe.but(time_embedding=kind), seed).network)
         for name, kind in (("table", "table"), ("sinusoidal", "sinusoidal"), ("log-SNR", "log_snr"))}
alike["table, trained"] = similarity(runs["A"].predictor.network)
fig = show.heatmaps(alike, title="How alike are the vectors of two timesteps?", x="timestep t",
                    y="timestep t", value="cosine", diverging=True)
show.figure(fig, "Cosine of each pair of vectors. Smooth: a broad red diagonal; a random table: a thin one.")

# %%
show.say("Mean similarity of neighbours t and t + 1: " + "; ".join(
    f"{name} {np.diag(grid, 1).mean():.2f}" for name, grid in alike.items()) + ". "
    f"A row of the table had about {recipe.steps * recipe.noise_levels / T:,.0f} draws to learn from.")
recorded("three embeddings, and none", "A", "A, sinusoidal t", "A, log-SNR", "A, no t", where=WHERE[:2])
show.dots(over(("A, sinusoidal t", "A"), ("A, log-SNR", "A")), title="Embeddings over the table", **SEED_BY_SEED)

# %% [markdown]
# The parameters differ a little, a table's rows against a small network's weights; the figure of
# costs at the end counts them.
#
# ## What a curriculum gives and takes
#
# A curriculum starts with small t and lets the range grow, here over the first half of the run. At
# equal steps it is a *redistribution*: each draw given to small t is taken from large t. The learning rate falls over
# the run, so draws that come late count less.

# %%
steps = np.arange(1, recipe.steps + 1)
ends = {"uniform": np.full(len(steps), T)} | {
    k: np.array([Curriculum(k, 0.5).timesteps(i, recipe.steps, 0, T) for i in steps]) for k in ("linear", "cosine")}


def shares(end, weights):
    """Share in % of the draws on each t, when step i draws evenly below end[i]."""
    share = ((levels[None, :] < end[:, None]) / end[:, None] * weights[:, None]).sum(0)
    return 100 * share / weights.sum()


weights = {"draws": np.ones(len(steps)),
           "draws × learning rate": np.array([learning_rate(recipe, int(i) - 1) for i in steps])}
table = {name: {kind: shares(end, w) for kind, end in ends.items()} for name, w in weights.items()}
stream, features = torch.Generator().manual_seed(seed), Features.of(batch)
taken = [draw(LIVE["A, linear curriculum"], batch, features, stream, int(i)).t for i in steps]
goal("mean t of the package's draws, from that of the shares", abs(float(torch.cat(taken).float().mean())
     - (levels * table["draws"]["linear"]).sum() / 100), "<", 1.5, "timesteps")

# %% tags=["plot"]
styles = {"uniform": (ink, "solid"), "linear": (red, "dash"), "cosine": (blue, "dot")}
fig = show.panels({name: [show.Line(kind, levels, y, *styles[kind]) for kind, y in curves.items()]
                   for name, curves in table.items()},
                  x="timestep t", y="share (%)", log_y=True, title="Where the draws go")
show.figure(fig, "Curricula give more to small t and less to large t; weighted by the rate, large t loses more.")
last = {name: curves["linear"][49] / curves["uniform"][49] for name, curves in table.items()}
show.say(f"Under the linear curriculum t = 49 has {last['draws']:.0%} of the draws that uniform sampling gives it, "
         f"and t = 0 has {table['draws']['linear'][0] / 2:.1f} times as many. Weighted by the learning rate, t = 49 "
         f"keeps {last['draws × learning rate']:.0%}.")

# %% [markdown]
# **Predict first.** The failure to be cured is at t = 49. Does it get better or worse?

# %%
show.by_timestep(live, lines=show.baseline_lines(base), title=f"Live: after {recipe.steps} steps ({protein.id})",
                 alt="Mean of 2 noise draws. Dashed grey lines predict without learning. A zero cannot be drawn.")
show.by_step(live, title="Live: error against optimiser steps", alt="At t = 1, 25, 49 and of samples, live.")

# %%
plain, rising = runs["A"].last, runs["A, linear curriculum"].last
goal("scaled residual, RMSE at t = 0", runs["scaled residual"].last.errors.rmse[0], "==", 0.0, "Å")
show.say("Live, one seed, the curriculum's error over that of plain A at equal steps: "
         + ", ".join(f"{rising.errors.rmse[t] / plain.errors.rmse[t]:.2f} at t = {t}" for t in (1, 25, 49))
         + f", {rising.sampled_rmse / plain.sampled_rmse:.2f} in samples.")

# %%
recorded("curricula against uniform sampling, equal steps", "A", "A, linear curriculum", "A, cosine curriculum",
         "scaled residual", "scaled residual, linear curriculum")
show.dots(over(("A, linear curriculum", "A"), ("A, cosine curriculum", "A"), (
    "scaled residual, linear curriculum", "scaled residual")), title="Curricula over uniform", **SEED_BY_SEED)

# %% [markdown]
# The cosine was not run on ten chains, the scaled residual's curriculum on one protein only.
#
# ## The recommended path, as written
#
# R14 gives an order. *Path 1*: fix A. *Path 2*: epsilon-prediction with the loss on the noise, and
# the clean trunk (B + E). *Path 3*: rollouts and the curriculum on top. Read as written, phase 2
# *replaces* A by B. Will each phase improve on the one before? **Predict first**, with the cost
# of epsilon's errors in mind: at t = 49 an error of F counts seven times
# ([notebook 08](08_fix_b_epsilon.ipynb)).
#
# Path 3 has the same steps and draws a step, but a quarter of its steps are rollouts of five calls
# ([notebook 10](10_fix_d_rollout.ipynb)), so it makes *more* network calls: look at the costs.

# %%
PATH = ("A", "path 2: B + E", "path 3: B + E + D + curriculum")
shown = ("scaled residual", *PATH, "A, blind to x_t and t")
recorded("the recommended path, phase by phase", *shown, where=WHERE[:2])
show.dots(over(*zip(PATH[1:], PATH), (PATH[2], "A")), title="Phase over phase", **SEED_BY_SEED | {"log_x": True})
samples = final[(final.t == "sampled") & final.variant.isin(shown) & final.setting.isin(WHERE[:2])]
for setting, rows in samples.groupby("setting"):
    show.say(f"Samples, {setting}, from the lowest median RMSD: " + ", ".join(
        f"{n} ({v:.2f} Å)" for n, v in rows.groupby("variant").error.median().sort_values().items()) + ".")

# %%
COSTS = ["parameters", "calls", "teraflop", "megabytes", "seconds"]
cost = studies.load("time", table="runs").melt(["setting", "variant"], COSTS, "what")
cost = cost.groupby(["what", "setting", "variant"]).value.median().unstack().reindex(columns=list(VARIANTS))
dear = cost.div(cost["A"], axis=0).stack().dropna().rename("over A").reset_index()
show.dots(dear, value="over A", panel="what", colour="setting", order=VARIANTS, reference=1, x="over A",
          title="Recorded: what a run costs, over A in the same setting",
          alt="Steps and draws are equal. Calls are those a protein; seconds of training are indicative.")

# %% [markdown]
# ## Everything in one figure

# %%
final["at"] = final.t.map({1: "t = 1", 25: "t = 25", 49: "t = 49", "sampled": "sampled"})
show.dots(final.dropna(subset="at"), value="error", panel="at", colour="setting", order=VARIANTS, goal=1.0,
          x="error (Å)", title="Recorded: RMSE by timestep, RMSD of samples", alt="Median and range over seeds.")
show.say("Best possible under random rotations, mean over draws: "
         + ", ".join(f"{best[t]:.2f} Å at t = {t}" for t in (1, 25, 49)) + ".")

# %% [markdown]
# ## What to take away
#
# - The noise level can be read from a chain's neighbours, to about $t/\sqrt{L-1}$, and not from
#   the size of $x_t$. A network without t is not a network that does not know t.
# - What a wrong t costs is decided by the form: by algebra nothing for A at its optimum,
#   $|1 - s/s'|$ of *copy x_t* for the scaled residual.
# - At equal steps a curriculum takes draws from large t, where the report wants its cure.
# - One protein, and ten chains too, have an answer without $x_t$ and t: compare with the blind row
#   before you call any conditioning strong or weak. Notebook 16 judges R5 and R14 with intervals.

# %%
def in_words(ratio):
    """Median and range of a ratio over seeds, and whether the seeds agree."""
    agree = {0: "higher in every seed", len(ratio): "lower in every seed"}.get((ratio < 1).sum(), "seeds disagree")
    return f"{ratio.median():.2f} ({ratio.min():.2f}–{ratio.max():.2f}), {agree}"


CLAIMS = {"withholding t from A (R5)": ("A, no t", "A"), "sinusoidal for a table": ("A, sinusoidal t", "A"),
          "withholding t from the scaled residual": ("scaled residual, no t", "scaled residual"),
          "log-SNR for a table": ("A, log-SNR", "A"), "linear curriculum (R14)": ("A, linear curriculum", "A"),
          "path 2 after path 1 (R14)": (PATH[1], PATH[0]), "path 3 after path 2 (R14)": (PATH[2], PATH[1])}
text = "In the recorded runs, error over error, seed by seed (mean over t = 1 … 49):\n"
for title, pair in CLAIMS.items():
    mean = over(pair).query("what == 'mean over t = 1 … 49'").groupby("setting").ratio
    text += f"\n- {title}: " + ("; ".join(f"{s}: {in_words(ratio)}" for s, ratio in mean) or "**not recorded**")
full = len(studies.load("time", "gpu", table="runs")) or "**not**"
show.say(f"{text}\n\nThis is the laptop size; full size (profile gpu): {full} runs recorded.")

# %% [markdown]
# ## Exercises
#
# **1.** How many residues must a chain have for its neighbours to tell t to *one* timestep near
# t = 49? Take $d_0^2$ as small against 6.

# %% tags=["exercise"]
my_length = None  # residues

# %% tags=["solution"]
# Solution
# t / sqrt(L - 1) = 1 at t = 50, so L = 1 + 50^2: no protein of this workbook is as long.
solution_1 = 1 + T**2

# %% tags=["check"]
answer = solution_1 if my_length is None else my_length
pure = torch.randn(300, int(answer), 3, generator=torch.Generator().manual_seed(0))
simulated = float(measure.read_timestep(pure, 0.0).std())
assert abs(simulated - 1) < 0.15, f"with {answer} residues of pure noise it is {simulated:.2f}"
print("not answered; the solution is" if my_length is None else "right:",
      f"{answer:,} residues (simulated: an error of {simulated:.2f} timesteps)")

# %% [markdown]
# **2.** A memorised protein, the scaled residual, true t = 49. The network is told 25 and believes it.
# What share of *copy x_t*'s error does it make?

# %% tags=["exercise"]
my_share = None  # between 0 and 1

# %% tags=["solution"]
# Solution
# |1 - s(49) / s(25)| = |1 - sqrt(49 / 25)| = 0.4
solution_2 = abs(1 - np.sqrt(49 / 25))

# %% tags=["check"]
answer = solution_2 if my_share is None else my_share
form = FORMS["residual"]
noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
x_t = schedule.add_noise(x0, noise, torch.tensor([49]))[0]
f = form.output_for(x0, x_t, schedule.a[25], schedule.s[25])  # right for t = 25
made = form.x0(x_t, f, schedule.a[49], schedule.s[49]) - x0
measured = float(made.norm() / (x_t - x0).norm())
assert abs(answer - measured) < 0.01, f"it is {measured:.2f}"
print("not answered; the solution is" if my_share is None else "right:", f"{answer:.2f} of copy x_t")

# %% [markdown]
# **3.** What share of all draws falls on t = 0 under the linear curriculum over half of a long run?
# (Uniform: 2 %.)

# %% tags=["exercise"]
my_share_at_0 = None  # between 0 and 1

# %% tags=["solution"]
# Solution
# Half of the steps draw from 50 values. In the other half the range is 1, 2 ... 50 in turn, equally
# long each: the mean of 1/n is (1 + 1/2 + ... + 1/50) / 50.
solution_3 = 0.5 / 50 + 0.5 * sum(1 / n for n in range(1, 51)) / 50

# %% tags=["check"]
answer = solution_3 if my_share_at_0 is None else my_share_at_0
long = [Curriculum("linear", 0.5).timesteps(i, 10_000, 0, T) for i in range(1, 10_001)]
exact = float(np.mean([1 / n for n in long]))
assert abs(answer - exact) < 0.001, f"it is {exact:.3f}"
print("not answered; the solution is" if my_share_at_0 is None else "right:", f"{answer:.1%} of draws")

# %%
metric("read t, typical error over t", typical, "timesteps")
metric("A, mean RMSE over t", float(plain.errors.rmse.mean()), "Å")
metric("A with linear curriculum, mean RMSE over t", float(rising.errors.rmse.mean()), "Å")
metric("scaled residual, mean RMSE over t", float(runs["scaled residual"].last.errors.rmse.mean()), "Å")
metric("A, error told a lie over told the truth", lie_cost(told["A"]))
metric("scaled residual, error made over error if it believed", share)
