"""Euler's method; with 100 steps the paper's setting."""

from typing import TYPE_CHECKING

from primeflow_core.models.flow.solvers.solver import OnStep, Solver, Velocity

if TYPE_CHECKING:
    from torch import Tensor


def euler(velocity: Velocity, x_0: "Tensor", steps: int, on_step: OnStep) -> "Tensor":
    """First order, one evaluation a step."""
    x_t, h = x_0, 1 / steps
    for step in range(steps):
        x_t = x_t + h * velocity(x_t, step * h)
        on_step(step + 1, x_t)
    return x_t


EULER = Solver("euler", usual_steps=100, order=1, words="solving the model's flow by Euler's method", solve=euler)
