"""Saved models that are known in closed form from statistics of the training cells: nothing is learnt in steps.

The prediction of a baseline is in its own file (no_change.py, additive.py, ridge.py). This file only says how a model
keeps what the baseline is fitted from, and control cells to start from, with its weights.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from primeflow_core.data.conditions import Vocabulary
from primeflow_core.errors import SettingError
from primeflow_core.models.baselines.additive import SUM_OF_SINGLES
from primeflow_core.models.baselines.architecture import Architecture
from primeflow_core.models.baselines.baseline import Baseline, MovedControls
from primeflow_core.models.baselines.condition_means import ConditionMeans, conditions_of, keys_of
from primeflow_core.models.baselines.direct import DirectPredictor
from primeflow_core.models.baselines.from_controls import FromControls
from primeflow_core.models.baselines.kept_cells import KeptCells
from primeflow_core.models.baselines.no_change import NO_CHANGE
from primeflow_core.models.baselines.registry import baseline_named, baselines_with_recipe
from primeflow_core.models.baselines.ridge import RIDGE, Ridge
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

    def build(self, genes: Sequence[str], vocabulary: Vocabulary) -> "BaselinePredictor":
        return BaselinePredictor(genes, vocabulary, NO_CHANGE)


@dataclass(frozen=True)
class AdditiveConfig(Architecture):
    """Control cells, moved by the sum of what the parts do alone."""

    def build(self, genes: Sequence[str], vocabulary: Vocabulary) -> "BaselinePredictor":
        return BaselinePredictor(genes, vocabulary, SUM_OF_SINGLES)


@dataclass(frozen=True)
class RidgeConfig(Architecture):
    """Control cells, moved by what a ridge regression learnt from all conditions."""

    def build(self, genes: Sequence[str], vocabulary: Vocabulary) -> "RidgePredictor":
        return RidgePredictor(genes, vocabulary)


@dataclass(frozen=True)
class BaselineConfig(Architecture):
    """The baseline of that name. Raises SettingError for one that cannot be saved."""

    baseline: str = SUM_OF_SINGLES.name

    def __post_init__(self) -> None:
        if self.baseline not in (known := [one.name for one in baselines_with_recipe()]):
            raise SettingError(
                f"{self.baseline!r} is not a baseline that can be a model. Baselines: {', '.join(known)}."
            )

    def build(self, genes: Sequence[str], vocabulary: Vocabulary) -> "BaselinePredictor | KeptCells":
        baseline = baseline_named(self.baseline)
        return (KeptCells if baseline.keeps_cells else BaselinePredictor)(genes, vocabulary, baseline)


class Mean(DirectPredictor):
    """Predicts the mean of all training cells, controls included, for each cell of each condition."""

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


class BaselinePredictor(FromControls):
    """A baseline as a saved model: control cells of training, all moved by the baseline's shift.

    The means of the training conditions are kept with the weights, unless the baseline predicts control cells as they
    are; the baseline is fitted to them again.
    """

    def __init__(self, genes: Sequence[str], vocabulary: Vocabulary, baseline: Baseline) -> None:
        super().__init__(genes, vocabulary)
        self._baseline = baseline
        self.means = None if baseline.is_floor else ConditionMeans(self.genes, vocabulary)

    def fit_statistics(self, chunks: Callable[[], Iterable[Batch]]) -> None:
        super().fit_statistics(chunks)
        if self.means is not None:
            self.means.fit(chunks)

    def fitted(self) -> MovedControls:
        """Raises TypeError for a baseline that does not move control cells."""
        means = ConditionMeans(self.genes, self.vocabulary) if self.means is None else self.means
        found = self._baseline.fit(means.measured())
        if not isinstance(found, MovedControls):
            raise TypeError(f"{self._baseline.name} does not move control cells, so it cannot be a saved model.")
        return found

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
        return super().drawn(condition, cells, generator) + torch.from_numpy(self.fitted().shift(asked)).float()

    def made(self, drawn: Tensor, condition: Tensor) -> Tensor:
        return drawn


class RidgePredictor(BaselinePredictor):
    """Keeps the fitted regression in place of the means that it was fitted to."""

    penalty: Tensor
    context_share: Tensor

    def __init__(self, genes: Sequence[str], vocabulary: Vocabulary) -> None:
        super().__init__(genes, vocabulary, RIDGE)
        self.means = None
        keys, dual = torch.zeros(0, vocabulary.size, dtype=torch.int32), torch.zeros(0, len(self.genes))
        self.learnt = KeptRows({"keys": keys, "dual": dual})
        self.register_buffer("penalty", torch.tensor(PENALTIES[0]))
        self.register_buffer("context_share", torch.tensor(0.0))

    def fit_statistics(self, chunks: Callable[[], Iterable[Batch]]) -> None:
        super().fit_statistics(chunks)
        means = ConditionMeans(self.genes, self.vocabulary)
        means.fit(chunks)
        measured = means.measured()
        fit = measured.ridge
        rows = [measured.position[condition] for condition in fit.conditions]
        self.learnt.keep({"keys": means.keys[rows], "dual": torch.tensor(fit.dual)})
        self.penalty.fill_(fit.penalty)
        self.context_share.fill_(fit.context_share)

    def fitted(self) -> Ridge:
        conditions = conditions_of(self.learnt.get_buffer("keys"), self.vocabulary)
        dual = self.learnt.get_buffer("dual").double().cpu().numpy()
        fit = RidgeFit(conditions, dual, float(self.penalty), float(self.context_share))
        return Ridge(ConditionMeans(self.genes, self.vocabulary).measured(), fit)
