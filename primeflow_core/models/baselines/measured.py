"""The measurements of training: mean profiles, mean shifts and random cells of its conditions.

The mean shift of a condition is the mean of its cells minus the mean of the control cells of the same context.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import scipy.sparse as sp

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.errors import ConditionError, DataError
from primeflow_core.models.baselines.ridge_fit import RidgeFit, fit_ridge

Source = TypeVar("Source")
BLOCK = 2048
"""Cells summed at a time, so that little more than the table of means is held in memory."""


@dataclass(frozen=True)
class TrainingMeans:
    """Training cells; ``means`` (C, G) float64 and ``counts`` (C,) belong to the conditions in ``position``."""

    cells: Cells
    position: dict[Condition, int]
    means: np.ndarray
    counts: np.ndarray

    @staticmethod
    def of(training: Cells) -> "TrainingMeans":
        counts = np.bincount(training.condition_of, minlength=len(training.conditions))
        position = {condition: i for i, condition in enumerate(training.conditions) if counts[i]}
        return TrainingMeans(training, position, _sums(training) / np.maximum(counts, 1)[:, None], counts)

    def mean(self, condition: Condition) -> np.ndarray:
        """(G,) of a condition that has training cells."""
        return self.means[self.position[condition]]

    def control(self, condition: Condition) -> Condition:
        """The control condition of the same context. Raises DataError where it has no training cells."""
        control = condition.control()
        if control not in self.position:
            raise DataError(
                f"The training cells of {self.cells.source} hold no control cells{_where(condition)}; predictions "
                "start from them. Put some of them into training, or ask for a context that has them."
            )
        return control

    def shift(self, condition: Condition) -> np.ndarray:
        """(G,) mean shift of a condition that has training cells. Raises as ``control``."""
        return self.mean(condition) - self.mean(self.control(condition))

    def with_shift(self) -> tuple[Condition, ...]:
        """The perturbed conditions whose context has control cells, in the order of the training conditions."""
        return tuple(c for c in self.position if not c.is_control and c.control() in self.position)

    @cached_property
    def ridge(self) -> RidgeFit:
        """The regression of these shifts on the parts, fitted at first use."""
        conditions = self.with_shift()
        shifts = np.array([self.shift(c) for c in conditions]).reshape(len(conditions), len(self.cells.genes))
        counts = np.array([self.number(c) for c in conditions])
        return fit_ridge(conditions, shifts, counts)

    def alone(self, part: Condition) -> tuple[Condition, ...]:
        """The contexts in which a single was measured: this one if possible, otherwise every other context with control
        cells.

        Raises ConditionError where it was not measured alone at all.
        """
        if part in self.position:
            return (part,)
        elsewhere = tuple(c for c in self.with_shift() if c.perturbations == part.perturbations)
        if not elsewhere:
            doses = self._doses_of(part)
            remedy = (
                f"ask for one of: {doses}" if doses else "use ridge or ridge-cells, which learn from combinations too"
            )
            raise ConditionError(
                f"There are no training cells with {part.label} alone{_where(part)}, nor in another context that has "
                f"control cells; this prediction needs some. Put some into training, or {remedy}."
            )
        return elsewhere

    def _doses_of(self, part: Condition) -> str:
        """Other doses that were measured alone; ridge would refuse this one too, for each is a perturbation to it."""
        name = part.perturbations[0].name
        labels = {c.label for c in self.position if [p.name for p in c.perturbations] == [name]} - {part.label}
        return ", ".join(sorted(labels))

    def number(self, condition: Condition) -> int:
        """The number of cells of a measured condition."""
        return int(self.counts[self.position[condition]])

    def draw(self, condition: Condition, cells: int, rng: np.random.Generator) -> np.ndarray:
        """(cells, G) float32: random cells of a measured condition, repeated only where it has fewer."""
        rows = self.cells.where(condition)
        return self.cells.dense(rng.choice(rows, cells, replace=cells > len(rows)))


def singles(condition: Condition) -> list[Condition]:
    """The parts by label, so that neither cells nor rounding depend on the order in which they were named."""
    return sorted(condition.parts, key=lambda part: part.label)


def from_each(
    sources: Sequence[Source], cells: int, rng: np.random.Generator, rows_of: Callable[[Source, int], np.ndarray]
) -> np.ndarray:
    """(cells, G) float32 in random order: an equal share of each source; what does not divide goes to the first."""
    source_of = rng.permutation(np.arange(cells) % len(sources))
    shares = [rows_of(source, int(np.count_nonzero(source_of == i))) for i, source in enumerate(sources)]
    together = np.empty((cells, shares[0].shape[1]), dtype=np.float32)
    for i, share in enumerate(shares):
        together[source_of == i] = share
    return together


def evenly(sizes: Sequence[int]) -> int:
    """The most cells that ``from_each`` can draw from sources of these sizes before one repeats."""
    return len(sizes) * min(sizes)


def _sums(training: Cells) -> np.ndarray:
    """(C, G) float64: the cells of each condition added up."""
    sums = np.zeros((len(training.conditions), len(training.genes)))
    for start in range(0, len(training), BLOCK):
        condition_of = training.condition_of[start : start + BLOCK]
        belongs = (np.ones(len(condition_of)), condition_of, np.arange(len(condition_of) + 1))
        chooser = sp.csr_matrix(belongs, shape=(len(condition_of), len(sums))).T
        block = chooser @ training.values[start : start + BLOCK]
        sums += block.toarray() if sp.issparse(block) else block
    return sums


def _where(condition: Condition) -> str:
    return f" in {condition.context}" if condition.context else ""
