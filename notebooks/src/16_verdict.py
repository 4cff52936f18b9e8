# %% [markdown]
# # 16 · The verdict
#
# The report ends with a diagnosis and a plan. Here every sentence of it that can be measured is an
# object in code, with a number for each setting and a rule that decides. What comes out is a
# ledger: *supported*, *refuted*, *depends on the regime* or *not decided*, claim by claim, and
# what to change in a real code base first. The form in question is the scaled residual (the
# report's).
#
# **You will learn** to turn a sentence into a measurement, to fix the rule before the run, and to
# live with "it depends". **Time:** 20 minutes to read, under a minute to run.
# **Words:** [notation and glossary](reference.md).

# %% tags=["parameters"]
profile = "laptop"
seed = 0

# %%
import numpy as np
import pandas as pd
import plotly.graph_objects as go

from resfold_nb import measure, show, studies
from resfold_nb.data import load, make_batch
from resfold_nb.diffusion import FORMS
from resfold_nb.studies import plans
from resfold_nb.training import named_recipe
from resfold_nb.training.recipes import FROZEN_ON
from resfold_nb.verdict import Claim, Rule, evidence, judge, ledger, report_run, rules
from resfold_nb.workbook import goal, metric, start

session = start(profile, seed, notebook="16_verdict")

# %% [markdown]
# ## First, the report's run
#
# A diagnosis is of a patient. What the report's run can have been, rebuilt from the public code, and what one
# change at a time does to its two figures, is the subject of [notebook 06](06_broken_residual.ipynb). In short:

# %%
rebuilt = studies.load("report_run")
show.say(report_run.headline(*(report_run.runs_of(rebuilt, value=value) for value in ("rmsd", "rmse"))))

# %% [markdown]
# The ledger below judges the report's *sentences*, on laptop-sized recipes with single chains: magnifying
# glasses, whose verdicts hold where they were measured.
#
# ## How a claim is judged
#
# Take *"the scale is the main reason that the model cannot overfit"* (R16). It becomes:
#
# - a **measurement**: the error when only the scale is dropped, over the error when only the skip is.
#   Below 1, the scale was the worse of the two;
# - **settings**: three recipes, t = 49, samples, and the worst t. A claim that holds in one recipe alone is
#   a claim about that recipe;
# - an **interval** in each setting: the ratio's geometric mean over proteins and seeds, paired, and
#   the bootstrap's 95 % interval;
# - a **rule**: a threshold. A whole interval on the claimed side is a *yes*, on the other side a *no*,
#   across it *open*. A tenth is what we call a difference between errors.
#
# Only yes makes *supported*, only no makes *refuted* (with fewer than half of the settings open), both
# make *depends on the regime*, anything else is *not decided*. Each rule says whether it was set
# before the runs that decide it, or after they had been seen, and carries a version.
#
# The 95 % are nominal. With three seeds an interval is hardly wider than their range, which is too
# narrow; with two it *is* their range, and holds their median half of the time. It speaks of these
# proteins and budgets, not of all.

# %%
every = [j for judgements in ledger.judged().values() for j in judgements]
example = next(j for j in every if j.claim.id == "primary-cause")
show.say(f"The rule of *{example.claim.id}*: {example.claim.rule}. Rules of verdict: version "
         f"{rules.RULES_VERSION}. {rules.RULES_CHANGED} In the ledger: {len(every)} claims, "
         f"{sum(len(j.findings) for j in every)} intervals.")
show.table([{"setting": f.setting, "ratio (95 % interval)": str(f.value or "not recorded"), "answer": a}
            for f, a in zip(example.findings, example.answers)],
           "Recorded, study core, profile laptop, CPU: only the scale dropped over only the skip dropped")
show.say(f"So: **{example.verdict}**.")

# %% [markdown]
# ## Predict first
#
# Before you open the ledger, write down three of the report's claims that you believe, and one that you
# do not. The list is in [the report in brief](00_tour.ipynb).
#
# ## A small autopsy, live
#
# One cell of the regime map: a shallow network, one noise level a step, one protein, one seed; four
# forms, so that skip and scale are dropped one at a time. In `laptop` this is a run that was
# recorded, too: the same recipe and seed must give the same numbers.

# %%
BUDGET, DEPTH, PROTEIN = "500 steps x 1", "3 layers", "1HZ6_A"
AT = {1: "t = 1", 25: "t = 25", 49: "t = 49", "sampled": "sampled"}
batch = make_batch(load(PROTEIN))
recipes = {form: plans.regime(BUDGET, DEPTH, form, profile) for form in plans.FORMS_COMPARED}
runs = {form: measure.train_and_measure(recipe, batch, seed, device=session.device, marks=(), progress=show.progress)
        for form, recipe in recipes.items()}
live = studies.frame_of(runs).query("step == steps").pivot(index="form", columns="t", values="rmse")
live = live.loc[[*runs], [*AT]]
table = live.rename(index=lambda form: FORMS[form].label, columns=lambda t: f"{AT[t]} (Å)")
show.table(table.rename_axis(columns=None).reset_index(),
           f"Live: RMSE after {recipes['x0'].steps} steps of one noise level, {DEPTH}, {PROTEIN}, seed {seed}, "
           f"{session.device}")

# %%
core = studies.load("core").query("step == steps")
old = core[core.hash.isin(r.hash for r in recipes.values()) & (core.protein == PROTEIN) & (core.seed == seed)]
if len(old):
    old = old.pivot(index="form", columns="t", values="rmse")
    apart = (live - old)[[1, 25, 49]].abs().max(axis=None)
    show.say(f"Largest distance from the recorded run of the same recipe and seed: **{apart:.3f} Å** "
             "(recorded to 0.001 Å; other machines, versions and thread counts may differ more).")
else:
    show.say("This profile's or seed's run is **not recorded**: nothing to compare with.")
dropped = {"only the scale": "skip_unscaled", "only the skip": "scaled_no_skip", "both (fix A)": "x0"}
effects = (live.loc[dropped.values()] / live.loc["residual"]).set_axis(dropped).rename(columns=AT)
show.table(effects.rename_axis("dropping").rename_axis(columns=None).reset_index(),
           "Live, one seed: error over the scaled residual's; below 1 is better")
show.say("One seed decides nothing. It shows what a setting's ratio is made of; the ledger has them "
         "with intervals.")

# %% [markdown]
# ## The count

# %% tags=["plot"]
fig = go.Figure()
for verdict in rules.VERDICTS:
    sign, colour = show.VERDICT_MARKS[verdict]
    values = [ledger.counts(js)[verdict] for js in ledger.judged().values()]
    fig.add_bar(y=list(ledger.judged()), x=values, orientation="h", name=f"{sign} {verdict}",
                marker_color=colour, text=[f"{sign} {n}" if n else "" for n in values], textangle=0)
fig.update_layout(barmode="stack", title="Verdicts on the report's claims",
                  xaxis_title="claims (count)", yaxis=dict(title="group of claims", autorange="reversed"),
                  legend=dict(orientation="h", y=-0.25))
total = ledger.counts(every)
show.figure(fig, "Stacked bars, a group of claims each. In all: "
            + ", ".join(f"{n} {verdict}" for verdict, n in total.items()) + ". Recorded studies.")

# %% [markdown]
# ## The ledger
#
# Every line opens to what was measured, its rule, and a picture: a dot and a bar a setting, the
# threshold dashed. Ratios below 1 mean that the first of the two errs less.

# %%
show.ledger(ledger.judged())

# %%
after = sum(j.claim.rule is not None and j.claim.rule.fixed != "before the runs" for j in every)
changed = [j.claim.id for j in every if j.claim.rule is not None and j.claim.rule.version > 1]
lacking = [j.claim.id for j in every if "not recorded" in j.answers]
show.say(f"Claims that lack a number: {', '.join(lacking) or 'none'}.")
show.say(f"Of {len(every)} claims, {after} have a rule set **after** its study had been seen in an earlier "
         "notebook: take those as descriptions rather than tests. Rules changed since their first version: "
         f"{', '.join(changed) or 'none'}.")

# %% [markdown]
# ## Does the laptop speak for the full size?
#
# The ledger stands on small networks. So the 2 × 2 of skip and scale was recorded once more on a GPU
# with the 13.76 million parameters of the public code's `train_resfold`, in the two recipes that grow with the profile (*well
# fed* is small in all). *Starved* grows in size alone; *superposed loss* is whole there, with four times the
# noise levels too, so its points tell of size and budget together. **Predict first:** of the changes
# that help on the laptop, how many hurt at full size?
#
# Each point is one change in one recipe at one place: left of the dotted line it helps on the laptop,
# below the other one at full size. Recorded with
# `python -m resfold_nb study contrast --profile gpu --out data/recorded`.

# %%
def intervals(ratios, by):
    """Geometric mean of paired ratios and its 95 % bootstrap interval over proteins and seeds."""
    def one(group):
        return pd.Series(np.exp(measure.bootstrap([np.log(x).to_numpy() for _, x in group.groupby("protein")])),
                         ["ratio", "low", "high"])
    return ratios.groupby(by).apply(one).unstack()


def over_residual(frame):
    """Each form's error over the scaled residual's; superposed where the training was."""
    frame = frame.assign(error=frame.rmsd.where(frame.superposed, frame.rmse))
    errors = frame.pivot_table("error", ["recipe", "t", "protein", "seed"], "form")
    return errors.div(errors.pop("residual"), axis=0).stack()


CHANGES = {"skip_unscaled": "drop the scale alone", "scaled_no_skip": "drop the skip alone", "x0": "A: drop both"}
BY = ["form", "recipe", "t"]
small, large = (intervals(over_residual(studies.load("contrast", size).query(
    "step == steps and protein == @FROZEN_ON and recipe in ['starved', 'superposed loss'] and t in @AT")), BY)
    for size in ("laptop", "gpu"))
sized = pd.concat([small, large.add_suffix(", gpu")], axis=1, join="inner")

# %% tags=["plot"]
fig = go.Figure()
for form, change in CHANGES.items():
    for name, shape in {"starved": "circle", "superposed loss": "diamond"}.items():
        mine = sized.query("form == @form and recipe == @name")
        bars = [dict(type="data", symmetric=False, thickness=1, width=0, array=mine["high" + of] - mine["ratio" + of],
                     arrayminus=mine["ratio" + of] - mine["low" + of]) for of in ("", ", gpu")]
        fig.add_scatter(x=mine["ratio"], y=mine["ratio, gpu"], error_x=bars[0], error_y=bars[1], mode="markers",
                        hovertext=[str(t) for t in mine.index.get_level_values("t")], name=f"{change}, {name}",
                        marker=dict(color=show.PALETTE[form], symbol=shape, size=10))
fig.add_shape(type="line", x0=0.1, y0=0.1, x1=30, y1=30, line=dict(dash="dash", width=1))
fig.add_vline(1, line=dict(dash="dot", width=1)).add_hline(1, line=dict(dash="dot", width=1))
for update in (fig.update_xaxes, fig.update_yaxes):
    update(type="log", exponentformat="none", dtick=1, tickformat="~g", range=[-1.1, 1.7])
fig.update_layout(title="Error over the scaled residual's: laptop and full size", height=560,
                  xaxis_title="laptop (ratio)", yaxis_title="full size (ratio)",
                  legend=dict(orientation="h", y=-0.2))
show.figure(fig, "The ratio of a change's error to the scaled residual's on the laptop, across, and at full size, "
                 "up, with bars for 95 % intervals; on the dashed line both are equal. 1HZ6_A, at t = 1, 25, 49 and "
                 "sampled.")

# %%
clear = sized[((sized.low > 1) | (sized.high < 1)) & ((sized["low, gpu"] > 1) | (sized["high, gpu"] < 1))]
turned = clear[(clear.ratio < 1) != (clear["ratio, gpu"] < 1)]
told = [f"{CHANGES[form]} in {name}, {AT[t]} ({row.ratio:.2f} on the laptop, {row['ratio, gpu']:.2f} at full size)"
        for (form, name, t), row in turned.iterrows()]
show.say(f"Of {len(sized)} places, {len(clear)} have an interval on one side of 1 at both sizes; "
         f"**{len(clear) - len(turned)} of these agree**. Turned round: {'; '.join(told) or 'none'}.")

# %% [markdown]
# ## What to change first
#
# You have the scaled residual in your own code. Which single change would have helped in *every*
# recipe, and which might hurt? Each row changes one thing; rows are sorted by their *worst* recipe,
# because you do not know which one is yours.

# %%
core = core.query("t != 0").assign(when=lambda x: np.where(x.t == "sampled", "sampled", "worst t"))
worst = core.groupby(["hash", "when", "protein", "seed"])[["rmse", "rmsd"]].max()
FORM_CHANGES = {"A: drop scale and skip": "x0", "drop the scale alone": "skip_unscaled", "C: predict velocity": "v",
                "drop the skip alone": "scaled_no_skip", "B: predict noise": "eps"}
ratios = {}
for name in plans.CORE_RECIPES:
    base = named_recipe(name, form="residual")
    changes = {label: named_recipe(name, form=form) for label, form in FORM_CHANGES.items()}
    changes |= {factor: change(base) for factor, change in plans.FACTORS.items() if plans.factor_applies(factor, base)
                and factor not in ("random rotations", "coordinates in Å")}  # other tasks, not repairs
    for label, changed in changes.items():
        kind = "rmsd" if base.superposed or changed.superposed else "rmse"
        ratios[label, base.name] = (worst.loc[changed.hash, kind] / worst.loc[base.hash, kind]).dropna()
ranked = intervals(pd.concat(ratios, names=["change", "recipe"]), ["when", "change", "recipe"])

# %%
for when in ("worst t", "sampled"):
    table = ranked.loc[when]
    last = table["ratio"].groupby("change").max().sort_values()
    show.dots(table.reset_index(), value="ratio", rows="change", colour="recipe", reference=1,
              order=[*last.index, "starved", "well fed", "superposed loss"], x="error over the scaled residual's",
              title=f"One change each: {when}",
              alt=f"Recorded, study core: {when}, error over the scaled residual's, a row a change, sorted by its "
                  "worst recipe; left of the line at 1 it helps. Forms: two proteins × five seeds; factors: one "
                  "protein × two seeds; 95 % intervals.")
    show.say(f"**{when.capitalize()}.** Helped by a tenth or more in every recipe where it was run: "
             f"{'; '.join(last.index[last < 1 / 1.1]) or 'nothing'}. Hurt in at least one: "
             f"{'; '.join(last.index[last > 1.1]) or 'nothing'}.")

# %%
velocity = studies.load("velocity").query("step == steps and t == 'sampled'")
samples = velocity.pivot_table("rmsd", ["setting", "protein", "seed"], "variant")
blind = intervals((samples["A, blind to x_t and t"] / samples["A"]).dropna(), "setting")
show.say("Before any of it, run the blind network. Its samples over A's: "
         + "; ".join(f"{setting} {measure.Interval(*row)}" for setting, row in blind.iterrows())
         + ". Where that is below 1, the test you debug with has an answer that needs no denoising, and a "
           "model that passes it has shown little.")

# %% [markdown]
# So, in a real code base:
#
# 1. **Find out what your test can show.** Train a blind network beside the model. If it wins, the test
#    asks for a constant; turn the protein at random, or train on many.
# 2. **Draw the error by t** with its three baselines, and sample. The two can disagree about the
#    same change: compare the two pictures above.
# 3. **Change one thing.** A fix that changes two (A drops scale *and* skip) names no culprit.
# 4. **Feed it first.** More noise levels a step, warm-up and clipping belong to the budget, not
#    to the diagnosis: compare the three colours above before blaming a formula.
# 5. **Then the order of the pictures above**, from the top, stopping where the goal is met.
#
# What the ledger cannot say: which run the report's was (06 has the candidates); anything about
# full-size networks beyond the figure above; about proteins other than those named. One learning
# rate served all forms; the factors show what three times more or less does.

# %%
for name in ("core", "hundred"):
    if studies.load(name, "gpu", table="runs").empty:
        show.say(f"Study {name} at full size (profile gpu): **not recorded**. "
                 f"`python -m resfold_nb study {name} --profile gpu --out data/recorded` makes it.")

# %% [markdown]
# ## Exercises
#
# **1.** A claim was measured in four settings: yes, yes, open, no. What is its verdict? And with the last
# one open?

# %% tags=["exercise"]
my_verdicts = None  # two strings, for example ("supported", "refuted")

# %% tags=["solution"]
# Solution
# A yes and a no: it depends. Two yes and two open: half of the settings are silent.
solution_1 = ("depends on the regime", "not decided")

# %% tags=["check"]
answer = solution_1 if my_verdicts is None else tuple(my_verdicts)
right = tuple(rules.verdict_of(x) for x in (("yes", "yes", "open", "no"), ("yes", "yes", "open", "open")))
assert answer == right, f"it is {right}"
print("not answered; the solution is" if my_verdicts is None else "right:", answer)

# %% [markdown]
# **2.** Two seeds give ratios 0.8 and 1.0, on one protein. What are the ends of the bootstrap's 95 %
# interval, and does the rule *below 0.909* answer?

# %% tags=["exercise"]
my_interval = None  # (low, high)

# %% tags=["solution"]
# Solution
# Drawing two with replacement gives (0.8, 0.8) a quarter of the time and (1, 1) another: the range.
solution_2 = (0.8, 1.0)

# %% tags=["check"]
answer = solution_2 if my_interval is None else my_interval
found = measure.ratio([np.array([0.8, 1.0])], [np.ones(2)])
assert np.allclose(answer, found[1:], atol=0.01), f"it is {found}"
print("not answered; the solution is" if my_interval is None else "right:", f"{found}:",
      Rule("below", 1 / 1.1).answer(found))

# %% [markdown]
# **3.** Judge a claim of your own: *"C errs less than A in samples"*, in the three recipes of the core.

# %% tags=["exercise"]
my_claim = None  # a Claim; evidence.core_ratio finds the ratios

# %% tags=["solution"]
# Solution
# The first form's error over the second's, with the threshold that the ledger uses for "better".
solution_3 = Claim("mine", "R11", "C errs less than A in samples.", "C over A", "09_fix_c_velocity",
                   Rule("below", 1 / 1.1), lambda: evidence.core_ratio("v", "x0", ("sampled",)))

# %% tags=["check"]
claim = solution_3 if my_claim is None else my_claim
mine = judge(claim)
assert len(mine.findings) == 3, f"three recipes give three findings, not {len(mine.findings)}"
print("not answered; the solution says" if my_claim is None else "yours says:", mine.verdict)
for f, a in zip(mine.findings, mine.answers):
    print(f"  {f.setting}: {f.value or 'not recorded'}, {a}")

# %%
goal("claims judged", len(every), "==", sum(total.values()), "")
mean = {form: float(run.last.errors.rmse.mean()) for form, run in runs.items()}
metric("scaled residual, mean RMSE over t", mean["residual"], "Å")
metric("A, mean RMSE over t", mean["x0"], "Å")
metric("only the scale dropped, mean RMSE over t", mean["skip_unscaled"], "Å")
metric("only the skip dropped, mean RMSE over t", mean["scaled_no_skip"], "Å")
