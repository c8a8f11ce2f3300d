"""mean-perturbed: every perturbation does what perturbations do on average."""

import sys
from dataclasses import dataclass

import numpy as np

from primeflow_core.data.conditions import Condition
from primeflow_core.errors import ConditionError
from primeflow_core.models.baselines.baseline import Baseline, FittedBaseline
from primeflow_core.models.baselines.measured import TrainingMeans


@dataclass(frozen=True)
class MeanPerturbed(FittedBaseline):
    """The mean profile of the perturbed training conditions of the context, each with the same weight, for every cell.

    In a context without perturbed training cells: its controls, moved by the mean shift of the perturbed conditions of
    all other contexts.
    """

    measured: TrainingMeans

    def predict_mean(self, condition: Condition) -> np.ndarray:
        if condition.is_control:
            return self.measured.mean(self.measured.control(condition))
        here = [c for c in self.measured.position if not c.is_control and c.covariates == condition.covariates]
        if here:
            mean: np.ndarray = np.mean([self.measured.mean(c) for c in here], axis=0)
            return mean
        return np.maximum(self.measured.mean(self.measured.control(condition)) + self._shift_elsewhere(condition), 0)

    def _shift_elsewhere(self, condition: Condition) -> np.ndarray:
        there = self.measured.with_shift()
        if not there:
            raise ConditionError(
                "Training has no perturbed cells beside control cells, so there is no mean of perturbed cells for "
                f"{condition.label}."
            )
        shift: np.ndarray = np.mean([self.measured.shift(c) for c in there], axis=0)
        return shift

    def distinct(self, condition: Condition) -> int:
        self.predict_mean(condition)
        return sys.maxsize

    def _draw(self, condition: Condition, cells: int, rng: np.random.Generator) -> np.ndarray:
        return np.tile(self.predict_mean(condition).astype(np.float32), (cells, 1))


MEAN_PERTURBED = Baseline(
    name="mean-perturbed",
    label="Mean of perturbed cells",
    describe="The mean of all perturbed training cells, each condition with the same weight.",
    fit=MeanPerturbed,
    beside_model=False,
    recipe="mean-perturbed",
    keeps_cells=True,
)
