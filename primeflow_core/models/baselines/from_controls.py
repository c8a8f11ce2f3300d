"""Models that make the cells of a condition from control cells of its context."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from primeflow_core.data.conditions import Condition, Vocabulary
from primeflow_core.models.baselines.direct import DirectPredictor
from primeflow_core.models.control_pool import ControlPool
from primeflow_core.models.predictor import Batch


class FromControls(DirectPredictor):
    """Keeps control cells of training; ``made`` turns them into cells of a condition."""

    def __init__(self, genes: Sequence[str], vocabulary: Vocabulary) -> None:
        super().__init__(genes, vocabulary)
        self.pool = ControlPool(len(self.genes), vocabulary)

    def fit_statistics(self, chunks: Callable[[], Iterable[Batch]]) -> None:
        super().fit_statistics(chunks)
        self.pool.fit(chunks)

    def distinct_cells(self, condition: Condition, most: int) -> int:
        return self.pool.distinct(self.encoded(condition), most)

    def drawn(self, condition: Tensor, cells: int, generator: torch.Generator) -> Tensor:
        return self.pool.drawn(condition, cells, generator)


class PairedWithControls(FromControls):
    """Learns to turn a control cell into the perturbed cell that it was paired with at random (PerturBench)."""

    @property
    def pairs_with_controls(self) -> bool:
        return True

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """(B,) squared error of each cell, mean over genes. Raises ValueError for cells without controls."""
        if batch.control is None:
            raise ValueError("This model learns from cells with a control cell beside each.")
        return (self.made(batch.control, batch.condition) - batch.x_1).square().mean(dim=1)
