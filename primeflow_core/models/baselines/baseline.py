"""Baselines: simple predictions in closed form that every model of responses has to beat.

A new baseline is a file in this folder and one row in ``registry.py``. One class serves everything: scores beside a
model, the trust of a ranking, and, where all it does is move control cells, a saved model (closed_form.py).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from primeflow_core.data.conditions import Condition
from primeflow_core.errors import SettingError
from primeflow_core.models.baselines.measured import TrainingMeans


class FittedBaseline(ABC):
    """A baseline fitted to training cells."""

    @abstractmethod
    def predict_mean(self, condition: Condition) -> np.ndarray:
        """(G,) float64, at least 0: the mean profile this baseline aims at.

        The mean of its cells lies above it where cells are clipped at 0 one by one. Raises as ``predict``.
        """

    @abstractmethod
    def distinct(self, condition: Condition) -> int:
        """The number of cells that can be drawn before one repeats. Raises the same errors as ``predict``.

        Repeated cells stand too close to each other: a distance between sets then reads as an error of the baseline.
        """

    def predict(self, condition: Condition, cells: int, seed: int) -> np.ndarray:
        """(cells, G) float32, at least 0; the same seed gives the same cells.

        Cells are drawn with replacement only if more are requested than were measured. Raises DataError if training has
        no control cells that are needed, ConditionError for a part it cannot predict, SettingError for fewer than one
        cell.
        """
        if cells < 1:
            raise SettingError(f"{cells} cells cannot be predicted; ask for 1 or more.")
        drawn = self._draw(condition, cells, np.random.default_rng(seed))
        return np.maximum(drawn, 0, out=drawn)

    @abstractmethod
    def _draw(self, condition: Condition, cells: int, rng: np.random.Generator) -> np.ndarray:
        """(cells, G) float32, new in memory, not yet clipped at 0."""


@dataclass(frozen=True)
class MovedControls(FittedBaseline):
    """Control cells of the context, all moved by the same ``shift``."""

    measured: TrainingMeans

    @abstractmethod
    def shift(self, condition: Condition) -> np.ndarray:
        """(G,) float64. Raises ConditionError for a part of which training tells nothing."""

    def predict_mean(self, condition: Condition) -> np.ndarray:
        return np.maximum(self.measured.mean(self.measured.control(condition)) + self.shift(condition), 0)

    def distinct(self, condition: Condition) -> int:
        self.shift(condition)
        return self.measured.number(self.measured.control(condition))

    def _draw(self, condition: Condition, cells: int, rng: np.random.Generator) -> np.ndarray:
        drawn = self.measured.draw(self.measured.control(condition), cells, rng)
        drawn += self.shift(condition)
        return drawn


@dataclass(frozen=True)
class Baseline:
    """``name`` in commands and tables, ``label`` for readers, ``describe`` one plain sentence.

    ``fit``: from what was measured in training. ``beside_model``: shown with a model on pages and in its card's
    summary; False for a variant of one that is. ``recipe``: the recipe that trains the same as a saved model, empty
    where there is none; it keeps control cells and means if it gives MovedControls, and with ``keeps_cells`` the
    training cells themselves. ``is_floor``: it predicts control cells, which benchmarks show as the floor already.
    """

    name: str
    label: str
    describe: str
    fit: Callable[[TrainingMeans], FittedBaseline]
    beside_model: bool = True
    recipe: str = ""
    is_floor: bool = False
    keeps_cells: bool = False
