"""typical-cells and mean-perturbed: every perturbation does what perturbations do, so only what all share is right.

They are the baseline of calibrated scores (evaluation/typical_cells.py), as predictions of their own.
"""

import sys
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from primeflow_core.data.conditions import Condition
from primeflow_core.errors import ConditionError
from primeflow_core.evaluation.labelled import group_of, parts_of
from primeflow_core.evaluation.typical_cells import PerturbedTraining, TypicalPopulation
from primeflow_core.models.baselines.baseline import Baseline, FittedBaseline
from primeflow_core.models.baselines.measured import TrainingMeans


@dataclass(frozen=True)
class TypicalCells(FittedBaseline):
    """Cells of the other perturbed training conditions, each condition with the same weight. Of control: controls."""

    measured: TrainingMeans = field(repr=False)

    @cached_property
    def _perturbed(self) -> PerturbedTraining:
        return PerturbedTraining(self.measured.cells)

    def typical(self, condition: Condition) -> TypicalPopulation:
        """Raises ConditionError where training has no cells of another perturbation."""
        found = self._perturbed.typical(parts_of(condition), group_of(condition))
        if found is None:
            raise ConditionError(
                f"Training has cells of no other perturbation than {condition.label} beside control cells, so what "
                "perturbed cells are like is not known."
            )
        return found

    def predict_mean(self, condition: Condition) -> np.ndarray:
        if condition.is_control:
            return self.measured.mean(self.measured.control(condition))
        return self.typical(condition).mean

    def distinct(self, condition: Condition) -> int:
        if condition.is_control:
            return self.measured.number(self.measured.control(condition))
        return sum(len(rows) for rows, _ in self.typical(condition).sources)

    def _draw(self, condition: Condition, cells: int, rng: np.random.Generator) -> np.ndarray:
        if condition.is_control:
            return self.measured.draw(self.measured.control(condition), cells, rng)
        return self.typical(condition).draw(cells, int(rng.integers(2**62)))


@dataclass(frozen=True)
class MeanPerturbed(TypicalCells):
    """The mean profile of typical perturbed cells, for every cell."""

    def distinct(self, condition: Condition) -> int:
        self.predict_mean(condition)
        return sys.maxsize

    def _draw(self, condition: Condition, cells: int, rng: np.random.Generator) -> np.ndarray:
        return np.tile(self.predict_mean(condition).astype(np.float32), (cells, 1))


TYPICAL_CELLS = Baseline(
    name="typical-cells",
    label="Typical perturbed cells",
    describe="Random training cells of other perturbations: right in what all of them share.",
    fit=TypicalCells,
    recipe="typical-cells",
    keeps_cells=True,
)
MEAN_PERTURBED = Baseline(
    name="mean-perturbed",
    label="Mean of perturbed cells",
    describe="The mean of all perturbed training cells, each condition with the same weight.",
    fit=MeanPerturbed,
    beside_model=False,
    recipe="mean-perturbed",
    keeps_cells=True,
)
