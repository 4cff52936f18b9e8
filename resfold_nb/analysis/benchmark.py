"""How long fix A trains until it is below 1 Å everywhere.

    python -m resfold_nb.analysis.benchmark

Recipe *well fed*, profile laptop, one protein of 67 residues, seeds 0 to 4, on this machine.
Reported, never asserted: seconds depend on the machine and on what else it does.
"""

from __future__ import annotations

import sys

from resfold_nb.analysis.measure import sample, sample_errors
from resfold_nb.analysis.run import Mark, Run, run
from resfold_nb.data import Batch, load, make_batch
from resfold_nb.training import best_device, named_recipe
from resfold_nb.training.recipes import FROZEN_ON

GOAL = 1.0
EVERY = 20


def seconds_to_goal(batch: Batch, seed: int) -> tuple[Run, Mark | None]:
    """A whole run of fix A, and its first mark below 1 Å at every t and in the mean sample."""
    recipe = named_recipe("well_fed", form="x0")
    finished = run(recipe, batch, seed, device=best_device(),
                   marks=range(0, recipe.steps + 1, EVERY))
    below = (m for m in finished.marks if m.errors.worst < GOAL and m.sampled_rmse < GOAL)
    return finished, next(below, None)


def main() -> int:
    """Print a row a seed; 0 when every run ends below the goal."""
    batch, missed = make_batch(load(FROZEN_ON)), 0
    print(f"fix A, recipe well fed, {FROZEN_ON}, {best_device()}: time of training alone")
    for seed in range(5):
        finished, mark = seconds_to_goal(batch, seed)
        plain, _ = sample_errors(sample(finished.predictor, batch).final, batch)
        share = mark.step / finished.recipe.steps if mark else float("nan")
        missed += finished.last.errors.worst >= GOAL or plain.max() >= GOAL
        print(f"seed {seed}: below {GOAL} Å at every t and sampled after "
              f"{mark.step if mark else 'no'} steps, about {share * finished.train_seconds:.1f} s "
              "by their share of the run; "
              f"after {finished.recipe.steps} steps, {finished.train_seconds:.1f} s: worst "
              f"{finished.last.errors.worst:.2f} Å, worst sample {plain.max():.2f} Å")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
