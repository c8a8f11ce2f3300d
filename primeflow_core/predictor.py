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
from primeflow_core.sampling import SOLVERS, HalfSolved, OnStep, exponential, guided
from primeflow_core.sampling_plan import (
    EXPONENTIAL,
    MOST_CELLS,
    STUDENT,
    USUAL_STEPS,
    OnProgress,
    Progress,
    SamplingPlan,
)
from primeflow_core.space import smallest_nonzero, to_expression
from primeflow_core.velocity.gaussian import GaussianVelocity
from primeflow_core.velocity.student import HIGHEST_GUIDANCE, Student
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
    def fit_statistics(self, chunks: Callable[[], Iterable[Batch]]) -> None:
        """Take what the model needs to know of all training cells before the first step; each call reads them anew."""

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
    def interplay(self) -> bool:
        """Whether it is to learn from composed pairs whose parts scale each other, as measured pairs show it."""
        return False

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
        self.gaussian = (
            GaussianVelocity(
                len(self.genes),
                vocabulary.size,
                flow.factors,
                flow.path,
                len(vocabulary.perturbations) if flow.interplay else 0,
            )
            if flow.factors
            else None
        )
        self.student: Student | None = None
        self.register_buffer("smallest", torch.zeros(len(self.genes)))

    @property
    def interplay(self) -> bool:
        return self.flow.interplay

    def fit_statistics(self, chunks: Callable[[], Iterable[Batch]]) -> None:
        self.smallest.copy_(torch.stack([smallest_nonzero(batch.x_1) for batch in chunks()]).amin(dim=0))
        if self.gaussian is not None:
            self.gaussian.fit(lambda: ((batch.x_1, batch.condition) for batch in chunks()))

    def velocity(self, x_t: Tensor, t: Tensor, condition: Tensor, null: Tensor) -> Tensor:
        """The network's velocity, or what it adds to the Gaussian's; arguments as those of ``UNetField``."""
        learned: Tensor = self.field(x_t, t, condition, null)
        if self.gaussian is None:
            return learned
        velocity, scale = self.gaussian(x_t, t, condition, null)
        return velocity + scale * learned

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return flow_matching_loss(self.velocity, batch.x_1, batch.condition, self.flow, generator)

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
            report = _StepReporter(on_progress, first, cells, plan.steps, self._expression(plan.zeros))
            x_1 = self.solved(batch, encoded, plan, report)
            made[first : first + len(batch)] = self._expression(plan.zeros)(x_1)
        return made

    def solved(self, x_0: Tensor, condition: Tensor, plan: SamplingPlan, report: OnStep) -> Tensor:
        """Noise x_0 (B, G) carried to t = 1 as the plan says, for one condition (1, C)."""
        if plan.sampler == STUDENT:
            return self._taught(x_0, condition, plan, report)
        if plan.sampler != EXPONENTIAL:
            velocity = guided(self._in(plan.precision, self.velocity), condition, plan.guidance)
            return SOLVERS[plan.sampler](velocity, x_0, plan.steps, report)
        if self.gaussian is None:
            raise SettingError(
                f"The sampler {EXPONENTIAL} needs a model with a Gaussian part, and this one was trained without "
                f"(factors=0). Use one of {', '.join(SOLVERS)}."
            )
        gaussian, mean = self.gaussian, self.gaussian.mean_of(condition, plan.guidance)
        correction = guided(self._in(plan.precision, self.field), condition, plan.guidance)
        field = HalfSolved(lambda x_t, t, u: gaussian.carried(x_t, mean, t, u), gaussian.gain, correction)
        return exponential(field, x_0, plan.steps, report)

    def _taught(self, x_0: Tensor, condition: Tensor, plan: SamplingPlan, report: OnStep) -> Tensor:
        if self.student is None or self.gaussian is None:
            raise SettingError(
                "This model has no student yet. Make one with `primeflow distill`, or use another sampler: "
                f"{', '.join(name for name in USUAL_STEPS if name != STUDENT)}."
            )
        if not 1 <= plan.guidance <= HIGHEST_GUIDANCE:
            raise SettingError(
                f"The student was taught guidance weights from 1 to {HIGHEST_GUIDANCE:g}, and this is "
                f"{plan.guidance:g}. Use --sampler {EXPONENTIAL} for it."
            )
        with products(plan.precision, self.device):
            x_1 = self.student(self.gaussian, x_0, condition, x_0.new_full((1,), plan.guidance))
        report(1, x_1)
        return x_1

    def _in(self, precision: str, field: Field) -> Field:
        """``field`` with matrix products in ``precision``; velocities come out in float32."""

        def evaluated(x_t: Tensor, t: Tensor, condition: Tensor, null: Tensor) -> Tensor:
            with products(precision, self.device):
                velocity = field(x_t, t, condition, null)
            return velocity.float()

        return evaluated

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
