"""Mean profiles of training conditions, as a model that is known in closed form keeps them with its weights.

Conditions are kept as they are encoded, in units of 2^-23: as integers, which half precision leaves as they are.
"""

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, Perturbation, Vocabulary
from primeflow_core.models.baselines.measured import TrainingMeans
from primeflow_core.models.kept_rows import KeptRows
from primeflow_core.models.predictor import Batch

UNIT = 2**23
"""As precise as float32 near 1, and still a whole number in float32."""


class ConditionMeans(KeptRows):
    """``keys`` (n, C) of the conditions, their ``means`` (n, G) and ``counts`` (n,) of cells."""

    keys: Tensor
    means: Tensor
    counts: Tensor

    def __init__(self, genes: Sequence[str], vocabulary: Vocabulary) -> None:
        super().__init__(
            {
                "keys": torch.zeros(0, vocabulary.size, dtype=torch.int32),
                "means": torch.zeros(0, len(genes)),
                "counts": torch.zeros(0, dtype=torch.int64),
            }
        )
        self._genes, self._vocabulary = tuple(genes), vocabulary

    def fit(self, chunks: Callable[[], Iterable[Batch]]) -> None:
        """Add up the cells of each condition, in float64."""
        sums: dict[bytes, np.ndarray] = {}
        counts: dict[bytes, int] = {}
        for batch in chunks():
            keys, of = np.unique(keys_of(batch.condition), axis=0, return_inverse=True)
            for i, key in enumerate(keys):
                cells = batch.x_1[torch.from_numpy(of.reshape(-1) == i).to(batch.x_1.device)]
                total, number = sums.get(key.tobytes(), 0.0), counts.get(key.tobytes(), 0)
                sums[key.tobytes()] = total + cells.double().sum(dim=0).cpu().numpy()
                counts[key.tobytes()] = number + len(cells)
        order = sorted(sums)
        self.keep(
            {
                "keys": torch.tensor(np.array([np.frombuffer(key, dtype=np.int32) for key in order])),
                "means": torch.tensor(np.array([sums[key] / counts[key] for key in order])),
                "counts": torch.tensor([counts[key] for key in order]),
            }
        )

    def measured(self) -> TrainingMeans:
        """The same for the baselines of the checks, without the cells themselves."""
        conditions = conditions_of(self.keys, self._vocabulary)
        nothing = np.zeros((0, len(self._genes)), dtype=np.float32)
        none = np.zeros(0, dtype=np.int64)
        cells = Cells(nothing, self._genes, none.astype(str), conditions, none)
        position = {condition: i for i, condition in enumerate(conditions)}
        return TrainingMeans(cells, position, self.means.double().cpu().numpy(), self.counts.cpu().numpy())


def keys_of(condition: Tensor) -> np.ndarray:
    """(B, C) encoded conditions as int32 (B, C)."""
    return (condition.double() * UNIT).round().int().cpu().numpy()


def conditions_of(keys: Tensor, vocabulary: Vocabulary) -> tuple[Condition, ...]:
    """(n,) conditions that encode to ``keys`` (n, C); a dose comes back with five figures."""
    return tuple(_condition(key, vocabulary) for key in keys.cpu().numpy())


def _condition(key: np.ndarray, vocabulary: Vocabulary) -> Condition:
    first = len(vocabulary.perturbations)
    perturbations = tuple(
        Perturbation(vocabulary.perturbations[i], _dose(vocabulary.highest_dose[i], int(key[i])))
        for i in np.flatnonzero(key[:first])
    )
    covariates = []
    for column, values in vocabulary.covariates:
        covariates.append((column, values[int(key[first : first + len(values)].argmax())]))
        first += len(values)
    return Condition(perturbations, tuple(covariates))


def _dose(highest: float | None, number: int) -> float | None:
    if highest is None:
        return None
    return float(f"{math.expm1(number / UNIT * math.log1p(highest)):.5g}")
