"""The midpoint rule."""

from typing import TYPE_CHECKING

from primeflow_core.models.flow.solvers.solver import OnStep, Solver, Velocity

if TYPE_CHECKING:
    from torch import Tensor


def midpoint(velocity: Velocity, x_0: "Tensor", steps: int, on_step: OnStep) -> "Tensor":
    """Second order, two evaluations a step, none of them at t = 1."""
    x_t, h = x_0, 1 / steps
    for step in range(steps):
        middle = x_t + h / 2 * velocity(x_t, step * h)
        x_t = x_t + h * velocity(middle, (step + 0.5) * h)
        on_step(step + 1, x_t)
    return x_t


MIDPOINT = Solver(
    "midpoint",
    usual_steps=5,
    order=2,
    words="solving the model's flow by the midpoint rule",
    solve=midpoint,
    evaluations=2,
)
