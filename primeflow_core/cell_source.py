"""Cells of one part of a split, handed to the model in batches."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from primeflow_core.cells import Cells
from primeflow_core.conditions import Condition, Vocabulary
from primeflow_core.predictor import Batch


class CellSource:
    """Cells of one part of a split, as batches: dense expression and encoded conditions on a device."""

    def __init__(self, cells: Cells, index: np.ndarray, vocabulary: Vocabulary, device: torch.device) -> None:
        self.cells, self.index, self.vocabulary, self.device = cells, index, vocabulary, device
        used, self._row = np.unique(cells.condition_of[index], return_inverse=True)
        self._encoded = torch.from_numpy(vocabulary.encode([cells.conditions[i] for i in used]))

    def __len__(self) -> int:
        return len(self.index)

    def batch(self, rows: np.ndarray) -> Batch:
        x_1 = torch.from_numpy(self.cells.dense(self.index[rows]))
        return Batch(x_1.to(self.device), self._encoded[self._row[rows]].to(self.device))

    def replaced(self, batch: Batch, cells: np.ndarray, conditions: Sequence[Condition]) -> Batch:
        """``batch`` with its first rows replaced by ``cells`` (k, G) of ``conditions``."""
        condition = torch.from_numpy(self.vocabulary.encode(conditions)).to(self.device)
        x_1 = torch.from_numpy(cells).to(self.device)
        return Batch(torch.cat([x_1, batch.x_1[len(x_1) :]]), torch.cat([condition, batch.condition[len(x_1) :]]))

    def chunks(self, size: int = 4096) -> Iterator[Batch]:
        """All cells in file order, ``size`` at a time."""
        for first in range(0, len(self), size):
            yield self.batch(np.arange(first, min(first + size, len(self))))
