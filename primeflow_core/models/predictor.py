"""Predictors: what learns from cells and makes cells of a condition; PRiMeFlow (primeflow.py) is one."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

from primeflow_core.data.conditions import Condition, Vocabulary
from primeflow_core.models.precision import chosen
from primeflow_core.models.sampling_plan import OnProgress, SamplingPlan


@dataclass(frozen=True)
class Batch:
    """Cells x_1 (B, G) and their encoded conditions (B, C), on the predictor's device.

    ``control`` (B, G): for each a random control cell of its context, for models that learn from such pairs.
    """

    x_1: Tensor
    condition: Tensor
    control: Tensor | None = None


class Predictor(nn.Module, ABC):
    """One contract for every model: ``fit_statistics`` once, ``loss`` while training, ``predict`` afterwards."""

    def __init__(self, genes: Sequence[str], vocabulary: Vocabulary) -> None:
        super().__init__()
        self.genes = tuple(genes)
        self.vocabulary = vocabulary

    @abstractmethod
    def fit_statistics(self, chunks: Callable[[], Iterable[Batch]]) -> None:
        """Compute the statistics that the model needs from all training cells, before the first step. Each call reads
        them again."""

    @abstractmethod
    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """(B,) loss of each cell; every random draw comes from ``generator``."""

    def learning(self, step: int, epoch: float) -> "Learning":
        """The parameters that are trained in the step ``step`` of ``epoch``: by default all, from ``loss``."""
        return Learning(tuple(self.parameters()), self.loss)

    @abstractmethod
    def predict(
        self, condition: Condition, cells: int, plan: SamplingPlan, on_progress: OnProgress | None = None
    ) -> np.ndarray:
        """(cells, G) float32 expression >= 0. The same plan gives the same cells on the same machine.

        ``on_progress`` is called after every solver step; an exception it raises ends the prediction.
        Raises ConditionError for anything outside the vocabulary, SettingError for a wrong number of cells.
        """

    def distinct_cells(self, condition: Condition, most: int) -> int:
        """The largest number of cells of ``condition``, at most ``most``, that start from different cells.

        Scores want no more: a control cell that comes again and again makes cells that stand too close to each other,
        and an estimate that takes them for independent reads that as an error of the model.
        Raises ConditionError for anything outside the vocabulary.
        """
        return most

    def settled(self, plan: SamplingPlan) -> SamplingPlan:
        """``plan`` with what it leaves open decided for this device; it gives the same cells as ``plan``."""
        return replace(plan, precision=chosen(plan.precision, self.device))

    @property
    def pairs_with_controls(self) -> bool:
        """Whether it is trained on perturbed cells only, each paired with a control cell."""
        return False

    def idle(self, epochs: float) -> str:
        """The part that is not trained in so many epochs, and why, for a message; empty if everything is trained."""
        return ""

    @property
    def interplay(self) -> bool:
        """Whether it is trained on composed pairs whose parts scale each other, as in measured pairs."""
        return False

    def encoded(self, condition: Condition) -> Tensor:
        """(1, C) on its device. Raises ConditionError for anything outside the vocabulary."""
        return torch.from_numpy(self.vocabulary.encode([condition])).to(self.device)

    @property
    def device(self) -> torch.device:
        return next(chain(self.parameters(), self.buffers())).device


@dataclass(frozen=True)
class Learning:
    """Parameters and the loss that they learn from in one step; a model with an adversary has two such pairs."""

    parameters: tuple[nn.Parameter, ...]
    loss: Callable[[Batch, torch.Generator], Tensor]
