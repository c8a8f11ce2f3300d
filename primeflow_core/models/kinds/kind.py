"""Describes a kind of model: its words, configuration, recipes and ranges. Torch-free.

Recipes and ranges are plain numbers here, since a model knows nothing of the package that trains it. training/recipes
and training/tuning read them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from primeflow_core.models.kinds.search_space import SearchSpace


class Family(Enum):
    """The way in which a model makes its cells."""

    FLOW = "a flow: a velocity field, beside which stands a row `flow`"
    BASELINE = "a baseline that is trained in steps"
    CLOSED_FORM = "a baseline that is computed from statistics of the training cells"


@dataclass(frozen=True)
class RecipeRow:
    """A recipe in plain numbers: ``rows`` of the model by name, and what of TrainingConfig is not as usual.

    ``large``: for a GPU, with the best parameters that were published.
    """

    name: str
    summary: str
    rows: Mapping[str, Any]
    training: Mapping[str, Any]
    large: bool = False


@dataclass(frozen=True)
class ModelParts:
    """The parts of a kind that only training or prediction need. They import torch.

    ``config``: the dataclass of its row (Architecture or FieldConfig), each number with a default. ``recipes`` of
    models of one row; those of flows, which join a field and a row `flow`, are in training/recipes. ``search`` is None
    where nothing is trained.
    """

    config: type[Any]
    recipes: tuple[RecipeRow, ...] = ()
    search: SearchSpace | None = None


@dataclass(frozen=True)
class ModelKind:
    """One kind of model, a row of registry.py.

    ``row``: its name in config.json. ``labels`` for tables and figures, by the first letters of a recipe's name.
    ``does`` follows "It" and ``cannot`` follows "It cannot". ``sampler`` and ``zeros``: how its cells are made,
    until the model says otherwise. ``parts`` imports the model's own file.
    """

    row: str
    family: Family
    labels: Mapping[str, str] = field(hash=False)
    does: str
    cannot: str
    parts: Callable[[], ModelParts]
    sampler: str = "direct"
    zeros: str = "clip"
