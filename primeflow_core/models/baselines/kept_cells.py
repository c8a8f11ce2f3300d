"""Baselines that need training cells, and not only their means, as saved models that keep those cells."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, Vocabulary
from primeflow_core.errors import SettingError
from primeflow_core.models.baselines.baseline import Baseline, FittedBaseline
from primeflow_core.models.baselines.condition_means import conditions_of, keys_of
from primeflow_core.models.baselines.measured import TrainingMeans
from primeflow_core.models.kept_rows import KeptRows
from primeflow_core.models.predictor import Batch, Predictor
from primeflow_core.models.sampling_plan import DIRECT, MOST_CELLS, OnProgress, SamplingPlan, SamplingProgress

MOST_KEPT = 1_000
"""Cells of each condition; of a larger one the first so many are kept, as many as are ever scored."""


class KeptCells(Predictor):
    """The baseline, fitted again to the training cells that are kept with the model, as whole values (n, G)."""

    def __init__(self, genes: Sequence[str], vocabulary: Vocabulary, baseline: Baseline) -> None:
        super().__init__(genes, vocabulary)
        self._baseline = baseline
        self._fitted: FittedBaseline | None = None
        self.kept = KeptRows(
            {
                "keys": torch.zeros(0, vocabulary.size, dtype=torch.int32),
                "of_cell": torch.zeros(0, dtype=torch.int64),
                "cells": torch.zeros(0, len(self.genes)),
            }
        )

    def fit_statistics(self, chunks: Callable[[], Iterable[Batch]]) -> None:
        place: dict[bytes, int] = {}
        number: list[int] = []
        of_cell, cells = [], []
        for batch in chunks():
            for key, cell in zip(keys_of(batch.condition), batch.x_1.cpu(), strict=True):
                i = place.setdefault(key.tobytes(), len(place))
                number += [0] * (len(place) - len(number))
                number[i] += 1
                if number[i] <= MOST_KEPT:
                    of_cell.append(i)
                    cells.append(cell)
        keys = np.array([np.frombuffer(key, dtype=np.int32) for key in place])
        self.kept.keep({"keys": torch.tensor(keys), "of_cell": torch.tensor(of_cell), "cells": torch.stack(cells)})
        self._fitted = None

    def fitted(self) -> FittedBaseline:
        if self._fitted is None:
            conditions = conditions_of(self.kept.get_buffer("keys"), self.vocabulary)
            values = self.kept.get_buffer("cells").float().cpu().numpy()
            of_cell = self.kept.get_buffer("of_cell").cpu().numpy()
            names = np.arange(len(values)).astype(str)
            self._fitted = self._baseline.fit(TrainingMeans.of(Cells(values, self.genes, names, conditions, of_cell)))
        return self._fitted

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """(B,) squared error of a random cell of the prediction, mean over genes. Raises ConditionError."""
        seed = int(torch.randint(2**62, (), generator=generator, device=batch.x_1.device))
        predicted = torch.empty_like(batch.x_1)
        distinct, of = batch.condition.unique(dim=0, return_inverse=True)
        for i, condition in enumerate(conditions_of(torch.from_numpy(keys_of(distinct)), self.vocabulary)):
            here = of == i
            made = self.fitted().predict(condition, int(here.sum()), seed)
            predicted[here] = torch.from_numpy(made).to(predicted)
        return (predicted - batch.x_1).square().mean(dim=1)

    def settled(self, plan: SamplingPlan) -> SamplingPlan:
        if plan.guidance != 1:
            raise SettingError(
                f"The guidance weight is {plan.guidance:g}, and this model has no guidance. Use --guidance 1."
            )
        return super().settled(plan).by(DIRECT)

    def distinct_cells(self, condition: Condition, most: int) -> int:
        self.encoded(condition)
        return min(most, self.fitted().distinct(condition))

    def predict(
        self, condition: Condition, cells: int, plan: SamplingPlan, on_progress: OnProgress | None = None
    ) -> np.ndarray:
        if not 1 <= cells <= MOST_CELLS:
            raise SettingError(f"Asked for {cells:,} cells; ask for 1 to {MOST_CELLS:,}.")
        self.settled(plan)
        self.encoded(condition)
        made = self.fitted().predict(condition, cells, plan.seed)
        if on_progress is not None:
            on_progress(SamplingProgress(0, cells, 1, 1, made))
        return made
