"""Cells of one part of a split in batches, in the order of an epoch, with control cells for models that learn pairs."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, Vocabulary
from primeflow_core.models.predictor import Batch


class CellSource:
    """Cells of one part of a split, as batches: dense expression and encoded conditions on a device.

    ``partners``: control cells to be paired with the cells of a batch, those of the same context. They are not learnt
    by themselves, but are among ``chunks``.
    """

    def __init__(
        self,
        cells: Cells,
        index: np.ndarray,
        vocabulary: Vocabulary,
        device: torch.device,
        partners: "Partners | None" = None,
    ) -> None:
        self.cells, self.index, self.vocabulary, self.device, self.partners = cells, index, vocabulary, device, partners
        used, self._row = np.unique(cells.condition_of[index], return_inverse=True)
        self._encoded = torch.from_numpy(vocabulary.encode([cells.conditions[i] for i in used]))

    def __len__(self) -> int:
        return len(self.index)

    @property
    def condition_of(self) -> np.ndarray:
        """(N,) number of the condition of each cell."""
        return self.cells.condition_of[self.index]

    def batch(self, rows: np.ndarray, draw: np.random.Generator | None = None) -> Batch:
        """``draw`` chooses the partners; without it, and without partners, cells stand alone."""
        x_1 = torch.from_numpy(self.cells.dense(self.index[rows]))
        condition = self._encoded[self._row[rows]]
        control = None
        if self.partners is not None and draw is not None:
            chosen = self.partners.of(self.cells.condition_of[self.index[rows]], draw)
            control = torch.from_numpy(self.cells.dense(chosen)).to(self.device)
        return Batch(x_1.to(self.device), condition.to(self.device), control)

    def replaced(self, batch: Batch, cells: np.ndarray, conditions: Sequence[Condition]) -> Batch:
        """``batch`` with its first rows replaced by ``cells`` (k, G) of ``conditions``."""
        condition = torch.from_numpy(self.vocabulary.encode(conditions)).to(self.device)
        x_1 = torch.from_numpy(cells).to(self.device)
        return Batch(torch.cat([x_1, batch.x_1[len(x_1) :]]), torch.cat([condition, batch.condition[len(x_1) :]]))

    def chunks(self, size: int = 4096) -> Iterator[Batch]:
        """All cells in file order, ``size`` at a time; partners come last."""
        whole = self
        if self.partners is not None:
            everything = np.concatenate([self.index, self.partners.index])
            whole = CellSource(self.cells, everything, self.vocabulary, self.device)
        for first in range(0, len(whole), size):
            yield whole.batch(np.arange(first, min(first + size, len(whole))))


class Partners:
    """Control cells by context."""

    def __init__(self, cells: Cells, index: np.ndarray) -> None:
        """``index``: of training cells, controls among them; others are omitted."""
        is_control = np.array([condition.is_control for condition in cells.conditions])
        self.cells, self.index = cells, index[is_control[cells.condition_of[index]]]
        of = cells.condition_of[self.index]
        self._rows = self.index[np.argsort(of, kind="stable")]
        pools = zip(*np.unique(np.sort(of), return_index=True, return_counts=True), strict=True)
        place = {cells.conditions[number].covariates: (first, count) for number, first, count in pools}
        # Of every condition where the controls of its context begin among the rows, and how many they are.
        self._first, self._count = np.array([place.get(c.covariates, (0, 0)) for c in cells.conditions]).T

    def among(self, index: np.ndarray) -> np.ndarray:
        """The cells of ``index`` that are perturbed and have partners."""
        is_control = np.array([condition.is_control for condition in self.cells.conditions])
        chosen: np.ndarray = index[(~is_control & (self._count > 0))[self.cells.condition_of[index]]]
        return chosen

    def of(self, condition_of: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        """A random one for each of ``condition_of`` (B,), numbers of conditions."""
        found: np.ndarray = self._rows[self._first[condition_of] + draw.integers(self._count[condition_of])]
        return found


def shuffled(condition_of: np.ndarray, cells_per_condition: int, draw: np.random.Generator) -> np.ndarray:
    """Rows of cells with the conditions ``condition_of`` (N,), in random order.

    ``cells_per_condition``: in runs of so many random cells of one condition, the last run of each with what is left;
    0: without regard to conditions. Optimal transport within conditions needs several of one in a batch.
    """
    if not cells_per_condition:
        return draw.permutation(len(condition_of))
    runs = [
        run
        for number in np.unique(condition_of)
        for run in _runs(draw.permutation(np.flatnonzero(condition_of == number)), cells_per_condition)
    ]
    return np.concatenate([runs[i] for i in draw.permutation(len(runs))])


def _runs(rows: np.ndarray, most: int) -> list[np.ndarray]:
    return [rows[first : first + most] for first in range(0, len(rows), most)]
