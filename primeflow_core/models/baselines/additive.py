"""Sum of singles: a combination shifts control cells by what its parts do alone, in the mean or cell by cell.

A part that was never measured alone in this context does here, on average, what it does in the contexts where it was.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from primeflow_core.data.conditions import Condition
from primeflow_core.evaluation.profiles import profile
from primeflow_core.models.baselines.baseline import Baseline, MovedControls
from primeflow_core.models.baselines.measured import evenly, from_each, singles


@dataclass(frozen=True)
class SumOfSingles(MovedControls):
    """control cell + sum over parts of (mean of the single's cells - mean of the controls)."""

    def standard_error(self, condition: Condition) -> np.ndarray:
        """(G,) of ``predict_mean`` before it is clipped at 0, by the spread of the measured cells; NaN where a
        condition has one cell. Raises as ``predict_mean``."""
        square = np.zeros(len(self.measured.cells.genes))
        for source, weight in self._weights(condition).items():
            cells = self.measured.cells.dense(self.measured.cells.where(source))
            square += weight**2 * profile(cells).variance / len(cells)
        error: np.ndarray = np.sqrt(square)
        return error

    def _weights(self, condition: Condition) -> dict[Condition, float]:
        """The measured conditions whose means, so weighted, add up to the mean of the sum."""
        weights = defaultdict(float, {self.measured.control(condition): 1.0})
        for part in singles(condition):
            sources = self.measured.alone(part)
            for source in sources:
                weights[source] += 1 / len(sources)
                weights[self.measured.control(source)] -= 1 / len(sources)
        return weights

    def shift(self, condition: Condition) -> np.ndarray:
        """(G,) the sum over the parts of the mean of each one's shifts."""
        total = np.zeros(len(self.measured.cells.genes))
        for part in singles(condition):
            total += np.mean([self.measured.shift(single) for single in self.measured.alone(part)], axis=0)
        return total


@dataclass(frozen=True)
class SumOfSinglesCells(SumOfSingles):
    """control cell + sum over parts of (a random cell of the single - a random control cell); the same mean."""

    def _draw(self, condition: Condition, cells: int, rng: np.random.Generator) -> np.ndarray:
        drawn = self.measured.draw(self.measured.control(condition), cells, rng)
        for part in singles(condition):
            drawn += from_each(self.measured.alone(part), cells, rng, lambda c, n: self._differences(c, n, rng))
        return drawn

    def distinct(self, condition: Condition) -> int:
        measured = self.measured
        sources = [measured.alone(part) for part in singles(condition)]
        each = [evenly([min(map(measured.number, (c, measured.control(c)))) for c in source]) for source in sources]
        return min([super().distinct(condition), *each])

    def _differences(self, single: Condition, cells: int, rng: np.random.Generator) -> np.ndarray:
        """(cells, G) float32: cells of a single minus as many control cells of its context."""
        moved = self.measured.draw(single, cells, rng)
        moved -= self.measured.draw(self.measured.control(single), cells, rng)
        return moved


SUM_OF_SINGLES = Baseline(
    name="sum-of-singles",
    label="Sum of single effects",
    describe="Control cells, each moved by the sum of the mean shifts that the parts cause alone.",
    fit=SumOfSingles,
    recipe="additive",
)
SUM_OF_SINGLES_CELLS = Baseline(
    name="sum-of-singles-cells",
    label="Sum of single effects, cell by cell",
    describe="Control cells, to each the difference of a random cell of each part alone and a random control added.",
    fit=SumOfSinglesCells,
    beside_model=False,
)
