# %% [markdown]
# # 02 · The forward process
#
# Diffusion models learn to undo noise. So first: how is the noise put in, how much of the protein
# is left at each timestep, and in which numbers do people say so?
#
# **You will learn** to read a noise schedule; to tell an amplitude ratio from a signal-to-noise
# ratio; to know the error of three predictors that learn nothing.
# **Time:** 10 minutes. **Words:** [notation and glossary](reference.md).

# %% tags=["parameters"]
profile = "laptop"
seed = 0

# %%
import numpy as np
import torch

from resfold_nb import measure, show
from resfold_nb.data import load, make_batch, rmsd, rmse
from resfold_nb.diffusion import cosine, linear
from resfold_nb.workbook import goal, metric, start

session = start(profile, seed, notebook="02_forward_process")

# %%
protein = load(session.pick(ci="1WY3_A", laptop="1HZ6_A", gpu="1HZ6_A"))
batch = make_batch(protein)
x0, sd = batch.x0, float(batch.scale[0])
print(f"{protein.id}: {len(protein)} centroids, {sd:.2f} Å a unit")

# %% [markdown]
# ## Two schedules
#
# A noisy structure is a weighted sum of the clean one and Gaussian noise of unit variance:
#
# $$x_t = a(t)\,x_0 + s(t)\,\varepsilon, \qquad a = \sqrt{\bar\alpha},\quad s = \sqrt{1-\bar\alpha}.$$
#
# $\bar\alpha(t)$, *alpha_bar*, is the share of the variance that is still signal, for data of unit
# variance. The report's
# schedule is linear, $\bar\alpha = 1 - t/T$ with $T = 50$. The cosine schedule of Nichol & Dhariwal
# keeps more of the signal in the first half and loses it faster in the second. (*Linear* here
# means linear in $\bar\alpha$. In Ho et al. the $\beta$ are linear, which destroys the signal sooner,
# and that is what the cosine schedule was made to mend.)

# %%
schedules = {"linear": linear(50), "cosine": cosine(50)}
looks = {"linear": ("#0072B2", "solid"), "cosine": ("#E69F00", "dash")}
t = np.arange(50)
groups = {
    "signal a(t)": [show.Line(n, t, c.a, *looks[n]) for n, c in schedules.items()],
    "noise s(t)": [show.Line(n, t, c.s, *looks[n]) for n, c in schedules.items()],
    "alpha_bar(t)": [show.Line(n, t, c.alpha_bar, *looks[n]) for n, c in schedules.items()]}
show.figure(show.panels(groups, title="Signal and noise by timestep", x="timestep t",
                        y="amplitude or share of variance"),
            "Signal amplitude, noise amplitude and alpha_bar against the timestep for the linear "
            "and the cosine schedule. Both start at pure signal; the two alpha_bar curves cross "
            "near the middle.")

# %% [markdown]
# ## The report's table, rebuilt
#
# The report (R8) has a column *SNR*. Its numbers are $a/s$, a ratio of amplitudes. In the
# literature the signal-to-noise ratio is the ratio of the *variances*, $(a/s)^2$. Both are below.
# At t = 0 there is no noise and both are infinite; where a logarithm is needed, it is clamped to
# ±20.

# %%
REPORT = {0: (1.000, 1.000, 0.000, np.inf), 10: (0.800, 0.894, 0.447, 2.0),
          25: (0.500, 0.707, 0.707, 1.0), 40: (0.200, 0.447, 0.894, 0.5),
          49: (0.020, 0.141, 0.990, 0.14)}
c = schedules["linear"]
rows, worst = [], 0.0
for step, theirs in REPORT.items():
    ours = [float(x[step]) for x in (c.alpha_bar, c.a, c.s, c.amplitude_ratio)]
    worst = max(worst, *(abs(x - y) for x, y in zip(ours, theirs) if np.isfinite(y)))
    rows.append({"t": step, "alpha_bar": f"{ours[0]:.3f}", "a": f"{ours[1]:.3f}",
                 "s": f"{ours[2]:.3f}", "a/s": f"{ours[3]:.2f}", "report: SNR": f"{theirs[3]:g}",
                 "SNR = (a/s)²": f"{float(c.snr[step]):.4g}",
                 "log SNR (clamped)": f"{float(c.log_snr[step]):.2f}"})
show.table(rows, "The linear schedule; the report's SNR is the amplitude ratio")
show.say(f"Largest difference to the report's rounded numbers: **{worst:.3f}**.")

# %% [markdown]
# ## Schedule and form, to play with
#
# A *form* says what the network's output F means: $\hat x_0 = c_\mathrm{skip}\,x_t +
# c_\mathrm{out}\,F$ ([table](reference.md#Forms)); the later notebooks take them one by one. Choose
# one, and a schedule, and see what it makes of F near pure noise: the last panel is the factor by
# which a relative error in the noise that F must hold arrives in $\hat x_0$. **Predict first:** which
# form explodes with the cosine schedule?

# %%
show.explorer(alt="Five curves over the timestep for a chosen schedule and form: the share of signal, the "
                  "SNR, c_skip, c_out, and what the form makes of an error in the noise.")

# %% [markdown]
# ## Noise by hand
#
# One line of arithmetic, checked against the package.

# %%
generator = torch.Generator().manual_seed(seed)
eps = torch.randn(x0.shape, generator=generator)                                    # (1, L, 3)
by_hand = torch.cat([np.sqrt(1 - k / 50) * x0 + np.sqrt(k / 50) * eps for k in range(50)])  # (50, L, 3)
tables = linear(50).to("cpu", torch.float32)
package = tables.add_noise(x0, eps, torch.arange(50))                               # (50, L, 3)
goal("noise by hand against the package", float((by_hand - package).abs().max()), "<=", 1e-6)

# %% [markdown]
# ## Predict first
#
# At which t do you expect the fold to become unrecognisable to your eye? Write it down, then
# scrub: the slider also moves with the arrow keys. Grey is the truth. One and the same noise is used
# at every t, so that the points move smoothly; in training each draw is fresh.

# %%
errors = [(sd * float(rmse(x[None], x0)), sd * float(rmsd(x[None], x0))) for x in package]
show.noising(batch, schedules["linear"], seed=seed,
             alt="The forward process: the protein's centroids at t = 0, dissolving into noise "
                 "towards t = 49; below, the distance of x_t from the protein.")

# %% [markdown]
# RMSD, the error after the best superposition, is never above RMSE: turning and shifting can only
# help. Near t = 49 the two clouds have nothing to do with each other any more, and superposition
# finds little to hold on to.
#
# ## Three predictors that learn nothing
#
# Every figure of error by timestep in this workbook carries three dashed lines:
#
# - **predict zero**: every residue at the centre;
# - **copy x_t**: return the input. This is what the scaled residual does when F = 0;
# - **best linear**: the best multiple of x_t, $k = a\,\sigma^2/(a^2\sigma^2 + s^2)$ for data of
#   standard deviation $\sigma$.
#
# **Predict first:** which of the three is lowest at t = 1, and which at t = 49?

# %%
many = torch.randn(session.pick(ci=200, laptop=1000, gpu=1000), *x0.shape[1:], generator=generator)
k_best = tables.a / (tables.a**2 + tables.s**2)
simulated = {"predict zero": [], "copy x_t": [], "best linear": []}
for k in range(50):
    x_t = tables.add_noise(x0, many, torch.tensor([k]))                             # (many, L, 3)
    for name, guess in (("predict zero", 0 * x_t), ("copy x_t", x_t), ("best linear", k_best[k] * x_t)):
        simulated[name].append(sd * float((guess - x0).square().sum(-1).mean().sqrt()))
formula = measure.baselines(c, 1.0, sd)
gap = max(np.abs(np.array(simulated[n]) / np.maximum(formula[n], 1e-9) - 1)[1:].max()
          for n in formula)
goal("baselines: formula against simulation", gap, "<", 0.02)

# %% tags=["plot"]
palette = {"predict zero": "#CC79A7", "copy x_t": "#56B4E9", "best linear": "#009E73"}
lines = [show.Line(f"{n}, simulated", t, simulated[n], palette[n]) for n in simulated]
fig = show.chart(lines + show.baseline_lines(formula), goal=1.0, x="timestep t", y="RMSE (Å)",
                 title=f"Three predictors that learn nothing ({protein.id})")
show.figure(fig, "Error of predicting zero, copying the input and the best linear guess against the "
                 "timestep: simulated (solid) and by formula (dashed). The best linear guess is "
                 "lowest everywhere; copying comes close to it near t = 0 and is worse than zero "
                 "near t = 49.")

# %% [markdown]
# A model that does no better than the lowest dashed line has learned nothing about this protein.
#
# ## Exercises
#
# **1.** At which t of the linear schedule are signal and noise equally strong? And of the cosine
# one, to the nearest timestep?

# %% tags=["exercise"]
my_crossings = None  # (linear, cosine)

# %% tags=["solution"]
# Solution
solution_1 = tuple(int((s.a - s.s).abs().argmin()) for s in schedules.values())

# %% tags=["check"]
answer = solution_1 if my_crossings is None else my_crossings
for step, schedule in zip(answer, schedules.values(), strict=True):
    best = float((schedule.amplitude_ratio[1:] - 1).abs().min())
    assert abs(float(schedule.amplitude_ratio[step]) - 1) <= best + 1e-12, step
print("not answered; the solution is" if my_crossings is None else "right:",
      f"t = {answer[0]} (linear) and t = {answer[1]} (cosine)")

# %% [markdown]
# **2.** From which t on is *predict zero* better than *copy x_t*? Solve
# $(1-a)^2 + s^2 > 1$ for the linear schedule with unit variance.

# %% tags=["exercise"]
my_t = None

# %% tags=["solution"]
# Solution
# (1-a)^2 + s^2 = 2 - 2a > 1 means a < 1/2, so alpha_bar < 1/4 and t > 37.5.
solution_2 = 38

# %% tags=["check"]
answer = solution_2 if my_t is None else int(my_t)
better = formula["copy x_t"] > formula["predict zero"]
assert better[answer] and not better[answer - 1], "compare the two dashed lines in the figure"
print("not answered; the solution is" if my_t is None else "right:", f"from t = {answer} on")

# %%
metric("amplitude ratio a/s at t = 49", float(c.amplitude_ratio[49]))
metric("SNR at t = 49", float(c.snr[49]))
metric("RMSE of x_t at t = 25", errors[25][0], "Å")
metric("RMSD of x_t at t = 49", errors[49][1], "Å")
metric("cosine alpha_bar at t = 25", float(schedules["cosine"].alpha_bar[25]))
