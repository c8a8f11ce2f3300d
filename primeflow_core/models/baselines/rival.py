"""The contract of the cheap rivals: predictions in closed form that every model of responses has to beat."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from primeflow_core.data.conditions import Condition
from primeflow_core.errors import SettingError


class Rival(ABC):
    """Fitted to training cells; ``name`` for commands and tables, ``describe`` one plain sentence for a legend."""

    name: ClassVar[str]
    describe: ClassVar[str]

    @abstractmethod
    def predict_mean(self, condition: Condition) -> np.ndarray:
        """(G,) float64, at least 0: the mean profile this rival aims at.

        The mean of its cells lies above it where cells are clipped at 0 one by one. Raises as ``predict``.
        """

    @abstractmethod
    def distinct(self, condition: Condition) -> int:
        """How many cells can be drawn before one repeats. Raises as ``predict``.

        Repeated cells stand too close to each other: a distance between sets then reads as an error of the rival.
        """

    def predict(self, condition: Condition, cells: int, seed: int) -> np.ndarray:
        """(cells, G) float32, at least 0; the same seed gives the same cells.

        Cells are drawn with replacement only where more are asked for than were measured. Raises DataError where
        training lacks control cells that are needed, ConditionError for a part it cannot predict, SettingError for
        fewer than one cell.
        """
        if cells < 1:
            raise SettingError(f"{cells} cells cannot be predicted; ask for 1 or more.")
        drawn = self._draw(condition, cells, np.random.default_rng(seed))
        return np.maximum(drawn, 0, out=drawn)

    @abstractmethod
    def _draw(self, condition: Condition, cells: int, rng: np.random.Generator) -> np.ndarray:
        """(cells, G) float32, new in memory, not yet clipped at 0."""
