# %% [markdown]
# # 05 · Training and sampling
#
# A diffusion model is trained with a plain regression: noise the protein, guess the clean one,
# take the squared error. Sampling then runs the noise backwards. Here both are written out by hand,
# one idea a cell, and each is shown to equal the package, which the other notebooks use.
#
# **You will learn** what happens in one training step; why a loss curve says little about an error
# at one timestep; where the DDPM step comes from, and how DDIM differs.
# **Time:** 25 minutes to read, under a minute to run. **Words:** [notation and glossary](reference.md).

# %% tags=["parameters"]
profile = "laptop"
seed = 0

# %%
import math
import time
from itertools import islice

import numpy as np
import torch

from resfold_nb import measure, show
from resfold_nb.data import load, make_batch, rmse
from resfold_nb.diffusion import FORMS, ddim, ddpm, get_schedule, predict_x0, spaced_timesteps
from resfold_nb.model import Features, Predictor
from resfold_nb.training import build, draw, learning_rate, named_recipe, train, training_loss
from resfold_nb.workbook import goal, metric, start

session = start(profile, seed, notebook="05_training_and_sampling")

# %% [markdown]
# The form here is fix A: the network's output *is* the prediction, $\hat x_0 = F(x_t, t)$. It is the
# simplest one to follow, and [notebook 07](07_fix_a_direct_x0.ipynb) compares it with the report's.
# The recipe is *well fed*, a small network, built like the one of
# notebooks [03](03_trunk.ipynb) and [04](04_denoiser.ipynb).

# %%
device, schedule = session.device, get_schedule("linear")
protein = load(session.pick(ci="1WY3_A", laptop="1HZ6_A", gpu="1HZ6_A"))
batch = make_batch(protein).to(device)
features, x0, sd = Features.of(batch), batch.x0, float(batch.scale[0])
recipe = named_recipe("well_fed", profile, form="x0")
tables, T = schedule.to(device, torch.float32), schedule.timesteps
base = measure.baselines(schedule, 1.0, sd)
print(f"{protein.id}: {len(protein)} residues, {sd:.2f} Å a unit; {recipe.steps} steps")

# %% [markdown]
# ## A draw
#
# A step needs noisy proteins. Choose a timestep t, all equally likely; draw noise of variance 1;
# mix the two ([notebook 02](02_forward_process.ipynb)). One protein can be noised many times in one
# step: n pairs $(t, \varepsilon)$ of the *same* $x_0$.

# %%
n = recipe.noise_levels
generator = torch.Generator(device).manual_seed(seed + 1_000_003)
clean = x0.repeat_interleave(n, 0)                                                  # (n, L, 3)
t = torch.randint(0, T, (n,), generator=generator, device=device)                   # (n,)
eps = torch.randn(clean.shape, generator=generator, device=device)                  # (n, L, 3)
x_t = tables.add_noise(clean, eps, t)                                               # (n, L, 3)

# %%
order = t.argsort()
show.player({"one draw": batch.angstrom(x_t[order]).cpu().numpy()}, truth=protein.centroids,
            chain_index=protein.chain_index, labels=[f"t = {k}" for k in t[order].tolist()],
            alt=f"The {n} noisy proteins of one draw, by timestep, each with noise of its own. Grey: the clean one.")

# %% [markdown]
# The package's `draw` does the same with the same stream of random numbers:

# %%
theirs = draw(recipe, batch, features, torch.Generator(device).manual_seed(seed + 1_000_003))
off = max(float((x - y).abs().max()) for x, y in ((t, theirs.t), (eps, theirs.eps)))
goal("draw by hand against the package", off, "==", 0.0)

# %% [markdown]
# ## The loss
#
# The network returns F; the form turns it into $\hat x_0$; the loss is the mean squared error over
# noise levels, points and axes.

# %%
untrained, form = build(recipe, seed, device), FORMS[recipe.form]
a, s = tables.at(t)                                                                 # (n, 1, 1) each
f = untrained.raw(x_t, t, features)                                                 # (n, L, 3)
x0_pred = form.c_skip(a, s) * x_t + form.c_out(a, s) * f                            # (n, L, 3)
loss = (x0_pred - clean).square().mean()                                            # ()
package = training_loss(recipe, untrained, theirs, features)
goal("loss by hand against the package", float((loss - package).detach().abs()), "<=", 1e-6)
show.say(f"Loss before training: **{float(loss.detach()):.3f}**. A guess of zero has 1, the protein's variance.")

# %% [markdown]
# One may also take the error of F against what F should be, $F^*$. Put $x_0$ into the form's
# equation in two ways and subtract:
#
# $$\hat x_0 - x_0 = c_\mathrm{out}\,(F - F^*) \quad\Rightarrow\quad
#   L_{x_0}(t) = c_\mathrm{out}(t)^2\; L_F(t).$$
#
# So the choice of loss is a choice of *weights over t*. Here is the identity, measured on the draw
# with the untrained network in four forms. For fix A, $c_\mathrm{out} = 1$: the two are one.

# %%
names, worst, f_now = ("residual", "x0", "eps", "v"), 0.0, f.detach()
for other in (FORMS[name] for name in names):
    in_f = (f_now - other.target(clean, eps, a, s)).square().mean((1, 2))           # (n,)
    in_x0 = (other.x0(x_t, f_now, a, s) - clean).square().mean((1, 2))              # (n,)
    weight = other.c_out(a, s).flatten().square()                                   # (n,)
    worst = max(worst, float(((in_x0 - weight * in_f).abs() / (in_x0 + 1e-6)).max()))
goal("x0 loss against c_out² times F loss, relative", worst, "<=", 1e-3)

# %% tags=["plot"]
lines = [show.form_line(name, np.arange(T), FORMS[name].c_out(schedule.a, schedule.s).square(), dash=look)
         for name, look in zip(names, ("solid", "solid", "dash", "dot"))]
show.figure(show.chart(lines, title="Weight of F's error in the x0 loss", x="timestep t", y="c_out²", log_y=True),
            "The square of c_out against the timestep for four forms: flat for fix A, rising with t for the others, "
            "steepest for epsilon. Velocity and the scaled residual have the same curve. Zeros cannot be drawn.")

# %% [markdown]
# ## One optimiser step
#
# Four lines of any training script, each by hand:
#
# 1. **zero_grad, backward**: forget the last gradient (`backward` *adds* to what it finds), compute
#    the new one, g.
# 2. **clip**: if the norm of g over *all* weights is above the limit, shrink g to it.
# 3. **AdamW**: keep running means m of g and v of g², and move each weight by
#    $-\eta\,\hat m/(\sqrt{\hat v} + 10^{-8})$. The hat divides by $1-\beta^k$, since the means start
#    at zero. *Weight decay* shrinks the weight a little, apart from that.
# 4. **plan**: the learning rate η of the next step.

# %%
weights = list(untrained.parameters())
before = [w.detach().clone() for w in weights]
g = torch.autograd.grad(loss, weights)                                              # one tensor a weight
norm = torch.stack([x.norm() for x in g]).norm()                                    # ()
g = [x * (recipe.clip / (norm + 1e-6)).clamp(max=1) for x in g]
eta, (beta_1, beta_2) = recipe.learning_rate / recipe.warmup, (0.9, 0.999)
by_hand = []
for w, x in zip(before, g):
    m, v = (1 - beta_1) * x, (1 - beta_2) * x.square()                              # both started at 0
    m_hat, v_hat = m / (1 - beta_1), v / (1 - beta_2)                               # step k = 1
    w = w * (1 - eta * recipe.weight_decay)
    by_hand.append(w - eta * m_hat / (v_hat.sqrt() + 1e-8))

# %%
state = next(islice(train(recipe, batch, seed, device), 1, 2))                      # the package, one step
after = [w.detach() for w in state.predictor.parameters()]
off = max(float((x - y).abs().max()) for x, y in zip(by_hand, after))
goal("one step by hand against the package, largest weight difference", off, "<=", 1e-6)


def flatten(tensors):
    return torch.cat([x.flatten() for x in tensors]).cpu()


small, large = np.percentile(flatten(g).abs(), (10, 90))
least, most = np.percentile((flatten(after) - flatten(before)).abs(), (10, 90))
show.say(f"Eight of ten weights have a gradient of {small:.0e} to {large:.0e}, {large / small:.0f}-fold. Eight of ten "
         f"move by {least:.1e} to {most:.1e}, {most / least:.2f}-fold; the learning rate is {eta:.1e}.")

# %% [markdown]
# In its first step Adam divides each component by its own size: what is left is the sign. A gradient
# ten times smaller *everywhere* would move the weights just as far. So "the gradient is small" is
# not yet "nothing is learned"; what counts is which part of the gradient is small beside the rest.
#
# **The plan** for the learning rate: a linear warm-up, because v is still a poor estimate, then half
# a cosine down to zero.

# %%
def share(step):
    if step < recipe.warmup:
        return (step + 1) / recipe.warmup
    return (1 + math.cos(math.pi * (step - recipe.warmup) / (recipe.steps - recipe.warmup))) / 2


goal("learning-rate plan by hand against the package",
     max(abs(share(k) - learning_rate(recipe, k)) for k in range(recipe.steps)), "<=", 1e-12)

# %% [markdown]
# ## The loop, as a generator
#
# Now all of it, repeated. `yield` hands the state out after each step and *waits*; whoever asks
# for the next state drives the loop.

# %%
def loop_by_hand(recipe, batch, seed):
    model = build(recipe, seed, device)
    weights = list(model.parameters())
    generator = torch.Generator(device).manual_seed(seed + 1_000_003)
    adamw = torch.optim.AdamW(weights, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)
    yield 0, model, math.nan
    for step in range(1, recipe.steps + 1):
        t = torch.randint(0, T, (n,), generator=generator, device=device)           # (n,)
        eps = torch.randn((n, *x0.shape[1:]), generator=generator, device=device)   # (n, L, 3)
        x_t = tables.add_noise(batch.x0, eps, t)                                    # (n, L, 3)
        loss = (model(x_t, t, features) - batch.x0).square().mean()                 # ()
        adamw.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, recipe.clip)
        for group in adamw.param_groups:
            group["lr"] = recipe.learning_rate * share(step - 1)
        adamw.step()
        yield step, model, float(loss.detach())

# %% [markdown]
# A generator is *lazy*. Calling it runs nothing; `next` runs it up to the next `yield`; `islice`
# takes the first k states and leaves it there. That is why a notebook, a progress bar and a study can
# drive one and the same loop, and measure in between, without a callback in sight.

# %%
pause = recipe.steps // 5
mine, states = loop_by_hand(recipe, batch, seed), train(recipe, batch, seed, device)
for _, model_by_hand, _ in islice(mine, pause + 1):
    pass
history = list(islice(states, pause + 1))
model = history[-1].predictor
off = max(float((x - y).abs().max().detach()) for x, y in zip(model_by_hand.parameters(), model.parameters()))
goal("loop by hand against the package, largest weight difference", off, "<=", 1e-6)

# %% [markdown]
# **Stop and go.** The package's loop is now paused: the model can be used as it stands, and the loop
# can go on. (The stop button leaves you a usable model too, but it ends the generator: that loop
# cannot go on.)

# %%
paused = measure.error_by_timestep(model, batch, draws=4)
show.say(f"At the pause (step {history[-1].step} of {recipe.steps}), one denoising step errs by "
         f"{paused.rmse.mean():.2f} Å on average over t; predicting zero, by {base['predict zero'][0]:.2f} Å.")

# %% [markdown]
# ## Why many noise levels a step
#
# The gradient of a step is an estimate: the mean over n random pairs $(t, \varepsilon)$.
#
# **Predict first:** going from n = 1 to n = 16, how much smaller is the scatter of the gradient from
# draw to draw? And does a step cost 16 times as much?
#
# Measured in the paused model, whose weights stay as they are: many draws at each n, the gradient of
# each.

# %%
generator = torch.Generator(device).manual_seed(seed + 5)


def gradient_of_a_draw(n):
    """Over all weights, (P,)."""
    drawn = draw(recipe.but(noise_levels=n), batch, features, generator)
    return flatten(torch.autograd.grad(training_loss(recipe, model, drawn, features), list(model.parameters())))


gradients, seconds = {}, {}
for levels, count in {1: 96, 4: 48, 16: 24, 64: 12}.items():
    began = time.perf_counter()
    gradients[levels] = torch.stack([gradient_of_a_draw(levels) for _ in range(count)])     # (count, P)
    seconds[levels] = (time.perf_counter() - began) / count
true = float(gradients[64].mean(0).norm())
scatter = {k: float(x.var(0).sum().sqrt()) / true for k, x in gradients.items()}

# %% tags=["plot"]
k = np.array(list(scatter))
lines = [show.Line("gradient", k, list(scatter.values()), "#0072B2"),
         show.Line("gradient at n = 1, over √n", k, scatter[1] / np.sqrt(k), "#222222", "dot")]
show.figure(show.chart(lines, title="Scatter of the gradient from draw to draw, relative to its mean", log_x=True,
                       log_y=True, x="noise levels a step, n", y="standard deviation / mean"),
            "Scatter of the gradient from draw to draw against n; the dotted line falls as one over the root of n.")
show.say(f"From n = 1 to 16 the gradient's scatter falls by a factor of **{scatter[1] / scatter[16]:.1f}** "
         f"(√16 = 4). At n = 1 it is {scatter[1]:.1f} times the mean gradient itself. The cost of a step rose by a "
         f"factor of {seconds[16] / seconds[1]:.1f} in this run, on this machine.")

# %% [markdown]
# Independent draws average out as $1/\sqrt n$. Small tensors leave a processor idle, so the n-th
# level is cheaper than the first; a trunk that saw the sequence alone (fix E) would even be computed once
# for all n, but this one reads each noisy copy. With n = 1 a run has a noisy gradient at each step;
# [notebook 06](06_broken_residual.ipynb) trains a deep network in that way, among others.
#
# ## The loss curve is not the error by timestep
#
# **Predict first:** at the end, is the error equal at all t? At which is it largest? Could you tell
# from the loss curve?
#
# Go on with the paused run.

# %%
SEEN = (1, 25, 49)
curve = [(pause, *paused.rmse[list(SEEN)])]                                         # marks of (step, 3 errors)
for state in show.progress(states, recipe.steps - pause):
    history.append(state)
    if state.step % (recipe.steps // session.pick(ci=10, laptop=20, gpu=20)) == 0:
        curve.append((state.step, *measure.error_by_timestep(model, batch, draws=4, timesteps=SEEN).rmse))
trained = measure.error_by_timestep(model, batch, draws=8)
in_angstrom = sd * np.sqrt(3 * torch.stack([x.loss for x in history[1:]]).cpu().numpy())    # (steps,)
goal("after training, worst RMSE over t, mean of 8 draws", trained.worst, "<", 1.0, "Å")

# %% tags=["plot"]
step, *errors = np.array(curve).T
lines = [show.Line("√(3 loss) of each step", np.arange(1, recipe.steps + 1), in_angstrom, "#BDBDBD")]
lines += [show.Line(f"error at t = {at}", step, error, colour, dash) for at, error, colour, dash in
          zip(SEEN, errors, ("#56B4E9", "#009E73", "#D55E00"), ("solid", "dash", "solid"))]
show.figure(show.chart(lines, title="Loss of each step, and the error at three timesteps", x="step", y="RMSE (Å)",
                       log_y=True, goal=1.0),
            "Errors against the steps of the run. Grey: the loss of each step as an error in Å. Coloured: the error "
            f"at t = 1, 25 and 49, measured from step {pause} on. Dotted: 1 Å.")

# %% tags=["plot"]
lines = [show.Line(f"after {pause} steps", paused.t, paused.rmse, "#56B4E9", "dash"),
         show.Line(f"after {recipe.steps} steps", trained.t, trained.rmse, "#0072B2")]
show.figure(show.chart(lines + show.baseline_lines(base), title="Error by timestep", x="timestep t", y="RMSE (Å)",
                       log_y=True, goal=1.0),
            "Error of one denoising step against t, at the pause and at the end, and of what needs no learning.")
show.say(f"At the end the error is largest at **t = {trained.rmse.argmax()}** ({trained.worst:.2f} Å), smallest at "
         f"t = {trained.rmse.argmin()} ({trained.rmse.min():.2f} Å). The loss holds one number for all of them.")

# %% [markdown]
# A loss curve averages over t, weighted by $c_\mathrm{out}^2$ or not, and it scatters. A model that
# fails at a single t may have a fine loss. This workbook therefore judges by the second figure.
#
# ## Watch it learn
#
# The same generator, driven by three buttons. Press *Start*; *Pause* holds it between two steps, and
# other cells can use `live.predictor` meanwhile. It is the scaled residual, so that there is something to
# see. (Where nobody can press a button, as in a test, a few steps are run at once.)

# %%
live = show.live_training(recipe.but(form="residual"), batch, seed, device=session.device,
                          steps=session.pick(ci=10, laptop=40, gpu=200),
                          alt="The scaled residual, trained under your hands: loss, error by timestep, and a sample.")
live

# %% [markdown]
# ## DDPM: one step back
#
# Sampling starts from noise at t = T − 1. Suppose $x_0$ were known. Which $x_u$, at an earlier
# timestep u, could have led to our $x_t$? Two pieces of knowledge, both Gaussian:
#
# - from $x_0$: $\;x_u = a_u x_0 + s_u \varepsilon$, mean $a_u x_0$, variance $s_u^2$;
# - from $x_t$: $\;x_t = \sqrt\alpha\,x_u + \sqrt\beta\,\varepsilon'$, with
#   $\alpha = \bar\alpha_t/\bar\alpha_u$ and $\beta = 1 - \alpha$: as a statement on $x_u$, mean
#   $x_t/\sqrt\alpha$, variance $\beta/\alpha$.
#
# Bayes multiplies them. For Gaussians the precisions (one over variance) add, and the mean is the
# mean weighted by precision. With $s_t^2 = \alpha s_u^2 + \beta$:
#
# $$\frac1{\sigma^2} = \frac1{s_u^2} + \frac\alpha\beta = \frac{s_t^2}{s_u^2\beta}, \qquad
#   \mu = \sigma^2\left(\frac{a_u x_0}{s_u^2} + \frac{\sqrt\alpha\,x_t}{\beta}\right)
#       = \frac{a_u\beta}{s_t^2}\,x_0 + \frac{\sqrt\alpha\,s_u^2}{s_t^2}\,x_t.$$
#
# The sampler does not know $x_0$, so it puts $\hat x_0$ there.

# %%
def posterior(t, u):
    """Weights of x0 and of x_t in the mean, and the variance, of x_u given both."""
    alpha = float(schedule.alpha_bar[t] / schedule.alpha_bar[u])
    beta, a_u, s_u, s_t = 1 - alpha, *(float(x) for x in (schedule.a[u], schedule.s[u], schedule.s[t]))
    return a_u * beta / s_t**2, math.sqrt(alpha) * s_u**2 / s_t**2, s_u**2 * beta / s_t**2


T_HIGH, U_LOW = 40, 20                                                              # one coordinate, x0 = 1
alpha = float(schedule.alpha_bar[T_HIGH] / schedule.alpha_bar[U_LOW])
z, z_more = torch.randn(2, 200_000, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
x_u = schedule.a[U_LOW] + schedule.s[U_LOW] * z                                     # forwards to u ...
x_late = math.sqrt(alpha) * x_u + math.sqrt(1 - alpha) * z_more                     # ... and on to t
slope, offset = np.polyfit(x_late, x_u, 1)                                          # and back, by regression
left = float((x_u - slope * x_late - offset).var())
to_x0, to_xt, variance = posterior(T_HIGH, U_LOW)
goal("posterior: formula against simulation",
     max(abs(slope - to_xt), abs(offset - to_x0), abs(left - variance)), "<", 0.02)

# %% [markdown]
# **One step, and the whole way.** The network is called at t = 49 … 1: 49 calls. At the last
# step u = 0, $s_u = 0$: no weight on $x_t$, no noise, and the result is $\hat x_0$ itself.

# %%
COPIES = 4
noise = torch.randn((T, COPIES, *x0.shape[1:]), generator=torch.Generator().manual_seed(seed + 9)).to(device)
start_x, z = noise[0], noise[1:]                                                    # (B, L, 3), (T - 1, B, L, 3)
denoise = model.eval().requires_grad_(False).denoiser_for(features)                 # (x_t, t) -> x0_pred


def ddpm_by_hand(denoise, x, z):
    xs = [x]
    for i, t in enumerate(range(T - 1, 0, -1)):
        x0_pred = denoise(x, torch.full((len(x),), t, device=device))               # (B, L, 3)
        to_x0, to_xt, variance = posterior(t, t - 1)
        x = to_x0 * x0_pred + to_xt * x + math.sqrt(variance) * z[i]                # (B, L, 3)
        xs.append(x)
    return torch.stack(xs)                                                          # (T, B, L, 3)

# %%
xs, package = ddpm_by_hand(denoise, start_x, z), ddpm(denoise, schedule, start_x, noise=z)
goal("DDPM by hand against the package, largest difference at any step", float((xs - package.x).abs().max()),
     "<=", 1e-5)


def to_truth(points):
    """Mean RMSE in Å over the copies: (S, B, L, 3) -> (S,)."""
    return np.array([sd * float(rmse(x, x0.expand_as(x)).mean()) for x in points])


ddpm_error = to_truth(xs)[-1]
show.say(f"{COPIES} structures from pure noise: RMSE **{ddpm_error:.2f} Å** on average.")

# %% [markdown]
# ## DDIM: the same marginals, less noise
#
# DDPM forgets: it adds fresh noise at each step. DDIM (Song et al. 2020) keeps the noise it believes
# to be there. From $\hat x_0$ it reads off $\hat\varepsilon = (x_t - a_t \hat x_0)/s_t$ and mixes again
# for the earlier timestep, with a share η of DDPM's noise:
#
# $$x_u = a_u \hat x_0 + \sqrt{s_u^2 - \eta^2\sigma^2}\;\hat\varepsilon + \eta\,\sigma z.$$
#
# Whatever η, with the true $x_0$ the result has mean $a_u x_0$ and variance $s_u^2$, as in training:
# the *marginals* of each timestep stay the same. At η = 0 nothing is random but the start.

# %%
def ddim_by_hand(denoise, x, z, eta, visited):
    xs = [x]
    for i, (t, u) in enumerate(zip(visited, (*visited[1:], 0))):
        a_t, s_t, a_u, s_u = (float(c[k]) for k in (t, u) for c in (schedule.a, schedule.s))
        variance = eta**2 * posterior(t, u)[2]
        x0_pred = denoise(x, torch.full((len(x),), t, device=device))               # (B, L, 3)
        eps_pred = (x - a_t * x0_pred) / s_t                                        # (B, L, 3)
        kept = math.sqrt(max(0.0, s_u**2 - variance))
        x = a_u * x0_pred + kept * eps_pred + math.sqrt(variance) * z[i]            # (B, L, 3)
        xs.append(x)
    return torch.stack(xs)                                                          # (S + 1, B, L, 3)


ways = {eta: ddim_by_hand(denoise, start_x, z, eta, range(T - 1, 0, -1)) for eta in (0.0, 1.0)}
for eta, way in ways.items():
    theirs = ddim(denoise, schedule, start_x, noise=z, eta=eta).x
    goal(f"DDIM by hand against the package, eta = {eta:g}", float((way - theirs).abs().max()), "<=", 1e-5)

# %% [markdown]
# **Predict first:** is DDIM with η = 1 DDPM? Exactly, roughly, or only when all 49 steps are taken?
# Try it on paper: compare the weights of $x_t$.

# %%
gaps = []
for calls in (49, 10, 3):
    visited = spaced_timesteps(calls)
    one = ddpm(denoise, schedule, start_x, timesteps=visited, noise=z[:calls]).x    # (calls + 1, B, L, 3)
    two = ddim(denoise, schedule, start_x, timesteps=visited, noise=z[:calls], eta=1.0).x
    gaps.append(float((one - two).abs().max()))
goal("DDIM with eta = 1 against DDPM", max(gaps), "<=", 1e-4)

# %% [markdown]
# Yes, for *any* steps, up to rounding. The weight of $x_t$ in DDIM is $\sqrt{s_u^2 - \sigma^2}/s_t$,
# and $s_u^2 - \sigma^2 = s_u^2\,(s_t^2 - \beta)/s_t^2 = \alpha\,s_u^4/s_t^2$, so it is
# $\sqrt\alpha\,s_u^2/s_t^2$: DDPM's. (This holds for the smaller of the two variances that Ho et al.
# offer, which is the one used here.)

# %% [markdown]
# ## Side by side
#
# The same noise at the start. Watch how DDPM jitters and DDIM glides. Grey is the truth; the slider
# moves with the arrow keys too.

# %%
frames = {"DDPM": xs[:, :1], "DDIM, η = 0": ways[0.0][:, :1]}                       # (T, 1, L, 3) each
captions = {k: [f"t = {T - 1 - i}, RMSE {e:.2f} Å" for i, e in enumerate(to_truth(x))] for k, x in frames.items()}
show.player({name: batch.angstrom(x)[:, 0].cpu().numpy() for name, x in frames.items()},
            truth=protein.centroids, chain_index=protein.chain_index, labels=captions,
            alt="Sampling from the same noise with DDPM (left) and DDIM (right), the true centroids in grey.")

# %% [markdown]
# **Against somebody else's code.** Equal to the package proves little if the package is wrong.
# The tests of this workbook (`tests/test_diffusion.py`) hold both samplers against Hugging Face's
# `diffusers`, step by step, for predictions of $x_0$, ε and v; for DDIM at η = 0 and 1 and with
# 1 to 50 calls. That library is needed by the tests alone.
#
# ## The call at t = 0
#
# The report samples with one more call, at t = 0. **Predict first:** for which forms does that change
# the structure?
#
# The trained network F, put into four forms (only fix A was trained, the others draw nonsense; that
# does not matter for the question):

# %%
changes = {}
for name in ("residual", "eps", "v", "x0"):
    any_form = Predictor(model.network, FORMS[name], schedule).to(device).eval().denoiser_for(features)
    without = ddpm(any_form, schedule, start_x, noise=z).final                      # (B, L, 3) after 49 calls
    with_call = predict_x0(any_form, without, 0)                                    # (B, L, 3) and after the 50th
    changes[name] = sd * float(rmse(with_call, without).mean())
for name in ("residual", "eps", "v"):
    goal(f"change by the call at t = 0, {FORMS[name].label}", changes[name], "==", 0.0, "Å")
goal("the call at t = 0 changes fix A", changes["x0"], ">", 0.0, "Å")
show.say(f"Where $c_\\mathrm{{out}}(0) = 0$ and $c_\\mathrm{{skip}}(0) = 1$ the call returns its input, to the last "
         f"bit. Fix A predicts anew: its structures move by {changes['x0']:.3f} Å, and their error goes from "
         f"{ddpm_error:.3f} to {to_truth([with_call])[0]:.3f} Å. This workbook samples with 49 calls.")

# %% [markdown]
# ## Where training and sampling do not meet
#
# At t = 49 training still shows the network $a = \sqrt{0.02}$ of the protein's amplitude. Sampling
# starts from pure noise, with none. Lin et al. (2023) call that a flaw of common schedules. Both
# inputs have variance 1; only the signal is missing. How much does it matter here? The same noise,
# with and without it:

# %%
many = session.pick(ci=64, laptop=128, gpu=512)
eps = torch.randn((many, *x0.shape[1:]), generator=torch.Generator().manual_seed(seed + 11)).to(device)
last = torch.full((many,), T - 1, device=device)                                    # (many,)
guesses = denoise(tables.add_noise(x0, eps, last), last), denoise(eps, last)        # (many, L, 3) each
errors = to_truth(guesses)
mismatch = errors[1] / errors[0]
show.say(f"The signal's amplitude at t = {T - 1} is **{float(schedule.a[-1]):.1%}**. Error of x0_pred there: "
         f"{errors[0]:.3f} Å with it, {errors[1]:.3f} Å from pure noise (ratio {mismatch:.3f}).")

# %% [markdown]
# Little beside the size of the protein, because a network that has memorised one protein can do
# almost without its input. One that must find out *which* protein, or which orientation, has more to
# lose; notebook 15 works with many.
#
# ## Fewer calls
#
# **Predict first:** how much worse is a structure made with a single call than one made with 49?

# %%
rows, full = [], ways[0.0][-1]
for calls in (49, 25, 10, 5, 1):
    visited = spaced_timesteps(calls)
    made = ddim_by_hand(denoise, start_x, z, 0.0, visited)[-1]                      # (B, L, 3)
    rows.append({"calls": calls, "RMSE of the samples (Å)": to_truth([made])[0],
                 "RMSE to those of 49 calls (Å)": sd * float(rmse(made, full).mean()),
                 "last call at t": visited[-1], "one-step error there (Å)": trained.rmse[visited[-1]]})
show.table(rows, f"DDIM, η = 0, from the same {COPIES} starts")

# %% [markdown]
# The last step takes $\hat x_0$ as it is, so a sample *is* the prediction at the last t called. One
# memorised protein has one right answer for every input, and a *constant* denoiser would give the
# same structure with any number of calls. What is left in the table comes from how far the network is
# from that constant, and more from *where* the last call is made (compare the last column) than from
# how many there are. It says nearly nothing about samplers. Few-step sampling has to be tested where
# a constant is not the answer; [notebook 09](09_fix_c_velocity.ipynb) does.
#
# ## Exercises
#
# **1.** What standard deviation has the fresh noise of DDPM in the step from t = 1 to u = 0, and in
# the step from t = 2 to u = 1? Use $\bar\alpha = 1 - t/50$ and the formula for $\sigma^2$.

# %% tags=["exercise"]
my_deviations = None  # (t = 1 to 0, t = 2 to 1)

# %% tags=["solution"]
# Solution
# s_0 = 0, so the first is 0. For t = 2: s_u² = 0.02, s_t² = 0.04, beta = 1 - 0.96 / 0.98.
solution_1 = (0.0, math.sqrt(0.02 / 0.04 * (1 - 0.96 / 0.98)))

# %% tags=["check"]
answer = solution_1 if my_deviations is None else my_deviations
for given, step in zip(answer, (1, 2), strict=True):
    zeros = torch.zeros(1, 20_000, 3, dtype=torch.float64)
    z_check = torch.randn((2, *zeros.shape), dtype=torch.float64,
                          generator=torch.Generator().manual_seed(0))
    made = ddpm(lambda x, t: 0 * x, schedule, zeros, timesteps=range(step, 0, -1),
                noise=z_check[:step]).x[1]
    assert abs(given - float(made.std())) < 0.005, f"t = {step}: simulated {float(made.std()):.3f}"
print("not answered; the solution is" if my_deviations is None else "right:",
      ", ".join(f"{x:.3f}" for x in answer))

# %% [markdown]
# **2.** How many of this run's draws had t = 0, where $x_t$ is the protein itself? Give the number
# to expect; the check counts them.

# %% tags=["exercise"]
my_draws_at_zero = None

# %% tags=["solution"]
# Solution
solution_2 = recipe.steps * recipe.noise_levels / T  # each t is equally likely

# %% tags=["check"]
answer = solution_2 if my_draws_at_zero is None else my_draws_at_zero
stream = torch.Generator(device).manual_seed(seed + 1_000_003)
counted = sum(int((draw(recipe, batch, features, stream).t == 0).sum()) for _ in range(recipe.steps))
assert abs(answer - counted) < 5 * math.sqrt(solution_2), f"counted: {counted}"
print("not answered; the solution is" if my_draws_at_zero is None else "right:",
      f"{answer:g} expected, {counted} counted in this run, of {recipe.steps * recipe.noise_levels}")

# %% [markdown]
# **3.** DDIM with η = 0 may jump. Write $x_u$ as a mix of $\hat x_0$ and $x_t$: which two weights
# has the jump from t = 49 to u = 25?

# %% tags=["exercise"]
my_weights = None  # (of x0_pred, of x_t)

# %% tags=["solution"]
# Solution
# x_u = a_u x0 + s_u (x_t - a_t x0) / s_t; collect x0 and x_t.
a_t, s_t, a_u, s_u = (float(c[k]) for k in (49, 25) for c in (schedule.a, schedule.s))
solution_3 = (a_u - a_t * s_u / s_t, s_u / s_t)

# %% tags=["check"]
answer = solution_3 if my_weights is None else my_weights
ones = torch.ones(1, 1, 3, dtype=torch.float64)
for weight, guess, now in zip(answer, (ones, 0 * ones), (0 * ones, ones), strict=True):
    jump = ddim(lambda x, t: guess, schedule, now, timesteps=(49, 25), noise=torch.zeros(2, 1, 1, 3))
    assert abs(weight - float(jump.x[1].mean())) < 1e-3, f"the package has {float(jump.x[1].mean()):.4f}"
print("not answered; the solution is" if my_weights is None else "right:",
      ", ".join(f"{x:.3f}" for x in answer))

# %%
metric("fix A, worst RMSE over t", trained.worst, "Å")
metric("RMSE of DDPM samples", ddpm_error, "Å")
metric("RMSE of DDIM samples, eta = 0", to_truth(ways[0.0])[-1], "Å")
metric("change by the call at t = 0, fix A", changes["x0"], "Å")
metric("error at t = 49, from pure noise over with signal", mismatch)
metric("scatter of the gradient, n = 1 over n = 16", scatter[1] / scatter[16])
