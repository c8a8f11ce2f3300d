"""typical-cells: random cells of other perturbations, so that only what all perturbations share is right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from primeflow_core.data.conditions import Condition
from primeflow_core.errors import ConditionError
from primeflow_core.models.baselines.baseline import Baseline, FittedBaseline
from primeflow_core.models.baselines.measured import TrainingMeans


@dataclass(frozen=True)
class TypicalCells(FittedBaseline):
    """Cells of the other perturbed training conditions of the context, each condition with the same weight.

    In a context without any: cells of other contexts, moved by the difference of the contexts' control means. Of
    control: control cells.
    """

    measured: TrainingMeans

    def predict_mean(self, condition: Condition) -> np.ndarray:
        means = [self.measured.mean(c) + self._move(c, condition) for c in self._sources(condition)]
        return np.maximum(np.mean(means, axis=0), 0)

    def distinct(self, condition: Condition) -> int:
        return sum(self.measured.number(c) for c in self._sources(condition))

    def _sources(self, condition: Condition) -> Sequence[Condition]:
        if condition.is_control:
            return (self.measured.control(condition),)
        others = [c for c in self.measured.position if not c.is_control and c.perturbations != condition.perturbations]
        here = [c for c in others if c.covariates == condition.covariates]
        if here:
            return here
        elsewhere = [c for c in self.measured.with_shift() if c.covariates != condition.covariates]
        if not elsewhere:
            raise ConditionError(
                f"Training has cells of no other perturbation than {condition.label}, so there are no typical cells."
            )
        return elsewhere

    def _move(self, source: Condition, condition: Condition) -> np.ndarray:
        """(G,) from the context of ``source`` to that of ``condition``; none within a context."""
        if source.covariates == condition.covariates:
            return np.zeros(len(self.measured.cells.genes))
        return self.measured.mean(self.measured.control(condition)) - self.measured.mean(source.control())

    def _draw(self, condition: Condition, cells: int, rng: np.random.Generator) -> np.ndarray:
        sources = self._sources(condition)
        chosen = rng.integers(len(sources), size=cells)
        drawn = np.empty((cells, len(self.measured.cells.genes)), dtype=np.float32)
        for i in np.unique(chosen).tolist():
            here = chosen == i
            drawn[here] = self.measured.draw(sources[i], int(here.sum()), rng)
            drawn[here] += self._move(sources[i], condition).astype(np.float32)
        return drawn


TYPICAL_CELLS = Baseline(
    name="typical-cells",
    label="Typical perturbed cells",
    describe="Random training cells of other perturbations: right in what all of them share.",
    fit=TypicalCells,
    recipe="typical-cells",
    keeps_cells=True,
)
