"""no-change: a perturbation does nothing."""

from dataclasses import dataclass

import numpy as np

from primeflow_core.data.conditions import Condition
from primeflow_core.models.baselines.measured import TrainingMeans
from primeflow_core.models.baselines.rival import Rival


@dataclass(frozen=True)
class NoChange(Rival):
    """Control cells of the context."""

    measured: TrainingMeans
    name = "no-change"
    describe = "Control cells of the same context, as if the perturbation did nothing."

    def predict_mean(self, condition: Condition) -> np.ndarray:
        return self.measured.mean(self.measured.control(condition)).copy()

    def distinct(self, condition: Condition) -> int:
        return self.measured.number(self.measured.control(condition))

    def _draw(self, condition: Condition, cells: int, rng: np.random.Generator) -> np.ndarray:
        return self.measured.draw(self.measured.control(condition), cells, rng)
