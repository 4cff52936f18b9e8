# %% [markdown]
# # 17 · The frame
#
# A protein has no up and down. So many models are trained on an error *after superposition*: the truth is
# turned onto the prediction before the two are compared. The report never mentions it, and the public code
# does it. This notebook follows what that choice does to a sampler, finds an instrument that shows the
# fault in any model, and tries three repairs.
#
# **You will learn** why a model whose single steps are good can draw badly; to tell an error of shape from
# an error of orientation; where to repair: in the loss, in the data, or in the sampler.
# **Time:** 15 minutes to read, under a minute to run. **Words:** [notation and glossary](reference.md).

# %% tags=["parameters"]
profile = "laptop"
seed = 0

# %%
import numpy as np
import torch

from resfold_nb import measure, show, studies
from resfold_nb.data import load, random_rotations, rmsd, superpose
from resfold_nb.diffusion import aligned, ddpm, get_schedule
from resfold_nb.model import Features
from resfold_nb.studies.plans import STUDIES
from resfold_nb.verdict import frame
from resfold_nb.workbook import goal, metric, start

session = start(profile, seed, notebook="17_the_frame")

# %% [markdown]
# ## A loss that does not ask for an orientation
#
# Let $R^*$ be the rotation (without reflection) and the shift that bring the truth $x_0$ nearest to a
# prediction. The superposed loss is
#
# $$L = \tfrac1L\sum_i\left|\hat x_{0,i} - (R^* x_0)_i\right|^2,\qquad
#   R^* = \arg\min_R \sum_i\left|\hat x_{0,i} - (R x_0)_i\right|^2,$$
#
# with $R^*$ held fixed when the gradient is taken. It is zero for the right shape in *any* orientation. In
# training that does no harm: at each step $x_t$ shows the true orientation, whatever the network answers. But a
# sampler mixes the answer with $x_t$. If the network answers in an orientation of its own, the next $x_t$ is a
# mixture of two orientations, which training never showed.
#
# **Predict first:** fix A (direct x0) is trained so on one protein. Its single steps will be good. Its samples?

# %%
cell = next(c for c in STUDIES["frame"](profile) if c.variant == "A" and c.setting == "superposed loss, as it lies")
recipe, protein = cell.recipe, load(session.pick(ci="1WY3_A", laptop=cell.protein, gpu=cell.protein))
batch = studies.batch_for(recipe, protein.id)
run = measure.train_and_measure(recipe, batch, seed, device=session.device, marks=(), progress=show.progress)
model, last = run.predictor, run.last

# %%
base = measure.baselines(get_schedule("linear"), 1.0, float(batch.scale[0]))
lines = [show.Line("as it is (RMSE)", last.errors.t, last.errors.rmse, show.PALETTE["residual"]),
         show.Line("superposed (RMSD)", last.errors.t, last.errors.rmsd, show.PALETTE["x0"]), *show.baseline_lines(base)]
show.figure(show.chart(lines, title=f"One step of fix A, superposed loss ({protein.id})", x="timestep t", y="error (Å)",
                       log_y=True),
            f"Error of one denoising step by timestep, plain and after superposition, live, recipe {recipe.name}, seed "
            f"{seed}. The distance between the two lines is the orientation; grey dashed: predictors that learn nothing.")
turned, shape = (float(x[1:].mean()) for x in (last.errors.rmse, last.errors.rmsd))
show.say(f"Mean over t = 1 … 49: **{turned:.2f} Å** plain, **{shape:.2f} Å** superposed: the plain error is "
         f"{turned / shape:.1f} times the superposed one. That factor is the orientation.")

# %% [markdown]
# ## Watch it turn
#
# Left, a sample as it is usually drawn; right, the same model, the same noise, with one line changed: each
# prediction is superposed on $x_t$ before the step is made. The public project came to offer that one day after the
# report, off by default. (Boltz-1 does the reverse: it turns $x_t$ onto the prediction, Wohlwend et al. 2024. For
# a network that knows one orientation these are not the same; the second is not measured here.) Grey is the truth, in
# the orientation that training showed. Scrub from noise to structure, and watch where each goes. Nothing is turned
# for the view.

# %%
show.sampling({"as it is": model, "aligned": model}, batch, align={"aligned": "aligned"},
              alt="Two panes, one model and one noise: sampled as it is, and with each prediction superposed on x_t. "
                  "Grey: the true centroids.")

# %% [markdown]
# The aligned sampler may end in any orientation, because none is asked for: judge it by its *shape*. So all
# errors of samples below are superposed.
#
# ## The aligned step, by hand
#
# One reverse step needs a prediction and $x_t$. Turn the first onto the second, and go on as before:

# %%
features = Features.of(batch.to(session.device))
denoise = model.denoiser_for(features)


def aligned_by_hand(x, t):
    """x0_pred turned onto x_t; the mask is left out, as one protein has no padding."""
    x0_pred = denoise(x, t)                                                          # (B, L, 3)
    p, q = x0_pred - x0_pred.mean(1, keepdim=True), x - x.mean(1, keepdim=True)      # (B, L, 3) each
    u, _, vt = torch.linalg.svd(p.transpose(1, 2) @ q)                               # (B, 3, 3) each
    mirror = torch.linalg.det(u @ vt).sign()                                         # (B,), -1 for a reflection
    u = torch.cat([u[..., :2], u[..., 2:] * mirror[:, None, None]], dim=-1)          # (B, 3, 3)
    return p @ (u @ vt) + x.mean(1, keepdim=True)                                    # (B, L, 3)


noise = torch.randn(50, 4, *batch.x0.shape[1:], generator=torch.Generator().manual_seed(seed)).to(batch.x0)
by_hand, theirs, plain = (ddpm(how, model.schedule, noise[0].to(session.device), noise=noise[1:].to(session.device)).final
                          for how in (aligned_by_hand, aligned(denoise), denoise))
goal("aligned sampling by hand against the package", float((by_hand - theirs).abs().max()), "<=", 1e-2)
error = {name: measure.sample_errors(x.cpu(), batch)[1] for name, x in (("as it is", plain), ("aligned", theirs))}
show.say("Four samples each, error of shape: " + "; ".join(
    f"{name} **{x.mean():.2f} Å** ({x.min():.2f}–{x.max():.2f})" for name, x in error.items())
    + f". On this model aligned is {'better' if error['aligned'].mean() < error['as it is'].mean() else 'no better'}.")

# %% [markdown]
# ## An instrument for any model
#
# Two numbers find the fault without looking inside:
#
# - **turn** = plain over superposed error of single steps. It is 1 where the network keeps the orientation it is
#   shown.
# - **excess** = superposed error of samples over that of single steps, the mean over t. Above 1.5 we say that the
#   sampler *walks away*: it draws worse than its steps. With turn near 1 the reason is another: a form that
#   copies $x_t$ hands its noise on. Beside it stands the error over that of the step at t = 1 alone, the call that
#   makes the sample (a second look, added after the first runs had been seen).

# %%
samples = measure.sample(model, batch).final
_, drawn = measure.sample_errors(samples, batch)
turn, excess = turned / shape, float(drawn.mean()) / shape
show.say(f"This model, live: turn **{turn:.1f}**, excess **{excess:.1f}**.")

# %% [markdown]
# ## Three repairs
#
# 1. **A plain loss**: do not superpose. Then there is one right orientation, and the network has to keep it.
# 2. **Random rotations in training**: turn $x_t$ and $x_0$ together by a new rotation at each draw, as AlphaFold 3
#    does. Then every orientation has been seen. With a plain loss the answer must now follow $x_t$; with a superposed
#    one nothing asks it to, but no $x_t$ is strange any more. (Budgets are equal: a network that must follow every
#    orientation has more to learn in as many steps.)
# 3. **Aligned sampling**: let the sampler forget the orientation; optionally move the prediction to the origin after
#    that (*recentred*).
#
# The study `frame` crosses them: {scaled residual, A, C with its own loss} × {plain, superposed} × {as it lies, random
# rotations} × {sampling as it is, aligned, aligned and recentred}. Its plan has two chains and two dimers with five
# seeds; what of it is recorded stands under the picture. C's own loss is on velocity; superposed, that is the
# superposed error over $c_\mathrm{out}^2$. The rules were committed before the first run.
#
# **Predict first:** which repair mends which cell? And which one will *harm* a model that never saw a rotation?
#
# Recorded with `python -m resfold_nb study frame --out data/recorded` (CPU, profile laptop).

# %%
runs = frame.frame_runs(studies.load("frame"), studies.load("frame", table="quantities"))
found = frame.walks_away(runs)
found = found.assign(cell=found["loss"] + ", " + found["turns"])
show.dots(found, value="excess", rows="cell", panel="variant", colour="sampling", reference=1, goal=frame.WALKS,
          x="error of samples over error of single steps (superposed)", title="Who walks away",
          alt="Recorded: the excess of each form, loss, treatment of orientations and way of sampling, geometric mean over "
              "proteins with Student's 95 % interval; the dotted line is 1.5.")

# %%
show.say(f"Recorded: {len(runs) // 3} runs; " + (", ".join(f"{n} seeds on {name}" for name, n in runs.groupby("protein")[
    "seed"].nunique().items()) or "**not recorded**") + f"; cells with an interval: {len(found)}.")
for word, says in (("walks away", "Sampled as it is, these walk away"), ("does not", "These do not"), ("open", "Open")):
    cells = found.query("sampling == 'as it is' and answer == @word")
    show.say(f"**{says}**: " + ("; ".join(f"{c.variant}, {c.cell} (excess {c.excess:.1f}, turn {c.turn:.1f}, over the step at "
                                          f"t = 1 {c.last:.1f})" for c in cells.itertuples()) or "none") + ".")

# %% [markdown]
# What each repair does to the error of samples itself: left of the line it helps. (The repairs in training are drawn
# for samples as they are, and recentred sampling is left to the sentences below, which count every cell.)

# %%
done = frame.repairs(runs)
parts = done["setting"].str.extract("^(scaled residual|A|C, own loss), (.*)$")
drawn_rows = done.assign(form=parts[0], row=done["what"] + " · " + parts[1].str.replace(", as it is", ""))
as_it_is = drawn_rows["row"].str.contains("recentred|, aligned").eq(False)
show.dots(drawn_rows[as_it_is], value="ratio", rows="row", panel="form", colour="answer",
          order=["better", "equivalent", "worse", "open"], reference=1, x="error of samples after the repair over before",
          title="Three repairs, one at a time",
          alt="Recorded: ratio of the superposed error of samples with and without each repair, a row a repair and cell, a panel "
              "a form, with Student's 95 % interval over proteins; left of 1 it helps. Colour: better, equivalent, worse, open.")

# %%
for name, rows in done.groupby("what", sort=False):
    told = {word: rows.query("answer == @word")["setting"].tolist() for word in ("better", "equivalent", "worse", "open")}
    show.say(f"**{name}**, {len(rows)} cells: " + ", ".join(f"{len(cells)} {word}" for word, cells in told.items())
             + (f". It harms {'; '.join(told['worse'])}." if told["worse"] else "."))
walking = found.query("sampling == 'as it is' and answer == 'walks away'")
cells = set(walking["variant"] + ", " + walking["cell"])
mended = done[done["what"].str.startswith("aligned") & done["setting"].isin(cells) & (done["answer"] == "better")]
show.say(f"**What we expected**, that aligned sampling mends what walks away, holds in {len(set(mended['setting']))} of "
         f"{len(cells)} cells that do.")
show.say("At full size, in `train_resfold` whole: **not recorded**.")

# %% [markdown]
# ## What to take away
#
# - Look at single steps plain *and* superposed, and at samples over single steps. A model can be fine by its loss and
#   by its steps and still draw badly.
# - The repairs are not the same. Which one helps where, and which one harms, is what the pictures say for these sizes
#   and proteins; the full size is not recorded.
# - Aligning in sampling shows the network orientations that only rotations in training have shown it. Look at the
#   rows *as it lies* before you borrow it from a model that was trained on rotations.
# - A loss, its data and its sampler have to agree on what an orientation is. Change one, and look at the others.
#
# ## Exercises
#
# **1. Write the function.** Turn `moving` (B, L, 3) onto `fixed` (B, L, 3): rotation without reflection, and shift.

# %% tags=["exercise"]
def my_superpose(moving, fixed):
    """Return `moving`, turned and shifted onto `fixed`."""
    return None  # your code

# %% tags=["solution"]
# Solution
def solution_superpose(moving, fixed):
    p, q = (z - z.mean(1, keepdim=True) for z in (moving, fixed))
    u, _, vt = torch.linalg.svd(p.transpose(1, 2) @ q)
    flip = torch.eye(3, dtype=p.dtype).repeat(len(p), 1, 1)
    flip[:, 2, 2] = torch.linalg.det(u @ vt).sign()
    return p @ (u @ flip @ vt) + fixed.mean(1, keepdim=True)

# %% tags=["check"]
dice = torch.Generator().manual_seed(seed)
x, far = torch.randn(4, 30, 3, generator=dice, dtype=torch.float64), torch.randn(4, 1, 3, generator=dice, dtype=torch.float64)
y = x @ random_rotations(4, dice, x) + far
answer = my_superpose(x, y)
mine = solution_superpose if answer is None else my_superpose
assert mine(x, y).shape == x.shape, f"the answer has shape {tuple(mine(x, y).shape)}, not {tuple(x.shape)}"
assert (mine(x, y) - y).abs().max() < 1e-6, "a turned and shifted copy does not come to lie on the original"
mirrored = x * x.new_tensor([-1, 1, 1])
assert rmsd(mine(mirrored, x), mirrored).max() < 1e-6, "a mirror image was reflected: keep the determinant at +1"
torch.testing.assert_close(mine(x, y.flip(1)), superpose(x, y.flip(1)))
print("not answered; the author's solution passes" if answer is None else "right")

# %% [markdown]
# **2.** A network answers with the right shape, turned by 180° about an axis through the centre. For a protein whose
# points have a root mean square distance of 10 Å from that axis, what is its plain error, and its superposed one?

# %% tags=["exercise"]
my_errors = None  # (plain, superposed) in Å

# %% tags=["solution"]
# Solution
solution_2 = (20.0, 0.0)  # each point moves by twice its distance from the axis

# %% tags=["check"]
answer = solution_2 if my_errors is None else my_errors
circle = 10 * torch.stack([torch.cos(torch.arange(9.0)), torch.sin(torch.arange(9.0)), torch.arange(9.0)], -1)
half = circle * torch.tensor([-1.0, -1.0, 1.0])
truth = (float((half - circle).square().sum(-1).mean().sqrt()), float(rmsd(half, circle)))
assert np.allclose(answer, truth, atol=0.1), f"simulated: {truth[0]:.1f} and {truth[1]:.1f} Å"
print("not answered; the solution is" if my_errors is None else "right:", f"{truth[0]:.0f} and {truth[1]:.0f} Å")

# %%
metric("A, superposed loss, single steps, superposed", shape, "Å")
metric("A, superposed loss, samples, superposed", float(drawn.mean()), "Å")
metric("A, superposed loss, aligned samples, superposed", float(error["aligned"].mean()), "Å")
