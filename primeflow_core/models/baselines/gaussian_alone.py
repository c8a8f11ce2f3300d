"""gaussian: the Gaussian part of PRiMeFlow-plus (flow/gaussian.py), without the network that corrects it."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from primeflow_core.data.conditions import Condition, Vocabulary
from primeflow_core.models.baselines.baseline import Baseline, FittedBaseline
from primeflow_core.models.baselines.measured import TrainingMeans

if TYPE_CHECKING:
    from primeflow_core.models.baselines.gaussian_predictor import GaussianPredictor
    from primeflow_core.models.predictor import Batch

BLOCK = 2048
"""Cells read at a time."""


@dataclass(frozen=True)
class GaussianAlone(FittedBaseline):
    """Draws of the fitted Gaussian, made as the saved model of this name makes them. It is fitted at first use."""

    measured: TrainingMeans = field(repr=False)

    @cached_property
    def _model(self) -> "GaussianPredictor":
        from primeflow_core.models.baselines.gaussian_predictor import GaussianConfig

        cells = self.measured.cells
        present = tuple(self.measured.position)
        model = GaussianConfig().build(cells.genes, Vocabulary.from_conditions(present))
        model.fit_statistics(lambda: self._batches(model.vocabulary))
        return model

    def _batches(self, vocabulary: Vocabulary) -> "Iterable[Batch]":
        import torch

        from primeflow_core.models.predictor import Batch

        cells = self.measured.cells
        for start in range(0, len(cells), BLOCK):
            rows = np.arange(start, min(start + BLOCK, len(cells)))
            encoded = vocabulary.encode([cells.conditions[i] for i in cells.condition_of[rows]])
            yield Batch(torch.from_numpy(cells.dense(rows)), torch.from_numpy(encoded))

    def predict_mean(self, condition: Condition) -> np.ndarray:
        return np.maximum(self._model.mean_of(condition), 0)

    def distinct(self, condition: Condition) -> int:
        self._model.mean_of(condition)
        return sys.maxsize

    def _draw(self, condition: Condition, cells: int, rng: np.random.Generator) -> np.ndarray:
        return self._model.cells_of(condition, cells, int(rng.integers(2**62)))


GAUSSIAN_ALONE = Baseline(
    name="gaussian",
    label="Gaussian alone",
    describe="The Gaussian fitted in closed form that PRiMeFlow-plus starts from, without its network.",
    fit=GaussianAlone,
    recipe="gaussian",
)
