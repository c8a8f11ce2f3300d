"""Control cells of training that a model keeps, since it makes cells of a condition from them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from primeflow_core.data.conditions import Vocabulary
from primeflow_core.errors import ConditionError
from primeflow_core.models.kept_rows import KeptRows
from primeflow_core.models.predictor import Batch

MOST, LEAST = 1000, 200
"""Cells kept of each context, chosen at random: as many as the paper predicts of a condition, for a cell that comes
twice stands too close to itself and reads as an error of the model; down to ``LEAST`` where all would be too much."""
FEWEST = 2
"""Cells; one has no spread."""
VALUES = 2**27
"""Too much: more values than these in all contexts together, half a gigabyte."""


class ControlPool(KeptRows):
    """``cells`` (N, G), and of each the number of its context: ``contexts`` (N,)."""

    cells: Tensor
    contexts: Tensor

    def __init__(self, genes: int, vocabulary: Vocabulary) -> None:
        super().__init__({"cells": torch.zeros(0, genes), "contexts": torch.zeros(0, dtype=torch.int64)})
        self._genes, self._parts = genes, len(vocabulary.perturbations)
        self._values = [len(values) for _, values in vocabulary.covariates]

    @torch.no_grad()
    def fit(self, chunks: Callable[[], Iterable[Batch]]) -> None:
        """Keep controls of training cells, the same whenever the cells are the same."""
        generator = torch.Generator().manual_seed(0)
        lots: dict[int, _Lot] = {}
        for batch in chunks():
            tickets = torch.rand(len(batch.x_1), generator=generator, dtype=torch.float64).to(batch.x_1.device)
            contexts = self.context(batch.condition)
            is_control = (batch.condition[:, : self._parts] == 0).all(dim=1)
            for number in contexts[is_control].unique().tolist():
                here = is_control & (contexts == number)
                most = self._kept(len({*lots, number}))
                lots[number] = _Lot(tickets[here], batch.x_1[here]).winners(lots.get(number), most)
        if lots:
            cells = [lots[number].cells[: self._kept(len(lots))] for number in sorted(lots)]
            numbers = [torch.full((len(some),), number) for number, some in zip(sorted(lots), cells, strict=True)]
            self.keep({"cells": torch.cat(cells), "contexts": torch.cat(numbers)})

    def _kept(self, contexts: int) -> int:
        """Cells of each of so many contexts."""
        return min(MOST, max(LEAST, VALUES // (self._genes * contexts)))

    def context(self, condition: Tensor) -> Tensor:
        """(B,) number of the context of conditions (B, C)."""
        number = condition.new_zeros(len(condition), dtype=torch.int64)
        first = self._parts
        for size in self._values:
            number = number * size + condition[:, first : first + size].argmax(dim=1)
            first += size
        return number

    def drawn(self, condition: Tensor, cells: int, generator: torch.Generator) -> Tensor:
        """(cells, G) on the CPU: controls of the context of a condition (1, C), none twice before all were drawn once.

        Raises ConditionError where training had none.
        """
        here = self.cells[self.contexts == self.context(condition.to(self.contexts.device))].cpu()
        if not len(here):
            raise ConditionError(
                "This model starts from control cells, and its training had none of this context. Ask for another "
                "context, or put control cells of this one into training."
            )
        orders = [torch.randperm(len(here), generator=generator) for _ in range(-(-cells // len(here)))]
        return here[torch.cat(orders)[:cells]]

    def distinct(self, condition: Tensor, most: int) -> int:
        """The number of cells to predict: at most ``most``, at most the controls of the context of a condition (1, C),
        and at least FEWEST."""
        count = int((self.contexts == self.context(condition.to(self.contexts.device))).sum())
        return min(most, max(FEWEST, count))


@dataclass(frozen=True)
class _Lot:
    """Cells (n, G), each with a random ticket (n,), so that no more of them are held in memory than will be kept."""

    tickets: Tensor
    cells: Tensor

    def winners(self, before: "_Lot | None", most: int) -> "_Lot":
        """The ``most`` cells with the lowest tickets, from these cells and those ``before``."""
        lots = (before, self) if before else (self,)
        tickets, cells = torch.cat([lot.tickets for lot in lots]), torch.cat([lot.cells for lot in lots])
        chosen = tickets.argsort()[:most]
        return _Lot(tickets[chosen], cells[chosen])
