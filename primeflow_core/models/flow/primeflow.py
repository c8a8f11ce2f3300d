"""PRiMeFlow as a Predictor: flow matching from noise, or control cells, to the cells of a condition (paper, section 3).

The rows of a recipe say which flow it is: the paper's, straight in gene-expression space with a U-Net, or an ablation
of it, with another field, space, source or coupling.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from primeflow_core.data.conditions import Condition, Vocabulary
from primeflow_core.errors import SettingError
from primeflow_core.models.control_pool import ControlPool
from primeflow_core.models.flow.field_config import FieldConfig
from primeflow_core.models.flow.gaussian import GaussianVelocity
from primeflow_core.models.flow.guidance import guided
from primeflow_core.models.flow.objective import CONTROL, Field, FlowConfig, flow_matching_loss
from primeflow_core.models.flow.solvers.exponential import EXPONENTIAL, HalfSolved
from primeflow_core.models.flow.solvers.registry import solvers_that_need
from primeflow_core.models.flow.solvers.solver import Needs, OnStep, Velocity
from primeflow_core.models.flow.solvers.student import Taught
from primeflow_core.models.flow.student import HIGHEST_GUIDANCE, Student
from primeflow_core.models.precision import products
from primeflow_core.models.predictor import Batch, Predictor
from primeflow_core.models.sampling_plan import MOST_CELLS, OnProgress, SamplingPlan, SamplingProgress
from primeflow_core.models.space import SPACES, smallest_nonzero, to_expression


class PRiMeFlow(Predictor):
    """Flow matching with the velocity field that ``field`` describes, trained as ``flow`` says."""

    smallest: Tensor

    def __init__(self, genes: Sequence[str], vocabulary: Vocabulary, field: FieldConfig, flow: FlowConfig) -> None:
        super().__init__(genes, vocabulary)
        self.flow = flow
        self.space = SPACES[flow.space](len(self.genes), flow.components)
        self.field = field.build(self.space.dimensions, vocabulary.size)
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
        self.controls = ControlPool(len(self.genes), vocabulary) if flow.source == CONTROL else None
        self.student: Student | None = None
        self.register_buffer("smallest", torch.zeros(len(self.genes)))

    @property
    def pairs_with_controls(self) -> bool:
        return self.controls is not None

    @property
    def interplay(self) -> bool:
        return self.flow.interplay

    def fit_statistics(self, chunks: Callable[[], Iterable[Batch]]) -> None:
        self.smallest.copy_(torch.stack([smallest_nonzero(batch.x_1) for batch in chunks()]).amin(dim=0))
        self.space.fit(lambda: (batch.x_1 for batch in chunks()))
        if self.controls is not None:
            self.controls.fit(chunks)
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
        x_1, control = self.space.inside(batch.x_1), self._control(batch)
        return flow_matching_loss(self.velocity, x_1, batch.condition, self.flow, generator, control)

    def _control(self, batch: Batch) -> Tensor | None:
        """The start of the flow in training, (B, D); None: noise."""
        if self.controls is None:
            return None
        if batch.control is None:
            raise SettingError(
                "This model learns from cells beside control cells, and composed cells have none. Set composed=0."
            )
        return self.space.inside(batch.control)

    def settled(self, plan: SamplingPlan) -> SamplingPlan:
        self._check_guidance(plan)
        return super().settled(plan)

    def distinct_cells(self, condition: Condition, most: int) -> int:
        return most if self.controls is None else self.controls.distinct(self.encoded(condition), most)

    def _check_guidance(self, plan: SamplingPlan) -> None:
        if plan.guidance != 1 and not self.flow.prob_unconditional:
            raise SettingError(
                f"The guidance weight is {plan.guidance:g}, and this model never learnt without the condition "
                "(prob_unconditional=0). Use --guidance 1."
            )

    @torch.inference_mode()
    def predict(
        self, condition: Condition, cells: int, plan: SamplingPlan, on_progress: OnProgress | None = None
    ) -> np.ndarray:
        self._check_guidance(plan)
        if not 1 <= cells <= MOST_CELLS:
            raise SettingError(f"Asked for {cells:,} cells; ask for 1 to {MOST_CELLS:,}.")
        encoded = self.encoded(condition)
        generator = torch.Generator().manual_seed(plan.seed)
        x_0 = self._source(encoded, cells, generator)
        made = np.empty((cells, len(self.genes)), dtype=np.float32)
        self.eval()
        for first in range(0, cells, plan.batch_size):
            batch = x_0[first : first + plan.batch_size].to(self.device)
            report = _StepReporter(
                on_progress, first, cells, plan.steps, self._expression(plan.zeros), self._unfinished
            )
            x_1 = self.solved(batch, encoded, plan, report)
            made[first : first + len(batch)] = self._expression(plan.zeros)(x_1)
        return made

    def _source(self, condition: Tensor, cells: int, generator: torch.Generator) -> Tensor:
        """(cells, D) on the CPU, for a condition (1, C)."""
        if self.controls is None:
            return torch.randn(cells, self.space.dimensions, generator=generator)
        return self.space.inside(self.controls.drawn(condition, cells, generator).to(self.device)).cpu()

    def solved(self, x_0: Tensor, condition: Tensor, plan: SamplingPlan, report: OnStep) -> Tensor:
        """Integrates source x_0 (B, D) to t = 1 as the plan says, for one condition (1, C)."""
        solver = plan.solver
        if solver.solve is None:
            raise SettingError(
                f"This model is a flow, and cannot be sampled {solver.name}. Use --sampler {EXPONENTIAL.name}."
            )
        parts: dict[Needs, Callable[[Tensor, SamplingPlan], object]] = {
            Needs.VELOCITY: self._guided,
            Needs.GAUSSIAN: self._half_solved,
            Needs.STUDENT: self._taught,
        }
        return solver.solve(parts[solver.needs](condition, plan), x_0, plan.steps, report)

    @property
    def samplers(self) -> tuple[str, ...]:
        """The solvers whose needs this model meets, by name."""
        has_gaussian = (Needs.GAUSSIAN,) if self.gaussian is not None else ()
        has_student = (Needs.STUDENT,) if self.student is not None else ()
        return tuple(solver.name for solver in solvers_that_need(Needs.VELOCITY, *has_gaussian, *has_student))

    def _guided(self, condition: Tensor, plan: SamplingPlan) -> Velocity:
        return guided(self._in(plan.precision, self.velocity), condition, plan.guidance)

    def _half_solved(self, condition: Tensor, plan: SamplingPlan) -> HalfSolved:
        if self.gaussian is None:
            raise SettingError(
                f"The sampler {plan.sampler} needs a model with a Gaussian part, and this one was trained without "
                f"(factors=0). Use one of {', '.join(self.samplers)}."
            )
        gaussian, mean = self.gaussian, self.gaussian.mean_of(condition, plan.guidance)
        correction = guided(self._in(plan.precision, self.field), condition, plan.guidance)
        return HalfSolved(lambda x_t, t, u: gaussian.carried(x_t, mean, t, u), gaussian.gain, correction)

    def _taught(self, condition: Tensor, plan: SamplingPlan) -> Taught:
        student, gaussian = self.student, self.gaussian
        if student is None or gaussian is None:
            raise SettingError(
                "This model has no student yet. Make one with `primeflow distill`, or use another sampler: "
                f"{', '.join(self.samplers)}."
            )
        if not 1 <= plan.guidance <= HIGHEST_GUIDANCE:
            raise SettingError(
                f"The student was taught guidance weights from 1 to {HIGHEST_GUIDANCE:g}, and this is "
                f"{plan.guidance:g}. Use --sampler {EXPONENTIAL.name} for it."
            )

        def made(x_0: Tensor) -> Tensor:
            with products(plan.precision, self.device):
                x_1: Tensor = student(gaussian, x_0, condition, x_0.new_full((1,), plan.guidance))
            return x_1

        return made

    def _in(self, precision: str, field: Field) -> Field:
        """``field`` with matrix products in ``precision``; velocities come out in float32."""

        def evaluated(x_t: Tensor, t: Tensor, condition: Tensor, null: Tensor) -> Tensor:
            with products(precision, self.device):
                velocity = field(x_t, t, condition, null)
            return velocity.float()

        return evaluated

    def _expression(self, zeros: str) -> Callable[[Tensor], np.ndarray]:
        return lambda x_1: to_expression(self.space.outside(x_1), self.smallest, zeros).float().cpu().numpy()

    def _unfinished(self, x_t: Tensor) -> np.ndarray:
        return self.space.outside(x_t).float().cpu().numpy()


@dataclass(frozen=True)
class _StepReporter:
    """Tells of every solver step; finished cells are shown as they will be returned."""

    on_progress: OnProgress | None
    first: int
    cells: int
    steps: int
    expression: Callable[[Tensor], np.ndarray]
    unfinished: Callable[[Tensor], np.ndarray]

    def __call__(self, step: int, x_t: Tensor) -> None:
        if self.on_progress is None:
            return
        state = self.expression(x_t) if step == self.steps else self.unfinished(x_t)
        self.on_progress(SamplingProgress(self.first, self.cells, step, self.steps, state))
