"""composed-singles: the cells that PRiMeFlow-plus is shown in training for what was never measured, without a network.

A pair is composed of its singles and a single of another context is brought to this one, as composed_cells says; a
condition that training holds is answered with its own cells. A network that is no better than these cells, its own
ingredients, does not earn its cost.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from primeflow_core.data.conditions import Condition
from primeflow_core.errors import ConditionError
from primeflow_core.models.baselines.baseline import Baseline, FittedBaseline
from primeflow_core.models.baselines.measured import TrainingMeans, singles
from primeflow_core.models.composed_cells.factors import Factors
from primeflow_core.models.composed_cells.pair import Sum
from primeflow_core.models.composed_cells.single import FEWEST_CELLS, Single, measured_singles, unmoved
from primeflow_core.models.composed_cells.transfer import elsewhere, transferred

SEED = 0
"""Of what is drawn once: cells brought from other contexts, and the cells that a mean is taken of."""
CELLS_OF_MEAN = 1_000


@dataclass(frozen=True)
class ComposedSingles(FittedBaseline):
    """Composed cells of combinations, and of singles in contexts where they were not measured.

    Parts of a pair scale each other as similar measured pairs show, more than two parts add up.
    """

    measured: TrainingMeans

    def predict_mean(self, condition: Condition) -> np.ndarray:
        if condition in self.measured.position:
            return self.measured.mean(condition)
        mean: np.ndarray = self.predict(condition, CELLS_OF_MEAN, SEED).mean(axis=0, dtype=np.float64)
        return mean

    def distinct(self, condition: Condition) -> int:
        if condition in self.measured.position:
            return self.measured.number(condition)
        self._source(condition)
        return sys.maxsize

    def _draw(self, condition: Condition, cells: int, rng: np.random.Generator) -> np.ndarray:
        if condition in self.measured.position:
            return self.measured.draw(condition, cells, rng)
        source = self._source(condition)
        return np.stack([source.drawn(rng) for _ in range(cells)]).astype(np.float32)

    def _source(self, condition: Condition) -> Sum | Single:
        """What cells of an unmeasured condition are drawn from. Raises as ``predict``."""
        control = self.measured.control(condition)
        if condition.is_control:
            return self._controls(control)
        parts = singles(condition)
        moved = tuple(self._single(part, control) for part in parts)
        if len(moved) == 1:
            return moved[0]
        controls = self._controls(control)
        starts = (controls, *self._measured_in(control).values())
        factors = self._factors.of_parts(*parts) if len(parts) == 2 else (1.0,) * len(parts)
        return Sum(condition, moved, controls, starts, factors)

    def _single(self, part: Condition, control: Condition) -> Single:
        """A part as measured in this context, or else brought from the contexts where it was."""
        here = self._measured_in(control)
        if part in here:
            return here[part]
        if part not in self._brought:
            self._brought[part] = self._bring(part, control)
        return self._brought[part]

    def _bring(self, part: Condition, control: Condition) -> Single:
        training = self.measured.cells
        controls = self._controls(control)
        there = [c for c in self.measured.alone(part) if c != part]
        if found := elsewhere(training, controls.cells, there):
            return transferred(controls, found, np.random.default_rng(SEED))
        raise ConditionError(
            f"There are too few training cells with {part.label} alone to compose cells of it: {FEWEST_CELLS} are "
            "needed, and as many control cells of the same context."
        )

    def _controls(self, control: Condition) -> Single:
        return unmoved(self.measured.cells.dense(self.measured.cells.where(control)))

    def _measured_in(self, control: Condition) -> Mapping[Condition, Single]:
        if control not in self._contexts:
            self._contexts[control] = measured_singles(self.measured.cells, control)
        return self._contexts[control]

    @cached_property
    def _factors(self) -> Factors:
        return Factors.of(self.measured.cells)

    @cached_property
    def _contexts(self) -> dict[Condition, Mapping[Condition, Single]]:
        return {}

    @cached_property
    def _brought(self) -> dict[Condition, Single]:
        return {}


COMPOSED_SINGLES = Baseline(
    name="composed-singles",
    label="Composed singles",
    describe="Composed cells as PRiMeFlow-plus is shown them in training, without a network.",
    fit=ComposedSingles,
    recipe="composed-singles",
    keeps_cells=True,
)
