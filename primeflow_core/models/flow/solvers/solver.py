"""Describes a solver: the function that integrates from noise to cells, and its words. Torch-free."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

Velocity = Callable[["Tensor", float], "Tensor"]
"""v(x_t (B, G), t) -> (B, G), for one condition and guidance weight."""
OnStep = Callable[[int, "Tensor"], None]
"""Called after each step with its number, from 1, and x_t (B, G)."""
Solve = Callable[[Any, "Tensor", int, OnStep], "Tensor"]
"""(what the solver needs, x_0 (B, G), steps, on_step) -> x_1 (B, G)."""


class Needs(Enum):
    """The part of the model that a solver receives as its first argument."""

    VELOCITY = "the guided velocity (Velocity)"
    GAUSSIAN = "a velocity whose Gaussian part is solved in closed form (HalfSolved)"
    STUDENT = "a student that was taught by distillation (Taught)"
    NO_FLOW = "a model that is not a flow, and makes its cells itself"


@dataclass(frozen=True)
class Solver:
    """One way to make cells, a row of registry.py.

    ``usual_steps``: when the user names none. ``order`` of convergence: halving the step divides the error by
    2^order; 0 where there are no steps to refine. ``words``: for the methods text, to follow "Cells were made in 4
    steps by". ``evaluations`` of the network in a step. ``fixed_steps``: it takes ``usual_steps``, no other number.
    ``teaches_guidance``: guidance costs no second evaluation. ``solve`` is None where the model makes its cells itself.
    """

    name: str
    usual_steps: int
    order: int
    words: str
    solve: Solve | None
    needs: Needs = Needs.VELOCITY
    evaluations: int = 1
    fixed_steps: bool = False
    teaches_guidance: bool = False

    @property
    def of_a_flow(self) -> bool:
        """Whether it integrates from noise to cells in steps."""
        return self.needs is not Needs.NO_FLOW
