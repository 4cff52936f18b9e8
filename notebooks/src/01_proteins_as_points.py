# %% [markdown]
# # 01 · Proteins as points
#
# ResFold, the model of this workbook, does not see a protein as atoms. It sees one point a
# residue. This notebook goes from an entry of the Protein Data Bank to those points, in the units
# in which a network meets them.
#
# **You will learn** what is kept and what is lost; why coordinates are divided by a standard
# deviation, and by which one; how to bring a protein of your own.
# **Time:** 10 minutes. **Words:** [notation and glossary](reference.md).

# %% tags=["parameters"]
profile = "laptop"
seed = 0

# %%
import gzip
import tempfile
import warnings
from pathlib import Path

import numpy as np

from resfold_nb import data, show, studies
from resfold_nb.workbook import goal, metric, start

session = start(profile, seed, notebook="01_proteins_as_points")

# %% [markdown]
# ## A shelf of real proteins
#
# The workbook carries over a thousand real chains with full backbones, as single proteins and as two-chain
# complexes. Provenance, filters and caveats are in [data/README.md](../data/README.md). Choose by
# length, split and secondary structure:

# %%
small = data.catalogue(min_length=60, max_length=70, min_helix=0.25, min_strand=0.4)
show.table([{"id": e.id, "residues": e.length, "helix": f"{e.helix:.0%}",
             "strand": f"{e.strand:.0%}", "split": e.split, "Rg of CA (Å)": round(e.rg, 1)}
            for e in small], "Bundled single chains of 60 to 70 residues with helix and much strand")
print(f"{len(data.catalogue()):,} single chains, {len(data.catalogue(kind='complex'))} complexes, "
      f"{len(data.catalogue(split='test'))} of the single chains in the test split")

# %%
protein = data.load("1HZ6_A")
print(protein)
print(protein.sequence)
print(protein.secondary_structure)
print(protein.source)
show.structure(protein, alt="Domain B1 of protein L (1HZ6, chain A), 67 residues: four strands "
                            "and a helix, from the dark first residue to the light last one.")

# %% [markdown]
# ## Four atoms become one point
#
# Every residue has the backbone atoms N, CA, C and O. Their mean is the residue's *centroid*. The
# side chain is not in the data at all. Two lines, checked against the package:

# %%
backbone = protein.backbone  # (L, 4, 3) in Å: N, CA, C, O
points = backbone.mean(axis=1)
points = points - points.mean(axis=0)
goal("centroids by hand against the package", float(np.abs(points - protein.centroids).max()),
     "<=", 1e-4, "Å")
show.structure(protein, style="stick", centroids=True,
               alt="The same backbone as sticks with a ball at each residue's centroid.")

# %% [markdown]
# ## Predict first
#
# Neighbouring CA atoms are 3.8 Å apart in nearly every protein. Are neighbouring *centroids* as
# regular? Guess the spread before you look.

# %%
def neighbour_distance(x):
    return np.linalg.norm(np.diff(x, axis=0), axis=1)


ca, centroid = neighbour_distance(backbone[:, 1]), neighbour_distance(points)
lines = [show.Line("CA to CA", np.arange(1, len(protein)), ca, "#E69F00"),
         show.Line("centroid to centroid", np.arange(1, len(protein)), centroid, "#0072B2")]
show.figure(show.chart(lines, title="Distance to the next residue (1HZ6_A)", x="residue",
                       y="distance (Å)"),
            "Distance from each residue to the next. Between CA atoms it hardly varies; between "
            "centroids it follows the secondary structure.")
letters = np.array(list(protein.secondary_structure))
inside = {name: centroid[(letters[:-1] == c) & (letters[1:] == c)]
          for name, c in (("helix", "H"), ("strand", "E"))}
show.say(f"CA to CA: {ca.mean():.2f} ± {ca.std():.2f} Å. Centroid to centroid: {centroid.mean():.2f} ± "
         f"{centroid.std():.2f} Å; within the "
         + ", within the ".join(f"{k} {v.mean():.2f} ± {v.std():.2f} Å" for k, v in inside.items())
         + ".")

# %% [markdown]
# So a centroid chain has no single bond length. In this protein consecutive centroids lie closer in
# the helix than in the strands: the points still carry the secondary structure.
#
# ## Units: Å divided by a standard deviation
#
# Noise has variance 1, so the data should have about variance 1 too, or the schedule means
# something else for each protein. The standard deviation here is over points and axes together:
#
# $$\sigma = \sqrt{\tfrac{1}{3L}\sum_{i}|x_i|^2}, \qquad
#   \text{so predicting zero has an RMSE of}\ \sqrt{3}\,\sigma = R_g.$$
#
# Which σ? The public code behind the report divides each protein by *its own* (over all backbone atoms; ours is
# over the centroids, a few per cent smaller, except in notebook 06). That is harmless
# when one protein is memorised. It is a leak when an unseen protein is predicted: its size is
# then given away. So:
#
# | notebooks | divide by |
# |---|---|
# | one protein | that protein's own σ |
# | many proteins | one constant from the training set |
# | held-out evaluation | the same constant, never the target's σ |
#
# **Predict first:** if a protein were a ball of constant density, how would σ grow with its length L?

# %%
own = data.standard_deviation(protein)
shared = data.training_set_scale()
entries = data.catalogue(split="train")[:: session.pick(ci=8, laptop=2, gpu=1)]
lengths = np.array([e.length for e in entries])
deviations = np.array([data.standard_deviation(data.load(e.id)) for e in entries])
slope, offset = np.polyfit(np.log(lengths), np.log(deviations), 1)

# %% tags=["plot"]
import plotly.graph_objects as go

grid = np.linspace(20, 256, 60)
fig = go.Figure([
    go.Scatter(x=lengths, y=deviations, mode="markers", name="training chains",
               marker=dict(color="#0072B2", opacity=0.45, size=7)),
    go.Scatter(x=grid, y=np.exp(offset) * grid**slope, mode="lines", name="power law, fitted",
               line_color="#D55E00"),
    go.Scatter(x=grid, y=np.full(60, shared), mode="lines", name="one constant",
               line=dict(color="#444444", dash="dash"))])
fig.update_layout(title="Larger proteins have larger coordinates",
                  xaxis_title="residues", yaxis_title="standard deviation σ (Å)")
show.figure(fig, "Standard deviation of the centroids against chain length for training chains, "
                 "with a fitted power law and the one constant used for many proteins.")
show.say(f"σ grows as $L^{{{slope:.2f}}}$ here; a ball of constant density would give $L^{{1/3}}$. "
         f"{protein.id}: {own:.2f} Å; the training-set constant: {shared:.2f} Å.")

# %% [markdown]
# ## Batches
#
# Proteins of unequal length share a batch: shorter ones are padded and a mask says which points
# are real. Nothing computed from the padding may reach a result; the package's tests hold it to
# that.

# %%
trio = [data.load(i) for i in ("1WY3_A", "1R69_A", "1HZ6_A")]
batch = data.make_batch(trio)
for name, what in (("x0", "centroids, centred, in units of each σ; 0 on padding"), ("mask", "True where a residue is"),
                   ("residue", "amino acid, 0 … 19; 20 is unknown or padding"), ("scale", "Å a unit"),
                   ("chain", "0, or 1 for the second chain of a complex"),
                   ("position", "index within the chain; gaps show")):
    print(f"{name:10}{str(tuple(getattr(batch, name).shape)):14}{what}")

# %% [markdown]
# ## Two chains
#
# Complexes are loaded the same way. Each chain has its own index, and positions start again. The report's
# run was on a complex of two chains, a *dimer*; [notebook 06](06_broken_residual.ipynb) rebuilds it on four, chosen by
# a rule before any run: of the training split the first two by id with 80 to 100 residues, and with 190 to 235.

# %%
for name in studies.dimers():
    print(data.load(name))
pair = data.load(studies.dimers()[0])
show.structure(pair, alt=f"{pair.id}, a complex of two chains, one colour a chain: the first of the four dimers.")

# %% [markdown]
# ## Your own protein
#
# `read_structure` takes PDB and mmCIF files, compressed or not. Nothing is dropped silently: what
# was left out is listed in the result, and a warning says so. `write_trajectory` goes the other way,
# for PyMOL and ChimeraX, one frame or many. Here a bundled protein is written to a file, damaged,
# and read back.

# %%
folder = Path(tempfile.mkdtemp())
path = data.write_trajectory(folder / "mine.pdb", protein.backbone[None], protein)
lines = path.read_text().splitlines(keepends=True)
lost = [line for line in lines if not (line[22:26].strip() == "10" and line[13:15] == "CA")]
with gzip.open(folder / "damaged.pdb.gz", "wt") as file:
    file.writelines(lost)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", data.ResiduesLeftOut)
    mine = data.read_structure(folder / "damaged.pdb.gz")
print("warning:", caught[0].message)
print(mine)

# %%
wrong = {"no such chain": lambda: data.read_structure(path, chain="Z"),
         "not a structure": lambda: data.read_structure(Path("01_proteins_as_points.ipynb")),
         "no such file": lambda: data.read_structure(folder / "none.pdb"),
         "not in the set": lambda: data.load("1HZ6_B")}
for name, attempt in wrong.items():
    try:
        attempt()
    except (ValueError, KeyError, FileNotFoundError) as error:
        print(f"{name}: {error}\n")

# %% [markdown]
# ## Exercises
#
# **1.** What RMSE, in Å, has the prediction "every residue at the centre" for 1R69_A?

# %% tags=["exercise"]
my_rmse = None  # in Å

# %% tags=["solution"]
# Solution
solution_1 = np.sqrt(3) * data.standard_deviation(data.load("1R69_A"))

# %% tags=["check"]
answer = solution_1 if my_rmse is None else my_rmse
x = data.load("1R69_A").centroids
truth = np.sqrt((x**2).sum(1).mean())
assert abs(answer - truth) < 0.06, f"it is {truth:.2f} Å"
print("not answered; the solution is" if my_rmse is None else "right:", f"{answer:.2f} Å")

# %% [markdown]
# **2.** Take the mean of $|x|^2$ over residues for the shortest protein of the padded batch, once with
# and once without the mask. By which factor do they differ?

# %% tags=["exercise"]
my_factor = None  # masked mean of |x|^2 over the unmasked one

# %% tags=["solution"]
# Solution
solution_2 = batch.x0.shape[1] / len(trio[0])  # padding adds zeros to the sum, but counts

# %% tags=["check"]
answer = solution_2 if my_factor is None else my_factor
squared = batch.x0[0].square().sum(-1)
truth = float(squared[batch.mask[0]].mean() / squared.mean())
assert abs(answer - truth) < 0.02, f"it is {truth:.3f}"
print("not answered; the solution is" if my_factor is None else "right:", f"{answer:.3f}")

# %%
metric("standard deviation of 1HZ6_A", own, "Å")
metric("training-set constant", shared, "Å")
metric("centroid to centroid, mean", float(centroid.mean()), "Å")
metric("centroid to centroid, spread", float(centroid.std()), "Å")
metric("exponent of size against length", float(slope))
goal("bundled single chains", len(data.catalogue()), "==", 883)
