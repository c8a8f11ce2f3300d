"""Training cells for pairs that were never measured: cells of one single, moved by what the other single does.

A sum of single effects is hard to beat on an unseen pair, and a network does not add by itself. So a share of each
batch shows it such sums: a cell of A plus the mean shift of B, clipped at 0, with the condition A+B. A shift measured
on few cells is mostly noise, and noise adds up; each gene's shift s with Welch's t is shrunk to
s max(0, 1 - (2 / t)^2), the non-negative garrote (Breiman 1995), which leaves clear effects as they are. Pairs that
training holds are never composed: their cells say what really happens.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from primeflow_core.cells import Cells
from primeflow_core.conditions import Condition

THRESHOLD = 2.0
FEWEST_CELLS = 4


@dataclass(frozen=True)
class Composer:
    """``cells`` of training; of each ordered pair (k,) the single whose cells are ``moved``, the single ``by`` whose
    shift, and the ``pairs`` they make. ``rows`` and ``shifts`` (G,) of a single by its number among the conditions."""

    cells: Cells
    pairs: tuple[Condition, ...]
    moved: np.ndarray
    by: np.ndarray
    rows: Mapping[int, np.ndarray]
    shifts: Mapping[int, np.ndarray]

    def __len__(self) -> int:
        return len(self.pairs)

    def draw(self, count: int, draw: np.random.Generator) -> tuple[np.ndarray, list[Condition]]:
        """(count, G) float32 composed cells, at least 0, and the condition of each."""
        chosen = draw.integers(len(self.pairs), size=count)
        values = self.cells.dense(np.array([draw.choice(self.rows[i]) for i in self.moved[chosen]], dtype=int))
        values += np.stack([self.shifts[i] for i in self.by[chosen]])
        return np.maximum(values, 0, out=values), [self.pairs[i] for i in chosen]


def composer(training: Cells) -> Composer:
    """All pairs of singles of one context that ``training`` does not hold; needs controls of the context.

    Singles with fewer than 4 cells are left out, and pairs of one perturbation with itself at another dose.
    """
    known = set(training.conditions)
    rows, shifts = {}, {}
    for i, condition in enumerate(training.conditions):
        control = condition.control()
        if len(condition.perturbations) != 1 or control not in known:
            continue
        cells, controls = training.dense(training.where(condition)), training.dense(training.where(control))
        if min(len(cells), len(controls)) >= FEWEST_CELLS:
            rows[i] = training.where(condition)
            shifts[i] = shrunken_shift(cells, controls).astype(np.float32)
    pairs = [(i, j, _pair(training.conditions[i], training.conditions[j])) for i, j in permutations(rows, 2)]
    kept = [(i, j, pair) for i, j, pair in pairs if pair is not None and pair not in known]
    moved, by, conditions = zip(*kept, strict=True) if kept else ((), (), ())
    return Composer(training, tuple(conditions), np.array(moved, dtype=int), np.array(by, dtype=int), rows, shifts)


def shrunken_shift(cells: np.ndarray, controls: np.ndarray) -> np.ndarray:
    """(G,) the difference of the means of cells (n, G) and controls (k, G), each gene shrunk by how sure it is."""
    shift = cells.mean(axis=0, dtype=np.float64) - controls.mean(axis=0, dtype=np.float64)
    error = cells.var(axis=0, ddof=1, dtype=np.float64) / len(cells)
    error += controls.var(axis=0, ddof=1, dtype=np.float64) / len(controls)
    noise = THRESHOLD**2 * error
    size = shift**2
    return shift * np.divide(size - noise, size, out=np.zeros_like(size), where=size > noise)


def _pair(one: Condition, other: Condition) -> Condition | None:
    """Both singles together; None in different contexts, or for one perturbation at two doses."""
    (a,), (b,) = one.perturbations, other.perturbations
    if one.covariates != other.covariates or a.name == b.name:
        return None
    return Condition(tuple(sorted((a, b), key=lambda part: part.name)), one.covariates)
