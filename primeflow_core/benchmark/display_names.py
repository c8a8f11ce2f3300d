"""What the models of a benchmark are called before people: the paper's names in place of those of recipes."""

from collections import Counter
from collections.abc import Sequence

from primeflow_core.models.kinds.registry import label_of

PRIMEFLOW = "PRiMeFlow"

Entry = tuple[str, float]
"""A recipe's name and a guidance weight: one row of the leaderboard."""


def family(recipe: str) -> str:
    """``PRiMeFlow`` for ``unet-tiny``; the recipe's own name where it is of no known family."""
    return label_of(recipe)


def labels(entries: Sequence[Entry]) -> dict[Entry, str]:
    """Of each entry a name that no other has: with the recipe's where a family has two, with the weight unless 1."""
    recipes = dict.fromkeys(recipe for recipe, _ in entries)
    shared = Counter(map(family, recipes))
    found = {}
    for recipe, weight in entries:
        name = family(recipe)
        name = f"{name} ({recipe})" if shared[name] > 1 else name
        found[recipe, weight] = name if weight == 1 else f"{name}, w = {weight:g}"
    return found
