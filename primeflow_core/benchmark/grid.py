"""What a benchmark trains and scores: recipes times seeds, on one data file and one split."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from primeflow_core import __version__
from primeflow_core.errors import SettingError
from primeflow_core.objective import FlowConfig
from primeflow_core.recipe import Recipe
from primeflow_core.splits import TEST

UNGUIDED = 1.0


@dataclass(frozen=True)
class Entry:
    """One training of a recipe; ``weights`` of guidance that its cells are made with, one table row each.

    ``pictured``: its cells are placed on principal components too, see picture.py.
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
    """``cells`` predicted of each held-out condition of ``part``; ``data_sha256`` and ``split_sha256`` of the files."""

    recipes: tuple[Recipe, ...]
    seeds: tuple[int, ...]
    weights: tuple[float, ...]
    cells: int
    data_sha256: str
    split_sha256: str
    part: str = TEST

    def __post_init__(self) -> None:
        names = [recipe.name for recipe in self.recipes]
        for name, values in (("recipes", names), ("seeds", self.seeds), ("guidance weights", self.weights)):
            if not values or len(set(values)) < len(values):
                raise SettingError(f"The {name} {_listed(values)} must be one or more, each once.")
        if min(self.seeds) < 0 or min(self.weights) < 0:
            raise SettingError("Seeds and guidance weights must be 0 or more.")
        if self.cells < 1:
            raise SettingError(f"{self.cells} cells of a condition cannot be predicted; ask for 1 or more.")

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Seed by seed, so that a benchmark that is stopped early has seen every recipe."""
        found = product(self.seeds, self.recipes)
        return tuple(Entry(recipe, seed, self._weights_of(recipe), seed == self.seeds[0]) for seed, recipe in found)

    def _weights_of(self, recipe: Recipe) -> tuple[float, ...]:
        """Guidance needs a flow that has learnt without condition too."""
        flow = recipe.rows.get("flow")
        guided = isinstance(flow, FlowConfig) and flow.prob_unconditional > 0
        return self.weights if guided else (UNGUIDED,)

    def fingerprint(self, entry: Entry) -> str:
        """sha256 of all that the scores of an entry come from."""
        said = {
            "recipe": entry.recipe.name, "settings": entry.recipe.settings(), "seed": entry.seed,
            "weights": entry.weights, "cells": self.cells, "part": self.part, "data": self.data_sha256,
            "split": self.split_sha256, "version": __version__,
        }  # fmt: skip
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _listed(values: Sequence[object]) -> str:
    return ", ".join(map(str, values)) or "(none)"
