"""Sampling settings and progress reports. Torch-free, so that pages can import it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from primeflow_core.errors import SettingError
from primeflow_core.models.flow.solvers import direct, exponential, student
from primeflow_core.models.flow.solvers.registry import solver_named
from primeflow_core.models.flow.solvers.solver import Solver

EXPONENTIAL, STUDENT, DIRECT = exponential.EXPONENTIAL.name, student.STUDENT.name, direct.DIRECT.name
ZEROS = ("clip", "half-smallest", "smallest")
PRECISIONS = ("auto", "float32", "bfloat16")
MOST_CELLS = 100_000
MOST_GUIDANCE = 20.0


@dataclass(frozen=True)
class SamplingPlan:
    """Solver, its number of steps, guidance weight, seed and zero handling.

    ``guidance`` w: 1 is conditional only, 0 the null condition, more exaggerates the condition's effect. ``zeros``:
    ``clip`` sets negative values to 0; ``half-smallest`` and ``smallest`` also set to 0 all values below (half of) the
    gene's smallest non-zero training value. 100 Euler steps are the paper's reference setting; the records in
    models/flow/solvers say what each sampler needs of the model. ``precision`` of matrix products: ``auto`` is bfloat16
    where the processor has instructions for it; what was chosen is recorded with the cells.
    """

    sampler: str = "adams-bashforth"
    steps: int = 10
    guidance: float = 1.0
    seed: int = 0
    zeros: str = "clip"
    batch_size: int = 128
    precision: str = "auto"

    @property
    def in_steps(self) -> str:
        """For a sentence: ``1 step``, ``4 steps``."""
        return f"{self.steps} step{'' if self.steps == 1 else 's'}"

    @property
    def way(self) -> str:
        """For a list: ``euler, 100 steps``, or ``in one pass`` for a model without a flow."""
        return f"{self.sampler}, {self.in_steps}" if self.solver.of_a_flow else "in one pass"

    @property
    def solver(self) -> Solver:
        return solver_named(self.sampler)

    def by(self, sampler: str) -> "SamplingPlan":
        """The same plan with another solver, in the usual number of steps of that solver."""
        return replace(self, sampler=sampler, steps=solver_named(sampler).usual_steps)

    def with_settings(
        self,
        *,
        seed: int,
        sampler: str | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        zeros: str | None = None,
        batch_size: int | None = None,
        precision: str | None = None,
    ) -> "SamplingPlan":
        """With what is not None; another sampler without ``steps`` takes as many as it usually does."""
        chosen = {
            "sampler": sampler, "zeros": zeros, "guidance": guidance, "batch_size": batch_size, "precision": precision,
        }  # fmt: skip
        usual = self.steps if sampler in (None, "", self.sampler) else self.by(str(sampler)).steps
        given = {name: value for name, value in chosen.items() if value is not None}
        return replace(self, steps=usual if steps is None else steps, seed=seed, **given)  # type: ignore[arg-type]

    def __post_init__(self) -> None:
        solver = solver_named(self.sampler)
        if self.zeros not in ZEROS:
            raise SettingError(f"zeros is {self.zeros!r}; it must be one of {', '.join(ZEROS)}.")
        if self.precision not in PRECISIONS:
            raise SettingError(f"precision is {self.precision!r}; it must be one of {', '.join(PRECISIONS)}.")
        if not 1 <= self.steps <= 10_000:
            raise SettingError(f"steps is {self.steps}; it must be between 1 and 10,000.")
        if solver.fixed_steps and self.steps != solver.usual_steps:
            usual = "one step" if solver.usual_steps == 1 else f"{solver.usual_steps} steps"
            raise SettingError(f"steps is {self.steps}; the sampler {self.sampler} makes cells in {usual}.")
        if not 0 <= self.guidance <= MOST_GUIDANCE:
            raise SettingError(f"The guidance weight is {self.guidance:g}; it must be between 0 and {MOST_GUIDANCE:g}.")
        if not 0 <= self.seed < 2**63:
            raise SettingError(f"seed is {self.seed}; it must be 0 or more.")
        if self.batch_size < 1:
            raise SettingError(f"batch_size is {self.batch_size}; it must be 1 or more.")


@dataclass(frozen=True)
class SamplingProgress:
    """After one solver step: ``state`` (b, G) holds the current values of the batch that starts at cell ``first``.

    At the last step they are the finished cells, as the prediction returns them.
    """

    first: int
    cells: int
    step: int
    steps: int
    state: np.ndarray


OnProgress = Callable[[SamplingProgress], None]
