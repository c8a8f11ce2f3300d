"""no-change: a perturbation does nothing."""

from dataclasses import dataclass

import numpy as np

from primeflow_core.data.conditions import Condition
from primeflow_core.models.baselines.baseline import Baseline, MovedControls


@dataclass(frozen=True)
class NoChange(MovedControls):
    """Control cells of the context."""

    def shift(self, condition: Condition) -> np.ndarray:
        return np.zeros(len(self.measured.cells.genes))


NO_CHANGE = Baseline(
    name="no-change",
    label="No change",
    describe="Control cells of the same context, as if the perturbation did nothing.",
    fit=NoChange,
    recipe="no-change",
    is_floor=True,
)
