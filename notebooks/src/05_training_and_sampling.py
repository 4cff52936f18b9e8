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
import inspect
import math
import time
from itertools import islice

import numpy as np
import torch
from tqdm.auto import tqdm

from resfold_nb import measure, show
from resfold_nb.data import load, make_batch, rmse
from resfold_nb.diffusion import FORMS, ddim, ddpm, get_schedule, spaced_timesteps
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
device = session.device
protein = load(session.pick(ci="1WY3_A", laptop="1HZ6_A", gpu="1HZ6_A"))
batch = make_batch(protein).to(device)
features, x0, sd = Features.of(batch), batch.x0, float(batch.scale[0])
recipe = named_recipe("well_fed", profile, form="x0")
schedule = get_schedule("linear")
tables = schedule.to(device, torch.float32)
T, form = schedule.timesteps, FORMS[recipe.form]
base = measure.baselines(schedule, 1.0, sd)
print(f"{protein.id}: {len(protein)} residues, {sd:.2f} Å a unit. {recipe.steps} steps, "
      f"{recipe.noise_levels} noise levels each, form {form.label!r}")

# %% [markdown]
# ## A draw
#
# A step needs noisy proteins. Choose a timestep t, all equally likely; draw noise of variance 1;
# mix the two ([notebook 02](02_forward_process.ipynb)). One protein can be noised many times in one
# step: n pairs $(t, \varepsilon)$ of the *same* $x_0$.

# %%
n = recipe.noise_levels
generator = torch.Generator(device).manual_seed(seed + 1_000_003)
clean = x0.repeat_interleave(n, 0)                                        # (n, L, 3)
t = torch.randint(0, T, (n,), generator=generator, device=device)         # (n,)
eps = torch.randn(clean.shape, generator=generator, device=device)        # (n, L, 3)
a, s = tables.a[t].view(-1, 1, 1), tables.s[t].view(-1, 1, 1)             # (n, 1, 1) each
x_t = a * clean + s * eps                                                 # (n, L, 3)
shapes = {"x0": x0, "clean": clean, "t": t, "eps": eps, "a": a, "s": s, "x_t": x_t}
show.table([{"tensor": k, "shape": str(tuple(v.shape)), "type": str(v.dtype)[6:]}
            for k, v in shapes.items()], f"n = {n} noise levels of {len(protein)} residues")

# %%
order = t.argsort()[[0, n // 3, 2 * n // 3, n - 1]]
flat = batch.angstrom(x_t).cpu().numpy()
groups = {f"t = {int(t[i])}": [
    show.Line("noisy points of the draw", *flat[i, :, :2].T, "#0072B2"),
    show.Line("clean protein", *protein.centroids[:, :2].T, "#BDBDBD")] for i in order.tolist()}
fig = show.panels(groups, title=f"Four of the {n} noise levels of one draw", x="x (Å)", y="y (Å)")
reach = 1.05 * float(np.abs(flat[order.tolist(), :, :2]).max())
fig.update_xaxes(range=[-reach, reach]).update_yaxes(range=[-reach, reach])
show.figure(fig, f"Four of the {n} noisy proteins of one draw, projected on a plane, from the lowest "
                 "to the highest timestep drawn; lines join residues that follow each other. Grey: "
                 "the clean protein.")

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
untrained = build(recipe, seed, device)
f = untrained.raw(x_t, t, features)                                       # (n, L, 3)
x0_pred = form.c_skip(a, s) * x_t + form.c_out(a, s) * f                  # (n, L, 3)
loss = (x0_pred - clean).square().mean()                                  # ()
package = training_loss(recipe, untrained, theirs, features)
goal("loss by hand against the package", float((loss - package).detach().abs()), "<=", 1e-6)
show.say(f"Loss before training: **{float(loss.detach()):.3f}**. A guess of zero would have 1, because the "
         "protein has variance 1.")

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
names, worst = ("residual", "x0", "eps", "v"), 0.0
rows, f_now = [{"t": int(t[i])} for i in order], f.detach()
for name in names:
    other = FORMS[name]
    in_f = (f_now - other.target(clean, eps, a, s)).square().mean((1, 2))     # (n,)
    in_x0 = (other.x0(x_t, f_now, a, s) - clean).square().mean((1, 2))    # (n,)
    weight = other.c_out(a, s).flatten().square()                         # (n,)
    worst = max(worst, float(((in_x0 - weight * in_f).abs() / (in_x0 + 1e-6)).max()))
    for row, i in zip(rows, order):
        row[f"{other.label}: in F"] = float(in_f[i])
        row["in x0" + " " * names.index(name)] = float(in_x0[i])
show.table(rows, "The same error in F space and in x0 space, at four noise levels of the draw")
goal("x0 loss against c_out² times F loss, relative", worst, "<=", 1e-3)

# %%
steps_t, looks = np.arange(T), ("solid", "solid", "dash", "dot")
lines = [show.form_line(name, steps_t, FORMS[name].c_out(schedule.a, schedule.s).square(), dash=look)
         for name, look in zip(names, looks)]
fig = show.chart(lines, title="Weight of F's error in the x0 loss", x="timestep t",
                 y="c_out² (no unit)", log_y=True)
show.figure(fig, "The square of c_out against the timestep for four forms, on a logarithmic axis: "
                 "flat for fix A, rising with t for the others, steepest for epsilon. Velocity and "
                 "the scaled residual have the same curve. Zeros, at t = 0, cannot be drawn.")

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
g = torch.autograd.grad(loss, weights)                                    # one tensor a weight
norm = torch.stack([x.norm() for x in g]).norm()                          # ()
g = [x * (recipe.clip / (norm + 1e-6)).clamp(max=1) for x in g]
eta, (beta_1, beta_2) = recipe.learning_rate / recipe.warmup, (0.9, 0.999)
by_hand = []
for w, x in zip(before, g):
    m, v = (1 - beta_1) * x, (1 - beta_2) * x.square()                    # both started at 0
    m_hat, v_hat = m / (1 - beta_1), v / (1 - beta_2)                     # step k = 1
    w = w * (1 - eta * recipe.weight_decay)
    by_hand.append(w - eta * m_hat / (v_hat.sqrt() + 1e-8))

# %%
state = next(islice(train(recipe, batch, seed, device), 1, 2))            # the package, one step
after = [w.detach() for w in state.predictor.parameters()]
off = max(float((x - y).abs().max()) for x, y in zip(by_hand, after))
goal("one step by hand against the package, largest weight difference", off, "<=", 1e-6)
show.say(f"The gradient's norm was {float(norm):.2f}, so it was "
         f"{'clipped to' if norm > recipe.clip else 'left alone, below'} {recipe.clip:g}.")


def flatten(tensors):
    return torch.cat([x.flatten() for x in tensors]).cpu()


sizes, moves = flatten(g).abs(), (flatten(after) - flatten(before)).abs()

# %%
percent = np.arange(5, 101)
ranked = [np.quantile(x.double().numpy(), percent / 100) for x in (sizes, moves)]
lines = [show.Line("gradient", percent, ranked[0], "#D55E00"),
         show.Line("movement of the weight", percent, ranked[1], "#0072B2"),
         show.Line("learning rate", percent, np.full(len(percent), eta), "#222222", "dot")]
fig = show.chart(lines, title="One AdamW step: gradients differ, movements hardly do",
                 x="percentile over all weights (%)", y="size (weights have no unit)", log_y=True)
show.figure(fig, "Sizes of the gradient's components and of the weights' movements in the first "
                 "step, ranked. Gradients span many powers of ten; most movements lie close to "
                 "the learning rate. The lowest 5 % are left out: weights without a gradient, "
                 "such as those of amino acids that the protein lacks, and nearly so.")

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


plan = np.array([share(k) for k in range(recipe.steps)])
theirs = np.array([learning_rate(recipe, k) for k in range(recipe.steps)])
goal("learning-rate plan by hand against the package", np.abs(plan - theirs).max(), "<=", 1e-12)
fig = show.chart([show.Line("learning rate", np.arange(1, recipe.steps + 1),
                            1e3 * recipe.learning_rate * plan, "#0072B2")],
                 title="Warm-up, then half a cosine", x="step", y="learning rate (10⁻³)")
show.figure(fig, f"Learning rate against the step: a straight rise over {recipe.warmup} steps, then "
                 "half a cosine down to zero.")

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
    adamw = torch.optim.AdamW(weights, lr=recipe.learning_rate, fused=device.type != "mps",
                              weight_decay=recipe.weight_decay)
    yield 0, model, math.nan
    for step in range(1, recipe.steps + 1):
        t = torch.randint(0, T, (n,), generator=generator, device=device)             # (n,)
        eps = torch.randn((n, *x0.shape[1:]), generator=generator, device=device)     # (n, L, 3)
        a, s = tables.a[t].view(-1, 1, 1), tables.s[t].view(-1, 1, 1)                 # (n, 1, 1)
        x_t = a * batch.x0 + s * eps                                                  # (n, L, 3)
        loss = (model(x_t, t, features) - batch.x0).square().mean()                   # ()
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
print("called:  ", inspect.getgeneratorstate(states))
for _, model_by_hand, _ in islice(mine, pause + 1):
    pass
history = [next(states)]
print("one next:", inspect.getgeneratorstate(states), "at step", history[0].step)
history += islice(states, pause)
model = history[-1].predictor
off = max(float((x - y).abs().max().detach())
          for x, y in zip(model_by_hand.parameters(), model.parameters()))
goal("loop by hand against the package, largest weight difference", off, "<=", 1e-6)
show.say(f"After **{history[-1].step} steps** the two loops hold the same weights: largest "
         f"difference **{off:g}**.")

# %% [markdown]
# **Stop and go.** The package's loop is now paused: the model can be used as it stands, and the loop
# can go on. (The stop button leaves you a usable model too, but it ends the generator: that loop
# cannot go on.)

# %%
paused = measure.error_by_timestep(model, batch, draws=4)
show.say(f"At the pause (step {history[-1].step} of {recipe.steps}), one denoising step errs by "
         f"{paused.rmse.mean():.2f} Å on average over t; predicting zero, by "
         f"{base['predict zero'][0]:.2f} Å.")

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
weights = list(model.parameters())
generator = torch.Generator(device).manual_seed(seed + 5)
LEVELS, DRAWS = (1, 4, 16, 64), (96, 48, 24, 12)


def one_draw(n):
    """The loss () and the gradient over all weights (P,) of a fresh draw."""
    drawn = draw(recipe.but(noise_levels=n), batch, features, generator)
    loss = training_loss(recipe, model, drawn, features)
    return float(loss.detach()), flatten(torch.autograd.grad(loss, weights))


losses, gradients, seconds = {}, {}, {}
for levels, count in zip(LEVELS, DRAWS):
    began = time.perf_counter()
    pairs = [one_draw(levels) for _ in range(count)]
    seconds[levels] = (time.perf_counter() - began) / count
    losses[levels] = np.array([x for x, _ in pairs])
    gradients[levels] = torch.stack([x for _, x in pairs])                # (count, P)

# %%
true = float(gradients[64].mean(0).norm())
scatter = {k: float(x.var(0).sum().sqrt()) / true for k, x in gradients.items()}
loss_scatter = {k: x.std(ddof=1) / losses[64].mean() for k, x in losses.items()}
k, root = np.array(LEVELS), np.sqrt(LEVELS)
lines = [show.Line("gradient", k, list(scatter.values()), "#0072B2"),
         show.Line("loss", k, list(loss_scatter.values()), "#009E73"),
         show.Line("gradient at n = 1, over √n", k, scatter[1] / root, "#222222", "dot")]
fig = show.chart(lines, title="Scatter from draw to draw, relative to the mean", log_x=True,
                 x="noise levels a step, n", y="standard deviation / mean", log_y=True)
show.figure(fig, "Scatter of the loss and of the gradient from draw to draw against the number of "
                 "noise levels, both axes logarithmic. The dotted line falls as one over the square "
                 "root of n.")
cost = seconds[16] / seconds[1]
show.say(f"From n = 1 to 16 the gradient's scatter falls by a factor of **{scatter[1] / scatter[16]:.1f}** "
         f"(√16 = 4). At n = 1 it is {scatter[1]:.1f} times the mean gradient itself. The cost of a "
         f"step rose by a factor of {cost:.1f} in this run, on this machine.")

# %% [markdown]
# Independent draws average out as $1/\sqrt n$. The trunk, which sees the sequence alone, is computed
# once a protein and shared by its n levels, and small tensors leave a processor idle: so the
# n-th level is cheaper than the first. With n = 1 a run has a noisy gradient at each step;
# [notebook 06](06_broken_residual.ipynb) trains a deep network in that way, among others.
#
# ## The loss curve is not the error by timestep
#
# **Predict first:** at the end, is the error equal at all t? At which is it largest? Could you tell
# from the loss curve?
#
# Go on with the paused run.

# %%
SEEN, curve = (1, 25, 49), []
for state in tqdm(states, total=recipe.steps - pause, desc="training", mininterval=1):
    history.append(state)
    if state.step % (recipe.steps // session.pick(ci=10, laptop=20, gpu=20)) == 0:
        measured = measure.error_by_timestep(model, batch, draws=4, timesteps=SEEN)
        curve.append((state.step, *measured.rmse))
curve = np.array([(pause, *paused.rmse[list(SEEN)]), *curve])             # (marks, 1 + 3)
trained = measure.error_by_timestep(model, batch, draws=8)
in_angstrom = sd * np.sqrt(3 * torch.stack([x.loss for x in history[1:]]).cpu().numpy())

# %%
looks = (("#56B4E9", "solid"), ("#009E73", "dash"), ("#D55E00", "solid"))
lines = [show.Line("√(3 loss) of each step", np.arange(1, recipe.steps + 1), in_angstrom, "#BDBDBD")]
lines += [show.Line(f"error at t = {at}", curve[:, 0], values, *look)
          for at, values, look in zip(SEEN, curve[:, 1:].T, looks)]
fig = show.chart(lines, title="Loss of each step, and the error at three timesteps",
                 x="step", y="RMSE (Å)", log_y=True, goal=1.0)
show.figure(fig, "Errors against the steps of the run. Grey: the loss of each step as an error in "
                 f"Å. Coloured: the error at t = 1, 25 and 49, measured from step {pause} on. "
                 "Dotted: 1 Å.")

# %%
lines = [show.Line(f"after {pause} steps", paused.t, paused.rmse, "#56B4E9", "dash"),
         show.Line(f"after {recipe.steps} steps", trained.t, trained.rmse, "#0072B2")]
fig = show.chart(lines + show.baseline_lines(base), title="Error by timestep", x="timestep t",
                 y="RMSE (Å)", log_y=True, goal=1.0)
show.figure(fig, "Error of one denoising step against the timestep, at the pause and at the end, "
                 "with three dashed lines that need no learning and the dotted line of 1 Å.")
show.say(f"At the end the error is largest at **t = {trained.rmse.argmax()}** ({trained.worst:.2f} Å) "
         f"and smallest at t = {trained.rmse.argmin()} ({trained.rmse.min():.2f} Å). The loss holds "
         "one number for all of them, with the luck of the draw on top.")
goal("after training, worst RMSE over t, mean of 8 draws", trained.worst, "<", 1.0, "Å")

# %% [markdown]
# A loss curve averages over t, weighted by $c_\mathrm{out}^2$ or not, and it scatters. A model that
# fails at a single t may have a fine loss. This workbook therefore judges by the second figure.
#
# ## Watch it learn
#
# The same generator, driven by three buttons. Press *Start*; *Pause* holds it between two steps, and
# other cells can use `live.predictor` meanwhile. It is the broken form, so that there is something to
# see. (Where nobody can press a button, as in a test, a few steps are run at once.)

# %%
live = show.live_training(recipe.but(form="residual"), batch, seed,
                          steps=session.pick(ci=10, laptop=40, gpu=200), device=session.device,
                          alt="The broken form, trained under your hands: loss, error by timestep, and one "
                              "sampled structure, which change as it learns.")
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


T_HIGH, U_LOW, known = 40, 20, 1.0                                        # one coordinate, x0 = 1
alpha = float(schedule.alpha_bar[T_HIGH] / schedule.alpha_bar[U_LOW])
z, z_more = torch.randn(2, 200_000, dtype=torch.float64,
                        generator=torch.Generator().manual_seed(seed))
x_u = schedule.a[U_LOW] * known + schedule.s[U_LOW] * z                   # forwards to u ...
x_late = math.sqrt(alpha) * x_u + math.sqrt(1 - alpha) * z_more           # ... and on to t
slope, offset = np.polyfit(x_late, x_u, 1)                                # and back, by regression
left = float((x_u - slope * x_late - offset).var())
to_x0, to_xt, variance = posterior(T_HIGH, U_LOW)
gaps = abs(slope - to_xt), abs(offset - to_x0 * known), abs(left - variance)
goal("posterior: formula against simulation", max(gaps), "<", 0.02)

# %%
def bell(mean, variance):
    return np.exp(-((grid - mean) ** 2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)


grid, seen = np.linspace(-3, 3, 241), -0.5                                # x_t = -0.5, say
lines = [show.Line("from x0 alone", grid, bell(float(schedule.a[U_LOW]) * known,
                                               float(schedule.s[U_LOW]) ** 2), "#BDBDBD"),
         show.Line("from x_t alone", grid, bell(seen / math.sqrt(alpha), (1 - alpha) / alpha),
                   "#E69F00", "dash"),
         show.Line("from both", grid, bell(to_x0 * known + to_xt * seen, variance), "#0072B2")]
fig = show.chart(lines, title=f"Where was x at u = {U_LOW}, if x0 = {known:g} and x_t = {seen:g} at "
                              f"t = {T_HIGH}?", x="x_u (normalised)", y="probability density")
show.figure(fig, "Three bell curves over one coordinate of x_u: what x0 alone says, what x_t alone "
                 "says, and both together, which lies between the two and is narrower than either.")

# %% [markdown]
# **One step, and the whole way.** The network is called at t = 49 … 1: 49 calls. At the last
# step u = 0, $s_u = 0$: no weight on $x_t$, no noise, and the result is $\hat x_0$ itself.

# %%
COPIES = 4
noise = torch.randn((T, COPIES, *x0.shape[1:]), generator=torch.Generator().manual_seed(seed + 9))
noise = noise.to(device)                                                  # (T, B, L, 3)
start_x, z = noise[0], noise[1:]                                          # (B, L, 3), (T - 1, B, L, 3)
model.eval()
denoise = model.denoiser_for(features)                                    # (x_t, t) -> x0_pred


@torch.no_grad()
def ddpm_by_hand(denoise, x, z):
    xs, predictions = [x], []
    for i, t in enumerate(range(T - 1, 0, -1)):
        x0_pred = denoise(x, torch.full((len(x),), t, device=device))     # (B, L, 3)
        to_x0, to_xt, variance = posterior(t, t - 1)
        x = to_x0 * x0_pred + to_xt * x + math.sqrt(variance) * z[i]      # (B, L, 3)
        xs.append(x)
        predictions.append(x0_pred)
    return torch.stack(xs), torch.stack(predictions)                      # (T, B, L, 3), (T-1, …)

# %%
xs, predictions = ddpm_by_hand(denoise, start_x, z)
package_ddpm = ddpm(denoise, schedule, start_x, noise=z)
steps_off = (xs - package_ddpm.x).abs().amax((1, 2, 3))                   # (T,) one a step
goal("DDPM by hand against the package, largest difference at any step", float(steps_off.max()),
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
@torch.no_grad()
def ddim_by_hand(denoise, x, z, eta, visited):
    xs = [x]
    for i, (t, u) in enumerate(zip(visited, (*visited[1:], 0))):
        a_t, s_t, a_u, s_u = (float(c[k]) for k in (t, u) for c in (schedule.a, schedule.s))
        variance = eta**2 * posterior(t, u)[2]
        x0_pred = denoise(x, torch.full((len(x),), t, device=device))     # (B, L, 3)
        eps_pred = (x - a_t * x0_pred) / s_t                              # (B, L, 3)
        kept = math.sqrt(max(0.0, s_u**2 - variance))
        x = a_u * x0_pred + kept * eps_pred + math.sqrt(variance) * z[i]  # (B, L, 3)
        xs.append(x)
    return torch.stack(xs)                                                # (S + 1, B, L, 3)


ways = {eta: ddim_by_hand(denoise, start_x, z, eta, range(T - 1, 0, -1)) for eta in (0.0, 1.0)}
for eta, way in ways.items():
    package = ddim(denoise, schedule, start_x, noise=z, eta=eta)
    goal(f"DDIM by hand against the package, eta = {eta:g}", float((way - package.x).abs().max()),
         "<=", 1e-5)

# %% [markdown]
# **Predict first:** is DDIM with η = 1 DDPM? Exactly, roughly, or only when all 49 steps are taken?
# Try it on paper: compare the weights of $x_t$.

# %%
rows, largest = [], 0.0
for calls in (49, 10, 3):
    visited = spaced_timesteps(calls)
    one, two = (sampler(denoise, schedule, start_x, timesteps=visited, noise=z[:calls], **more).x
                for sampler, more in ((ddpm, {}), (ddim, {"eta": 1.0})))
    gap, largest = float((one - two).abs().max()), max(largest, float((one - two).abs().max()))
    rows.append({"calls": calls, "DDPM against DDIM, η = 1": f"{gap:.1e}", "size of x_t": float(one.std())})
show.table(rows, "Largest difference of any coordinate on the way, in normalised units")
goal("DDIM with eta = 1 against DDPM", largest, "<=", 1e-4)

# %% [markdown]
# Yes, for *any* steps, up to rounding. The weight of $x_t$ in DDIM is $\sqrt{s_u^2 - \sigma^2}/s_t$,
# and $s_u^2 - \sigma^2 = s_u^2\,(s_t^2 - \beta)/s_t^2 = \alpha\,s_u^4/s_t^2$, so it is
# $\sqrt\alpha\,s_u^2/s_t^2$: DDPM's. (This holds for the smaller of the two variances that Ho et al.
# offer, which is the one used here.)

# %%
pairs = {"DDPM": [], "DDIM, η = 0": []}
calls_at = np.arange(1, T)
for k in calls_at:
    to_x0, to_xt, variance = posterior(k, k - 1)
    a_t, s_t, a_u, s_u = (float(c[i]) for i in (k, k - 1) for c in (schedule.a, schedule.s))
    pairs["DDPM"].append((to_x0, to_xt, math.sqrt(variance)))
    pairs["DDIM, η = 0"].append((a_u - a_t * s_u / s_t, s_u / s_t, 0.0))
looks = (("x0_pred", "#0072B2", "solid"), ("x_t", "#E69F00", "dash"), ("fresh noise", "#222222", "dot"))
groups = {name: [show.Line(label, calls_at, column, colour, dash) for (label, colour, dash), column in
                 zip(looks, np.array(rows).T)] for name, rows in pairs.items()}
fig = show.panels(groups, title="What one step to t − 1 mixes", x="timestep t", y="weight")
show.figure(fig, "Weights of the prediction, of the current points and of fresh noise in one step, "
                 "against the timestep. In both samplers the last step, at t = 1, takes the "
                 "prediction alone; at most timesteps the current points weigh most. DDPM's fresh "
                 "noise weighs more towards t = 49; DDIM at eta 0 has none.")

# %%
ddim_error = to_truth(ways[0.0])[-1]
lines = [show.Line("x_t, DDPM", np.arange(T - 1, -1, -1), to_truth(xs), "#0072B2"),
         show.Line("x_t, DDIM", np.arange(T - 1, -1, -1), to_truth(ways[0.0]), "#E69F00", "dashdot"),
         show.Line("x0_pred, DDPM", np.arange(T - 1, 0, -1), to_truth(predictions), "#56B4E9", "dash")]
fig = show.chart(lines, title="On the way from noise to structure", x="timestep t", y="RMSE (Å)",
                 log_y=True, goal=1.0)
fig.update_xaxes(autorange="reversed")
show.figure(fig, f"Error of the current points and of the prediction during sampling, mean of "
                 f"{COPIES} copies; time runs from left, t = {T - 1}, to right, t = 0. The dotted line "
                 "is 1 Å.")

# %% [markdown]
# ## Side by side
#
# The same noise at the start. Watch how DDPM jitters and DDIM glides. Grey is the truth; the slider
# moves with the arrow keys too.

# %%
frames = {"DDPM": xs, "DDIM, η = 0": ways[0.0]}
show.player({name: batch.angstrom(x[:, :1])[:, 0].cpu().numpy() for name, x in frames.items()},
            truth=protein.centroids, chain_index=protein.chain_index,
            labels=[f"t = {t}" for t in range(T - 1, -1, -1)],
            alt="Sampling from the same noise with DDPM (left) and DDIM (right), the true centroids "
                "in grey.")

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
rows, changes = [], {}
for name in ("residual", "eps", "v", "x0"):
    any_form = Predictor(model.network, FORMS[name], schedule).to(device).eval().denoiser_for(features)
    ends = [ddpm(any_form, schedule, start_x, noise=z, call_at_zero=extra).final
            for extra in (False, True)]
    changes[name] = sd * float(rmse(ends[1], ends[0]).mean())
    rows.append({"form": FORMS[name].label, "calls": "49 and 50", "c_out(0)": float(
        FORMS[name].c_out(schedule.a[0], schedule.s[0]).abs()), "change by the call (Å)": changes[name]})
show.table(rows, f"RMSE between structures with and without the call at t = 0, mean of {COPIES}")
for name in ("residual", "eps", "v"):
    goal(f"change by the call at t = 0, {FORMS[name].label}", changes[name], "==", 0.0, "Å")
goal("the call at t = 0 changes fix A", changes["x0"], ">", 0.0, "Å")

# %%
with_call = to_truth(ends[1][None])[0]                                    # of the last form, A
show.say(f"Where $c_\\mathrm{{out}}(0) = 0$ and $c_\\mathrm{{skip}}(0) = 1$ the call returns its input, "
         f"to the last bit. Fix A predicts anew: its structures move by {changes['x0']:.3f} Å, and their "
         f"error goes from {ddpm_error:.3f} to {with_call:.3f} Å. This workbook samples with 49 calls.")

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
last = torch.full((many,), T - 1, device=device)                          # (many,)
truth = x0.expand_as(eps)                                                 # (many, L, 3)
with torch.no_grad():
    guess_from = {"protein and noise": denoise(tables.add_noise(truth, eps, last), last),
                  "pure noise": denoise(eps, last)}                       # (many, L, 3) each
errors = {name: sd * float(rmse(x, truth).mean()) for name, x in guess_from.items()}
moved = sd * float(rmse(*guess_from.values()).mean())
mismatch = errors["pure noise"] / errors["protein and noise"]
show.say(f"The signal's amplitude at t = {T - 1} is **{float(schedule.a[-1]):.1%}**. Error of x0_pred "
         f"there: {errors['protein and noise']:.3f} Å with it, {errors['pure noise']:.3f} Å from pure noise "
         f"(ratio {mismatch:.3f}). The two guesses are {moved:.3f} Å apart.")

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
    made = ddim_by_hand(denoise, start_x, z, 0.0, visited)[-1]            # (B, L, 3)
    rows.append({"calls": calls, "RMSE of the samples (Å)": to_truth(made[None])[0],
                 "RMSE to those of 49 calls (Å)": sd * float(rmse(made, full).mean()),
                 "last call at t": visited[-1],
                 "one-step error there (Å)": trained.rmse[visited[-1]]})
show.table(rows, f"DDIM, η = 0, from the same {COPIES} starts")
show.say(f"Zero, a guess without any call, errs by {base['predict zero'][0]:.1f} Å; one call gets to "
         f"{rows[-1]['RMSE of the samples (Å)']:.2f} Å, 49 to {rows[0]['RMSE of the samples (Å)']:.2f} Å.")

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
metric("RMSE of DDIM samples, eta = 0", ddim_error, "Å")
metric("change by the call at t = 0, fix A", changes["x0"], "Å")
metric("error at t = 49, from pure noise over with signal", mismatch)
metric("scatter of the gradient, n = 1 over n = 16", scatter[1] / scatter[16])
