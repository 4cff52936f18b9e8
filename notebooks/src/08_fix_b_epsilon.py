# %% [markdown]
# # 08 · Fix B: predict the noise
#
# The report's second repair lets the network say what was *added*, $\varepsilon$, instead of what
# was there. It calls this standard and stable, with gradients of consistent size and some care
# needed near t = 0 (R10 of [the report in brief](00_tour.ipynb)), and puts it right after fix A
# in its order (R14). All of these can be measured.
#
# **You will learn** to follow an error through a division, to tell a loss from the error you care
# about, and to see what a sampler forgives. **Time:** 20 minutes to read, under a minute to run.
# **Words:** [notation and glossary](reference.md).

# %% tags=["parameters"]
profile = "laptop"
seed = 0

# %%
import numpy as np
import torch

from resfold_nb import measure, show, studies
from resfold_nb.data import load, make_batch, rmse
from resfold_nb.diffusion import FORMS, ddpm, get_schedule
from resfold_nb.model import Features, count_parameters
from resfold_nb.training import build, named_recipe
from resfold_nb.workbook import goal, metric, start

session = start(profile, seed, notebook="08_fix_b_epsilon")

# %%
protein = load(session.pick(ci="1WY3_A", laptop="1HZ6_A", gpu="1HZ6_A"))
batch = make_batch(protein)
schedule, sd = get_schedule("linear"), float(batch.scale[0])
base = measure.baselines(schedule, 1.0, sd)
a, s, T = schedule.a.numpy(), schedule.s.numpy(), schedule.timesteps
print(f"{protein.id}: {len(protein)} residues, standard deviation {sd:.2f} Å; "
      f"predicting zero has an RMSE of {base['predict zero'][0]:.2f} Å")

# %% [markdown]
# ## Back from the noise to the protein
#
# Noisy points are $x_t = a\,x_0 + s\,\varepsilon$. If F says $\varepsilon$, the protein follows by
# solving for $x_0$:
#
# $$\hat x_0 = \frac{x_t - s\,F}{a}, \qquad
#   \hat x_0 - x_0 = -\frac{s}{a}\,(F - \varepsilon).$$
#
# So fix B is the row $c_\mathrm{skip} = 1/a$, $c_\mathrm{out} = -s/a$ of the table of forms. The
# second equation is the whole story of this notebook: an error of F reaches the protein multiplied
# by $s/a$, which is $\sqrt{t/(T-t)}$ with the report's schedule.

# %%
t = np.arange(T)
shown = {"residual": "dashdot", "x0": "solid", "eps": "solid", "v": "dash"}
lines = [show.form_line(f, t, FORMS[f].c_out(schedule.a, schedule.s).abs(), dash=dash)
         for f, dash in shown.items()]
show.figure(show.chart(lines, log_y=True, x="timestep t", y="|c_out|: error of x0 per error of F",
                       title="How much of F's error reaches the protein"),
            "The factor from an error of F to an error of x0 against the timestep, on a logarithmic "
            "axis, for the broken form, fixes A, B and C. Fix B's passes 1 at t = 25 and is 7 at "
            "t = 49; those of the others never exceed 1. The broken form's and C's are one curve. At "
            "t = 0 all but A's are 0.")

# %%
rows = [{"t": k, "a": a[k], "s": s[k],
         **{f"|c_out|, {FORMS[f].label}": float(FORMS[f].c_out(schedule.a, schedule.s)[k].abs())
            for f in shown},
         "B: error of F, a component, that makes 1 Å":
             f"{a[k] / s[k] / (np.sqrt(3) * sd):.3f}" if k else "any"} for k in (0, 1, 5, 25, 49)]
show.table(rows, f"The last column: how well F must know the noise (variance 1) for an RMSE of 1 Å "
                 f"({protein.id})")

# %% [markdown]
# The report asks for care near t = 0. At t = 0 there is nothing to divide by but 1, and
# $s/a = 0$: whatever F says, $\hat x_0 = x_0$ to the last bit. The division that hurts is at the
# *other* end, where a is small. (Dividing by s, which does fail at t = 0, is for going the other
# way, from a predicted $x_0$ to $\varepsilon$; fix B never does.)
#
# ## A clamp that never acts
#
# The report guards the division: it does not let a fall below 1e-4. With
# $\bar\alpha = 1 - t/T$ the smallest a is $\sqrt{1/T}$, at t = T − 1. It is below 1e-4 only when
# $T > 10^8$.

# %%
GUARD = 1e-4
rows = [{"schedule": name, "T": f"{T_:,}", "smallest a": f"{float(table.a.min()):.2e}",
         "1 / smallest a": f"{1 / float(table.a.min()):,.0f}",
         "timesteps where the guard acts": int((table.a < GUARD).sum())}
        for name in ("linear", "cosine") for T_ in (50, 1000, 100_000)
        for table in (get_schedule(name, T_),)]
show.table(rows, "The guard of 1e-4 under two schedules, counted over all timesteps")
acts = int((schedule.a < GUARD).sum())
goal("timesteps of 50 where the 1e-4 guard acts", acts, "==", 0)

# %% [markdown]
# A guard would help only against a division by *nearly zero*. Seven is no rounding problem; it is a
# plain amplification, and no guard removes it. A second clamp, of $\hat x_0$ to ±3 in the public
# code's sampler, is another matter; it comes further down.
#
# ## Two losses
#
# The report's loss is the squared error of $\varepsilon$ (*F space*). Every other form in this
# workbook is trained on the squared error of $\hat x_0$ (*x0 space*). By the equation above
#
# $$|\hat x_0 - x_0|^2 = \Big(\frac{s}{a}\Big)^2\,|F - \varepsilon|^2,$$
#
# so the two are one loss with different weights on the timesteps. The common objectives of
# diffusion models differ in little else (Kingma & Gao 2023, arXiv 2303.00848). Each weight has two
# readings, as it is seen from F and from the protein:

# %%
ratio = (s / a) ** 2
weights = {"seen from F: weight of |F − ε|²": {"report's loss (F space)": np.ones(T),
                                               "x0-space loss": ratio},
           "seen from x0: weight of |x0_pred − x0|²": {
               "report's loss (F space)": np.r_[np.nan, 1 / ratio[1:]], "x0-space loss": np.ones(T)}}
looks = {"report's loss (F space)": (show.PALETTE["eps"], "solid"),
         "x0-space loss": (show.PALETTE["scaled_no_skip"], "dash")}
groups = {head: [show.Line(name, t, w, *looks[name]) for name, w in pair.items()]
          for head, pair in weights.items()}
show.figure(show.panels(groups, log_y=True, x="timestep t", y="weight",
                        title="Fix B: what each loss cares about"),
            "Weight of each timestep in fix B's two losses on logarithmic axes. Seen from F, the "
            "report's loss is flat and the x0-space loss rises to 49 at t = 49. Seen from x0, the "
            "x0-space loss is flat and the report's falls from 49 at t = 1 to 1/49 at t = 49.")
show.say(f"In the x0-space loss, t = 49 alone holds {ratio[49] / ratio.sum():.0%} of all the weight on "
         f"F's error, and t ≤ 25 together {ratio[:26].sum() / ratio.sum():.0%}.")

# %% [markdown]
# At t = 0 the two part company for good. There $x_t = x_0$: the noise was drawn but multiplied by
# zero, so nothing shows it. The best F can do is to say the mean, 0, at a loss of 1, the variance
# of $\varepsilon$: the report's loss has a *floor* at t = 0. In the x0-space loss the same timestep
# counts exactly 0, and so does its gradient.
#
# ## Predict first
#
# Fix B with the report's loss, the broken form and fix A, on one protein. Which has the lowest
# *training loss*? Which the lowest error at t = 49? Whose samples are best? Is that one and the same
# form?

# %% [markdown]
# ## All three, live
#
# Recipe *well fed*, with fewer steps in `laptop` so that three runs fit in a minute. The same seed:
# the same initial weights, timesteps and noise.

# %%
recipe = named_recipe("well_fed", profile)
recipe = recipe.but(steps=session.pick(ci=80, laptop=200, gpu=recipe.steps))
marks = measure.marks_for(recipe.steps, session.pick(ci=4, laptop=7, gpu=14))
VARIANTS = {"residual": {}, "x0": {}, "eps": {"loss_space": "F"}}
runs = {form: measure.train_and_measure(recipe.but(form=form, **loss), batch, seed, device=session.device,
                           marks=marks, progress=show.progress) for form, loss in VARIANTS.items()}
label = {f: FORMS[f].label + (", report's loss" if f == "eps" else "") for f in runs}

budget = [{"form": label[f], "parameters": count_parameters(r.predictor), "steps": recipe.steps,
           "noise-level draws": recipe.steps * recipe.noise_levels,
           "training (s)": f"{r.train_seconds:.1f}"} for f, r in runs.items()]
show.table(budget, f"The same budget for all (live, recipe {recipe.name}, seed {seed}, "
                   f"{session.device})")

# %%
DASH = {"residual": "dashdot", "x0": "solid", "eps": "solid"}


def line(f, x, y, suffix=""):
    return show.Line(label[f] + suffix, x, y, show.PALETTE[f], DASH[f])


lines = [line(f, r.last.errors.t, r.last.errors.rmse) for f, r in runs.items()]
fig = show.chart(lines + show.baseline_lines(base), log_y=True, goal=1.0, x="timestep t",
                 y="RMSE (Å)", title=f"After {recipe.steps} steps: error by timestep ({protein.id})")
show.figure(fig, "Error of one denoising step against the timestep for the broken form, fix A and "
                 f"fix B with the report's loss, live, recipe {recipe.name}, {recipe.steps} steps, "
                 f"seed {seed}, mean of 2 noise draws. The dotted line is 1 Å; dashed grey lines "
                 "predict without learning.")
ends = {f: r.last for f, r in runs.items()}
goal("B, RMSE at t = 0", float(ends["eps"].errors.rmse[0]), "==", 0.0, "Å")
show.table([{"form": label[f], **{f"t = {k} (Å)": e.errors.rmse[k] for k in (0, 1, 5, 25, 49)},
             "sampled, RMSE (Å)": e.sampled_rmse, "sampled, RMSD (Å)": e.sampled_rmsd}
            for f, e in ends.items()], f"Live, recipe {recipe.name}, one seed")

# %% [markdown]
# ## Where the error at high t comes from
#
# First the identity, in the trained network: the mean squared error of $\hat x_0$ must be $(s/a)^2$
# times that of F, at every t. Then a bolder prediction. Suppose F errs *equally* at every t ≥ 1. Then
# one number, its mean error, and the curve $|c_\mathrm{out}|$ give the error in Å at every t.

# %%
@torch.no_grad()
def squared_errors(predictor, draws=8):
    """Mean squared error of a component by timestep (2, T): of F, and of x0_pred."""
    here = batch.to(session.device)
    x0 = here.x0.repeat(draws, 1, 1)
    eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(11)).to(x0)
    found = []
    for k in range(T):
        ts = torch.full((draws,), k, device=x0.device)
        amplitudes = predictor.amplitudes(ts)
        x_t = amplitudes[0] * x0 + amplitudes[1] * eps
        f = predictor.raw(x_t, ts, Features.of(here))
        wrong = (f - predictor.form.target(x0, eps, *amplitudes),
                 predictor.form.x0(x_t, f, *amplitudes) - x0)
        found.append([float(part.square().mean()) for part in wrong])
    return np.array(found).T


of_f, of_x0 = (dict(zip(runs, part)) for part in
               zip(*(squared_errors(r.predictor) for r in runs.values())))
off = np.abs(of_x0["eps"][1:] / (ratio[1:] * of_f["eps"][1:]) - 1).max()
goal("B, squared error of x0 against (s/a)² × that of F", float(off), "<=", 1e-4)

# %%
def angstrom(mean_square):
    return np.sqrt(3 * np.asarray(mean_square)) * sd


level = {f: of_f[f][1:].mean() for f in runs}
predicted = {f: angstrom(FORMS[f].c_out(schedule.a, schedule.s).numpy() ** 2 * level[f]) for f in runs}
groups = {label[f]: [show.Line("measured", t[1:], angstrom(of_x0[f])[1:], show.PALETTE["x0"]),
                     show.Line("predicted from one number", t[1:], predicted[f][1:],
                               show.PALETTE["residual"], "dash"),
                     show.Line("error of F itself", t[1:], angstrom(of_f[f])[1:], "#777777", "dot")]
          for f in runs}
fig = show.panels(groups, log_y=True, x="timestep t", y="RMSE (Å; F: units of σ)",
                  title="Error of x0, predicted from F's mean error and c_out")
show.figure(fig, "Error of x0 by timestep, measured and predicted as |c_out| times the mean error of "
                 "F over t = 1 … 49, with F's own error (in units of the protein's standard deviation, "
                 f"shown in Å), for three forms, live, seed {seed}, 8 noise draws. For fix A error "
                 "of F and of x0 are the same line.")
factor = angstrom(of_x0["eps"])[49] / predicted["eps"][49]
show.say(f"Fix B at t = 49: predicted **{predicted['eps'][49]:.1f} Å**, measured "
         f"**{angstrom(of_x0['eps'])[49]:.1f} Å**, a ratio of {factor:.2f}. F's own error differs by a "
         f"factor of at most {np.sqrt(of_f['eps'][1:].max() / of_f['eps'][1:].min()):.1f} over "
         f"t = 1 … 49, that of x0 by {np.sqrt(of_x0['eps'][1:].max() / of_x0['eps'][1:].min()):.0f}.")

# %% [markdown]
# Read each panel from the grey line, F's own error. Where it is flat, the one number serves, and it
# is $|c_\mathrm{out}|$ alone that tilts the error of $\hat x_0$. Where it is not, as it need not be
# in a form whose loss weighs F's errors differently at each t, one number is too few. To reach fix
# A's error at t = 49, F of fix B would have to err 7 times less there than F of fix A, a loss 49
# times lower.
#
# ## Why a loss curve can look best
#
# Every form's loss has a unit of its own. Before learning anything, a multiple of $x_t$ already
# predicts: for data of unit variance, the best one leaves a loss of $s^2$ to fix A and of $a^2$ to
# fix B. Near t = T fix B's loss is therefore small *for nothing*: $x_t$ is almost all noise, so
# saying $x_t$ is saying $\varepsilon$.

# %%
rows = [{"form": label[f], "t": k, "loss of this form, own unit": of_f[f][k] if f == "eps" else of_x0[f][k],
         "the same for a multiple of x_t": {"eps": a[k]**2}.get(f, s[k]**2),
         "error of x0 (σ²)": of_x0[f][k], "error of x0 (Å)": angstrom(of_x0[f])[k]}
        for k in (1, 25, 49) for f in runs]
show.table(rows, "Losses at three timesteps and what they mean (live, one seed, 8 noise draws). For "
                 "the broken form and A the loss is the error of x0 itself")
worth = angstrom(ratio[49] * 0.02)
show.say(f"A loss of 0.02 in ε at t = 49 looks like 98 % of the variance explained. It is an error of "
         f"**{worth:.1f} Å**; predicting zero has {base['predict zero'][49]:.1f} Å.")

# %%
def smooth(values, window):
    return np.convolve(values, np.ones(window) / window, mode="valid")


window = max(5, recipe.steps // 20)
steps = np.arange(1, recipe.steps + 1)[window - 1:]
groups = {"training loss, own unit": [line(f, steps, smooth(r.losses[1:], window))
                                      for f, r in runs.items()]}
for k in (1, 49):
    groups[f"squared error of x0 at t = {k}"] = [
        line(f, r.at(k)[0][1:], (r.at(k)[1][1:] / sd) ** 2 / 3) for f, r in runs.items()]
fig = show.panels(groups, log_x=True, log_y=True, x="optimiser steps",
                  y="mean square (own unit; σ²)", title="The loss curves, and what they are worth")
fig.update_xaxes(dtick=1)
show.figure(fig, f"Left: training loss of three forms, each in its own unit, averaged over {window} "
                 "steps. Middle and right: squared error of x0 at t = 1 and t = 49 in units of the "
                 f"protein's variance. Live, seed {seed}.")

# %%
ends_of_loss = {f: np.mean(r.losses[-window:]) for f, r in runs.items()}
curves = {f: smooth(r.losses[1:], window) for f, r in runs.items()}
lowest = np.array(list(runs))[np.argmin([curves[f] for f in runs], axis=0)]


def best(values):
    return label[min(values, key=values.get)]


show.say(f"At the end the lowest training loss is that of *{best(ends_of_loss)}*; fix B's is lowest "
         f"in {(lowest == 'eps').mean():.0%} of the smoothed curve. Lowest error at t = 1: "
         f"*{best({f: e.errors.rmse[1] for f, e in ends.items()})}*; at t = 49: "
         f"*{best({f: e.errors.rmse[49] for f, e in ends.items()})}*; of sampled structures: "
         f"*{best({f: e.sampled_rmse for f, e in ends.items()})}*.")
show.say(f"Of fix B's mean loss over t, {of_f['eps'].mean():.3f} here, t = 0 alone makes "
         f"{of_f['eps'][0] / T:.3f}: the floor, which no training removes. Without it, "
         f"{of_f['eps'][1:].mean():.4f}; fix A's over the same t is {of_x0['x0'][1:].mean():.4f}.")

# %% [markdown]
# One protein is the easiest case for fix A: its loss can go to zero at every t. Where the protein
# cannot be known at large t, fix A's loss must stay high there, however good the model is, while fix
# B's stays low, because the *noise* can still be known. The recorded runs below return to this.
#
# So compare losses of one form only with losses of the same form; across forms, compare errors
# in Å, at stated timesteps.
#
# ## Are the gradients consistent?
#
# R10 promises fix B gradients of consistent size over t. With the report's loss the gradient at F
# is $2\,(F - \varepsilon)$, with no factor of t in it. With the x0-space loss it is
# $2\,(s/a)^2 (F - \varepsilon)$. By autograd (x0 space) and by that formula (F space):

# %%
def span(values):
    return values[1:].max() / values[1:].min()


def at_f(predictor):
    return measure.gradient_by_timestep(predictor, batch, draws=2).at_f


moments = {"untrained": {f: build(recipe.but(form=f), seed, session.device) for f in runs},
           "trained": {f: r.predictor for f, r in runs.items()}}
gradients = {when: {label["residual"]: at_f(models["residual"]), label["x0"]: at_f(models["x0"]),
                    label["eps"]: 2 * np.sqrt(3 * squared_errors(models["eps"], draws=4)[0])}
             for when, models in moments.items()}
gradients["untrained"]["B, x0-space loss"] = at_f(moments["untrained"]["eps"])

# %%
style = {label[f]: (show.PALETTE[f], DASH[f]) for f in runs}
style["B, x0-space loss"] = (show.PALETTE["scaled_no_skip"], "dash")
groups = {when: [show.Line(name, t, g, *style[name]) for name, g in found.items()]
          for when, found in gradients.items()}
fig = show.panels(groups, log_y=True, x="timestep t", y="length of the gradient (σ², or ε's unit)",
                  title="Gradient of a point's squared error at F, by timestep")
show.figure(fig, "Gradient at F by timestep, untrained and trained, root mean square over points and "
                 f"draws, live, seed {seed}, logarithmic axis: the broken form, fix A, fix B with the "
                 "report's loss, and, untrained, with the x0-space loss. Zeros at t = 0 are not drawn.")

# %%
rows = [{"form and loss": name, **{f"{when}: largest over smallest, t = 1 … 49":
                                   f"{span(found[name]):.1f}" if name in found else "not trained live"
                                   for when, found in gradients.items()},
         "untrained, t = 0": f"{gradients['untrained'][name][0]:.2f}"} for name in style]
show.table(rows, "How consistent is the gradient at F?")
most = min(gradients["untrained"], key=lambda n: span(gradients["untrained"][n]))
least = max(gradients["untrained"], key=lambda n: span(gradients["untrained"][n]))
show.say(f"Before training the flattest over t is *{most}*, the steepest *{least}*. R10's promise is "
         "one about the *loss*, not about predicting the noise: the same form breaks it in x0 space.")

# %% [markdown]
# ## What the sampler forgives
#
# A sampler does not print $\hat x_0$ at t = 49; it takes a small step towards it. One DDPM step from t
# to u = t − 1 puts
#
# $$\frac{\sqrt{\bar\alpha(u)}\;\beta}{s(t)^2} = \frac{\sqrt{T}}{t\,\sqrt{T-t+1}}
#   \quad\text{of } \hat x_0 \text{ into } x_u, \qquad \beta = \frac{1}{T-t+1}.$$
#
# (Put $\bar\alpha = 1 - t/T$ in and simplify.) Each later step keeps only a part of that. Multiplying
# those parts gives the share of each prediction that is still *directly* present in $x_1$, the last
# thing the network looks at. The sample itself is the prediction at t = 1, and nothing else.

# %%
ab = schedule.alpha_bar.numpy()
k = np.arange(1, T)
into_next = np.sqrt(T) / (k * np.sqrt(T - k + 1))
kept = np.r_[np.nan, np.sqrt(ab[1:-1] / ab[1]) * (1 - ab[1]) / (1 - ab[1:-1])]
into_last = into_next * kept


def only_at_49(x, ts):
    return torch.full_like(x, float(ts[0] == 49))


zeros = torch.zeros(1, 1, 3, dtype=torch.float64)
probe = ddpm(only_at_49, schedule, zeros, noise=zeros.expand(T - 1, 1, 1, 3))
differ = [abs(float(probe.x[1, 0, 0, 0]) - into_next[-1]), abs(float(probe.x[-2, 0, 0, 0]) - into_last[-1])]
goal("formula of the weights against the sampler", max(differ), "<=", 1e-9)
fig = show.chart([show.Line("in the next x", k, into_next, show.PALETTE["x0"]),
                  show.Line("directly in x at t = 1", k, into_last, show.PALETTE["v"], "dash")],
                 log_y=True, x="timestep t of the prediction", y="weight of x0_pred",
                 title="How much a prediction counts in DDPM sampling")
show.figure(fig, "Weight of the prediction at timestep t in the next noisy points and, passed on by the "
                 "later steps, in those at t = 1, on a logarithmic axis. At t = 49 they are "
                 f"{into_next[-1]:.2f} and {into_last[-1]:.4f}.")

# %%
wrong = angstrom(of_x0["eps"])[49]
show.say(f"Fix B's {wrong:.1f} Å at t = 49 move $x_{{48}}$ by {wrong * into_next[-1]:.2f} Å, where the "
         f"noise is {angstrom(1 - ab[48]):.1f} Å, and $x_1$ directly by {wrong * into_last[-1]:.4f} Å.")

# %% [markdown]
# Directly, yes. But the later predictions also *look* at the points that were moved. So a test: sample
# again with the same noise, but let an oracle that knows the truth answer at the noisy timesteps.
# What the sample gains by that is what the network's own errors there had cost.
#
# **Predict first:** fix B with an oracle at t = 49; at t ≥ 25; at all t ≥ 2. Which brings a gain?

# %%
generator = torch.Generator().manual_seed(seed)
noise = torch.randn(T, 4, *batch.x0.shape[1:], generator=generator).to(session.device)


def sample_with_oracle(predictor, first):
    """Samples in which the truth is the prediction at t >= first."""
    here = batch.to(session.device)
    own = predictor.denoiser_for(Features.of(here))

    def denoise(x, ts):
        return here.x0.expand_as(x) if int(ts[0]) >= first else own(x, ts)

    return ddpm(denoise, schedule, noise[0], noise=noise[1:])


ORACLES = {"never": 50, "at t = 49": 49, "at t ≥ 25": 25, "at t ≥ 2": 2}
trials = {f: {when: sample_with_oracle(r.predictor, first) for when, first in ORACLES.items()}
          for f, r in runs.items()}
forgiven = {f: {when: float(measure.sample_errors(x.final, batch)[0].mean())
                for when, x in found.items()} for f, found in trials.items()}
show.table([{"form": label[f], **{f"oracle {w} (Å)": v for w, v in found.items()},
             "one step from t = 1 (Å)": angstrom(of_x0[f])[1],
             "one step from t = 49 (Å)": angstrom(of_x0[f])[49]} for f, found in forgiven.items()],
           f"RMSE of 4 samples when the truth answers at the noisy timesteps (live, seed {seed})")

# %%
along = {f: np.array([sd * float(rmse(x.cpu(), batch.x0.expand(4, -1, -1)).mean())
                      for x in found["never"].x0_pred]) for f, found in trials.items()}
visited = np.array(trials["eps"]["never"].t[:-1])
groups = {"one step from noised truth": [line(f, t[1:], angstrom(of_x0[f])[1:]) for f in runs],
          "along the sampler's own path": [line(f, visited, along[f]) for f in runs]}
fig = show.panels(groups, log_y=True, goal=1.0, x="timestep t",
                  y="RMSE of x0_pred (Å)", title="The prediction's error, step by step")
show.figure(fig, "Error of the predicted clean points by timestep: for noised true points, and along "
                 f"sampling from pure noise, mean of 4 samples, for three forms, live, seed {seed}. The "
                 "sample is the prediction at t = 1, at the left end; the dotted line is 1 Å.")
mine = forgiven["eps"]
show.say(f"Fix B's single-step error at t = 49 is **{wrong:.1f} Å**; its samples err by "
         f"**{mine['never']:.2f} Å**, with an oracle at t = 49 by {mine['at t = 49']:.2f} Å, at t ≥ 25 by "
         f"{mine['at t ≥ 25']:.2f} Å, at t ≥ 2 by {mine['at t ≥ 2']:.2f} Å. The broken form's go from "
         f"{forgiven['residual']['never']:.2f} to {forgiven['residual']['at t ≥ 2']:.2f} Å with the last.")

# %% [markdown]
# ## A clamp that may act
#
# The public code's sampler keeps $\hat x_0$ within ±3 standard deviations. Where F's error is
# multiplied by 7, predictions can leave that box. Do they? And does the protein itself fit into it?

# %%
LIMIT = 3.0
beyond = (batch.x0.abs() - LIMIT).clamp(min=0)
cut = sd * float(beyond.square().sum(-1).mean().sqrt())
show.say(f"The largest |coordinate| of {protein.id} is {float(batch.x0.abs().max()):.3f} standard "
         f"deviations: {int((beyond > 0).sum())} of {beyond.numel()} coordinates lie outside ±3, and "
         f"clamping the *true* protein costs {cut:.3f} Å.")
outside = {f: (found["never"].x0_pred.abs() > LIMIT).float().mean((1, 2, 3)).cpu().numpy()
           for f, found in trials.items()}
rows = []
for f, r in runs.items():
    held = measure.sample(r.predictor, batch, copies=4, x0_clamp=LIMIT)
    free = trials[f]["never"].x0_pred[0].cpu()
    rows.append({"form": label[f],
                 **{f"outside ±3 at t = {q}": f"{outside[f][49 - q]:.1%}" for q in (49, 45, 25, 1)},
                 **{f"x0_pred at t = 49, {w} (Å)": sd * float(rmse(x, batch.x0.expand(4, -1, -1)).mean())
                    for w, x in (("free", free), ("clamped", free.clamp(-LIMIT, LIMIT)))},
                 "sampled, free (Å)": r.last.sampled_rmse,
                 "sampled, clamped (Å)": float(measure.sample_errors(held.final, batch)[0].mean())})
show.table(rows, f"The clamp of x0_pred in sampling (live, 4 samples, seed {seed}, RMSE)")

# %% [markdown]
# ## Side by side
#
# The same noise at the start and at every step; the true centroids in grey.

# %%
models = {"scaled residual": runs["residual"].predictor, "fix A": runs["x0"].predictor,
          "fix B": runs["eps"].predictor}
show.sampling(models, batch, alt="Sampling from the same noise with the broken form, fix A and fix B with "
                                 "the report's loss, the true centroids in grey; below, each one's error.")

# %% [markdown]
# ## Four settings, recorded
#
# One seed on one protein decides nothing. Recorded with
# `python -m resfold_nb study epsilon --out data/recorded`, profile `laptop`, on a CPU, three seeds
# (broken and A of *starved*: study `contrast`, five seeds):
#
# - **one protein**: *well fed* on 1HZ6_A, memorised; a constant answers at every t.
# - **starved**: the deep network with one noise level a step, on the same protein.
# - **random rotations**: each draw is turned, so no constant answers, and near t = T nobody can know
#   the orientation. That sets a floor, computed exactly and drawn below.
# - **ten chains**: one set of weights for ten. No one constant answers, but the sequence still says
#   which of ten; a network blind to $x_t$ and t could be perfect here, too.
#
# *B* is trained on the x0-space error like all the others; *B, the report's loss* on that of
# $\varepsilon$. *A, blind* sees neither the noisy points nor t (from the study `velocity`).

# %%
STUDY, BLIND = "epsilon", "A, blind to x_t and t"
NAMES = ("scaled residual", "A", "B", "B, the report's loss")
LOOKS = {"scaled residual": (show.PALETTE["residual"], "dashdot"), "A": (show.PALETTE["x0"], "solid"),
         "B": (show.PALETTE["scaled_no_skip"], "dash"),
         "B, the report's loss": (show.PALETTE["eps"], "solid")}
full = len(studies.recorded_runs("epsilon_gpu"))
show.say("Shown in every profile: the laptop size. Full size (profile gpu): "
         f"{f'{full} runs recorded' if full else '**not recorded**'}.")


def rows_of(make, setting):
    """The study's variants, and the blind one where it was run."""
    return make(STUDY, NAMES, setting) + (
        make("velocity", (BLIND,), setting) if setting != "starved" else [])


SAME = "network calls a protein"  # one a draw in all of these: the column says nothing new
show.table([{key: value for key, value in row.items() if key != SAME}
            for setting in studies.SETTINGS for row in rows_of(studies.budget_rows, setting)],
           "What a run cost, recorded. Steps and draws are equal within a setting; times were taken "
           "on a shared machine")

# %%
turned = make_batch(load("1HZ6_A"))  # the protein of the study, whatever the profile
floor = measure.rotation_floor(turned.x0[0], schedule, float(turned.scale[0]))
groups = {setting: [show.Line(n, t, e, *LOOKS[n]) for n in NAMES
                    if (e := studies.variant_errors(STUDY, n, setting)) is not None]
          for setting in studies.SETTINGS}
if groups["random rotations"]:
    groups["random rotations"].append(show.Line("floor under rotations", t, floor, "#777777", "dot"))
fig = show.panels(groups, log_y=True, goal=1.0, x="timestep t", y="RMSE (Å)",
                  title="Error by timestep at the end of the recorded runs")
show.figure(fig, "Recorded error of one denoising step by timestep in four settings for the broken "
                 "form, fix A, and fix B with two losses; medians and ranges over seeds. The grey "
                 "dotted curve is the least possible error under random rotations, the black dotted "
                 "line 1 Å.")

# %% [markdown]
# ### Where the loss curve does look best
#
# The error in Å at each t gives each form's loss in its own unit, by the identity above. For the
# report's loss that is the mean of $(a/s)^2$ times the squared error, plus the floor at t = 0.

# %%
def own_loss(name, setting):
    """Steps and (seeds, n) mean over t of the loss that a variant is trained on; None if unknown."""
    found = [studies.variant_curve(STUDY, name, setting, q) for q in range(T)]
    if any(curve is None for curve in found):
        return None
    squared = np.stack([(curve.rmse / turned_sd[setting]) ** 2 / 3 for curve in found])
    if name == NAMES[3]:
        squared[1:] /= ratio[1:, None, None]
        squared[0] = 1
    return found[0].steps, squared.mean(0)


ten = studies.batch_for(studies.variant("A", "ten_chains"), studies.TEN_CHAINS)
turned_sd = {x: float(ten.scale[0] if x == "ten chains" else turned.scale[0]) for x in studies.SETTINGS}
curves = {x: {n: c for n in NAMES if (c := own_loss(n, x)) is not None} for x in studies.SETTINGS}
groups = {x: [show.Line(n, c[0][1:], c[1][:, 1:], *LOOKS[n]) for n, c in found.items()]
          for x, found in curves.items()}
fig = show.panels(groups, log_x=True, log_y=True, x="steps", y="loss, own unit",
                  title="The loss that each variant is trained on, mean over t")
fig.update_xaxes(dtick=1)
show.figure(fig, "Loss over training in four settings for the broken form, fix A, and fix B with two "
                 "losses, each in its own unit, from the recorded errors in Å (2 noise draws a "
                 "protein); medians and ranges over seeds.")

# %%
rows = []
for setting, found in curves.items():
    if len(found) < len(NAMES):
        continue
    loss = {n: float(np.median(c[1][:, -1])) for n, c in found.items()}
    error = {n: float(np.median(studies.variant_errors(STUDY, n, setting)[:, 49])) for n in NAMES}
    rows.append({"setting": setting, "lowest loss": min(loss, key=loss.get), **{
        f"loss, {n}": f"{v:.4f}" for n, v in loss.items()},
        "highest error at t = 49": max(error, key=error.get)})
show.table(rows or [{"study": "not recorded"}], "Recorded, medians over seeds at the end of the runs: "
           "loss in each variant's own unit, and who errs most at t = 49")
fooled = [r["setting"] for r in rows if r["lowest loss"] == r["highest error at t = 49"]]
show.say("The variant with the lowest loss has the highest error at t = 49 in: "
         f"**{', '.join(fooled) or 'none'}** of the {len(rows)} settings recorded.")
least = (floor / turned_sd["random rotations"]) ** 2 / 3
show.say("Under random rotations no model whatever has a loss below "
         f"**{least.mean():.3f}** with fix A, or below **{(1 + (least[1:] / ratio[1:]).sum()) / T:.3f}** "
         "with fix B and the report's loss: the best model has two losses, and one *looks* better.")

# %% [markdown]
# Fewer network calls forgive less: with one call the sample *is* the prediction at t = 49. Recorded
# for DDPM, after superposition:

# %%
CALLS = (49, 25, 10, 5, 1)


def by_calls(name, setting):
    found = [studies.variant_quantity(STUDY, name, setting, f"ddpm, {c} calls, RMSD (Å)")
             for c in CALLS]
    return None if any(v is None for v in found) else np.stack(found, axis=1)


groups = {setting: [show.Line(n, CALLS, v, *LOOKS[n]) for n in NAMES
                    if (v := by_calls(n, setting)) is not None] for setting in studies.SETTINGS}
fig = show.panels(groups, log_x=True, log_y=True, goal=1.0, x="network calls",
                  y="RMSD of samples (Å)", title="Fewer calls: how much of the error is forgiven?")
for axis in range(1, 5):
    fig.update_xaxes(tickvals=CALLS, ticktext=[str(c) for c in CALLS], row=1, col=axis)
show.figure(fig, "Recorded error of sampled structures after superposition against the number of "
                 "network calls, from 1 to 49, in four settings; medians and ranges over seeds; the "
                 "dotted line is 1 Å. A line that is missing was not recorded.")

# %%
def ended(name, setting, clamp):
    return studies.median_range(
        studies.variant_quantity(STUDY, name, setting, f"sampled, {clamp}, RMSD (Å)"))


show.table([{"setting": setting, "variant": n, "sampled, not clamped (Å)": ended(n, setting, "not clamped"),
             "sampled, clamped to ±3 (Å)": ended(n, setting, "clamped to 3")}
            for setting in studies.SETTINGS for n in NAMES
            if n.startswith("B") or setting != "starved"],
           "Recorded: what the ±3 clamp does to samples, RMSD, median (range) over seeds")

# %% [markdown]
# ## All settings in Å

# %%
for setting in studies.SETTINGS:
    show.table(rows_of(studies.error_rows, setting),
               f"Recorded, {setting}: RMSE by timestep and RMSD of samples, median (range) over seeds")

# %% [markdown]
# ## What to take away

# %%
def median(name, setting, at):
    curve = studies.variant_curve(STUDY, name, setting, at)
    return None if curve is None else float(np.median((curve.rmsd if at == "sampled" else curve.rmse)[:, -1]))


takeaways = []
for setting in studies.SETTINGS:
    found = {at: {n: median(n, setting, at) for n in NAMES} for at in (1, 25, 49, "sampled")}
    if any(v is None for m in found.values() for v in m.values()):
        continue
    lowest = {f"lowest, {at if at == 'sampled' else f't = {at}'}": min(m, key=m.get)
              for at, m in found.items()}
    b, fix_a, other = ({at: m[n] for at, m in found.items()} for n in (NAMES[3], "A", "B"))
    takeaways.append({"setting": setting, **lowest, "highest, t = 49": max(found[49], key=found[49].get),
                      "report's B over A, t = 49": f"{b[49] / fix_a[49]:.1f}",
                      "report's B over A, sampled": f"{b['sampled'] / fix_a['sampled']:.2f}",
                      "x0-space B over report's B, sampled": f"{other['sampled'] / b['sampled']:.1f}"})
show.table(takeaways or [{"study": "not recorded"}], "Recorded medians: who is lowest, and by how much")

# %%
worst = [r["setting"] for r in takeaways if r["highest, t = 49"] == NAMES[3]]
near = [r["setting"] for r in takeaways if float(r["report's B over A, sampled"]) <= 1.1]
helped = [r["setting"] for r in takeaways if float(r["x0-space B over report's B, sampled"]) > 1]
above = [r["setting"] for r in takeaways if float(r["report's B over A, t = 49"]) > 1]
said = []
for text, found in (("At t = 49 fix B with the report's loss errs more than fix A in", above),
                    ("At t = 49 it has the highest error of all four variants in", worst),
                    ("Its *samples* are within a tenth of fix A's, or better, in", near),
                    ("The report's loss gives better samples than the x0-space loss in", helped)):
    said.append(f"- {text} **{len(found)} of {len(takeaways)}** settings: {', '.join(found) or 'none'}.")
lead = []
for setting in (x for x in studies.SETTINGS if x != "starved"):
    blind = studies.variant_curve("velocity", BLIND, setting, "sampled")
    ours = [v for n in NAMES if (v := median(n, setting, "sampled")) is not None]
    lead += [setting] if blind and ours and np.median(blind.rmsd[:, -1]) < min(ours) else []
if studies.recorded_runs("velocity"):
    said.append("- A network *blind* to x_t and t samples better than all four in: "
                f"{', '.join(lead) or 'none'}. Where it does, low error shows how fast a form finds an "
                "answer that needs no denoising.")
show.say("\n".join(said) if takeaways else "Settings: **not recorded**.")

# %% [markdown]
# What follows by algebra, whatever the runs say:
#
# - Fix B's weak end is t = T, not t = 0: the error of F is multiplied by $s/a$, 7 at t = 49. The guard
#   of 1e-4 does not touch it.
# - The report's loss looks at the protein with weight $(a/s)^2$: most at small t, where samples end;
#   least at t = 49, of whose prediction the least is left in $x_1$. Loss and sampler neglect the *same*
#   end. So a bad single step at t = 49 need not mean bad samples; it does mean a bad answer for whoever
#   makes one call.
# - The same form trained in x0 space spends its effort at the other end. Form and loss are two choices.
#
# The next one, [fix C](09_fix_c_velocity.ipynb), keeps the noise in its target but never divides by a.
#
# ## Exercises
#
# **1.** Which loss in $\varepsilon$ (mean over components) at t = 49 has a model whose $\hat x_0$ is
# no better than predicting zero? Data of unit variance.

# %% tags=["exercise"]
my_loss_at_49 = None  # your number

# %% tags=["solution"]
# Solution
# (s/a)^2 loss = 1, the variance of x0, so loss = (a/s)^2 = 1/49: the SNR.
solution_1 = 1 / 49

# %% tags=["check"]
answer = solution_1 if my_loss_at_49 is None else my_loss_at_49
x0, eps = torch.randn(2, 100_000, generator=torch.Generator().manual_seed(0)).double()
says_zero = FORMS["eps"].output_for(0 * x0, schedule.a[49] * x0 + schedule.s[49] * eps,
                                    schedule.a[49], schedule.s[49])
simulated = float((says_zero - eps).square().mean())
assert abs(answer - simulated) < 0.02 * simulated, f"simulated: {simulated:.4f}"
print("not answered; the solution is" if my_loss_at_49 is None else "right:",
      f"{answer:.4f} (simulated {simulated:.4f})")

# %% [markdown]
# **2.** A perfect model of one protein makes no error at t ≥ 1. What is its mean report's loss over
# t = 0 … 49? How far is the live run's from it?

# %% tags=["exercise"]
my_floor = None  # your number

# %% tags=["solution"]
# Solution
# Zero at t = 1 ... 49; at t = 0 the best F is the mean of eps, 0, at a loss of 1.
solution_2 = 1 / T

# %% tags=["check"]
answer = solution_2 if my_floor is None else my_floor
silent = float(torch.randn(100_000, generator=torch.Generator().manual_seed(1)).square().mean()) / T
assert abs(answer - silent) < 0.02 * silent, f"simulated: {silent:.4f}"
print("not answered; the solution is" if my_floor is None else "right:",
      f"{answer:.4f}; the live run has {of_f['eps'].mean():.4f}")

# %%
metric("B, rms error of F over t = 1 … 49", np.sqrt(level["eps"]))
metric("B, RMSE at t = 49", angstrom(of_x0["eps"])[49], "Å")
metric("B, RMSE at t = 49, measured over predicted", factor)
metric("B, mean RMSE over t = 1 … 25", float(angstrom(of_x0["eps"])[1:26].mean()), "Å")
metric("B, sampled RMSE", ends["eps"].sampled_rmse, "Å")
metric("gradient span over t, x0-space loss, untrained", span(gradients["untrained"]["B, x0-space loss"]))
