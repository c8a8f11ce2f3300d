"""mix-of-singles: a combination looks like cells of its parts, some like one and some like the other."""

from dataclasses import dataclass

import numpy as np

from primeflow_core.data.conditions import Condition
from primeflow_core.models.baselines.baseline import Baseline, FittedBaseline
from primeflow_core.models.baselines.measured import TrainingMeans, evenly, from_each, singles


@dataclass(frozen=True)
class MixOfSingles(FittedBaseline):
    """An equal share of cells of each part; of a single, its own cells; of control, control cells.

    Cells of a part that was measured alone only in other contexts (an equal share of each) are moved by the difference
    of the contexts' control means.
    """

    measured: TrainingMeans

    def predict_mean(self, condition: Condition) -> np.ndarray:
        means = [
            np.mean([self.measured.mean(c) + self._move(c, part) for c in self._sources(part)], axis=0)
            for part in self._parts(condition)
        ]
        return np.maximum(np.mean(means, axis=0), 0)

    def distinct(self, condition: Condition) -> int:
        sources = [self._sources(part) for part in self._parts(condition)]
        return evenly([evenly([self.measured.number(c) for c in source]) for source in sources])

    def _parts(self, condition: Condition) -> list[Condition]:
        return singles(condition) or [condition]

    def _sources(self, part: Condition) -> tuple[Condition, ...]:
        return (self.measured.control(part),) if part.is_control else self.measured.alone(part)

    def _move(self, source: Condition, part: Condition) -> np.ndarray:
        """(G,) from the context of ``source`` to that of ``part``; none for the part's own cells."""
        if source == part:
            return np.zeros(len(self.measured.cells.genes))
        return self.measured.mean(self.measured.control(part)) - self.measured.mean(source.control())

    def _draw(self, condition: Condition, cells: int, rng: np.random.Generator) -> np.ndarray:
        return from_each(self._parts(condition), cells, rng, lambda part, n: self._cells_of(part, n, rng))

    def _cells_of(self, part: Condition, cells: int, rng: np.random.Generator) -> np.ndarray:
        return from_each(self._sources(part), cells, rng, lambda source, n: self._moved(source, part, n, rng))

    def _moved(self, source: Condition, part: Condition, cells: int, rng: np.random.Generator) -> np.ndarray:
        drawn = self.measured.draw(source, cells, rng)
        drawn += self._move(source, part)
        return drawn


MIX_OF_SINGLES = Baseline(
    name="mix-of-singles",
    label="Mix of single effects",
    describe="Cells of the parts alone, an equal share of each.",
    fit=MixOfSingles,
    beside_model=False,
)
