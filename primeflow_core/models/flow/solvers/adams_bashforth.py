"""The Adams-Bashforth method of two steps."""

from typing import TYPE_CHECKING

from primeflow_core.models.flow.solvers.solver import OnStep, Solver, Velocity

if TYPE_CHECKING:
    from torch import Tensor


def adams_bashforth(velocity: Velocity, x_0: "Tensor", steps: int, on_step: OnStep) -> "Tensor":
    """Second order with one evaluation a step: extrapolates from the previous velocity; starts with an Euler step."""
    h = 1 / steps
    previous = velocity(x_0, 0.0)
    x_t = x_0 + h * previous
    on_step(1, x_t)
    for step in range(1, steps):
        current = velocity(x_t, step * h)
        x_t = x_t + h * (1.5 * current - 0.5 * previous)
        previous = current
        on_step(step + 1, x_t)
    return x_t


ADAMS_BASHFORTH = Solver(
    "adams-bashforth",
    usual_steps=10,
    order=2,
    words="solving the model's flow by the Adams-Bashforth method",
    solve=adams_bashforth,
)
