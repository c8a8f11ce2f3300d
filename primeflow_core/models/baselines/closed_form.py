"""Models known in closed form from statistics of the training cells: nothing is learnt in steps.

Their means are those of the rivals of the same kind (additive.py, ridge.py, no_change.py), which live in memory.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from primeflow_core.data.conditions import Condition, Vocabulary
from primeflow_core.models.baselines.architecture import Architecture
from primeflow_core.models.baselines.condition_means import ConditionMeans, conditions_of, keys_of
from primeflow_core.models.baselines.direct import DirectPredictor
from primeflow_core.models.baselines.fit import ridge_of
from primeflow_core.models.baselines.from_controls import FromControls
from primeflow_core.models.baselines.measured import singles
from primeflow_core.models.baselines.ridge_fit import PENALTIES, RidgeFit
from primeflow_core.models.kept_rows import KeptRows
from primeflow_core.models.predictor import Batch


@dataclass(frozen=True)
class MeanConfig(Architecture):
    """The mean of all training cells."""

    def build(self, genes: Sequence[str], vocabulary: Vocabulary) -> "Mean":
        return Mean(genes, vocabulary)


@dataclass(frozen=True)
class NoChangeConfig(Architecture):
    """Control cells as they are."""

    def build(self, genes: Sequence[str], vocabulary: Vocabulary) -> "NoChange":
        return NoChange(genes, vocabulary)


@dataclass(frozen=True)
class AdditiveConfig(Architecture):
    """Control cells, moved by the sum of what the parts do alone."""

    def build(self, genes: Sequence[str], vocabulary: Vocabulary) -> "Additive":
        return Additive(genes, vocabulary)


@dataclass(frozen=True)
class RidgeConfig(Architecture):
    """Control cells, moved by what a ridge regression learnt from all conditions."""

    def build(self, genes: Sequence[str], vocabulary: Vocabulary) -> "Ridge":
        return Ridge(genes, vocabulary)


class Mean(DirectPredictor):
    """Every cell of every condition is the mean of all training cells, controls among them."""

    mean: Tensor

    def __init__(self, genes: Sequence[str], vocabulary: Vocabulary) -> None:
        super().__init__(genes, vocabulary)
        self.register_buffer("mean", torch.zeros(len(self.genes)))

    def fit_statistics(self, chunks: Callable[[], Iterable[Batch]]) -> None:
        super().fit_statistics(chunks)
        total, cells = torch.zeros_like(self.mean, dtype=torch.float64), 0
        for batch in chunks():
            total += batch.x_1.double().sum(dim=0)
            cells += len(batch.x_1)
        self.mean.copy_(total / cells)

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """(B,) squared error, mean over genes."""
        return (batch.x_1 - self.mean).square().mean(dim=1)

    def drawn(self, condition: Tensor, cells: int, generator: torch.Generator) -> Tensor:
        """(cells, 0): there is nothing to start from."""
        return torch.zeros(cells, 0)

    def made(self, drawn: Tensor, condition: Tensor) -> Tensor:
        return self.mean.expand(len(drawn), -1)


class MovedControls(FromControls):
    """Control cells of the context, all moved by the same shift."""

    @abstractmethod
    def shift(self, condition: Condition) -> np.ndarray:
        """(G,) float64. Raises ConditionError for a part of which training tells nothing."""

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """(B,) squared error of a random control, moved, mean over genes. Raises ConditionError as ``predict``."""
        draws = torch.Generator().manual_seed(
            int(torch.randint(2**62, (), generator=generator, device=batch.x_1.device))
        )
        predicted = torch.empty_like(batch.x_1)
        conditions, of = batch.condition.unique(dim=0, return_inverse=True)
        for i, condition in enumerate(conditions):
            here = of == i
            predicted[here] = self.drawn(condition[None], int(here.sum()), draws).to(predicted)
        return (predicted - batch.x_1).square().mean(dim=1)

    def drawn(self, condition: Tensor, cells: int, generator: torch.Generator) -> Tensor:
        """(cells, G) controls, already moved: the shift is the same for all of them."""
        (asked,) = conditions_of(torch.from_numpy(keys_of(condition)), self.vocabulary)
        return super().drawn(condition, cells, generator) + torch.from_numpy(self.shift(asked)).float()

    def made(self, drawn: Tensor, condition: Tensor) -> Tensor:
        return drawn


class NoChange(MovedControls):
    """As if the perturbation did nothing."""

    def shift(self, condition: Condition) -> np.ndarray:
        return np.zeros(len(self.genes))


class Additive(MovedControls):
    """control + sum over parts of (mean of the single's cells - mean of the controls), as SumOfSingles."""

    def __init__(self, genes: Sequence[str], vocabulary: Vocabulary) -> None:
        super().__init__(genes, vocabulary)
        self.means = ConditionMeans(self.genes, vocabulary)

    def fit_statistics(self, chunks: Callable[[], Iterable[Batch]]) -> None:
        super().fit_statistics(chunks)
        self.means.fit(chunks)

    def shift(self, condition: Condition) -> np.ndarray:
        measured = self.means.measured()
        shifts = [np.mean([measured.shift(c) for c in measured.alone(part)], axis=0) for part in singles(condition)]
        return np.sum([np.zeros(len(self.genes)), *shifts], axis=0)


class Ridge(MovedControls):
    """control + the shift that ridge regression predicts (design in ridge_fit.py), as the rival of that name."""

    penalty: Tensor
    context_share: Tensor

    def __init__(self, genes: Sequence[str], vocabulary: Vocabulary) -> None:
        super().__init__(genes, vocabulary)
        keys, dual = torch.zeros(0, vocabulary.size, dtype=torch.int32), torch.zeros(0, len(self.genes))
        self.learnt = KeptRows({"keys": keys, "dual": dual})
        self.register_buffer("penalty", torch.tensor(PENALTIES[0]))
        self.register_buffer("context_share", torch.tensor(0.0))

    def fit_statistics(self, chunks: Callable[[], Iterable[Batch]]) -> None:
        super().fit_statistics(chunks)
        means = ConditionMeans(self.genes, self.vocabulary)
        means.fit(chunks)
        measured = means.measured()
        fit = ridge_of(measured)
        rows = [measured.position[condition] for condition in fit.conditions]
        self.learnt.keep({"keys": means.keys[rows], "dual": torch.tensor(fit.dual)})
        self.penalty.fill_(fit.penalty)
        self.context_share.fill_(fit.context_share)

    def shift(self, condition: Condition) -> np.ndarray:
        conditions = conditions_of(self.learnt.get_buffer("keys"), self.vocabulary)
        dual = self.learnt.get_buffer("dual").double().cpu().numpy()
        return RidgeFit(conditions, dual, float(self.penalty), float(self.context_share)).shift(condition)
