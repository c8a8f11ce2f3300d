"""The search space of a recipe: the ranges of its model kind and of its training.

The ranges of a model stand in its own file (models/kinds/search_space.py says what a range is).
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from primeflow_core.errors import SettingError
from primeflow_core.models.kinds.ranges import OptionRange, Point, Real, SettingRange
from primeflow_core.models.kinds.registry import kind_of
from primeflow_core.models.kinds.search_space import Searched, SearchSpace, both
from primeflow_core.models.rows import FLOW, TRAINING
from primeflow_core.training.recipes.recipe import Recipe

RATE, DECAY = "learning_rate", "weight_decay"
FLOW_SPACE = SearchSpace(
    {
        "path": both(OptionRange(("linear", "trigonometric"))),
        "sigma": both(OptionRange((0.0, 0.01, 0.1))),
        "prob_unconditional": both(Real(0.0, 0.5, step=0.1)),
        "factors": both(OptionRange((16, 32, 64, 128)), unless=("factors", 0)),
        "components": both(OptionRange((30, 50, 100, 200)), unless=("space", "genes")),
        "entropy": both(Real(0.01, 0.5, log=True), unless=("coupling", "independent")),
    }
)
"""The ranges of the row `flow`, for any velocity field."""
TRAININGS: MappingProxyType[str, Searched] = MappingProxyType(
    {
        RATE: Searched(Real(1e-4, 1e-2, log=True), Real(5e-6, 5e-3, log=True)),
        DECAY: both(Real(1e-11, 1e-3, log=True)),
        "composed": both(Real(0.0, 0.5, step=0.05), unless=("composed", 0.0)),
        "cells_per_condition": Searched(
            OptionRange((32, 64, 128)), OptionRange((128, 256)), unless=("cells_per_condition", 0)
        ),
    }
)


def space_of(recipe: Recipe, fixed: Collection[str] = ()) -> dict[str, SettingRange]:
    """The range of every setting that is searched about ``recipe``, but those that are ``fixed``.

    Raises SettingError where nothing is left to search.
    """
    if not recipe.training.steps:
        raise SettingError(
            f"{recipe.name} is known in closed form, and there is nothing to search. Choose a recipe that is trained."
        )
    large = any(_is_large(name, row) for name, row in recipe.rows.items())
    settings: dict[str, Any] = {**recipe.rows, TRAINING: recipe.training}
    found: dict[str, SettingRange] = {}
    for name, row in settings.items():
        for key, searched in _searched(name, recipe).items():
            one = searched.large if large else searched.small
            without = searched.unless is not None and getattr(row, searched.unless[0]) == searched.unless[1]
            if one is not None and not without and key not in fixed:
                found[key] = one
    if not found:
        raise SettingError(f"Every setting of {recipe.name} that is searched is fixed by --set. Leave one of them out.")
    return found


def _space(name: str) -> SearchSpace | None:
    """The ranges of the row ``name``; None for a model in closed form."""
    if name == FLOW:
        return FLOW_SPACE
    kind = kind_of([name])
    return kind.parts().search if kind else None


def _is_large(name: str, row: object) -> bool:
    space = _space(name)
    return space is not None and space.is_large(row)


def _searched(name: str, recipe: Recipe) -> Mapping[str, Searched]:
    spaces = [space for row in recipe.rows if (space := _space(row))]
    if name == TRAINING:
        rates = [space.rate for space in spaces if space.rate]
        return {**TRAININGS, **({RATE: rates[0]} if rates else {})}
    space = _space(name)
    return space.settings if space else {}


def point_of(recipe: Recipe, space: Mapping[str, SettingRange]) -> Point:
    """The point of ``recipe`` itself, with its settings moved into their ranges."""
    values = recipe.values()
    return {key: one.place(values[key]) for key, one in space.items()}


def at(recipe: Recipe, space: Mapping[str, SettingRange], point: Mapping[str, Any]) -> Recipe:
    """``recipe`` with its settings at ``point`` of ``space``. Raises SettingError where they do not go together."""
    return recipe.with_values({key: space[key].value(place) for key, place in point.items()})
