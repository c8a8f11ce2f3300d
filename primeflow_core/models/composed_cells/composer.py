"""Training cells for conditions that were never measured: pairs of singles, and singles in other contexts.

A sum of single effects is hard to beat on an unseen pair, as the effect in the nearest context is on an unseen context,
and a network finds neither by itself. So a share of each batch shows it such cells, with the condition they stand for.
Conditions that training holds are never composed: their cells say what really happens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

import numpy as np

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.models.composed_cells.factors import Factors
from primeflow_core.models.composed_cells.pair import Sum, pair_of
from primeflow_core.models.composed_cells.single import Single, measured_singles, unmoved
from primeflow_core.models.composed_cells.transfer import transferred_singles


class CellPool(Protocol):
    """A source that cells of a condition can be drawn from."""

    def drawn(self, draw: np.random.Generator) -> np.ndarray: ...


@dataclass(frozen=True)
class Composer:
    """All ``pairs`` and singles ``transferred`` to other contexts that can be composed."""

    pairs: tuple[Sum, ...]
    transferred: tuple[tuple[Condition, Single], ...]

    def __len__(self) -> int:
        return len(self.pairs) + len(self.transferred)

    def draw(self, count: int, draw: np.random.Generator) -> tuple[np.ndarray, list[Condition]]:
        """(count, G) float32 composed cells, at least 0, and the condition of each; half of them of either kind."""
        chosen = self._choose(count, draw)
        return np.stack([source.drawn(draw) for _, source in chosen]), [condition for condition, _ in chosen]

    def of_one(self, count: int, draw: np.random.Generator) -> tuple[Condition, np.ndarray]:
        """A condition and (count, G) float32 composed cells of it."""
        ((condition, source),) = self._choose(1, draw)
        return condition, np.stack([source.drawn(draw) for _ in range(count)])

    def _choose(self, count: int, draw: np.random.Generator) -> list[tuple[Condition, CellPool]]:
        of_pairs = int(draw.binomial(count, 0.5)) if self.pairs and self.transferred else count if self.pairs else 0
        pairs = [self.pairs[i] for i in draw.integers(max(len(self.pairs), 1), size=of_pairs)]
        singles = draw.integers(max(len(self.transferred), 1), size=count - of_pairs)
        return [*((pair.condition, pair) for pair in pairs), *(self.transferred[i] for i in singles)]


def composer(training: Cells, seed: int, *, scaled: bool = False) -> Composer:
    """All pairs of singles of one context that ``training`` does not hold, and all singles that are missing in a
    context.

    Either needs controls of the context. Singles with fewer than 4 cells are omitted, and so are pairs of one
    perturbation with itself at another dose. ``scaled``: parts of a pair do what similar measured pairs show, else they
    add up.
    """
    controls = [condition for condition in training.conditions if condition.is_control]
    factors = Factors.of(training) if scaled else Factors.none()
    pairs = [pair for control in controls for pair in _pairs(training, control, factors)]
    transferred: Sequence[tuple[Condition, Single]] = [
        found
        for number, control in enumerate(controls)
        for found in transferred_singles(training, control, seed + number).items()
    ]
    return Composer(tuple(pairs), tuple(transferred))


def _pairs(training: Cells, control: Condition, factors: Factors) -> list[Sum]:
    known = set(training.conditions)
    singles = measured_singles(training, control)
    controls = unmoved(training.dense(training.where(control)))
    starts = (controls, *singles.values())
    pairs = []
    for (a, one), (b, other) in combinations(singles.items(), 2):
        pair = pair_of(a, b)
        if pair is not None and pair not in known:
            pairs.append(Sum(pair, (one, other), controls, starts, factors.of_parts(a, b)))
    return pairs
