# %% [markdown]
# # 10 · Fix D: train on rollouts
#
# The report blames training on single steps (R6): in sampling, each call gets what the calls before
# it made, errors and all. Its fix D (R12) puts a piece of the sampler inside training: start from
# pure noise, take K reverse steps with the model's own predictions, and take the loss at the last
# one. Errors then compound *in training*, and are to be learned away, at K times the cost.
#
# **You will learn** to write a rollout and say which timesteps it trains; to weigh its memory and
# arithmetic, with stopped gradients and with checkpointing; to test whether errors compound at all.
# **Time:** 20 minutes to read, under a minute to run. **Words:** [notation and glossary](reference.md).

# %% tags=["parameters"]
profile = "laptop"
seed = 0

# %%
import numpy as np
import pandas as pd
import torch

from resfold_nb import measure, show, studies
from resfold_nb.data import load, make_batch, random_rotations, rmse
from resfold_nb.diffusion import get_schedule
from resfold_nb.model import Features
from resfold_nb.studies.plans import VARIANTS
from resfold_nb.training import Rollout, build, mean_squared_error, named_recipe, roll_out
from resfold_nb.workbook import goal, metric, start

session = start(profile, seed, notebook="10_fix_d_rollout")

# %%
protein = load(session.pick(ci="1WY3_A", laptop="1HZ6_A", gpu="1HZ6_A"))
batch = make_batch(protein)
schedule, sd = get_schedule("linear"), float(batch.scale[0])
T, last = schedule.timesteps, schedule.timesteps - 1
base = named_recipe("well_fed", profile, form="x0", steps=session.pick(ci=60, laptop=100, gpu=2000))
print(f"{protein.id}: {len(protein)} residues, standard deviation {sd:.2f} Å; live runs take recipe {base.name} with "
      f"{base.steps} steps")

# %% [markdown]
# ## A rollout by hand
#
# One reverse step is the mean of $x_{t-1}$ given $x_t$ and the prediction, plus fresh noise
# ([notebook 05](05_training_and_sampling.ipynb)). With $\alpha = \bar\alpha_t / \bar\alpha_{t-1}$,
#
# $$x_{t-1} = \underbrace{\frac{\sqrt{\bar\alpha_{t-1}}\,(1-\alpha)}{1-\bar\alpha_t}}_{k_t}\,\hat x_0
# + \frac{\sqrt{\alpha}\,(1-\bar\alpha_{t-1})}{1-\bar\alpha_t}\,x_t + \sigma_t z .$$
#
# K network calls, K − 1 such steps between them. Written out, and held against the package's
# `roll_out`, in double precision:

# %%
def rollout_by_hand(predictor, x, noise, features):
    calls = len(noise) + 1
    for k in range(calls):
        t = last - k
        x0_pred = predictor(x, torch.full((len(x),), t), features)
        if k < calls - 1:
            now, after = schedule.alpha_bar[t], schedule.alpha_bar[t - 1]
            alpha = now / after
            x = (after.sqrt() * (1 - alpha) * x0_pred + alpha.sqrt() * (1 - after) * x) / (1 - now)
            x = x + ((1 - after) / (1 - now) * (1 - alpha)).sqrt() * noise[k]
    return x0_pred


double, untrained = batch.to("cpu", torch.float64), build(base, seed).double()
pure_noise, *fresh = torch.randn(5, 4, *double.x0.shape[1:], dtype=torch.float64,
                                 generator=torch.Generator().manual_seed(seed))
ours = rollout_by_hand(untrained, pure_noise, fresh, Features.of(double)).detach()
stack = iter(fresh)
package = roll_out(base.but(rollout=Rollout(5)), untrained, Features.of(double), pure_noise, 5,
                   lambda: next(stack)).detach()
goal("rollout by hand against the package, K = 5", float((ours - package).abs().max()), "<=", 1e-6)

# %% [markdown]
# ## Which timesteps it visits
#
# A rollout starts at t = 49 and goes down one by one. K calls see t = 49 … 50 − K, and the loss sits
# at the last of them, t = T − K. The report's K = 5, or random K up to 10, stays in the noisiest
# fifth. Samples end at t = 1.

# %%
ways = {"sampler": 1} | {f"rollout, K = {K}": T - K for K in (10, 5, 2, 1)}
show.dots(pd.DataFrame([{"who": who, "t": end, "low": end, "high": last} for who, end in ways.items()]),
          rows="who", value="t", log_x=False, x="timesteps of the network calls, from t = 49 down to the dot",
          title="Where rollouts go, and where samples end",
          alt="The sampler calls at t = 49 to 1; rollouts of 10, 5, 2 and 1 calls stop at 40, 45, 48 and 49.")

# %% [markdown]
# And how much do the earlier calls matter there? The step's weight $k_t$ says how much of a
# prediction enters the next input. And the start: pure noise holds no signal, while ordinary
# training at t = 49 holds $a = \sqrt{0.02}$ of it ([samplers](reference.md#Samplers)).

# %%
rows, kept = [], torch.zeros(())
for K in range(1, 11):
    t = T - K
    if K > 1:
        now, after = schedule.alpha_bar[t + 1], schedule.alpha_bar[t]
        alpha = now / after
        kept = (after.sqrt() * (1 - alpha) + alpha.sqrt() * (1 - after) * kept) / (1 - now)
    rows.append({"K": K, "loss at t = T − K": t, "a, x0 in ordinary x_t": float(schedule.a[t]),
                 "x0_pred of all calls before in x_t": float(kept), "calls of the sampler still to come": t - 1})
show.table([rows[K - 1] for K in (1, 2, 5, 10)],
           "What stands in x_t at the call that has the loss: amplitudes, by algebra alone")

# %% [markdown]
# So mixing in rollouts of a fixed K is also a *reweighting of t*: ordinary steps spread their loss
# evenly over t; rollouts put theirs on one t. The recorded study takes a quarter of the steps as
# rollouts.

# %%
def loss_share(rollout):
    """Share of a run's loss terms that fall on each t."""
    if rollout is None:
        return np.full(T, 1 / T)
    lengths = range(1, rollout.calls + 1) if rollout.random else [rollout.calls]
    at = np.bincount([T - k for k in lengths], minlength=T) / len(lengths)
    return (1 - rollout.share) / T + rollout.share * at


# %% tags=["plot"]
lines = [show.Line(name, np.arange(T), 100 * loss_share(VARIANTS[name](base).rollout), *look)
         for name, look in show.looks(("A", "A + D", "A + D, random K")).items()]
fig = show.chart(lines, log_y=True, x="timestep t", y="share of the loss terms (%)",
                 title="What rollouts in a quarter of the steps do to the draws of t")
fig.update_traces(line_shape="hvh")
show.figure(fig, "Share of loss terms: 2 % for A; a spike at t = 45 with K = 5; a step at t = 40 with random K.")

# %% [markdown]
# ## Predict first
#
# For a backward pass through K calls, torch keeps the activations of all K. How does peak memory
# grow from K = 1 to 10? What does *stopping the gradient* (no graph but for the last call) do to
# memory and to arithmetic? And *checkpointing*, which keeps only each call's input and computes the
# rest again?

# %%
WAYS = {"through": {}, "stopped": dict(through=False), "through, checkpointed": dict(checkpoint=True)}
DRAWS = 8  # fewer than in training, to be quick


def rollout_loss(predictor, calls, **way):
    """The loss of one rollout, from the same noise each time."""
    generator, home = torch.Generator().manual_seed(seed), batch.to(predictor.a.device)

    def noise():
        return torch.randn(DRAWS, *batch.x0.shape[1:], generator=generator).to(home.x0.device)

    x0_pred = roll_out(base.but(rollout=Rollout(calls, **way)), predictor, Features.of(home), noise(), calls, noise)
    return mean_squared_error(x0_pred, home.x0.expand_as(x0_pred))


def step_of(predictor, calls, way):
    predictor.zero_grad()
    rollout_loss(predictor, calls, **WAYS[way]).backward()


# %%
LENGTHS, on_cpu = (1, 2, 5, 10), build(base, seed)
memory = {way: [measure.peak_memory(lambda: step_of(on_cpu, K, way)) / 1e6 for K in LENGTHS] for way in WAYS}
one_call = measure.count_flop(lambda: step_of(on_cpu, 1, "through"))
work = {way: measure.count_flop(lambda: step_of(on_cpu, 10, way)) / one_call for way in WAYS}
grew = {way: m[-1] / m[0] for way, m in memory.items()}
goal("stopped gradient: peak memory at K = 10 over K = 1", grew["stopped"], "<=", 1.1)

# %%
fig = show.chart([show.Line(way, LENGTHS, memory[way], *look) for way, look in show.looks(WAYS).items()],
                 x="K, network calls in the rollout", y="peak memory (MB)",
                 title=f"Peak memory of one rollout step, {DRAWS} draws, live on the CPU")
show.figure(fig, "Peak of the tensors alive (counted) in a rollout's loss and backward pass against K, by gradient.")
show.say(f"From K = 1 to K = 10 the peak grows **{grew['through']:.1f}-fold** with the gradient through all calls, "
         f"{grew['stopped']:.1f}-fold stopped, and {grew['through, checkpointed']:.1f}-fold checkpointed; "
         f"the counted arithmetic {', '.join(f'{n:.1f}-fold {way}' for way, n in work.items())}.")

# %% [markdown]
# The peak is a line in K: one call's activations a call. Checkpointing pays with one more forward
# pass a call. It is a switch of the recipe, `Rollout(checkpoint=True)`, and must not change the
# gradient; that is checked below.
#
# ## Live: A against A + D
#
# Two ways to be fair to A; the scaled residual (the report's) runs beside it. *A + D* takes as many
# optimiser steps as A, a quarter of them rollouts of K = 5, so it calls the network more often. *A +
# D, equal calls* takes fewer steps, so that the
# calls match. The same seed and initial weights; recipe *well fed*, shortened, on one protein. The
# warm-up of 20 steps is the same for all, so it takes a larger share of the shorter run.

# %%
runs = {name: measure.train_and_measure(VARIANTS[name](base), batch, seed, device=session.device, marks=[], draws=8,
                                        progress=show.progress)
        for name in ("scaled residual", "A", "A + D", "A + D, equal calls")}
errors = {name: r.last.errors for name, r in runs.items()}
rows = [{"variant": name, "optimiser steps": r.recipe.steps, "loss terms": r.recipe.steps * r.recipe.noise_levels,
         "network calls": r.recipe.network_calls, "training (s)": f"{r.train_seconds:.1f}",
         "mean RMSE over t (Å)": f"{errors[name].rmse.mean():.2f}", "sampled RMSE (Å)": f"{r.last.sampled_rmse:.2f}"}
        for name, r in runs.items()]
show.table(rows, f"Live: {protein.id}, recipe {base.name}, seed {seed}, {session.device}; each has "
                 f"{sum(p.numel() for p in on_cpu.parameters()):,} parameters")

# %%
show.by_timestep(studies.frame_of(runs), lines=show.baseline_lines(measure.baselines(schedule, 1.0, sd)),
                 title=f"Live: error of one denoising step ({protein.id})",
                 alt=f"RMSE of one step by t, live, seed {seed}, 8 draws; grey dashes predict without learning.")
watched = {n: runs[n].predictor for n in ("scaled residual", "A", "A + D")}
show.sampling(watched, batch, alt="Sampling from the same noise with three live models, the true centroids in grey; "
              "below, the error of what each thinks x0 is.")

# %%
show.say("Error at t = 45, where the loss of the rollouts sits, over the mean of t = 44 and 46: " + "; ".join(
    f"{n} **{e.rmse[45] / e.rmse[[44, 46]].mean():.2f}**" for n, e in errors.items() if n != "scaled residual") + ".")

# %% [markdown]
# Look at t = 45. At t = 44 and 46 $x_t$ is all but the same. If a model does better, or worse, at
# t = 45 than at its neighbours, it is by the time embedding alone that it knows where it is.
#
# ## What the gradient through the trajectory adds
#
# With the gradient *stopped*, a rollout is an ordinary training step at t = T − K, on an input that
# the model made itself. *Through* adds the paths from the loss back over $x_t$ into the earlier
# calls. Each passes a weight $k_t$ of about a tenth or less, and the network's own dependence on $x_t$: a
# model that answers a constant has none. How alike are the two gradients?

# %%
def gradient(predictor, calls, **way):
    predictor.train()
    parameters = list(predictor.parameters())
    found = torch.autograd.grad(rollout_loss(predictor, calls, **way), parameters, allow_unused=True)
    return torch.cat([g.flatten() for g in found if g is not None])


cosines = {}
for name, model in watched.items():
    for K in (2, 5, 10):
        whole, short = gradient(model, K), gradient(model, K, through=False)
        cosines[name, K] = float(torch.cosine_similarity(whole, short, 0))
forgetful = gradient(model, 10, checkpoint=True)
goal("checkpointing: change of the gradient over its norm, K = 10",
     float((forgetful - whole).norm() / whole.norm()), "<=", 1e-5)
low = min(cosines, key=cosines.get)
show.say("Cosine between the two gradients over the weights, live, after training, at K = 2, 5 and 10: " + "; ".join(
    f"{n} " + ", ".join(f"{cosines[n, K]:.3f}" for K in (2, 5, 10)) for n in watched) + ". The least alike are those "
    f"of *{low[0]}* at K = {low[1]}: **{cosines[low]:.2f}**; for A at K = 5 it is {cosines['A', 5]:.2f}.")

# %% [markdown]
# ## Do errors compound?
#
# **Predict first.** R6 and R12 take it for granted. Test it: compare the error at t on an honest
# input, $a x_0 + s\varepsilon$, with the error at the same t on what the sampler hands over. If
# errors compound, the second curve pulls away upwards as t falls. What should a model do whose
# answer hardly depends on $x_t$? (At t = 49 no call has gone before: a gap there is the start's doing,
# pure noise against 14 % of signal.)

# %%
def along_the_sampler(predictor):
    """Error in Å of each prediction from t = 49 down to 1, on the sampler's own x_t."""
    drawn = measure.sample(predictor, batch, copies=8)
    return np.array([sd * float(rmse(x.cpu(), batch.x0.expand(x.shape)).mean()) for x in drawn.x0_pred])


walks = {name: along_the_sampler(model) for name, model in watched.items()}
groups = {name: [show.Line("noised truth", errors[name].t[1:], errors[name].rmse[1:], show.PALETTE["ink"], "dash"),
                 show.Line("the model's own trajectory", np.arange(last, 0, -1), walk, show.PALETTE["x0"])]
          for name, walk in walks.items()}
fig = show.panels(groups, log_y=True, goal=1.0, x="timestep t", y="RMSE of x0_pred (Å)",
                  title="One step from the noised truth, and along the sampler")
show.figure(fig, f"RMSE of the prediction from the noised truth and along the sampler; live, seed {seed}, 8 draws.")
compounded = {name: walk[-1] / errors[name].rmse[1] for name, walk in walks.items()}
show.say("At t = 1, sampler over noised truth: " + "; ".join(f"{n} **{r:.2f}**" for n, r in compounded.items())
         + ". Above one: errors compound.")

# %% [markdown]
# One memorised protein is the mildest test: a constant is optimal, and a constant has nothing to
# compound. So the rest is recorded, in settings where that is otherwise.
#
# ## Recorded, in three settings
#
# *One protein* as above but with the whole recipe; *random rotations*: each draw is turned, so the
# orientation must be read from $x_t$; *ten chains* with one set of weights, where no one constant
# answers, but the sequence still says which of ten, so that a network blind to $x_t$ and t is still
# best. Three seeds on a CPU, `python -m resfold_nb study rollout --out data/recorded`.
#
# **Predict first.** In two of the three settings a rollout from pure noise has a right answer. In
# which one does it not, and what will the network learn at t = 45 there?

# %%
ALIKE, BLIND = "random rotations", "A, blind to x_t and t"
SETTINGS = ("one protein", ALIKE, "ten chains")
one = make_batch(load("1HZ6_A"))
turned_floor = measure.rotation_floor(one.x0[0], schedule, float(one.scale[0]))
recorded = studies.ends(studies.load("rollout"))
recorded["at"] = recorded["t"].map(lambda t: t if t == "sampled" else f"t = {t}")
compared = ["A", "A + D", "A + D, random K", "A + D, stopped gradient", BLIND]
show.by_timestep(recorded[recorded["variant"].isin(compared)], panel="setting", order=[*compared, *SETTINGS],
                 lines={ALIKE: [show.Line("floor of rotations", range(1, T), turned_floor[1:], "#777777", "dash")]},
                 title="Recorded: error by timestep at the end",
                 alt="Recorded RMSE of one step by timestep, A with and without rollouts, three seeds; the dashed "
                     "line under random rotations is a floor that no model can beat on average.")

# %%
def beside(new, old):
    """Each run of `new` with its error over that of `old` from the same seed, at every t and of samples."""
    pair = recorded[recorded["variant"] == new].merge(
        recorded[recorded["variant"] == old], on=["setting", "seed", "t"], suffixes=("", " of old"))
    return pair.assign(over=f"{new} / {old}", ratio=pair["rmse"] / pair["rmse of old"],
                       rmsd_ratio=pair["rmsd"] / pair["rmsd of old"])


over_a = pd.concat([beside(name, "A") for name in compared[1:4]])
show.by_timestep(over_a, panel="setting", value="ratio", order=[*compared, *SETTINGS], log_y=False,
                 y="RMSE over that of A", title="Recorded: what rollouts do to A's error, by timestep",
                 alt="Recorded error with rollouts over that of A, same seed and steps; below 1 they help.")
near = recorded[recorded["t"].isin([44, 45, 46])]
near = near.pivot(index=["setting", "variant", "seed"], columns="at", values="rmse")
spike = (near["t = 45"] / near[["t = 44", "t = 46"]].mean(axis=1)).groupby(["setting", "variant"]).median()
show.say("Recorded error at t = 45 over the mean of t = 44 and 46, median over seeds: " + "; ".join(
    f"{s}: " + ", ".join(f"{n} {x:.2f}" for n, x in spike[s].items() if n in compared[:4]) for s in SETTINGS) + ".")

# %% [markdown]
# ## Why t = 45 stands out
#
# Under rotations the start is pure noise and the target is $R x_0$ with R drawn apart from it. The
# best answer to a squared error is the mean of the target, and
#
# $$E[R x_0 \mid \text{start}] = E[R]\,x_0 = 0 .$$
#
# So the rollout's loss asks for **zero** at t = T − K, whatever the trajectory chose on its way. At
# that t the ordinary steps ask for the posterior mean m of $R x_0$ given $x_t$. If the network
# cannot tell the two kinds of $x_t$ apart, it answers $w\,m$, w being the ordinary share of the loss
# terms there. Since $E|x_0|^2 = E|m|^2 + \text{floor}^2$, the error by single steps is then
#
# $$\sqrt{\text{zero}^2 - (2w - w^2)(\text{zero}^2 - \text{floor}^2)} .$$

# %%
turns = random_rotations(20_000, torch.Generator().manual_seed(seed), one.x0)
print(f"mean of 20,000 turned copies: {float((one.x0 @ turns.mean(0)).norm() / one.x0.norm()):.1%} of the size")
share = VARIANTS["A + D"](base).rollout.share
w = ((1 - share) / T) / ((1 - share) / T + share)
zero = float(measure.baselines(schedule, 1.0, float(one.scale[0]))["predict zero"][45])
foretold = np.sqrt(zero**2 - (2 * w - w**2) * (zero**2 - turned_floor[45] ** 2))
found = recorded[(recorded["setting"] == ALIKE) & (recorded["t"] == 45)].groupby("variant")["rmse"].describe().T
RANGE = "{50%:.2f} ({min:.2f}–{max:.2f})"
off = found["A + D"]["50%"] / foretold - 1
show.say(f"At t = 45 the floor is {turned_floor[45]:.2f} Å and zero has {zero:.2f} Å. Ordinary steps have "
         f"w = {w:.3f} of the loss terms there, so A + D should have **{foretold:.2f} Å**. Recorded: A + D "
         f"**{RANGE.format(**found['A + D'])}** Å, A {RANGE.format(**found['A'])} Å. The median of A + D lies "
         f"{abs(off):.1%} {'above' if off > 0 else 'below'} what was foretold.")

# %% [markdown]
# Nothing was fitted to foretell it. As far as it holds, the rollout does not teach the network to
# mend its trajectory at t = 45; it teaches it to give up there. A *superposed* loss turns the truth
# onto the prediction first, so that any orientation is right and the conflict is gone. (But then one
# constant, in any orientation, is optimal again, and only RMSD means anything.)

# %%
LOOSE = ("A, superposed loss", "A + D, superposed loss")
four = ["A", "A + D", *LOOSE]
turned = recorded[(recorded["setting"] == ALIKE) & recorded["variant"].isin(four)]
show.by_timestep(turned.assign(loss=turned["superposed"].map({False: "plain loss", True: "superposed loss"})),
                 panel="loss", value="rmsd", order=four, title="Recorded, random rotations: error, superposed",
                 alt="Recorded RMSD of one step under random rotations, plain and superposed loss, three seeds.")
asked = studies.load("rollout", table="quantities")
asked = asked[(asked["setting"] == ALIKE) & asked["variant"].isin(four)]
calls = {f"ddpm, {k} calls, RMSD (Å)": f"{k} call{'s' * (k > 1)}" for k in (49, 10, 1)}
show.dots(asked.assign(calls=asked["quantity"].map(calls)).dropna(subset="calls"), value="value", colour="calls",
          order=[*four, *calls.values()], goal=1.0, x="RMSD of samples (Å)",
          title="Recorded, random rotations: samples in 49, 10 and 1 calls",
          alt="RMSD of samples by the sampler's calls. A model that says the same with 1 as with 49 refines nothing.")

# %% [markdown]
# ## What it buys, and what it costs
#
# Read *equal steps* with care. A + D calls the network more often there, but a quarter of its steps
# are rollouts, so that at most t it sees only three quarters of A's ordinary draws. A with three
# quarters of the steps was not run.

# %%
COSTS = {"calls": "network calls", "teraflop": "arithmetic", "megabytes": "peak memory", "seconds": "training time"}
paid = studies.load("rollout", table="runs").groupby(["setting", "variant"])[["steps", *COSTS]].median()
of_a = paid.xs("A", level="variant")
relative = paid[list(COSTS)].div(of_a[list(COSTS)], level="setting").rename(columns=COSTS)
variants = ["scaled residual", "A", "A + D", "A + D, equal calls", "A + D, stopped gradient", "A + D, random K",
            "A + D alone", "scaled residual + D", *LOOSE, BLIND]
show.dots(relative.melt(ignore_index=False, var_name="cost", value_name="times").reset_index(), value="times",
          panel="cost", colour="setting", order=[*variants, *COSTS.values(), *SETTINGS], reference=1,
          x="times that of A in the same setting", title="Recorded: what runs cost",
          alt="Calls, arithmetic, peak memory of the largest step and training time over those of A, medians.")
show.say("Runs of A: " + "; ".join(
    f"{s}: {a['steps']:,.0f} steps, {a['calls']:,.0f} calls a protein, {a['teraflop']:.2f} TFLOP, peak "
    f"{a['megabytes']:.1f} MB, {a['seconds']:.0f} s" for s, a in of_a.iterrows()) + " (on a shared CPU, a hint).")

# %%
levels = ["t = 1", "t = 25", "t = 49", "sampled"]
show.dots(recorded[recorded["at"].isin(levels) & recorded["variant"].isin(variants[:8])], value="error", panel="at",
          colour="setting", order=[*variants, *levels, *SETTINGS], goal=1.0, x="RMSE; of samples RMSD (Å)",
          title="Recorded: error at the end",
          alt="RMSE of one step and RMSD of samples by variant and setting, median and range; dotted: 1 Å.")

# %% [markdown]
# *A + D alone* has no ordinary step: its loss is only ever at t = 45, and every other t is
# what happens to follow from that. The superposed losses are missing here because their RMSE means
# little; they are in the comparison below.

# %% [markdown]
# ## R12, judged: are errors learned away?
#
# A ratio below one says that the rollouts help. Each seed is compared with the same seed of A. The
# rule, fixed here: *better* if the ratio is below one in every seed, *worse* if above in every seed,
# else *unclear*.

# %%
def word(ratios):
    return "better" if (ratios < 1).all() else "worse" if (ratios > 1).all() else "unclear"


pairs = pd.concat([beside(new, old) for new, old in (
    ("A + D", "A"), LOOSE[::-1], ("A + D, equal calls", "A"), ("scaled residual + D", "scaled residual"),
    ("A + D, stopped gradient", "A + D"))])
levels = ["t = 1", "t = 45", "t = 49", "sampled"]
show.dots(pairs[pairs["at"].isin(levels)], rows="over", value="rmsd_ratio", panel="at", colour="setting",
          order=[*levels, *SETTINGS], reference=1, x="ratio of RMSDs, paired by seed; below 1: better",
          title="Recorded: with rollouts over without",
          alt="Ratios, median and range over paired seeds. A bar left of the line is better, across it unclear.")

# %%
sampled = pairs[pairs["at"] == "sampled"].groupby(["variant", "setting"], sort=False)["rmsd_ratio"]
words, sizes = sampled.agg(word), sampled.describe().apply(lambda x: RANGE.format(**x), axis=1)
for budget, names, note in (("equal steps", ["A + D", LOOSE[1]], "A + D makes twice the network calls"),
                            ("equal calls", ["A + D, equal calls"], "A + D takes half the steps")):
    heard = words[words.index.isin(names, level="variant")]
    better = heard == "better"
    verdict = ("supported" if len(heard) and better.all() else "depends on the regime" if better.any()
               else "refuted" if (heard == "worse").any() else "not decided")
    why = "; ".join(f"{s}{', superposed loss' * (n in LOOSE)}: {x}, {sizes[n, s]}" for (n, s), x in heard.items())
    show.say(f"**R12, at {budget}** ({note}), sampled structures, in these runs: **{verdict}** ({why}).")

# %% [markdown]
# ## R6, judged: do errors compound?
#
# A sample *is* the prediction at t = 1 on the model's own trajectory. Beside it stands the prediction
# at t = 1 on the noised truth. Sample over single step, both after superposition: above one, errors
# compound. Only where that factor is well above one has a cure for R6 something to do; does D do it?
# The rule, fixed here: errors compound where the factor is above 1.1 in every seed. (Under rotations
# the factor holds one thing more: the noised truth at t = 1 shows the orientation; a sampler has to
# settle on one.)

# %%
at = recorded[recorded["at"].isin(["t = 1", "sampled"])]
at = at.pivot(index=["setting", "variant", "seed"], columns="at", values="rmsd")
grown = (at["sampled"] / at["t = 1"]).rename("factor")
show.dots(grown.loc[:, ["scaled residual", BLIND, *four], :].reset_index(), value="factor", panel="setting",
          order=[*variants, *SETTINGS], reference=1.1, x="RMSD of samples over RMSD at t = 1",
          title="Recorded: do errors compound?",
          alt="RMSD of samples over RMSD at t = 1 by variant, median and range over seeds; the line is 1.1.")

# %%
least = grown.groupby(["variant", "setting"]).min()
cases = {s: ("A + D", "A", s) for s in SETTINGS} | {f"{ALIKE}, superposed loss": (*LOOSE[::-1], ALIKE)}
grow = [label for label, (_, a, s) in cases.items() if least[a, s] > 1.1]
mended = [label for label in grow if words[cases[label][0], cases[label][2]] == "better"]
verdict = "supported" if len(grow) == len(cases) else "refuted" if not grow else "depends on the regime"
show.say(f"**R6** for fix A trained on single steps: errors compound, in every seed, under: "
         f"{'; '.join(grow) or 'no setting'} ({len(grow)} of {len(cases)}): **{verdict}**. Of these, rollouts "
         f"at equal steps better the samples under: **{'; '.join(mended) or 'none'}**.")

# %% [markdown]
# ## What to take away
#
# - By construction, K ≤ 10 trains at t ≥ 40 only. A rollout of that length never sees the end of a
#   sample; what reaches it does so through shared weights.
# - Peak memory grows as a line in K; stopping the gradient or checkpointing takes that away, one by
#   dropping terms of the gradient, the other by computing twice.
# - Any loss at a fixed K is also a weight on one t. Before you credit a rollout, ask what the same
#   weight would do; *stopped gradient* is the nearest control here, and the same draws at t = 45
#   without a rollout were not run.
# - From pure noise, a target must not depend on anything that the noise cannot know. Orientation
#   does, so a plain loss under rotations contradicts itself.
# - The report calls this AF3-style. AlphaFold 3's mini-rollout is another thing: a whole sampling
#   with few, large steps, whose gradient never enters the denoiser; it serves to train the
#   confidence head and to match symmetric chains (Abramson et al. 2024, figure 2c;
#   [bibliography](reference.md#Bibliography)).

# %%
show.say("Samples of A + D with the gradient stopped over those with it through: " + "; ".join(
    f"{s}: {sizes[n, s]} ({x})" for (n, s), x in words.items() if n == "A + D, stopped gradient") + ".")

# %% [markdown]
# The next notebook leaves rollouts and cleans the trunk: [fix E](11_fix_e_clean_trunk.ipynb).
#
# ## Exercises
#
# **1.** Which K would bring the rollout's loss to where samples end, t = 1? With a quarter of the
# steps such rollouts, how many times the network calls of plain training is that?

# %% tags=["exercise"]
my_calls, my_factor = None, None

# %% tags=["solution"]
# Solution
solution_calls = T - 1  # the loss sits at t = T - K
solution_factor = 0.75 + 0.25 * solution_calls

# %% tags=["check"]
answered = my_calls is not None and my_factor is not None
K, factor = (my_calls, my_factor) if answered else (solution_calls, solution_factor)
long = base.but(rollout=Rollout(K, share=0.25))
assert T - K == 1 and abs(factor - long.network_calls / base.network_calls) < 0.01
print("right:" if answered else "not answered; the solution is",
      f"K = {K}, {factor:g} times the calls")

# %% [markdown]
# **2.** With *random K* from 1 to 10 in a quarter of the steps, how many loss terms at t = 45 come
# from rollouts for each one from an ordinary step? What does the formula above then foretell for the
# error at t = 45 under rotations, in Å? (You have `zero` and `turned_floor[45]`; random K under
# rotations was not run.)

# %% tags=["exercise"]
my_terms, my_error = None, None

# %% tags=["solution"]
# Solution
solution_terms = (0.25 / 10) / (0.75 / T)
w_random = 1 / (1 + solution_terms)
solution_error = np.sqrt(zero**2 - (2 * w_random - w_random**2) * (zero**2 - turned_floor[45] ** 2))

# %% tags=["check"]
answered = my_terms is not None and my_error is not None
terms, error = (my_terms, my_error) if answered else (solution_terms, solution_error)
at = loss_share(Rollout(10, random=True, share=0.25))[45]
weight = 0.75 / T / at
assert abs(terms - (1 - weight) / weight) < 0.02
assert abs(error**2 - (1 - weight) ** 2 * zero**2 - (2 * weight - weight**2) * turned_floor[45]**2) < 2
print("right:" if answered else "not answered; the solution is",
      f"{terms:.2f} to one, {error:.2f} Å: between fixed K ({foretold:.2f} Å) and A's floor "
      f"({turned_floor[45]:.2f} Å), but at ten timesteps instead of one")

# %%
metric("peak memory, K = 10 over K = 1", grew["through"])
metric("peak memory, checkpointed over through, K = 10",
       memory["through, checkpointed"][3] / memory["through"][3])
metric("A, mean RMSE over t", float(errors["A"].rmse.mean()), "Å")
metric("A + D over A, mean RMSE over t", float(errors["A + D"].rmse.mean() / errors["A"].rmse.mean()))
metric("A + D, equal calls, over A, mean RMSE over t",
       float(errors["A + D, equal calls"].rmse.mean() / errors["A"].rmse.mean()))
metric("scaled residual, error at t = 1 along the sampler over the noised truth", compounded["scaled residual"])
