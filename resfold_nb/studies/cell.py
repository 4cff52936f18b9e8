"""One run of a study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from resfold_nb.training import Recipe

FORM_NAMES = {"residual": "scaled residual", "x0": "A", "eps": "B", "v": "C", "edm": "EDM",
              "skip_unscaled": "skip, no scale", "scaled_no_skip": "scale, no skip"}
SETTING_NAMES = {"well fed": "one protein", "rotated": "random rotations"}

Variant = Callable[[Recipe], Recipe]


@dataclass(frozen=True)
class Cell:
    """One run of a study."""

    recipe: Recipe
    protein: str  # an id, or a set of `settings`
    seed: int
    profile: str
    marks: int | tuple[int, ...] = 14  # at about how many steps it is measured on the way, besides the first and the
    #                                    last; or at which
    copies: int = 4  # structures sampled at each measurement of one protein
    measured: str = "all"  # key of `quantities.MEASURED`, what is measured once more at the end
    variant: str = ""  # what figures call it; by its form where a plan does not say
    setting: str = ""  # what it is trained on and how; by its recipe where a plan does not say
    change: str = ""  # the one thing that was changed in a factor's run

    def __post_init__(self) -> None:
        """Fill in the names that the plan leaves out."""
        object.__setattr__(self, "variant", self.variant or FORM_NAMES[self.recipe.form])
        object.__setattr__(self, "setting", self.setting or SETTING_NAMES.get(self.recipe.name, self.recipe.name))

    @property
    def key(self) -> str:
        """Names the run's result file."""
        return f"{self.recipe.hash}-{self.protein}-{self.seed}"


def changed(**changes: object) -> Variant:
    """The variant that changes these fields, as in `Recipe.but`."""
    return lambda recipe: recipe.but(**changes)


def unique(cells: Sequence[Cell]) -> list[Cell]:
    """The cells without repeats of a run, in their order."""
    found: dict[str, Cell] = {}
    for cell in cells:
        found.setdefault(cell.key, cell)
    return list(found.values())
