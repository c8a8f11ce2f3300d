"""How cells are asked for and what is told meanwhile; free of torch, so that a page can hold it."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from primeflow_core.errors import SettingError

EXPONENTIAL, STUDENT, DIRECT = "exponential", "student", "direct"
USUAL_STEPS = MappingProxyType(
    {"euler": 100, "midpoint": 5, "adams-bashforth": 10, EXPONENTIAL: 4, STUDENT: 1, DIRECT: 1}
)
"""Of euler the paper's; of other solvers as many as come as close to the cells of 100 Euler steps as two seeds are to
each other (benchmarks/sampling.py)."""
SAMPLERS = tuple(USUAL_STEPS)
ZEROS = ("clip", "half-smallest", "smallest")
PRECISIONS = ("auto", "float32", "bfloat16")
MOST_CELLS = 100_000
MOST_GUIDANCE = 20.0


@dataclass(frozen=True)
class SamplingPlan:
    """Solver, its number of steps, guidance weight, seed and zero handling.

    ``guidance`` w: 1 is conditional only, 0 the null condition, more exaggerates the condition's effect.
    ``zeros``: ``clip`` sets negative values to 0; ``half-smallest`` and ``smallest`` also set to 0 whatever
    lies below (half of) the gene's smallest non-zero training value. 100 Euler steps are the paper's
    reference setting; ``exponential`` needs a model with a Gaussian part, ``student`` one that was distilled.
    ``direct``: a model that is no flow, and makes cells without steps and without guidance.
    ``precision`` of matrix products: ``auto`` is bfloat16 where the processor has instructions for it; what was
    chosen is recorded with the cells.
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
        return "in one pass" if self.sampler == DIRECT else f"{self.sampler}, {self.in_steps}"

    def __post_init__(self) -> None:
        if self.sampler not in SAMPLERS:
            raise SettingError(f"sampler is {self.sampler!r}; it must be one of {', '.join(SAMPLERS)}.")
        if self.zeros not in ZEROS:
            raise SettingError(f"zeros is {self.zeros!r}; it must be one of {', '.join(ZEROS)}.")
        if self.precision not in PRECISIONS:
            raise SettingError(f"precision is {self.precision!r}; it must be one of {', '.join(PRECISIONS)}.")
        if not 1 <= self.steps <= 10_000:
            raise SettingError(f"steps is {self.steps}; it must be between 1 and 10,000.")
        if self.sampler in (STUDENT, DIRECT) and self.steps != 1:
            raise SettingError(f"steps is {self.steps}; the sampler {self.sampler} makes cells in one step.")
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
    cells_done: int
    cells: int
    step: int
    steps: int
    state: np.ndarray


OnProgress = Callable[[SamplingProgress], None]
