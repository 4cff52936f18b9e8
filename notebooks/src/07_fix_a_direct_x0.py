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
import numpy as np
import torch
from tqdm.auto import tqdm

from resfold_nb import analysis, show
from resfold_nb.data import load, make_batch
from resfold_nb.diffusion import FORMS, get_schedule
from resfold_nb.model import count_parameters
from resfold_nb.training import named_recipe
from resfold_nb.workbook import goal, record, start

session = start(profile, seed, notebook="07_fix_a_direct_x0")

# %%
protein = load(session.pick(ci="1WY3_A", laptop="1HZ6_A", gpu="1HZ6_A"))
batch = make_batch(protein)
schedule, sd = get_schedule("linear"), float(batch.scale[0])
base = analysis.baselines(schedule, 1.0, sd)
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
def bar(states, total):
    return tqdm(states, total=total, mininterval=1, desc="training")


recipe = named_recipe("well_fed", profile)
marks = analysis.marks_for(recipe.steps, session.pick(ci=5, laptop=9, gpu=14))
runs = {form: analysis.run(recipe.but(form=form), batch, seed, device=session.device,
                           marks=marks, progress=bar) for form in ("residual", "x0")}

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
                 f"live, recipe {recipe.name}, seed {seed}. Fix A lies below 1 Å (dotted) at "
                 "every t; dashed lines predict without learning.")

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
samples = {f: analysis.sample(r.predictor, batch, copies=4) for f, r in runs.items()}
plain, superposed = analysis.sample_errors(samples["x0"].final, batch)
goal("fix A, worst RMSE over t = 0 … 49", fixed.errors.worst, "<", 1.0, "Å")
goal("fix A, worst RMSE of 4 DDPM samples", float(plain.max()), "<", 1.0, "Å")
goal("broken form, RMSE at t = 0", float(broken.errors.rmse[0]), "==", 0.0, "Å")
goal("timesteps measured", len(fixed.errors.t), "==", 50)
below = "below" if broken.errors.worst < 1 else "not below"
show.say(f"The broken form is **{below} 1 Å** at every t here: its worst error is "
         f"{broken.errors.worst:.2f} Å, at t = {broken.errors.t[broken.errors.rmse.argmax()]}; fix "
         f"A's is {fixed.errors.worst:.2f} Å.")

# %% [markdown]
# ## Side by side
#
# The same noise at the start and at every step of the sampler; the colours run from the first
# residue to the last.

# %%
def frames(s):
    return np.stack([batch.angstrom(x[:1].cpu())[0].numpy() for x in s.x])


show.player({"broken": frames(samples["residual"]), "fix A": frames(samples["x0"])},
            truth=protein.centroids, chain_index=protein.chain_index,
            labels=[f"t = {t}" for t in samples["x0"].t],
            alt="Sampling from the same noise with the broken form (left) and fix A (right), the "
                "true centroids in grey.")

# %% [markdown]
# ## Starved, on proteins it was not chosen on
#
# The well-fed recipe is kind. *Starved* is a deep network with one noise level a step. It was
# frozen on 1HZ6_A and then measured on three other proteins, five seeds each, with
# `python -m resfold_nb study contrast --out data/recorded`. We expected the broken form's error
# at t = 49 to be at least twice that of fix A. Whatever came out stands here.

# %%
PROTEINS = ("1HZ6_A", "1R69_A", "1TG0_A", "1CY5_A")
STUDY, size = session.pick(ci=("contrast", "laptop"), laptop=("contrast", "laptop"),
                           gpu=("contrast_gpu", "gpu"))


def recorded(name, form, protein_id, t):
    return analysis.recorded_curve(STUDY, named_recipe(name, size, form=form), protein_id, t)


rows = []
for protein_id in PROTEINS:
    pair = [recorded("starved", f, protein_id, 49) for f in ("residual", "x0")]
    ends = [c.rmse[:, -1] for c in pair if c]
    ratio = ends[0] / ends[1] if len(ends) == 2 else None
    rows.append({"protein": protein_id + (" (chosen on)" if protein_id == PROTEINS[0] else ""),
                 "broken, t = 49 (Å)": analysis.median_range(ends[0] if ends else None),
                 "A, t = 49 (Å)": analysis.median_range(ends[1] if ends else None),
                 "ratio, per seed": analysis.median_range(ratio),
                 "at least 2 in": f"{(ratio >= 2).sum()} of {len(ratio)} seeds"
                 if ends else "not recorded"})
show.table(rows, "Recorded, recipe starved: median (range) over seeds")

# %%
groups = {}
for protein_id in PROTEINS:
    groups[protein_id] = [show.form_line(f, c.steps[1:], c.rmse[:, 1:])
                          for f in ("residual", "x0")
                          if (c := recorded("starved", f, protein_id, 49))]
fig = show.panels(groups, log_x=True, log_y=True, goal=1.0, x="steps", y="RMSE at t = 49 (Å)",
                  title="Starved: the broken form and fix A at t = 49")
show.figure(fig, "Recorded error at t = 49 against optimiser steps for the broken form and fix A on "
                 "four proteins, median and range over five seeds; the dotted line is 1 Å.")

# %% [markdown]
# ## Two changes, not one
#
# Fix A takes away the *scale* and the *skip* together. The report credits the scale. Two controls
# complete the experiment: keep the skip but drop the scale, and keep the scale but drop the skip.
# Before you scroll: which of them will look like fix A at t = 49? And in sampled structures?

# %%
GRID = {("skip", "scale sqrt(t/T)"): "residual", ("skip", "no scale"): "skip_unscaled",
        ("no skip", "scale sqrt(t/T)"): "scaled_no_skip", ("no skip", "no scale"): "x0"}


def pooled(name, form, t, proteins):
    curves = [recorded(name, form, p, t) for p in proteins]
    return None if None in curves else np.concatenate([c.rmsd[:, -1] for c in curves])


rows = []
for name, proteins in (("starved", PROTEINS), ("well_fed", PROTEINS[:1]),
                       ("as_published", PROTEINS[:1])):
    for (skip, scale), form in GRID.items():
        found = {t: pooled(name, form, t, proteins) for t in (1, 25, 49, "sampled")}
        rows.append({"recipe": name.replace("_", " "), "skip": skip, "scale": scale,
                     **{f"t = {t} (Å)" if t != "sampled" else "sampled (Å)":
                        analysis.median_range(v) for t, v in found.items()}})
show.table(rows, "Recorded: error after superposition, median (range) over proteins and seeds")

# %%
def single_changes(name, proteins, t):
    """What each change alone makes of the broken form's median error."""
    found = {f: pooled(name, f, t, proteins) for f in GRID.values()}
    if any(v is None for v in found.values()):
        return None
    m = {f: float(np.median(v)) for f, v in found.items()}
    better = "scale" if m["skip_unscaled"] < m["scaled_no_skip"] else "skip"
    return {"broken (Å)": m["residual"], "drop only the scale (Å)": m["skip_unscaled"],
            "drop only the skip (Å)": m["scaled_no_skip"], "drop both = A (Å)": m["x0"],
            "which one helps more": f"dropping the {better}"}


changes = [{"recipe": name.replace("_", " "), "at": t if t == "sampled" else f"t = {t}", **found}
           for name, proteins in (("starved", PROTEINS), ("well_fed", PROTEINS[:1]),
                                  ("as_published", PROTEINS[:1]))
           for t in (49, "sampled") if (found := single_changes(name, proteins, t))]
if changes:
    show.table(changes, "Recorded medians after superposition: each change alone, and both")
else:
    show.say("The 2 × 2 experiment is **not recorded** for this profile.")

# %%
winners = {at: sorted({row["which one helps more"] for row in changes if row["at"] == at})
           for at in ("t = 49", "sampled")}
if changes:
    show.say(f"At **t = 49** the single change that helps more is {' or '.join(winners['t = 49'])}; "
             f"for **sampled structures** it is {' or '.join(winners['sampled'])}.")

# %% [markdown]
# A reading that fits the table, from both ends of the noise:
#
# - **At the noisy end** the skip hurts. It hands $x_t$ on, so F must produce the noise, point by
#   point, to cancel it. The scale is close to one there and cannot matter.
# - **At the clean end** the scale hurts. At t = 1 the form can move a point by only
#   $0.14\,F$, and a sample ends exactly there. Without a skip the scale is worse still:
#   $0.14\,F$ would have to be the whole protein.
#
# That makes two faults, not one. The report names the scale and argues with t = 49; in these runs
# the two do not belong together. The table shows *that*; it does not prove the *why*. Notebook 14
# will predict the errors from the curves, and 16 will judge over more budgets, seeds and proteins,
# with intervals.
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
print(f"right: {answer:g} Å. So low error on one protein shows that a form can hold a constant, "
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
print(f"right: {answer:.2f} (simulated {explained:.2f}); fix A's target has none")

# %%
steps, at_49 = runs["x0"].at(49)
record("fix A, worst RMSE over t", fixed.errors.worst, "Å")
record("fix A, mean RMSE over t", float(fixed.errors.rmse.mean()), "Å")
record("fix A, sampled RMSE", float(plain.mean()), "Å")
record("broken, RMSE at t = 49", float(broken.errors.rmse[49]), "Å")
record("broken, mean RMSE over t", float(broken.errors.rmse.mean()), "Å")
record("broken over A, mean RMSE over t",
       float(broken.errors.rmse.mean() / fixed.errors.rmse.mean()))
