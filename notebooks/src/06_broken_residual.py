# %% [markdown]
# # 06 · The report's run, and the scaled residual
#
# A [report](00_tour.ipynb) says that a small diffusion model cannot memorise even one protein, and
# blames a factor in front of the network's output: the scaled residual (the report's). It gives three
# numbers and no recipe. Here what its run can have been is rebuilt from the public code's two scripts, to see where such numbers lie. Then the form is taken apart under a magnifying glass.
#
# **You will learn** to rebuild somebody else's run; to ask which *one* change mends it, before you
# blame a formula; to separate three things that are easily called *the gradient*.
# **Time:** 25 minutes to read, under a minute to run. **Words:** [notation and glossary](reference.md).

# %% tags=["parameters"]
profile = "laptop"
seed = 0

# %%
import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from resfold_nb import measure, show, studies
from resfold_nb.data import load, make_batch, superpose
from resfold_nb.diffusion import FORMS, get_schedule
from resfold_nb.model import Features, count_parameters
from resfold_nb.training import build, draw, learning_rate, named_recipe, train, training_loss
from resfold_nb.verdict import report_run as judged
from resfold_nb.workbook import goal, metric, start

session = start(profile, seed, notebook="06_broken_residual")

# %% [markdown]
# ## What the report saw, and what its run can have been
#
# After 500 steps on one protein: **0.00 Å** at t = 0, **9.17 Å** at t = 49, **6.91 Å** in samples (R1). Two
# scripts stood beside the report. Both train on complexes of *two* chains, by default plan 10,000 updates, and let
# the learning rate fall from 1e-3 to 1e-5 along a half cosine over *all* of them: by step 500 it has
# hardly moved. Both take errors after superposition. They differ in what a step is:
#
# | script | a step | for it | against it |
# |---|---|---|---|
# | `train_resfold`, 64 draws (13.8 million parameters) | one update of 64 noise levels, t = 0 … 49 | the report measures t = 0, says that 2 % of draws are t = 0 and that samples pass it | looks at step 1,000 first |
# | `train_resfold`, 1 draw | one update of one noise level | the same | the same, and nobody's default |
# | `train_resfold_e2e` (7.5 million) | a *micro-step*: one noise level; four make an update, so 500 steps are 125 updates; 20 % of them, here each fifth, are rollouts | looks at step 500; can draw one protein only once a step | t from 1; rollouts are what the report *proposes*, so they may be younger |
# | the same, t from 0, no rollouts | as above | both at once | a guess |
#
# Which one it was cannot be known. Its RMSE may be plain or superposed: the report does not say. Somebody may have
# planned 500 updates, not 10,000. So all of this is tried. `train_resfold_e2e` has a second stage, which also
# trains the trunk on clean centroids and counts in the clipping; it is left out here. The proteins are four
# dimers, chosen by a rule before any run: of the training complexes the first two with 80 to 100 residues, and
# the first two with 190 to 235.

# %%
recipe = named_recipe("e2e_single_steps", profile)  # the last row; its four noise levels of an update as one batch
dimer = load(studies.dimers()[0])
batch = studies.batch_for(recipe, dimer.id)
show.structure(dimer, alt=f"{dimer.id}, {len(dimer)} residues in two chains, one colour each: the first of the four.")

# %% [markdown]
# What a step minimises, and how fast it learns, written out and held against the package: squared distances after
# superposition, summed over x, y and z; all pair distances; and contacts (pairs closer than one unit, on one
# chain only beyond five residues), where pairs between the chains count double.

# %%
def rate(n, planned=10_000):
    """Learning rate after n updates."""
    return 1e-5 + (1e-3 - 1e-5) * (1 + np.cos(np.pi * n / planned)) / 2


def loss_by_hand(x0_pred, x0, chain):
    """Of one noise level, from points (L, 3)."""
    truth = superpose(x0[None], x0_pred[None])[0]                                # (L, 3)
    points = (x0_pred - truth).square().sum(-1).mean()
    said, true = ((z[:, None] - z).norm(dim=-1) for z in (x0_pred, x0))          # (L, L) each
    i, j = torch.triu_indices(len(x0), len(x0), 1)
    between = chain[i] != chain[j]
    contact = (true[i, j] < 1) & (between | (j - i > 5))
    contacts = ((1 + between) * (said - true)[i, j].square())[contact].mean()
    return points + 0.1 * (said - true).square().mean() + 0.1 * contacts


model, features = build(recipe, seed), Features.of(batch)
drawn = draw(recipe, batch, features, torch.Generator().manual_seed(seed))
with torch.no_grad():
    guesses = model(model.add_noise(drawn.x0, drawn.eps, drawn.t), drawn.t, features)
    by_hand = torch.stack([loss_by_hand(x, batch.x0[0], batch.chain[0]) for x in guesses]).mean()
    goal("loss by hand over the package's, less 1", abs(float(by_hand / training_loss(recipe, model, drawn, features)) - 1),
         "<=", 1e-4)
goal("rate by hand less the package's", abs(rate(125) - 1e-3 * learning_rate(recipe, 125)), "<=", 1e-9)

# %% [markdown]
# ## One candidate, live, at that script's size
#
# In `ci` it makes a few steps only; in `laptop` all of them: 125 updates of four noise levels, 500 in all.
# **Predict first:** which of the two will be larger in the end, the error at t = 49 or that of samples?

# %%
MARKS = [round(x * recipe.steps) for x in session.pick(ci=(0.5, 1), laptop=(0.2, 0.5, 1), gpu=(0.2, 0.5, 1))]
figures = {}
for state in tqdm(train(recipe, batch, seed, session.device), total=recipe.steps + 1, desc=recipe.name, mininterval=1):
    if state.step in MARKS:
        clean, noisy = measure.error_by_timestep(state.predictor, batch, draws=2, timesteps=(0, 49)).rmsd
        copies = 2 if state.step == recipe.steps else 1
        drawn = measure.sample(state.predictor, batch, copies=copies, x0_clamp=recipe.x0_clamp).final
        plain, sampled = (errors.mean() for errors in measure.sample_errors(drawn, batch))
        figures[recipe.noise_levels * state.step] = {"t = 0": clean, "t = 49": noisy, "sampled": sampled}
rebuilt = state.predictor
print(f"{count_parameters(rebuilt):,} parameters, {recipe.steps} updates, {max(figures)} noise-level draws")

# %% tags=["plot"]
curve = pd.DataFrame(figures).T
training = [show.Line(at, curve.index, curve[at], colour)
            for at, colour in (("t = 49", show.PALETTE["residual"]), ("sampled", show.PALETTE["x0"]))]
training += [show.Line(f"{at}, the report", curve.index, [value] * len(curve), line.colour, "dash")
             for (at, value), line in zip(judged.REPORT.items(), training)]
fig = show.chart(training, log_x=True, log_y=True, x="noise levels drawn (micro-steps)", y="RMSD (Å)",
                 title=f"One candidate for the report's run, on {dimer.id}")
show.figure(fig, f"Superposed error at t = 49 and of samples against training, live, recipe {recipe.name}, seed {seed}; "
                 "dashed: the report's figures after 500 steps.")

# %%
end = measure.error_by_timestep(rebuilt, batch, draws=2, timesteps=range(1, 50, 3))
base = measure.baselines(get_schedule("linear"), float(batch.x0.square().mean().sqrt()), float(batch.scale[0]))
fig = show.chart([show.Line("plain (RMSE)", end.t, end.rmse, show.PALETTE["eps"]),
                  show.Line("superposed (RMSD)", end.t, end.rmsd, show.PALETTE["residual"]), *show.baseline_lines(base)],
                 log_y=True, x="timestep t", y="error (Å)", title=f"Error by timestep, {dimer.id}")
show.figure(fig, f"Plain and superposed error of one step by timestep, live, at the end; mean of 2 draws; recipe "
                 f"{recipe.name}, seed {seed}. Grey dashed: expected plain error of predictors that learn nothing.")
at_end = figures[max(figures)]
show.say(f"After {max(figures)} draws, superposed: **{at_end['t = 0']:.2f} Å** at t = 0, **{at_end['t = 49']:.2f} Å** at "
         f"t = 49, **{at_end['sampled']:.2f} Å** in samples; plain **{end.rmse[-1]:.1f}** and **{plain:.1f} Å**. The report: "
         "0.00, 9.17 and 6.91 Å. One run, one seed, one protein: it decides nothing.")

# %%
show.sampling({"scaled residual": rebuilt}, batch, superposed=True, x0_clamp=recipe.x0_clamp,
              alt=f"Sampling {dimer.id} after training, a frame a network call, chains in two colours, turned onto "
                  "the true centroids in grey; below, the superposed error of the prediction.")

# %% [markdown]
# ## Predict first
#
# So the scripts were run at two rates, with the report's form and with repairs, and the rules that judge them were
# committed before. Which *one* change will mend the two figures most: a rate that falls to 1e-5 within the
# run, four draws an update instead of one, fix A, or a smaller protein?
#
# ## Every run a point
#
# Recorded with `python -m resfold_nb study report_run --out data/recorded` (CPU, profile laptop), 500
# micro-steps each. The star is the report's run; within the dotted frame both figures are within a
# factor of 1.5 of it. First after superposition, as the public code measured; then plain (that second look was
# added after the first runs had been seen).

# %%
recorded = studies.load("report_run")
runs, plainly = (judged.runs_of(recorded, value=value) for value in ("rmsd", "rmse"))
show.report_run(runs)
show.report_run(plainly, plain=True)

# %%
for said, each in (("After superposition", runs), ("Plain", plainly)):
    table = judged.explains(each)
    show.say(f"**{said}**, runs of the scaled residual within a factor of 1.5 of both figures: " + ("; ".join(
        f"{row.setting}, {row.change}: {row.share:.0%} of {row.count}" for row in table.itertuples()) or "not recorded") + ".")
words = judged.explains(runs)["word"].value_counts()  # of the rule that was committed before the runs
show.say("By the rule, a script at one rate *explains* the figures with half of its runs, *can* with any: "
         + (", ".join(f"{n} **{word}**" for word, n in words.items()) or "**not recorded**") + ".")
lacking = [name for name in ("resfold, 64 draws", "skip, no scale", "scale, no skip", "B, own loss", "C, own loss")
           if name not in {*runs["setting"], *runs["variant"]}]
seeds = ", ".join(f"{n} on {name}" for name, n in runs.groupby("protein")["seed"].nunique().items())
show.say(f"{len(runs)} runs; seeds: {seeds or 'none'}. Not recorded: "
         f"{', '.join(lacking) or 'nothing of the first plan'}.")

# %% [markdown]
# ## One change at a time
#
# Each dot is the ratio of superposed errors of runs that differ in the named change, from the report's form at the
# planned rate; same protein, same seed (dimers of two sizes are paired as they are listed, each error over
# its radius of gyration). Left of the line the change helps. The bar is Student's 95 % interval of the geometric
# mean: over proteins where there are three or more, else over the seeds of those two alone. *Better* and *worse*
# need the whole bar beyond a tenth, *equivalent* the whole bar within; with few proteins most are *open*.

# %%
changed = pd.concat([judged.changes(runs, at).assign(at=at) for at in judged.REPORT])
script = changed["setting"].str.replace("(, )?(planned rate|scaled residual)", "", regex=True).str.strip(", ")
show.dots(changed.assign(row=(changed["what"] + " · " + script).str.strip(" ·")), value="ratio", rows="row", panel="at",
          colour="answer", order=["better", "equivalent", "worse", "open"], reference=1,
          x="error after the change over before", title="One thing changed",
          alt="Recorded, superposed errors at t = 49 and of samples: the ratio that each change makes to runs of the scaled "
              "residual at the planned rate, a row a setting, with 95 % intervals; colour: better, equivalent, worse or open.")

# %%
for at, rows in changed.groupby("at", sort=False):
    typical = rows.groupby("what", sort=False)["ratio"].median().sort_values()
    show.say(f"**{at}**, median over settings: " + "; ".join(f"{what} {r:.2f}" for what, r in typical.items())
             + f". Lowest: **{typical.index[0]}**.")
dice = np.random.default_rng(0)
covered = [low <= 0 <= high for _, low, high in (measure.student(list(x)) for x in dice.standard_normal((2000, 4, 1)))]
show.say(f"How often does such an interval, from four proteins with one seed each, hold the truth? In 2,000 simulations "
         f"with normal log ratios: **{np.mean(covered):.1%}**.")
fifty = studies.load("report_run", table="quantities").query("quantity == 'sampled, 50 calls, RMSD (Å)'")
both = fifty.merge(runs, on=["setting", "change", "variant", "protein", "seed"])
show.say("A 50th call, at t = 0, as `train_resfold` makes it, changes the error of samples by a factor of " + "; ".join(
    f"{x.min():.2f} to {x.max():.2f} ({name})" for name, x in (both["value"] / both["sampled"]).groupby(both["variant"])) + ".")

# %% [markdown]
# ## The form, under a magnifying glass
#
# What does the form contribute? A full-size run is slow to take apart, so the rest of this notebook uses
# laptop-sized recipes on a single chain, *as what they are*: magnifying glasses, not the report's run. The
# points are the centroids of each residue's backbone atoms, divided by their standard deviation
# ([notebook 01](01_proteins_as_points.ipynb)). From noisy points $x_t = a\,x_0 + s\,\varepsilon$ the
# report's form guesses the clean ones by adding a scaled correction to what it sees:
#
# $$\hat x_0 = x_t + \sqrt{t/T}\;F(x_t, t), \qquad T = 50.$$
#
# With the report's schedule $\sqrt{t/T} = s$: the factor is the amplitude of the noise itself. So
# the network must produce
# $F^* = \frac{s}{1+a}\,x_0 - \varepsilon$: the *whole* noise, point by point, at every t, and a share
# of $x_0$ that grows with t. Keep that in mind; notebook 14 will make it a map.

# %%
protein = load(session.pick(ci="1WY3_A", laptop="1HZ6_A", gpu="1HZ6_A"))
batch = make_batch(protein)
sd = float(batch.scale[0])
schedule = get_schedule("linear")
form = FORMS["residual"]
rows = []
for t, theirs in ((0, 0.000), (1, 0.141), (5, 0.316), (25, 0.707), (49, 0.990)):
    a, s = schedule.a[t], schedule.s[t]
    rows.append({"t": t, "report: scale": theirs, "here: c_out": float(form.c_out(a, s)),
                 "x0 in F*": float(form.target_x0(a, s)), "eps in F*": float(form.target_eps(a, s))})
show.table(rows, "The scale of the report's table is c_out; the last two columns are what F must hold")

# %% [markdown]
# ## Predict first
#
# The report infers from the column *report: scale* that learning is impossible at t = 0 and
# suppressed at small t (its statements R2 and R3). Before you go on, write down: at which t will
# the trained model's error be largest? At the small t, where its gradient is smallest?

# %% [markdown]
# ## Three gradients, told apart
#
# For the error of one point, $L = |\hat x_0 - x_0|^2$, the chain rule gives
#
# $$\frac{\partial L}{\partial F} = 2\,c_\mathrm{out}(t)\,(\hat x_0 - x_0).$$
#
# 1. $c_\mathrm{out}$ is the **Jacobian** of $\hat x_0$ with respect to F. It is what the report
#    tabulates. It depends on t alone.
# 2. $\partial L/\partial F$ is the **gradient at F**. It also holds the error, which is large where
#    the noise is large.
# 3. The **gradient over the weights** is what the optimiser gets. It also holds the network.
#
# All three, by autograd in the real, untrained network:

# %%
recipe = named_recipe("starved", profile, form="residual", steps=session.pick(ci=150, laptop=150, gpu=500))
untrained = build(recipe, seed, session.device)
gradients = {"at initialisation": measure.gradient_by_timestep(untrained, batch, draws=2)}
g = gradients["at initialisation"]

fig = show.chart([show.Line("Jacobian c_out", g.t, g.c_out, "#222222", "dash"),
                  show.Line("gradient at F", g.t, g.at_f, show.PALETTE["residual"]),
                  show.Line("2 c_out × error", g.t, g.predicted, "#56B4E9", "dot"),
                  show.Line("gradient over weights", g.t, g.at_weights, show.PALETTE["x0"], "dashdot")],
                 log_y=True, x="timestep t", y="length (loss in units of σ²)", title="Three gradients, untrained")
show.figure(fig, f"Jacobian, gradient at F (root mean square length over points and draws), the formula for it, and "
                 f"norm of the gradient over all weights, by timestep; recipe {recipe.name}, untrained, seed {seed}. "
                 "All are 0 at t = 0, which this axis cannot show.")
print(f"largest difference between autograd and 2 c_out (x0_pred - x0): {g.largest_difference:.1e}")
show.say("Gradient at F: " + ", ".join(f"{g.at_f[t]:.2f} at t = {t}" for t in (0, 1, 5, 25, 49)) + ".")

# %%
goal("gradient at F, t = 0", float(g.at_f[0]), "==", 0.0)
goal("autograd against the formula", g.largest_difference, "<=", 1e-5)
metric("gradient at F, t = 1 over t = 49, untrained", g.at_f[1] / g.at_f[49])
metric("gradient over weights, t = 1 over t = 49, untrained", g.at_weights[1] / g.at_weights[49])

# %% [markdown]
# At t = 0 the gradient is zero to the last bit, as the report says. But at t = 0 the input *is*
# the answer: $x_0$ itself comes in. What would a gradient there teach? Whether the zero does harm
# is a question for a measurement; a later notebook makes it, and exercise 2 lets you try.

# %% [markdown]
# ## The form failing, live
#
# The recipe *starved* is a deep, narrow network that sees one noise level a step, here for fewer
# steps than the recorded runs below. It was chosen for its contrast on protein L;
# notebook 07 shows what it does on proteins it was not chosen on.

# %%
marks = measure.marks_for(recipe.steps, session.pick(ci=3, laptop=4, gpu=12))
SCOPED, seen = (0, 1, 5, 10, 20, 30, 40, 49), []
measured, moments = [], {recipe.steps // 10, recipe.steps}
for state in tqdm(train(recipe, batch, seed, session.device), total=recipe.steps + 1,
                  desc="scaled residual", mininterval=1):
    if state.step in marks:
        measured.append(measure.measure_state(recipe, state, batch, copies=2))
        seen.append(show.scope_of(state, batch, SCOPED))
    if state.step in moments:
        gradients[f"after {state.step} steps"] = measure.gradient_by_timestep(
            state.predictor, batch, draws=2)
model = state.predictor
print(f"{count_parameters(model):,} parameters, {recipe.steps} steps, "
      f"{recipe.steps * recipe.noise_levels} noise-level draws")

# %%
def at_moments(run, moments):
    """The rows measured nearest to each moment, step: name, each as the end of a shorter run."""
    near = {run.step[(run.step - step).abs().idxmin()]: name for step, name in moments.items()}
    rows = run[run.step.isin(near)]
    return rows.assign(moment=rows.step.map(near), steps=rows.step)


live = studies.frame_of({"scaled residual": measure.Run(recipe, seed, model, measured)})
base = measure.baselines(schedule, 1.0, sd)
chosen = [measured[i].step for i in np.linspace(1, len(measured) - 1, 4).round().astype(int)]
show.by_timestep(at_moments(live, {step: f"after {step} steps" for step in chosen}), by="moment",
                 lines=show.baseline_lines(base), log_y=False,
                 title=f"Error of the scaled residual by timestep ({protein.id})",
                 alt=f"Error of one denoising step against the timestep, live, recipe {recipe.name}, seed {seed}. At "
                     f"the end it is largest at t = {measured[-1].errors.rmse.argmax()}; the dotted horizontal line "
                     "is 1 Å, the grey dashed ones predict without learning.")

# %% [markdown]
# Was your prediction right? Two ends, in numbers:

# %%
end = measured[-1].errors
show.say(f"This run's error is largest at **t = {end.rmse.argmax()}** ({end.worst:.2f} Å), where c_out "
         f"is {form.c_out(schedule.a, schedule.s)[end.rmse.argmax()]:.2f}. At t = 1 copying x_t "
         f"already gives {base['copy x_t'][1]:.2f} Å; the trained form has {end.rmse[1]:.2f} Å, "
         f"{'not below' if end.rmse[1] >= 1 else 'below'} 1 Å.")

# %% [markdown]
# Keep the second number in mind, because samples end at t = 1. How does the gradient change as the
# model learns?

# %% tags=["plot"]
colours = ["#56B4E9", "#0072B2", "#003B5C"]
lines = [show.Line(name, g.t[1:], g.at_f[1:], c) for (name, g), c in zip(gradients.items(), colours)]
lines += [show.Line("Jacobian c_out", np.arange(1, 50),
                    form.c_out(schedule.a, schedule.s)[1:], "#222222", "dash")]
weights = [show.Line(name, g.t[1:], g.at_weights[1:], c)
           for (name, g), c in zip(gradients.items(), colours)]
fig = show.panels({"gradient at F": lines, "gradient over weights": weights}, log_y=True,
                  title="The gradient of the squared error, by timestep", x="timestep t",
                  y="norm (loss in units of σ²)")
show.figure(fig, "Gradient at F and over the weights against the timestep, before and during "
                 "training, with the Jacobian c_out for comparison; t = 0, where it is zero, cannot "
                 "be drawn on a logarithmic axis.")

# %% [markdown]
# The same by training step, with what the model made of one noise draw at that moment. Choose a cell
# with the two sliders, or click it. Where is the gradient large, and is that where the prediction moves?

# %%
show.gradient_scope(show.Scope.joined(seen), batch, title="Gradient over the weights",
                    alt="Heat map of the gradient over all weights by timestep and training step, live; beside "
                        "it the chosen cell's prediction, the true centroids in grey. At t = 0 there is none.")

# %% [markdown]
# ## A structure, sampled
#
# Sampling starts from pure noise at t = 49 and calls the network 49 times, t = 49 … 1
# ([samplers](reference.md#Samplers)). Left: what the sampler holds. Right: what the network thinks
# the protein is; its last frame, the prediction at t = 1, *is* the sample. Grey: the truth. Drag to
# rotate; move the slider with the arrow keys.

# %%
show.sampling({"scaled residual": model}, batch,
              alt="Sampling with the scaled residual, from noise to structure, one frame a network "
                  "call, the true centroids in grey; below, the error of the prediction.")

# %% [markdown]
# ## Predict first
#
# So far one recipe and one seed. Will a *well-fed* model, with many noise levels a step, fail at the
# same t?
#
# ## Three recipes, recorded
#
# The same form was trained with three recipes: *well fed* (small network, 24 noise levels a step),
# *starved* (deep, one noise level a step) and *superposed loss* (a loss after superposition, with pair
# distances, which earlier editions called *as published*: it shares with the public code only that
# loss). Depth, noise levels, learning rate, clipping and loss differ together, so this
# compares recipes, not one budget. *Superposed loss* is free to put
# the protein in any orientation, so only its superposed error means anything.
#
# Recorded with `python -m resfold_nb study contrast --out data/recorded`: 1HZ6_A on a CPU, errors
# averaged over 2 noise draws. Lines are medians over seeds, bands the range.

# %%
recorded = studies.load("contrast").query("form == 'residual' and protein == '1HZ6_A'")
recorded = recorded.assign(at=recorded.t.map({t: t if t == "sampled" else f"t = {t}" for t in (1, 25, 49, "sampled")}))
show.by_step(recorded, by="at", panel="recipe", value="rmsd",
             title="The scaled residual, three recipes, after superposition",
             alt="Recorded error against optimiser steps for the three recipes, at t = 1, 25, 49 and of sampled "
                 "structures, after superposition, median and range over seeds; the dotted line is 1 Å.")

# %%
moments = {10: "about 10 steps", 50: "about 50 steps", 150: "about 150 steps", 10**6: "at the end"}
floor = measure.baselines(schedule, 1.0, float(make_batch(load("1HZ6_A")).scale[0]))
some = pd.concat([recorded.head(0).assign(moment=""),
                  *(at_moments(runs, moments) for _, runs in recorded.groupby("recipe", sort=False))])
show.by_timestep(some, by="moment", panel="recipe", value="rmsd", lines=show.baseline_lines(floor), log_y=False,
                 title="Error by timestep over training, after superposition (1HZ6_A)",
                 alt="Recorded error by timestep at four moments of training, for the three recipes, after "
                     "superposition, median and range over seeds; the grey dashed lines are the expected RMSE, not "
                     "superposed, of predictors that learn nothing.")

# %%
last = studies.ends(recorded).query("t != 'sampled'")
for name, runs in last.groupby("recipe", sort=False):
    worst = runs.pivot(index="t", columns="seed", values="rmsd").astype(float).idxmax()
    show.say(f"*{name}*: at the end of the runs the largest superposed error is at "
             f"t = {', '.join(map(str, sorted(set(worst))))} (over {len(worst)} seeds).")

# %% [markdown]
# ## What to take away
#
# - Rebuild the run before you judge the formula. Which recipes reach the report's figures, and which one
#   change mends them, is what the first picture and the dots below it say.
# - The gradient at F vanishes at t = 0 exactly. The report's table is the Jacobian, not the
#   gradient: the gradient also holds the error.
# - *Where* the form fails depends on the recipe: compare the lines above. A missing gradient at low
#   t cannot explain a failure at t = 49; but an error that stays at t = 1 is another matter, and
#   every sample ends there.
#
# The next notebook changes the form and nothing else.
#
# ## Exercises
#
# **1.** Suppose F = 0 and data of unit variance. Derive the root mean square of one component of
# $\partial L/\partial F$ and give its value at t = 25. (The picture above shows lengths, which are
# $\sqrt{3}$ times larger, of a network whose F is not zero at the start.)

# %% tags=["exercise"]
my_gradient_at_25 = None  # your number

# %% tags=["solution"]
# Solution
# With F = 0 the error is x_t - x0 = (a - 1) x0 + s eps, of variance (1-a)^2 + s^2 = 2 - 2a.
a, s = float(schedule.a[25]), float(schedule.s[25])
solution_1 = 2 * s * np.sqrt(2 - 2 * a)

# %% tags=["check"]
answer = solution_1 if my_gradient_at_25 is None else my_gradient_at_25
x0, eps = torch.randn(2, 200_000, generator=torch.Generator().manual_seed(0))
simulated = 2 * s * float((((a - 1) * x0 + s * eps) ** 2).mean().sqrt())
assert abs(answer - simulated) < 0.03 * simulated, f"simulated: {simulated:.3f}"
print("not answered; the solution is" if my_gradient_at_25 is None else "right:",
      f"{answer:.3f} (simulated {simulated:.3f})")

# %% [markdown]
# **2.** What share of training draws falls on t = 0? (To see what they are good for, train the recipe
# with `.but(first_timestep=1)`, which leaves them out.)

# %% tags=["exercise"]
my_share = None  # between 0 and 1

# %% tags=["solution"]
# Solution
solution_2 = 1 / schedule.timesteps  # t is drawn uniformly from 0 ... 49; the loss there is 0

# %% tags=["check"]
answer = solution_2 if my_share is None else my_share
generator = torch.Generator().manual_seed(seed)
drawn = torch.randint(0, 50, (100_000,), generator=generator)
assert abs(answer - float((drawn == 0).float().mean())) < 0.003
print("not answered; the solution is" if my_share is None else "right:", f"{answer:.1%} of draws")

# %%
metric("the report's run rebuilt, RMSD at t = 49", at_end["t = 49"], "Å")
metric("the report's run rebuilt, sampled RMSD", at_end["sampled"], "Å")
goal("the report's run rebuilt, RMSD at t = 0", at_end["t = 0"], "<=", 1e-3, "Å")
last = measured[-1]
metric("scaled residual, RMSE at t = 1", last.errors.rmse[1], "Å")
metric("scaled residual, RMSE at t = 25", last.errors.rmse[25], "Å")
metric("scaled residual, RMSE at t = 49", last.errors.rmse[49], "Å")
metric("scaled residual, sampled RMSE", last.sampled_rmse, "Å")
goal("scaled residual, RMSE at t = 0", float(last.errors.rmse[0]), "==", 0.0, "Å")
