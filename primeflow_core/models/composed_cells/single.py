"""Single perturbations as training measured them: their cells, and which genes they move by how much.

Whether a single moves a gene is uncertain, since a shift measured on few cells is mostly noise, and noise adds up. It
is taken to move the gene with probability max(0, 1 - (k / t)^2), t being Welch's: in the mean the shift is shrunk by
that factor, the non-negative garrote (Breiman 1995). k = 1 was chosen by how well singles are composed for cells left
out of training (docs/experiments.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition

THRESHOLD = 1.0
FEWEST_CELLS = 4


@dataclass(frozen=True)
class Single:
    """``cells`` (n, G) of one condition, and ``moves`` (G,): how probably it moves each gene by its ``shift`` (G,)."""

    cells: np.ndarray
    moves: np.ndarray
    shift: np.ndarray

    @cached_property
    def ordered(self) -> np.ndarray:
        return np.sort(self.cells, axis=0)

    def ranks(self, values: np.ndarray, genes: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        """The rank, in [0, 1), of one cell's ``values`` (g,) in ``genes`` (g,) among these cells; ties at random."""
        among = self.cells[:, genes]
        below, equal = (among < values).sum(axis=0), (among == values).sum(axis=0)
        return np.minimum((below + draw.random(len(genes)) * equal) / len(among), np.nextafter(1, 0))

    def at(self, ranks: np.ndarray, genes: np.ndarray) -> np.ndarray:
        """Values (g,) with ``ranks`` (g,) in ``genes`` (g,)."""
        return self.ordered[(ranks * len(self.cells)).astype(int), genes]

    def drawn(self, draw: np.random.Generator) -> np.ndarray:
        """(G,) one of the cells."""
        cell: np.ndarray = self.cells[draw.integers(len(self.cells))]
        return cell


def measured_singles(training: Cells, control: Condition) -> Mapping[Condition, Single]:
    """Single perturbations in the context of ``control`` with enough cells."""
    controls = training.dense(training.where(control))
    singles = [c for c in training.conditions if len(c.perturbations) == 1 and c.control() == control]
    cells = {single: training.dense(training.where(single)) for single in singles}
    return {
        single: measured(own, controls) for single, own in cells.items() if min(len(own), len(controls)) >= FEWEST_CELLS
    }


def unmoved(controls: np.ndarray) -> Single:
    """Control cells (k, G): they move no gene."""
    nothing = np.zeros(controls.shape[1], dtype=np.float32)
    return Single(controls, nothing, nothing)


def measured(cells: np.ndarray, controls: np.ndarray) -> Single:
    """The single perturbation that ``cells`` (n, G) show, compared with ``controls`` (k, G)."""
    shift, error = shift_and_error(cells, controls)
    return Single(cells, moving(shift, error), shift.astype(np.float32))


def shift_and_error(cells: np.ndarray, controls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(G,) difference of the means and its squared standard error (Welch), in float64."""
    shift = cells.mean(axis=0, dtype=np.float64) - controls.mean(axis=0, dtype=np.float64)
    error = cells.var(axis=0, ddof=1, dtype=np.float64) / len(cells)
    error += controls.var(axis=0, ddof=1, dtype=np.float64) / len(controls)
    return shift, error


def moving(shift: np.ndarray, error: np.ndarray) -> np.ndarray:
    """(G,) probability that a gene is moved: the garrote's factor."""
    noise, size = THRESHOLD**2 * error, shift**2
    factor: np.ndarray = np.divide(size - noise, size, out=np.zeros_like(size), where=size > noise)
    return factor
