"""The bands and goals notice a broken package: bugs are planted, and each turns the run red.

That the package as it is runs green in the same way is what tests/test_notebooks.py shows.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import checkouts
import pytest
from checkouts import ROOT

FIX_A = "07_fix_a_direct_x0"
FORWARD = "02_forward_process"


@dataclass(frozen=True)
class Mutation:
    """A bug: in one file, one text that stands there once is replaced; and who must notice."""

    name: str
    notebook: str
    file: str
    old: str
    new: str


MUTATIONS = (
    Mutation(
        "the square root's scale planted into fix A",
        FIX_A,
        "diffusion/forms.py",
        '("x0",             "A: direct x0",            zero,              one, ',
        '("x0",             "A: direct x0",            zero,              lambda a, s: s, ',
    ),
    Mutation(
        "a and s swapped, seen by the forward process",
        FORWARD,
        "diffusion/schedule.py",
        "return Schedule(name, alpha_bar, alpha_bar.sqrt(), (1 - alpha_bar).sqrt())",
        "return Schedule(name, alpha_bar, (1 - alpha_bar).sqrt(), alpha_bar.sqrt())",
    ),
    Mutation(
        "a and s swapped, seen by fix A's notebook",
        FIX_A,
        "diffusion/schedule.py",
        "return Schedule(name, alpha_bar, alpha_bar.sqrt(), (1 - alpha_bar).sqrt())",
        "return Schedule(name, alpha_bar, (1 - alpha_bar).sqrt(), alpha_bar.sqrt())",
    ),
    Mutation(
        "an optimiser that does nothing",
        FIX_A,
        "training/loop.py",
        "            optimiser.step()\n",
        "",
    ),
    Mutation(
        "epsilon without its division by a",
        "08_fix_b_epsilon",
        "diffusion/forms.py",
        "1/a,  lambda a, s: -s/a, ",
        "1/a,  lambda a, s: -s, ",
    ),
    Mutation(
        "a rollout one timestep off",
        "10_fix_d_rollout",
        "training/rollout.py",
        "first = recipe.timesteps - 1",
        "first = recipe.timesteps - 2",
    ),
    Mutation(
        "the public code's error averaged over axes",
        "06_broken_residual",
        "training/losses.py",
        "return 3 * loss if recipe.public_loss else loss",
        "return loss",
    ),
    Mutation(
        "a prediction that is not aligned",
        "17_the_frame",
        "diffusion/samplers.py",
        "x0_pred = superpose(denoise(x, t), x, mask)",
        "x0_pred = denoise(x, t)",
    ),
)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_bug_turns_the_run_red(mutation: Mutation, tmp_path: Path) -> None:
    checkout = checkouts.make(tmp_path / "mutant")
    shutil.rmtree(checkout.root / "data")
    (checkout.root / "data").symlink_to(ROOT / "data", target_is_directory=True)
    checkout.notebooks.mkdir()
    shutil.copy(ROOT / "notebooks" / f"{mutation.notebook}.ipynb", checkout.notebooks)
    plant(mutation, checkout.root / "resfold_nb")

    done = checkout.run("run", "--profile", "ci")

    assert done.returncode == 1, f"{mutation.name} went unnoticed:\n{done.stdout}"
    # Red because of what was measured, not because the copy fell over.
    assert "goal missed" in done.stdout or "Band missed" in done.stdout, done.stdout
    failed = [line for line in done.stdout.splitlines() if " failed: " in line]
    assert all("goal missed" in line for line in failed), failed


def plant(mutation: Mutation, package: Path) -> None:
    """Apply the mutation, which has to fit in exactly one place."""
    path = package / mutation.file
    text = path.read_text(encoding="utf-8")
    assert text.count(mutation.old) == 1, f"{mutation.name} no longer fits {mutation.file}"
    path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
