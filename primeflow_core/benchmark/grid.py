"""The trainings of a benchmark: recipes times seeds, on one data file and one split."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from primeflow_core import __version__
from primeflow_core.data.split_file import TEST
from primeflow_core.errors import SettingError
from primeflow_core.evaluation.pair import MOST_PREDICTED
from primeflow_core.models.flow.objective import FlowConfig
from primeflow_core.models.sampling_plan import MOST_GUIDANCE
from primeflow_core.training.recipes.recipe import Recipe

UNGUIDED = 1.0
SCORES = "with baseline and replicate"
"""What the scores of an entry hold. Entries that were scored otherwise are scored again, without a new training."""
FEWEST_CELLS = 8
"""With fewer cells, chance matters more than the model."""


@dataclass(frozen=True)
class Entry:
    """One training of a recipe. ``weights``: the guidance weights of its predictions, one table row each.

    ``pictured``: its cells are placed on principal components too, see cell_projection.py.
    """

    recipe: Recipe
    seed: int
    weights: tuple[float, ...]
    pictured: bool = False

    @property
    def name(self) -> str:
        return f"{self.recipe.name}-seed-{self.seed}"


@dataclass(frozen=True)
class Grid:
    """``cells``: predicted for each held-out condition of ``part``. ``data_sha256`` and ``split_sha256``: of the files.

    ``reading``: how the data file is read, if it was given.
    """

    recipes: tuple[Recipe, ...]
    seeds: tuple[int, ...]
    weights: tuple[float, ...]
    cells: int
    data_sha256: str
    split_sha256: str
    part: str = TEST
    reading: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [recipe.name for recipe in self.recipes]
        for name, values in (("recipes", names), ("seeds", self.seeds), ("guidance weights", self.weights)):
            if not values or len(set(values)) < len(values):
                raise SettingError(f"The {name} are {_listed(values)}. Give one or more, each once.")
        if min(self.seeds) < 0:
            raise SettingError("Seeds must be 0 or more.")
        if not all(0 <= weight <= MOST_GUIDANCE for weight in self.weights):
            raise SettingError(f"The guidance weights {_listed(self.weights)} must be 0 to {MOST_GUIDANCE:g}.")
        if not FEWEST_CELLS <= self.cells <= MOST_PREDICTED:
            raise SettingError(
                f"{self.cells:,} cells of a condition cannot be scored; ask for {FEWEST_CELLS} to {MOST_PREDICTED:,}."
            )

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Seed by seed, so that a benchmark that is stopped early has trained every recipe."""
        found = product(self.seeds, self.recipes)
        return tuple(Entry(recipe, seed, self._weights_of(recipe), seed == self.seeds[0]) for seed, recipe in found)

    def _weights_of(self, recipe: Recipe) -> tuple[float, ...]:
        """Guidance needs a flow that was also trained without condition."""
        flow = recipe.rows.get("flow")
        guided = isinstance(flow, FlowConfig) and flow.prob_unconditional > 0
        return self.weights if guided else (UNGUIDED,)

    def fingerprint(self, entry: Entry) -> str:
        """sha256 of everything that the scores of an entry depend on."""
        said = {
            "recipe": entry.recipe.name, "settings": entry.recipe.settings(), "seed": entry.seed,
            "weights": entry.weights, "cells": self.cells, "part": self.part, "data": self.data_sha256,
            "split": self.split_sha256, "version": __version__, "scores": SCORES,
        }  # fmt: skip
        if self.reading:
            said["reading"] = dict(self.reading)
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _listed(values: Sequence[object]) -> str:
    return ", ".join(map(str, values)) or "(none)"
