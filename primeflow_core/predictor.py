"""Predictors: what learns from cells and makes cells of a condition; PRiMeFlow is one."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from primeflow_core.conditions import Condition, Vocabulary
from primeflow_core.errors import SettingError
from primeflow_core.objective import Field, FlowConfig, flow_matching_loss
from primeflow_core.precision import chosen, products
from primeflow_core.sampling import SOLVERS, guided
from primeflow_core.sampling_plan import MOST_CELLS, OnProgress, Progress, SamplingPlan
from primeflow_core.space import smallest_nonzero, to_expression
from primeflow_core.velocity.unet import UNetConfig, UNetField


@dataclass(frozen=True)
class Batch:
    """Cells x_1 (B, G) and their encoded conditions (B, C), on the predictor's device."""

    x_1: Tensor
    condition: Tensor


class Predictor(nn.Module, ABC):
    """One contract for every model: ``fit_statistics`` once, ``loss`` while training, ``predict`` afterwards."""

    def __init__(self, genes: Sequence[str], vocabulary: Vocabulary) -> None:
        super().__init__()
        self.genes = tuple(genes)
        self.vocabulary = vocabulary

    @abstractmethod
    def fit_statistics(self, chunks: Iterable[Tensor]) -> None:
        """Take what the model needs to know of all training cells, given as chunks (n, G), before the first step."""

    @abstractmethod
    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """(B,) loss of each cell; every random draw comes from ``generator``."""

    @abstractmethod
    def predict(
        self, condition: Condition, cells: int, plan: SamplingPlan, on_progress: OnProgress | None = None
    ) -> np.ndarray:
        """(cells, G) float32 expression >= 0. The same plan gives the same cells on the same machine.

        ``on_progress`` is called after every solver step; an exception it raises ends the prediction.
        Raises ConditionError for anything outside the vocabulary, SettingError for a wrong number of cells.
        """

    def settled(self, plan: SamplingPlan) -> SamplingPlan:
        """``plan`` with what it leaves open decided for this device; it gives the same cells as ``plan``."""
        return replace(plan, precision=chosen(plan.precision, self.device))

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device


class PRiMeFlow(Predictor):
    """Flow matching straight in gene-expression space with a U-Net velocity field (paper, section 3)."""

    smallest: Tensor

    def __init__(self, genes: Sequence[str], vocabulary: Vocabulary, field: UNetConfig, flow: FlowConfig) -> None:
        super().__init__(genes, vocabulary)
        self.flow = flow
        self.field = UNetField(field, len(self.genes), vocabulary.size)
        self.register_buffer("smallest", torch.zeros(len(self.genes)))

    def fit_statistics(self, chunks: Iterable[Tensor]) -> None:
        self.smallest.copy_(torch.stack([smallest_nonzero(chunk) for chunk in chunks]).amin(dim=0))

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return flow_matching_loss(self.field, batch.x_1, batch.condition, self.flow, generator)

    @torch.inference_mode()
    def predict(
        self, condition: Condition, cells: int, plan: SamplingPlan, on_progress: OnProgress | None = None
    ) -> np.ndarray:
        if not 1 <= cells <= MOST_CELLS:
            raise SettingError(f"Asked for {cells:,} cells; ask for 1 to {MOST_CELLS:,}.")
        encoded = torch.from_numpy(self.vocabulary.encode([condition])).to(self.device)
        generator = torch.Generator().manual_seed(plan.seed)
        x_0 = torch.randn(cells, len(self.genes), generator=generator)
        made = np.empty((cells, len(self.genes)), dtype=np.float32)
        self.eval()
        for first in range(0, cells, plan.batch_size):
            batch = x_0[first : first + plan.batch_size].to(self.device)
            velocity = guided(self._field_in(plan.precision), encoded.expand(len(batch), -1), plan.guidance)
            report = _StepReporter(on_progress, first, cells, plan.steps, self._expression(plan.zeros))
            x_1 = SOLVERS[plan.sampler](velocity, batch, plan.steps, report)
            made[first : first + len(batch)] = self._expression(plan.zeros)(x_1)
        return made

    def _field_in(self, precision: str) -> Field:
        """The field with matrix products in ``precision``; velocities come out in float32."""

        def field(x_t: Tensor, t: Tensor, condition: Tensor, null: Tensor) -> Tensor:
            with products(precision, self.device):
                velocity: Tensor = self.field(x_t, t, condition, null)
            return velocity.float()

        return field

    def _expression(self, zeros: str) -> Callable[[Tensor], np.ndarray]:
        return lambda x_1: to_expression(x_1, self.smallest, zeros).float().cpu().numpy()


@dataclass(frozen=True)
class _StepReporter:
    """Tells of every solver step; finished cells are shown as they will be returned."""

    on_progress: OnProgress | None
    first: int
    cells: int
    steps: int
    expression: Callable[[Tensor], np.ndarray]

    def __call__(self, step: int, x_t: Tensor) -> None:
        if self.on_progress is None:
            return
        finished = step == self.steps
        state = self.expression(x_t) if finished else x_t.float().cpu().numpy()
        done = self.first + (len(x_t) if finished else 0)
        self.on_progress(Progress(self.first, done, self.cells, step, self.steps, state))
