# %% [markdown]
# # 07 · Fix A: predict x0 directly
#
# The report's first and simplest repair drops the scaled residual: the network's output *is* the
# prediction, $\hat x_0 = F(x_t, t)$. Here it runs beside the broken form, on the same recipe, the
# same noise and the same budget. Then the repair is taken apart, because it changes two things.
#
# **You will learn** to compare two forms fairly, and to separate two changes that were made
# together. **Time:** 15 minutes to read, under a minute to run.
# **Words:** [notation and glossary](reference.md).

# %% tags=["parameters"]
profile = "laptop"
seed = 0

# %%
from dataclasses import replace

import numpy as np
import torch

from resfold_nb import measure, show, studies
from resfold_nb.data import load, make_batch, rmse, superpose
from resfold_nb.diffusion import FORMS, get_schedule
from resfold_nb.model import count_parameters
from resfold_nb.training import named_recipe
from resfold_nb.workbook import goal, metric, start

session = start(profile, seed, notebook="07_fix_a_direct_x0")

# %%
protein = load(session.pick(ci="1WY3_A", laptop="1HZ6_A", gpu="1HZ6_A"))
batch = make_batch(protein)
schedule, sd = get_schedule("linear"), float(batch.scale[0])
base = measure.baselines(schedule, 1.0, sd)
print(f"{protein.id}: {len(protein)} residues, standard deviation {sd:.2f} Å; "
      f"predicting zero has an RMSE of {base['predict zero'][0]:.2f} Å")

# %% [markdown]
# ## One line of difference
#
# Every form of this workbook is a row of one table. Fix A is the row with
# $c_\mathrm{skip} = 0$ and $c_\mathrm{out} = 1$. Network, schedule, loss, optimiser and sampler
# stay as they are.

# %%
rows = []
for name in ("residual", "x0", "skip_unscaled", "scaled_no_skip"):
    form = FORMS[name]
    at = {t: (schedule.a[t], schedule.s[t]) for t in (1, 25, 49)}
    rows.append({"form": form.label,
                 **{f"c_skip, t={t}": float(form.c_skip(*c)) for t, c in at.items()},
                 **{f"c_out, t={t}": float(form.c_out(*c)) for t, c in at.items()}})
show.table(rows, "Fix A removes the skip and the scale; the two controls remove one of them")

# %% [markdown]
# ## Predict first
#
# The protein never changes, so one constant answers at every t. Which form reaches that constant
# with the fewest steps, and why? And what must F of the broken form do *at t = 49*, where its
# scale is 0.99, that F of fix A need not? Write it down before you go on.

# %% [markdown]
# ## Both, live
#
# Recipe *well fed*: a small network that sees 24 noise levels a step. Same seed for both, so the
# same initial weights, the same timesteps and the same noise.

# %%
recipe = named_recipe("well_fed", profile)
marks = measure.marks_for(recipe.steps, session.pick(ci=5, laptop=9, gpu=14))
runs = {form: measure.train_and_measure(recipe.but(form=form), batch, seed, device=session.device,
                           marks=marks, progress=show.progress) for form in ("residual", "x0")}

budget = [{"form": FORMS[f].label, "parameters": count_parameters(r.predictor),
           "steps": recipe.steps, "noise-level draws": recipe.steps * recipe.noise_levels,
           "training (s)": r.train_seconds} for f, r in runs.items()]
show.table(budget, f"The same budget on both sides (recipe {recipe.name}, seed {seed}, "
                   f"{session.device})")

# %%
lines = [show.form_line(f, r.last.errors.t, r.last.errors.rmse) for f, r in runs.items()]
fig = show.chart(lines + show.baseline_lines(base), log_y=True, goal=1.0, x="timestep t",
                 y="RMSE (Å)", title=f"After {recipe.steps} steps: error by timestep ({protein.id})")
show.figure(fig, f"Error of one denoising step against the timestep for the broken form and fix A, "
                 f"live, recipe {recipe.name}, seed {seed}, mean of 2 noise draws. The dotted line "
                 "is 1 Å; dashed lines predict without learning.")

# %%
groups = {f"t = {t}" if t != "sampled" else "sampled": [
    show.form_line(f, *(a[1:] for a in (r.sampled() if t == "sampled" else r.at(t))))
    for f, r in runs.items()] for t in (1, 25, 49, "sampled")}
fig = show.panels(groups, log_x=True, log_y=True, goal=1.0, x="steps", y="RMSE (Å)",
                  title="Error against optimiser steps: broken form and fix A")
show.figure(fig, "Error against optimiser steps at t = 1, 25 and 49 and of sampled structures, for "
                 "the broken form and fix A, live; the dotted line is 1 Å.")

# %% [markdown]
# ## The test that the report asks for
#
# *One sample, below 1 Å at every t* (R15). For fix A it is asserted, not only shown: the error of
# one denoising step at each t from 0 to 49, and of each structure sampled from pure noise.

# %%
fixed, broken = runs["x0"].last, runs["residual"].last
sixteen = measure.error_by_timestep(runs["x0"].predictor, batch, draws=16)
samples = {f: measure.sample(r.predictor, batch, copies=4) for f, r in runs.items()}
plain, superposed = measure.sample_errors(samples["x0"].final, batch)
goal("fix A, worst RMSE over t = 0 … 49, mean of 16 draws", sixteen.worst, "<", 1.0, "Å")
goal("fix A, worst RMSE of 4 DDPM samples", float(plain.max()), "<", 1.0, "Å")
goal("broken form, RMSE at t = 0", float(broken.errors.rmse[0]), "==", 0.0, "Å")
goal("timesteps measured", len(sixteen.t), "==", 50)
below = "below" if broken.errors.worst < 1 else "not below"
show.say(f"The broken form is **{below} 1 Å** at every t here: its worst error is "
         f"{broken.errors.worst:.2f} Å, at t = {broken.errors.t[broken.errors.rmse.argmax()]}; fix "
         f"A's is {fixed.errors.worst:.2f} Å.")

# %% [markdown]
# ## Side by side
#
# The same noise for both; the colours run from the first residue to the last. First one denoising
# step at each t, then a sampler's way from t = 49 down. The markers stand at the slider's t.

# %%
models = {"scaled residual": runs["residual"].predictor, "fix A": runs["x0"].predictor}
show.denoising(models, batch, alt="One denoising step from the same x_t with the broken form and fix A, "
                                  "the true centroids in grey; below, the error by timestep.")

# %%
show.sampling(models, batch, alt="Sampling from the same noise with the broken form (left) and fix A "
                                 "(right), the true centroids in grey; below, the error of x0_pred.")

# %% [markdown]
# ## Starved, on proteins it was not chosen on
#
# The well-fed recipe is kind. *Starved* is a deep network with one noise level a step. It was chosen
# on 1HZ6_A *because* the two forms differ there, among eight settings; only the other three proteins
# are a test. The learning rate is the same for every form and tuned for none of them apart.
# Recorded with `python -m resfold_nb study contrast --out data/recorded`. We expected the broken
# form's error at t = 49 to be at least twice that of fix A. Whatever came out stands here.

# %%
STUDY, PROTEINS = "contrast", ("1HZ6_A", "1R69_A", "1TG0_A", "1CY5_A")
show.say("Shown in every profile: the study of the laptop size, on a CPU. The full size stands below, "
         "under *Two changes, not one*.")


def recorded(name, form, protein_id, t):
    return studies.recorded_curve(STUDY, named_recipe(name, form=form), protein_id, t)


rows, ratios = [], {}
for protein_id in PROTEINS:
    a, b = (recorded("starved", f, protein_id, 49) for f in ("residual", "x0"))
    if a and b:
        ratios[protein_id] = ratio = a.rmse[:, -1] / b.rmse[:, -1]
        rows.append({"protein": protein_id + (" (chosen on)" if protein_id == PROTEINS[0] else ""),
                     "scaled residual, t = 49 (Å)": studies.median_range(a.rmse[:, -1]),
                     "A, t = 49 (Å)": studies.median_range(b.rmse[:, -1]),
                     "ratio, per seed": studies.median_range(ratio),
                     "at least 2 in": f"{(ratio >= 2).sum()} of {len(ratio)} seeds"})
show.table(rows or [{"study": "not recorded"}], "Recorded, recipe starved: median (range) over seeds")

# %%
unseen = {k: v for k, v in ratios.items() if k != PROTEINS[0]}
if unseen:
    every, low = np.concatenate(list(unseen.values())), min(unseen, key=lambda k: np.median(unseen[k]))
    show.say(f"On the proteins it was not chosen on, the broken form's error at t = 49 is at least "
             f"twice fix A's in **{(every >= 2).sum()} of {len(every)}** runs; the lowest median ratio "
             f"is {np.median(unseen[low]):.2f} ({low}).")
below = {f: [studies.recorded_ends(STUDY, named_recipe("starved", form=f), PROTEINS, t)
             for t in range(50)] for f in ("residual", "x0")}
for f, ends in below.items():
    if all(e is not None for e in ends):
        under = (np.stack(ends).max(0) < 1).sum()
        show.say(f"{FORMS[f].label}: below 1 Å at *every* t, the report's test, in **{under} of "
                 f"{len(ends[0])}** starved runs.")

# %%
groups = {p: [show.form_line(f, c.steps[1:], c.rmse[:, 1:]) for f in ("residual", "x0")
              if (c := recorded("starved", f, p, 49))] for p in PROTEINS}
fig = show.panels(groups, log_x=True, log_y=True, goal=1.0, x="steps", y="RMSE at t = 49 (Å)",
                  title="Starved: the broken form and fix A at t = 49")
show.figure(fig, "Recorded error at t = 49 against optimiser steps for the broken form and fix A on "
                 "four proteins, median and range over seeds; the dotted line is 1 Å.")

# %% [markdown]
# The same two forms under all three recipes, on 1HZ6_A. *As published* is trained after
# superposition, so the errors are superposed here.

# %%
NAMES = ("well_fed", "starved", "as_published")
for t in (49, "sampled"):
    groups = {n.replace("_", " "): [show.form_line(f, c.steps[1:], c.rmsd[:, 1:])
                                    for f in ("residual", "x0")
                                    if (c := recorded(n, f, PROTEINS[0], t))] for n in NAMES}
    what = "sampled structures" if t == "sampled" else f"t = {t}"
    fig = show.panels(groups, log_x=True, log_y=True, goal=1.0, x="steps", y="RMSD (Å)",
                      title=f"Three recipes, {what}: the broken form and fix A")
    show.figure(fig, f"Recorded superposed error of {what} against optimiser steps for the broken "
                     "form and fix A under three recipes; the dotted line is 1 Å.")

# %% [markdown]
# ## Two changes, not one
#
# Fix A takes away the *scale* and the *skip* together. The report credits the scale. Two controls
# complete the experiment: keep the skip but drop the scale, and keep the scale but drop the skip.
# **Predict first:** which of them will look like fix A at t = 49? And in sampled structures?

# %%
GRID = {("skip", "scale sqrt(t/T)"): "residual", ("skip", "no scale"): "skip_unscaled",
        ("no skip", "scale sqrt(t/T)"): "scaled_no_skip", ("no skip", "no scale"): "x0"}
SETTINGS = (("starved", PROTEINS), ("well_fed", PROTEINS[:1]), ("as_published", PROTEINS[:1]))


def ends(name, form, t, proteins, profile="laptop"):
    recipe = named_recipe(name, profile, form=form)
    return studies.recorded_ends(studies.table_name(STUDY, profile), recipe, proteins, t, superposed=True)


def grid(profile="laptop"):
    """A row a recipe and a cell of the experiment."""
    return [{"recipe": name.replace("_", " "), "skip": skip, "scale": scale,
             **{f"t = {t} (Å)" if t != "sampled" else "sampled (Å)":
                studies.median_range(ends(name, form, t, proteins, profile))
                for t in (1, 25, 49, "sampled")}}
            for name, proteins in SETTINGS for (skip, scale), form in GRID.items()]


show.table(grid(), "Recorded: error after superposition, median (range) over proteins and seeds")

# %%
def single_changes(name, proteins, t, profile="laptop"):
    """What each change alone makes of the broken form's median error."""
    found = {f: ends(name, f, t, proteins, profile) for f in GRID.values()}
    if any(v is None for v in found.values()):
        return None
    m = {f: float(np.median(v)) for f, v in found.items()}
    better = "the scale" if m["skip_unscaled"] < m["scaled_no_skip"] else "the skip"
    return {"broken (Å)": m["residual"], "drop only the scale (Å)": m["skip_unscaled"],
            "drop only the skip (Å)": m["scaled_no_skip"], "drop both = A (Å)": m["x0"],
            "better to drop": better, "lowest of the four": FORMS[min(m, key=m.get)].label}


def all_changes(profile="laptop"):
    return [{"recipe": name.replace("_", " "), "at": t if t == "sampled" else f"t = {t}", **found}
            for name, proteins in SETTINGS for t in (49, "sampled")
            if (found := single_changes(name, proteins, t, profile))]


changes = all_changes()
show.table(changes or [{"study": "not recorded"}],
           "Recorded medians after superposition: each change alone, and both")

# %%
def answers(column, at):
    return " or ".join(sorted({row[column] for row in changes if row["at"] == at}))


if changes:
    beaten = [row["recipe"] for row in changes if row["at"] == "sampled"
              and row["drop only the scale (Å)"] < row["drop both = A (Å)"]]
    show.say(f"If only one may go: at **t = 49** better {answers('better to drop', 't = 49')}, for "
             f"**sampled structures** better {answers('better to drop', 'sampled')}. For samples, "
             "keeping the skip and dropping only the scale has a lower median than fix A under: "
             f"{', '.join(beaten) or 'none'}.")

# %% [markdown]
# ### The same at full size
#
# On one GPU, with the public code's 13.76 million parameters: *as published* whole, *starved* with
# one noise level. (*Well fed* is a small network in every profile; there it has 2,000 steps, so its
# rows tell of a longer run and not of size. *As published* has four times the laptop's noise levels,
# so its rows tell of size and budget together; *starved* grows in size alone.) **Predict first:**
# will the better change to make be the same one?
#
# Recorded with `python -m resfold_nb study contrast --profile gpu --out data/recorded`.

# %%
large = all_changes("gpu")
if large:
    show.table(grid("gpu"), "Recorded at full size: error after superposition, median (range) over proteins "
                            "and seeds")
show.table(large or [{"study": "not recorded"}],
           "Recorded at full size: medians after superposition, each change alone, and both")

# %%
pairs = list(zip(changes, large, strict=True)) if len(changes) == len(large) else []
pairs = [pair for pair in pairs if pair[0]["recipe"] != "well fed"]  # small at both
same = sum(row["better to drop"] == other["better to drop"] for row, other in pairs)
if pairs:
    show.say(f"Of the two recipes that grow, the better change to make is the same at both sizes in **{same} of "
             f"{len(pairs)}** places.")
for row in large:
    if row["recipe"] == "as published" and row["at"] == "sampled":
        times = row["drop both = A (Å)"] / row["broken (Å)"]
        show.say(f"With the public code's own recipe, fix A's samples err **{times:.1f} times** as much as the broken "
                 f"form's ({row['drop both = A (Å)']:.2f} against {row['broken (Å)']:.2f} Å, medians).")

# %% [markdown]
# ### Why its samples suffer
#
# A hypothesis. *As published* superposes the truth on the prediction before it takes the error, so
# the network may put the protein in any orientation. With the skip, $x_t$ holds it to the true one.
# Without it the network is free to choose another. In training $x_t$ still shows the *true*
# orientation. But in sampling the network is shown what it made itself: a turned protein, which
# training never showed. If that is the reason, then a single step from a *perfect* structure, turned
# the way the network turns it, must err about as much as the samples do. The full-size networks were
# not kept, so the test is live, in this profile's size (in `laptop` for half of the steps) and with
# one seed. (On the laptop fix A's samples are still the better ones, as the tables say; but they err
# more than its single steps, and that is what is to be explained.)

# %%
lenient = named_recipe("as_published", profile, form="x0", steps=session.pick(ci=60, laptop=250, gpu=500))
data = studies.batch_for(lenient, protein.id)
turning = measure.train_and_measure(lenient, data, seed, device=session.device, marks=(), progress=show.progress)
own = measure.sample(turning.predictor, data, copies=1, x0_clamp=lenient.x0_clamp).x0_pred[24]
truth = data.x0.to(own)
turned = replace(data, x0=superpose(truth, own))  # the true structure, in the network's orientation

# %%
seen = {"as in training": data, "turned as the network turns it": turned}
measured = {name: measure.error_by_timestep(turning.predictor, b, draws=8) for name, b in seen.items()}
samples = measure.sample(turning.predictor, data, x0_clamp=lenient.x0_clamp).final
_, drawn = measure.sample_errors(samples, data)
show.table([{"one step from x_t of the truth,": name, **{f"t = {t}, RMSD (Å)": e.rmsd[t] for t in (1, 25, 49)}}
            for name, e in measured.items()],
           f"Live: fix A in the recipe as published, {lenient.steps} steps, seed {seed}, {session.device}; the "
           f"network's orientation lies {float(rmse(turned.x0, truth)[0] * data.scale[0]):.1f} Å (RMSE) from the true one")
as_trained, as_turned = (e.rmsd[1] for e in measured.values())
show.say(f"Samples err by **{drawn.mean():.2f} Å** (RMSD, mean of four). One step at t = 1 errs by "
         f"{as_trained:.2f} Å on what training shows and by **{as_turned:.2f} Å** on the same structure turned: "
         f"{drawn.mean() / as_trained:.1f} and {drawn.mean() / as_turned:.1f} times as much in samples. The "
         "nearer the second is to 1, the more of the samples' extra error the orientation explains.")

# %% [markdown]
# The remedy would be to turn each draw at random in training, as AlphaFold 3 does: then no orientation is
# new. Try `lenient.but(rotate=True)` in the cell above; notebook 10's table of random rotations has a row
# with a superposed loss.

# %% [markdown]
# A reading that fits the recorded table, from both ends of the noise:
#
# - **At the noisy end** the skip costs. It hands $x_t$ on, so F must produce the noise, point by
#   point, to cancel it. The scale is close to one there, so it cannot act *directly*; through
#   shared weights it can (compare the rows without a skip).
# - **At the clean end** the scale costs. Samples end at t = 1, where the correction is multiplied by
#   $\sqrt{1/50}$: training asks F there for noise of variance 1, and a sampler that arrives further
#   off than that asks for an F it never learned. Without a skip it is worse still: the scaled
#   output would have to be the whole protein.
#
# Two faults at two ends, then, and the skip is not a fault everywhere. Of the two, the report blames
# the scale and expects t = 49 to fall when it goes (R16); in these runs it does not. The table shows
# *that*, for the sizes and budgets recorded here; it does not prove the *why*. Notebook 14 will
# predict the errors from the curves, and 16 will judge over more budgets, seeds and proteins, with
# intervals.
#
# ## Exercises
#
# **1.** Fix A reaches its optimum on one protein with an F that ignores both its inputs. Which
# constant vector, per residue, and what error has it at t = 49?

# %% tags=["exercise"]
my_error_of_the_constant = None  # in Å

# %% tags=["solution"]
# Solution
# F = x0 of this protein, at every t and for every x_t: the error is zero.
constant = batch.x0
solution_1 = sd * float((constant - batch.x0).square().sum(-1).mean().sqrt())

# %% tags=["check"]
answer = solution_1 if my_error_of_the_constant is None else my_error_of_the_constant
x_t = schedule.to("cpu", torch.float32).add_noise(batch.x0, torch.randn_like(batch.x0),
                                                  torch.tensor([49]))
predicted = FORMS["x0"].x0(x_t, batch.x0, *schedule.to("cpu", torch.float32).at(torch.tensor([49])))
assert abs(answer - sd * float((predicted - batch.x0).norm())) < 1e-6
print("not answered; the solution is" if my_error_of_the_constant is None else "right:",
      f"{answer:g} Å. So low error on one protein shows that a form can hold a constant, "
      "not that it can denoise. Notebook 15 goes on from there.")

# %% [markdown]
# **2.** For the broken form, how large is the part of $F^*$ that changes with the noise, as a
# share of its variance, at t = 49? (Data and noise of unit variance.)

# %% tags=["exercise"]
my_share = None  # between 0 and 1

# %% tags=["solution"]
# Solution
a, s = float(schedule.a[49]), float(schedule.s[49])
p, q = s / (1 + a), -1.0
solution_2 = q**2 / (p**2 + q**2)

# %% tags=["check"]
answer = solution_2 if my_share is None else my_share
x0, eps = torch.randn(2, 100_000, generator=torch.Generator().manual_seed(0))
target = FORMS["residual"].target(x0, eps, schedule.a[49], schedule.s[49])
explained = float(np.corrcoef(target, eps)[0, 1] ** 2)
assert abs(answer - explained) < 0.02, f"simulated: {explained:.3f}"
print("not answered; the solution is" if my_share is None else "right:",
      f"{answer:.2f} (simulated {explained:.2f}); fix A's target has none")

# %%
metric("fix A, worst RMSE over t", fixed.errors.worst, "Å")
metric("fix A, mean RMSE over t", float(fixed.errors.rmse.mean()), "Å")
metric("fix A, sampled RMSE", float(plain.mean()), "Å")
metric("broken, RMSE at t = 49", float(broken.errors.rmse[49]), "Å")
metric("broken, mean RMSE over t", float(broken.errors.rmse.mean()), "Å")
metric("broken over A, mean RMSE over t",
       float(broken.errors.rmse.mean() / fixed.errors.rmse.mean()))
