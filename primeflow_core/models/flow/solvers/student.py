"""A student, taught by distillation to make the cells of its teacher in one evaluation."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from primeflow_core.models.flow.solvers.solver import Needs, OnStep, Solver

if TYPE_CHECKING:
    from torch import Tensor

Taught = Callable[["Tensor"], "Tensor"]
"""Noise x_0 (B, G) to cells x_1 (B, G), for one condition and guidance weight."""


def at_once(taught: Taught, x_0: "Tensor", steps: int, on_step: OnStep) -> "Tensor":
    """Makes cells in one evaluation, guidance included; ``steps`` is 1."""
    x_1 = taught(x_0)
    on_step(1, x_1)
    return x_1


STUDENT = Solver(
    "student",
    usual_steps=1,
    order=0,
    words="a smaller network that was taught to make the model's own cells at once",
    solve=at_once,
    needs=Needs.STUDENT,
    fixed_steps=True,
    teaches_guidance=True,
)
