"""Display names of the models of a benchmark: the names of the paper in place of recipe names."""

from collections import Counter
from collections.abc import Sequence

from primeflow_core.models.baselines.registry import baselines_with_recipe
from primeflow_core.models.kinds.registry import label_of

PRIMEFLOW, PRIMEFLOW_PLUS = "PRiMeFlow", "PRiMeFlow-plus"

Entry = tuple[str, float]
"""A recipe's name and a guidance weight: one row of the leaderboard."""


def family(recipe: str) -> str:
    """``PRiMeFlow`` for ``primeflow-tiny``; the recipe's own name if its family is not known."""
    own = {baseline.recipe: baseline.label for baseline in baselines_with_recipe()}
    return own.get(recipe) or label_of(recipe)


def labels(entries: Sequence[Entry]) -> dict[Entry, str]:
    """A unique name for each entry: with the recipe if its family has two, with the guidance weight unless 1."""
    recipes = dict.fromkeys(recipe for recipe, _ in entries)
    shared = Counter(map(family, recipes))
    found = {}
    for recipe, weight in entries:
        name = family(recipe)
        name = f"{name} ({recipe})" if shared[name] > 1 else name
        found[recipe, weight] = name if weight == 1 else f"{name}, w = {weight:g}"
    return found
