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
import torch

from resfold_nb import measure, show, studies, training
from resfold_nb.data import load, make_batch
from resfold_nb.diffusion import FORMS, get_schedule
from resfold_nb.model import Features, count_parameters
from resfold_nb.show.theme import SERIES
from resfold_nb.training import Curriculum, build, learning_rate, named_recipe
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
    return float(schedule.a[t]) * x0 + float(schedule.s[t]) * eps


def quantiles(values):
    """5 %, 50 % and 95 % of each row, as the band and middle of a line."""
    return np.quantile(np.stack(values), (0.05, 0.5, 0.95), axis=1)


x0, levels = batch.x0[0].double(), np.arange(T)
clean = float(x0.diff(dim=0).square().sum(-1).mean())
size, apart, read = [], [], []
for t in levels:
    x_t = noisy(x0, t)
    size.append(x_t.square().mean((1, 2)).numpy())
    apart.append(x_t.diff(dim=1).square().sum(-1).mean(1).numpy())
    read.append(measure.read_timestep(x_t, clean).numpy())

# %%
m = schedule.alpha_bar.numpy() * clean + (1 - schedule.alpha_bar.numpy()) * 6
blue, red, ink = show.PALETTE["x0"], show.PALETTE["residual"], show.PALETTE["ink"]
groups = {"size of x_t (an axis)": [show.Line("measured: median, 5–95 %", levels, quantiles(size), blue),
                                    show.Line("algebra", levels, np.ones(T), ink, "dash")],
          "neighbours in x_t": [show.Line("measured: median, 5–95 %", levels, quantiles(apart), blue),
                                show.Line("algebra", levels, m, ink, "dash")]}
fig = show.panels(groups, x="timestep t", y="mean square (σ²)",
                  title=f"What tells t: not the size, but the neighbours ({protein.id})")
show.figure(fig, f"Left: the mean square of x_t an axis, which stays at one. Right: the mean squared "
                 f"distance of neighbours, which rises from {clean:.2f} to nearly 6. Live, {DRAWS} "
                 "noise draws at each t; bands hold 90 % of them.")
off = np.abs(np.stack(apart).mean(1) - m).max()
goal("mean squared neighbour distance, largest distance from m(t)", off, "<", 0.15)

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


ab, length = schedule.alpha_bar.numpy(), len(protein)
algebra = np.array([spread(x0, t) for t in levels])
bound = 2 * levels * np.sqrt(ab / (1 + ab) / (3 * length))
error = np.sqrt(np.square(np.stack(read) - levels[:, None]).mean(1))
groups = {"read t": [show.Line("measured", levels, quantiles(read), blue),
                     show.Line("the truth", levels, levels, ink, "dot")],
          "its typical error": [show.Line("measured", levels, error, blue),
                                show.Line("algebra", levels, algebra, red, "dash"),
                                show.Line("bound, protein known", levels, bound, "#666666", "dashdot")]}
fig = show.panels(groups, x="true timestep t", y="timesteps",
                  title=f"The timestep read from x_t alone ({protein.id}, L = {length})")
show.figure(fig, "Left: the timestep read from neighbour distances against the true one, median and "
                 "5–95 %, along the diagonal. Right: its root mean square error with the formula and "
                 f"the Cramér–Rao bound. Live, {DRAWS} noise draws at each t.")
goal("spread of the read t: measured over algebra, furthest from 1",
     np.abs(error[1:] / algebra[1:] - 1).max(), "<", 0.15)

# %%
rows = []
for name in ("1WY3_A", "1HZ6_A", "1R69_A", "1CY5_A", "1TG0_A"):
    other = make_batch(load(name))
    x, near = other.x0[0].double(), float(other.x0[0].diff(dim=0).square().sum(-1).mean())
    found = measure.read_timestep(noisy(x, 25), near).numpy()
    rows.append({"protein": name, "L": len(x), "neighbours (Å)": np.sqrt(near) * float(other.scale[0]),
                 "typical error at t = 25": np.sqrt(np.square(found - 25).mean()),
                 "by algebra": spread(x, 25),
                 "times √(L − 1) / 25": np.sqrt(np.square(found - 25).mean() * (len(x) - 1)) / 25})
show.table(sorted(rows, key=lambda row: row["L"]),
           f"Live: t read from chains of several lengths at t = 25 ({DRAWS} draws)")
typical = float(np.sqrt(np.square(error).mean()))
show.say(f"For {protein.id} the typical error over all t is **{typical:.1f} timesteps** of {T}; at "
         f"t = 1 it is {error[1]:.2f}, at t = 49 {error[49]:.1f}. A reader that knew the protein and "
         f"how it lies might reach {bound[49]:.1f} at t = 49.")

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
# - **Broken**: $F^* = (x_0 - x_t)/s$. F must divide by $s(t)$, and the form then multiplies by the true
#   s again. Whoever uses another $s'$ gets $\hat x_0 - x_0 = (1 - s/s')\,(x_t - x_0)$: the error of
#   *copy x_t*, times $|1 - s/s'|$.
#
# So there is a price of not knowing t, and it is the *form's*: nearly nothing for A, and for the
# broken form, reading t from neighbours, about $\frac{\text{error of }\hat t}{2t}$ of *copy x_t*,
# since $s = \sqrt{t/T}$.
#
# ## Predict first
#
# We train both on one protein, then lie: the network is told another t than the true one, while the
# form's own coefficients keep the truth. Does the network believe what it is told, or what it sees?
# At a true t = 49, which form suffers from being told t = 7, and how badly?
#
# ## Broken, A and A with a curriculum, live
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
show.table([{"run": name, "parameters": count_parameters(r.predictor), "steps": recipe.steps,
             "noise-level draws": recipe.steps * recipe.noise_levels,
             "training (s)": r.train_seconds} for name, r in runs.items()],
           f"The same budget for all (recipe {recipe.name}, one protein, seed {seed}, "
           f"{session.device}); the broken form and A also have the same draws")

# %%
SEEN = range(0, T, 7)


def told_matrix(predictor):
    """RMSE in Å, a row a true t, a column a t that the network is told."""
    columns = [measure.error_by_timestep(predictor, batch, draws=2, timesteps=SEEN,
                                          told=lambda t, k=k: torch.full_like(t, k)).rmse
               for k in SEEN]
    return np.stack(columns, axis=1)


told = {name: told_matrix(runs[name].predictor) for name in ("scaled residual", "A")}
s = schedule.s.numpy()[list(SEEN)]
with np.errstate(divide="ignore", invalid="ignore"):
    belief = np.abs(1 - s[:, None] / s[None, :]) * base["copy x_t"][list(SEEN)][:, None]
belief[:, 0] = np.nan
cap = 1.5 * base["predict zero"][0]
matrices = {"scaled residual, measured": told["scaled residual"], "scaled residual, if it believed": belief, "A, measured": told["A"]}

# %%
def lie_figure(matrices, ticks, title, cap, size=11):
    """Heat maps of the error by true and told t; the colours stop at `cap`."""
    names = [str(t) for t in ticks]
    fig = show.heatmaps(matrices, title=title, x="told t", y="true t", value="RMSE (Å)",
                        x_ticks=names, y_ticks=names)
    fig.update_traces(texttemplate="%{z:.1f}", textfont_size=size)
    fig.update_xaxes(type="category")
    fig.update_yaxes(type="category")
    return fig.update_layout(coloraxis=dict(cmin=0, cmax=cap))


fig = lie_figure(matrices, SEEN, f"One step's error when the network is told another t ({protein.id})", cap)
show.figure(fig, "Error of one denoising step in Å, a row a true timestep, a column what the network "
                 "is told; on the diagonal it is told the truth. Left: broken form, live; middle: a "
                 "network that knows the protein and believes every word, which has no answer if told "
                 f"t = 0; right: A, live. Colours stop at {cap:.0f} Å.")

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
show.say(f"Of the error that a network of the broken form would make if it believed every word, this "
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
STUDY, WHERE, TABLED = "time", ("one protein", "random rotations", "ten chains"), (0, 1, 5, 25, 49)
PROTEIN = make_batch(load("1HZ6_A"))
SCALE = float(PROTEIN.scale[0])
FLOOR = measure.rotation_floor(PROTEIN.x0[0], schedule, SCALE)


def quantity(name, setting, told, t):
    return studies.variant_quantity(STUDY, name, setting, f"{told}, t = {t}, RMSE (Å)")


def recorded_matrix(name, setting):
    """Median over seeds, true t by told t; None if not recorded."""
    grid = [[quantity(name, setting, f"told t = {k}", t) for k in TABLED] for t in TABLED]
    return None if any(v is None for row in grid for v in row) else np.median(grid, axis=2)


for name in ("scaled residual", "A"):
    matrices = {s: m for s in WHERE if (m := recorded_matrix(name, s)) is not None}
    if not matrices:
        show.say(f"{name}, told another t: **not recorded**.")
        continue
    fig = lie_figure(matrices, TABLED, f"{name}, recorded: error when told another t", 15, 12)
    show.figure(fig, f"{name}: recorded RMSE in Å by true and told timestep, median over seeds, in "
                     f"{len(matrices)} settings; the diagonal is the truth. Colours stop at 15 Å.")

# %%
def lies(name, setting):
    """What an average over the five true t becomes when t is shuffled or always 25."""
    said = ("told the truth", "told a random t", "told t = 25")
    found = {k: [quantity(name, setting, k, t) for t in TABLED] for k in said}
    if any(v is None for values in found.values() for v in values):
        return dict.fromkeys(("truth (Å)", "shuffled (Å)", "always 25 (Å)"), "not recorded")
    mean = {k: np.mean(v, axis=0) for k, v in found.items()}
    return {n: studies.median_range(mean[k])
            for n, k in zip(("truth (Å)", "shuffled (Å)", "always 25 (Å)"), said)}


NAMES = ("scaled residual", "A", "A, sinusoidal t", "A, log-SNR", "A, no t")
SPECIAL = ("A, sinusoidal t", "A, log-SNR")  # not planned for ten chains
show.table([{"setting": s, "variant": n} | lies(n, s) for s in WHERE for n in NAMES
            if not (n in SPECIAL and s == "ten chains")],
           "Recorded: mean RMSE over t = 0, 1, 5, 25, 49 when the network is told the truth, a random "
           "t, or always 25; median (range) over seeds. Without an embedding nothing is heard")

# %% [markdown]
# ## Trained without t
#
# A lie surprises a network that was trained on the truth. Fairer: never tell it t, and let it learn
# to read. *A, no t* and *broken, no t* have zeros in place of the embedding, all else equal. (The
# form's own coefficients still know t.) **Predict first:** who pays more?

# %%
LOOK = {"scaled residual": (red, "solid"), "scaled residual, no t": (SERIES[6], "dash"), "A": (blue, "solid"),
        "A, no t": (SERIES[5], "dash"), "A, blind to x_t and t": ("#8A8A8A", "longdash"),
        "A, sinusoidal t": (SERIES[2], "dash"), "A, log-SNR": (SERIES[4], "dot"),
        "A, linear curriculum": (SERIES[3], "dash"), "A, cosine curriculum": (SERIES[2], "dot"),
        "scaled residual, linear curriculum": (SERIES[6], "dash"), "path 2: B + E": (SERIES[3], "dash"),
        "path 3: B + E + D + curriculum": (SERIES[4], "dashdot")}
BLIND = "A, blind to x_t and t"
found = {(n, s): studies.variant_errors(STUDY, n, s) for n in LOOK for s in WHERE}


def by_timestep(names, where=WHERE, extra=None):
    """Panels of the recorded error by timestep, one a setting; the floor under rotations."""
    groups = {s: [show.Line(n, levels, found[n, s], *LOOK[n]) for n in names
                  if found[n, s] is not None] for s in where}
    if groups.get("random rotations"):
        groups["random rotations"].append(show.Line("floor", levels, FLOOR, ink, "dot"))
    if extra is not None and groups["one protein"]:
        groups["one protein"].append(extra)
    return groups

# %%
def draw(groups, title, alt):
    missing = [s for s, lines in groups.items() if not lines]
    fig = show.panels(groups, log_y=True, x="timestep t", y="RMSE (Å)", title=title)
    fig.update_layout(height=520)
    show.figure(fig, alt + (f" Not recorded: {', '.join(missing)}." if missing else ""))


with np.errstate(divide="ignore", invalid="ignore"):
    reading = np.array([spread(PROTEIN.x0[0].double(), t) for t in levels]) / (2 * levels)
price = reading * measure.baselines(schedule, 1.0, SCALE)["copy x_t"]
extra = show.Line("scaled residual, price of reading t", levels[1:], price[1:], ink, "longdashdot")
draw(by_timestep(("scaled residual", "scaled residual, no t", "A", "A, no t", BLIND), extra=extra),
     "Recorded: trained with t and without",
     "Recorded RMSE by timestep for the broken form and A, with and without t, and for a network "
     "blind to both x_t and t, median and range over three seeds; under random rotations with the "
     "floor, for one protein with the price of reading t from neighbours. An error of zero, as of the "
     "broken form at t = 0, cannot be drawn. Broken without t was run on one protein only.")


# %%
def mean_ends(name, setting):
    """(seeds,) mean error over t = 1 ... 49 in Å; None if not recorded."""
    return None if found[name, setting] is None else found[name, setting][:, 1:].mean(1)


def at_49(name, setting):
    """(seeds,) error at t = 49 in Å; None if not recorded."""
    return None if found[name, setting] is None else found[name, setting][:, 49]


def samples(name, setting):
    """(seeds,) RMSD of sampled structures in Å; None if not recorded."""
    curve = studies.variant_curve(STUDY, name, setting, "sampled")
    return None if curve is None else curve.rmsd[:, -1]


def against(name, other, setting, of=mean_ends):
    """Ratio of two variants, seed by seed, in words."""
    ours, theirs = of(name, setting), of(other, setting)
    if ours is None or theirs is None or len(ours) != len(theirs):
        return "not recorded"
    ratio = ours / theirs
    low = int((ratio < 1).sum())
    verdict = {0: "higher in every seed", len(ratio): "lower in every seed"}.get(low, "seeds disagree")
    return f"{studies.median_range(ratio)}, {verdict}"

# %%
def compare(pairs):
    """A row a pair of variants and a setting: their ratios, seed by seed."""
    return [{"error of": name, "over that of": other, "setting": s,
             **{what: against(name, other, s, of) for what, of in
                (("mean over t = 1 … 49", mean_ends), ("t = 49", at_49), ("samples (RMSD)", samples))}}
            for name, other, where in pairs for s in where]


SEED_BY_SEED = "Recorded: ratio of errors, seed by seed, median (range); below 1 is better"
show.table(compare((("A, no t", "A", WHERE), ("scaled residual, no t", "scaled residual", WHERE[:1]))), SEED_BY_SEED)

# %% [markdown]
# Three seeds are few: "every seed" means three of three, and a ratio close to one is a small thing
# even then. The line *price of reading t* is what the neighbours' reader would add to a perfect
# network of the broken form; it is not a bound, because a network that knows its protein can read t
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
    with torch.no_grad():
        device = next(network.parameters()).device
        vectors = network.denoiser.time(torch.arange(T, device=device)).cpu().double()
    vectors = vectors - vectors.mean(0)
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    return (unit @ unit.T).numpy()


kinds = {"table": "table", "sinusoidal": "sinusoidal", "log-SNR": "log_snr"}
alike = {f"{name}, at start": similarity(build(recipe.but(time_embedding=kind), seed).network)
         for name, kind in kinds.items()}
alike["table, trained"] = similarity(runs["A"].predictor.network)
fig = show.heatmaps(alike, title="How alike are the vectors of two timesteps?", x="timestep t",
                    y="timestep t", value="cosine", diverging=True)
show.figure(fig, "Cosine similarity of the embedding vectors of each pair of timesteps, their mean "
                 "taken away: table, sinusoidal and log-SNR as initialised, and the table of A after "
                 f"the live run ({recipe.steps} steps). A smooth embedding has a broad red diagonal; "
                 "a random table has red on the diagonal alone.")

# %%
show.say("Mean similarity of neighbours t and t + 1: " + "; ".join(
    f"{name} {np.diag(grid, 1).mean():.2f}" for name, grid in alike.items()) + ". "
    f"A row of the table had about {recipe.steps * recipe.noise_levels / T:,.0f} draws to learn from.")
draw(by_timestep(("A", "A, sinusoidal t", "A, log-SNR", "A, no t"), WHERE[:2]),
     "Recorded: fix A with three embeddings, and with none",
     "Recorded RMSE by timestep for fix A with a learned table, sinusoidal and log-SNR embeddings "
     "and without t, median and range over three seeds, for one protein and under random rotations.")
show.table(compare((name, "A", WHERE[:2]) for name in SPECIAL), SEED_BY_SEED)

# %% [markdown]
# The parameters differ a little, a table's rows against a small network's weights; the budget table
# at the end counts them.
#
# ## What a curriculum gives and takes
#
# A curriculum starts with small t and lets the range grow, here over the first half of the run. At
# equal steps it is a *redistribution*: each draw given to small t is taken from large t.

# %%
half = {kind: Curriculum(kind, 0.5) for kind in ("linear", "cosine")}
steps = np.arange(1, recipe.steps + 1)
ends = {"uniform": np.full(len(steps), T)}
ends |= {k: np.array([c.timesteps(i, recipe.steps, 0, T) for i in steps]) for k, c in half.items()}
styles = {"uniform": (ink, "solid"), "linear": (SERIES[3], "dash"), "cosine": (SERIES[2], "dot")}
fig = show.chart([show.Line(k, steps, e - 1, *styles[k]) for k, e in ends.items()],
                 x="step", y="largest t that may be drawn", title="The range of t over a run")
show.figure(fig, "Largest timestep that may be drawn against the step: always 49 for uniform "
                 "sampling; rising over the first half of the run on a line or a half cosine.")

# %%
def shares(end, weights):
    """Share in % of the draws on each t, when step i draws evenly below end[i]."""
    share = ((levels[None, :] < end[:, None]) / end[:, None] * weights[:, None]).sum(0)
    return 100 * share / weights.sum()


rate = np.array([learning_rate(recipe, int(i) - 1) for i in steps])
drawn = {"draws": np.ones(len(steps)), "draws × learning rate": rate}
table = {name: {k: shares(e, w) for k, e in ends.items()} for name, w in drawn.items()}
fig = show.panels({name: [show.Line(k, levels, y, *styles[k]) for k, y in curves.items()]
                   for name, curves in table.items()},
                  x="timestep t", y="share (%)", log_y=True, title="Where the draws go")
show.figure(fig, "Share of noise-level draws by timestep for uniform sampling and both curricula, and "
                 "the same weighted by the learning rate. Curricula give more to small t and less to "
                 "large t; weighted by the falling learning rate, large t loses more.")
last = {name: curves["linear"][49] / curves["uniform"][49] for name, curves in table.items()}
show.say(f"Under the linear curriculum t = 49 has {last['draws']:.0%} of the draws that uniform "
         f"sampling gives it, and t = 0 has {table['draws']['linear'][0] / 2:.1f} times as many. The "
         "learning rate falls over the run, so draws that come late count less: weighted by it, "
         f"t = 49 keeps {last['draws × learning rate']:.0%}.")
stream, features = torch.Generator().manual_seed(seed), Features.of(batch)
taken = [training.draw(LIVE["A, linear curriculum"], batch, features, stream, int(i)).t for i in steps]
goal("mean t of the package's draws, from that of the shares",
     abs(float(torch.cat(taken).float().mean()) - (levels * table["draws"]["linear"]).sum() / 100), "<", 1.5, "timesteps")

# %% [markdown]
# **Predict first.** The failure to be cured is at t = 49. Does it get better or worse?

# %%
lines = [show.Line(n, r.last.errors.t, r.last.errors.rmse, *LOOK[n]) for n, r in runs.items()]
fig = show.chart(lines + show.baseline_lines(base), log_y=True, goal=1.0, x="timestep t",
                 y="RMSE (Å)", title=f"After {recipe.steps} steps: error by timestep ({protein.id})")
show.figure(fig, "Error of one denoising step against the timestep for the broken form, A, and A with "
                 f"a linear curriculum, live, recipe {recipe.name}, seed {seed}, mean of 2 noise "
                 "draws. The dotted line is 1 Å; dashed grey lines predict without learning. An error "
                 "of zero cannot be drawn.")

# %%
groups = {f"t = {t}" if t != "sampled" else t: [
    show.Line(n, *(v[1:] for v in (r.sampled() if t == "sampled" else r.at(t))), *LOOK[n])
    for n, r in runs.items()] for t in (1, 25, 49, "sampled")}
fig = show.panels(groups, log_x=True, log_y=True, goal=1.0, x="steps", y="RMSE (Å)",
                  title="Live: error against optimiser steps")
show.figure(fig, "Error against optimiser steps at t = 1, 25, 49 and of samples, for the broken form, "
                 "A, and A with a linear curriculum, live; the dotted line is 1 Å.")
plain, rising = runs["A"].last, runs["A, linear curriculum"].last
goal("broken form, RMSE at t = 0", runs["broken"].last.errors.rmse[0], "==", 0.0, "Å")
show.say("Live, one seed, the curriculum's error over that of plain A at equal steps: "
         + ", ".join(f"{rising.errors.rmse[t] / plain.errors.rmse[t]:.2f} at t = {t}" for t in (1, 25, 49))
         + f", {rising.sampled_rmse / plain.sampled_rmse:.2f} in samples.")

# %%
CURRICULA = (("A, linear curriculum", "A", WHERE), ("A, cosine curriculum", "A", WHERE[:2]),
             ("scaled residual, linear curriculum", "scaled residual", WHERE[:1]))
draw(by_timestep(("A", "A, linear curriculum", "A, cosine curriculum", "scaled residual",
                  "scaled residual, linear curriculum")),
     "Recorded: curricula against uniform sampling, equal steps",
     "Recorded RMSE by timestep for A and the broken form with uniform sampling and with curricula, "
     "median and range over three seeds. The cosine was not run on ten chains, the broken form's "
     "curriculum on one protein only. An error of zero cannot be drawn.")

show.table(compare(CURRICULA), SEED_BY_SEED)

# %% [markdown]
# ## The recommended path, as written
#
# R14 gives an order. *Path 1*: fix A. *Path 2*: epsilon-prediction with the loss on the noise, and
# the clean trunk (B + E). *Path 3*: rollouts and the curriculum on top. Read as written, phase 2
# *replaces* A by B. Will each phase improve on the one before? **Predict first**, with the cost
# of epsilon's errors in mind: at t = 49 an error of F counts seven times
# ([notebook 08](08_fix_b_epsilon.ipynb)).
#
# Path 3 has the same steps and draws a step, but a quarter of its steps are rollouts of five calls
# ([notebook 10](10_fix_d_rollout.ipynb)), so it makes *more* network calls: look at the budgets.

# %%
PATH = ("A", "path 2: B + E", "path 3: B + E + D + curriculum")
draw(by_timestep(("scaled residual", *PATH, BLIND), WHERE[:2]), "Recorded: the recommended path, phase by phase",
     "Recorded RMSE by timestep for the broken form, the three phases of the recommended path and "
     "the blind network, median and range over three seeds. An error of zero cannot be drawn.")
show.table([row for s in WHERE[:2] for row in studies.error_rows(STUDY, ("scaled residual", *PATH, BLIND), s)],
           "Recorded: RMSE by timestep, RMSD of samples; median (range) over three seeds")
show.table([row for s in WHERE[:2] for row in studies.budget_rows(STUDY, ("scaled residual", *PATH), s)],
           "What each cost; seconds on a shared machine are indicative")

# %%
show.table(compare([(new, old, WHERE[:2]) for new, old in zip(PATH[1:], PATH)]
                   + [(PATH[2], "A", WHERE[:2])]), SEED_BY_SEED)
for s in WHERE[:2]:
    level = {n: samples(n, s) for n in ("scaled residual", *PATH, BLIND)}
    if all(v is not None for v in level.values()):
        order = sorted(level, key=lambda n: np.median(level[n]))
        show.say(f"Samples, {s}, from the lowest median RMSD: "
                 + ", ".join(f"{n} ({np.median(level[n]):.2f} Å)" for n in order) + ".")

# %% [markdown]
# ## Everything in one table

# %%
PLAN = {"one protein": tuple(LOOK),
        "random rotations": tuple(n for n in LOOK if n not in ("scaled residual, no t",
                                                               "scaled residual, linear curriculum")),
        "ten chains": ("scaled residual", "A", "A, no t", "A, linear curriculum", BLIND)}
show.table([row for s, names in PLAN.items() for row in studies.error_rows(STUDY, names, s)],
           "Recorded: RMSE by timestep, RMSD of samples; median (range) over three seeds")
show.say(f"Best possible under random rotations, mean over draws: {FLOOR[1]:.2f} Å at t = 1, "
         f"{FLOOR[25]:.2f} Å at t = 25, {FLOOR[49]:.2f} Å at t = 49.")
extras = ("A", "A, no t", "A, sinusoidal t", "A, log-SNR", "A, linear curriculum")
show.table([row for s in WHERE[:2] for row in studies.budget_rows(STUDY, extras, s)],
           "What the embeddings and the curriculum cost: steps and draws are equal, parameters not")

# %% [markdown]
# ## What to take away
#
# - The noise level can be read from a chain's neighbours, to about $t/\sqrt{L-1}$, and not from
#   the size of $x_t$. A network without t is not a network that does not know t.
# - What a wrong t costs is decided by the form: by algebra nothing for A at its optimum,
#   $|1 - s/s'|$ of *copy x_t* for the broken form.
# - At equal steps a curriculum takes draws from large t, where the report wants its cure.
# - One protein, and ten chains too, have an answer without $x_t$ and t: compare with the blind row
#   before you call any conditioning strong or weak.

# %%
def line(title, name, other, where, of=mean_ends):
    return f"- {title}: " + "; ".join(f"{s}: {against(name, other, s, of)}" for s in where)


show.say("In the recorded runs, error over error, seed by seed (mean over t = 1 … 49):\n\n" + "\n".join((
    line("withholding t from A (R5)", "A, no t", "A", WHERE),
    line("withholding t from the broken form", "scaled residual, no t", "scaled residual", WHERE[:1]),
    line("sinusoidal for a table", "A, sinusoidal t", "A", WHERE[:2]),
    line("log-SNR for a table", "A, log-SNR", "A", WHERE[:2]),
    line("linear curriculum (R14)", "A, linear curriculum", "A", WHERE),
    line("path 2 after path 1 (R14)", PATH[1], PATH[0], WHERE[:2]),
    line("path 3 after path 2 (R14)", PATH[2], PATH[1], WHERE[:2]))))
show.say("This is the laptop size; full size (profile gpu): "
         f"{len(studies.recorded_runs('time_gpu')) or '**not**'} runs recorded. Notebook 16 judges "
         "R5 and R14 with intervals.")

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
# **2.** A memorised protein, the broken form, true t = 49. The network is told 25 and believes it.
# What share of *copy x_t*'s error does it make?

# %% tags=["exercise"]
my_share = None  # between 0 and 1

# %% tags=["solution"]
# Solution
# |1 - s(49) / s(25)| = |1 - sqrt(49 / 25)| = 0.4
solution_2 = abs(1 - np.sqrt(49 / 25))

# %% tags=["check"]
answer = solution_2 if my_share is None else my_share
form, (a, s) = FORMS["residual"], (float(schedule.a[49]), float(schedule.s[49]))
noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
x_t = a * x0 + s * noise
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
metric("broken, mean RMSE over t", float(runs["broken"].last.errors.rmse.mean()), "Å")
metric("A, error told a lie over told the truth", lie_cost(told["A"]))
metric("broken, error made over error if it believed", share)
