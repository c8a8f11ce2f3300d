"""The settings of a search: everything that determines its trials."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import Any

from primeflow_core import __version__
from primeflow_core.errors import SettingError
from primeflow_core.evaluation.metrics.registry import metric_named, metric_names
from primeflow_core.models.kinds.ranges import SettingRange
from primeflow_core.training.recipes.recipe import Recipe
from primeflow_core.training.tuning.search import Search
from primeflow_core.training.tuning.spaces import point_of, space_of

METRIC = "energy_distance"
"""It sees means and spread of all genes, and has no bias for few cells."""
CELLS, FEWEST_CELLS, SHARE_ON_THE_WAY = 200, 8, 4


@dataclass(frozen=True)
class SearchSpec:
    """The question of a search: which settings of ``recipe``, except those ``fixed``, give the best mean ``metric``
    over the validation conditions. Each is scored with up to ``cells`` generated cells, during training with a quarter
    of them.

    ``data_sha256`` and ``split_sha256`` of the files, ``reading``: how the cells were read, plain data.
    Raises SettingError for an unknown metric, too few cells, a seed below 0 and a recipe with nothing to search.
    """

    recipe: Recipe
    data_sha256: str
    split_sha256: str
    metric: str = METRIC
    cells: int = CELLS
    seed: int = 0
    fixed: frozenset[str] = frozenset()
    reading: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.metric not in metric_names():
            raise SettingError(f"{self.metric!r} is not a metric. Metrics: {', '.join(metric_names())}.")
        if self.cells < FEWEST_CELLS:
            raise SettingError(f"{self.cells} cells of a condition are too few to score; take {FEWEST_CELLS} or more.")
        if self.seed < 0:
            raise SettingError(f"The seed is {self.seed}; it must be 0 or more.")
        space_of(self.recipe, self.fixed)

    @property
    def cells_on_the_way(self) -> int:
        return max(FEWEST_CELLS, self.cells // SHARE_ON_THE_WAY)

    @property
    def larger_is_better(self) -> bool:
        return metric_named(self.metric).larger_is_better

    @property
    def space(self) -> dict[str, SettingRange]:
        return space_of(self.recipe, self.fixed)

    @property
    def search(self) -> Search:
        return Search(self.space, point_of(self.recipe, self.space), self.larger_is_better, self.seed)

    def told(self) -> dict[str, Any]:
        """The question as plain data, as study.json stores it. A folder only holds trials of one question."""
        said = {
            "version of PRiMeFlow": __version__, "version of Optuna": metadata.version("optuna"),
            "data file": self.data_sha256, "split": self.split_sha256, "way of reading the data": dict(self.reading),
            "recipe": self.recipe.name, "settings": self.recipe.settings(), "metric": self.metric, "cells": self.cells,
            "seed": self.seed, "space": {key: asdict(one) for key, one in self.space.items()},
        }  # fmt: skip
        plain: dict[str, Any] = json.loads(json.dumps(said))
        return plain
