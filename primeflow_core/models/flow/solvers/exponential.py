"""Exponential Adams-Bashforth (Cox & Matthews 2002), for a velocity of which one part is solved in closed form."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from primeflow_core.models.flow.solvers.solver import Needs, OnStep, Solver, Velocity

if TYPE_CHECKING:
    from torch import Tensor

CROWDING = 1.5
"""Times are 1 - (1 - i / steps)^CROWDING: steps become shorter towards the cells, where the velocity bends most."""


@dataclass(frozen=True)
class HalfSolved:
    """A velocity of which one part is solved in closed form.

    ``carried`` takes x_t (B, G) from t to u along that part; ``gain`` (G,) is what an output of 1 of the ``remaining``
    part between t and u adds at u.
    """

    carried: Callable[["Tensor", float, float], "Tensor"]
    gain: Callable[[float, float], "Tensor"]
    remaining: Velocity


def exponential(field: HalfSolved, x_0: "Tensor", steps: int, on_step: OnStep) -> "Tensor":
    """Takes one evaluation for each step, and none for the part in closed form.

    The remaining part is extrapolated from the previous evaluation; the first step takes it as constant.
    """
    times = [1 - (1 - step / steps) ** CROWDING for step in range(steps + 1)]
    x_t, previous = x_0, None
    for step, (t, u) in enumerate(itertools.pairwise(times)):
        current = field.remaining(x_t, t)
        mean = current
        if previous is not None:
            mean = current + (u - t) / (2 * (t - times[step - 1])) * (current - previous)
        x_t = field.carried(x_t, t, u) + field.gain(t, u) * mean
        previous = current
        on_step(step + 1, x_t)
    return x_t


EXPONENTIAL = Solver(
    "exponential",
    usual_steps=4,
    order=2,
    words="solving the model's flow by an exponential integrator",
    solve=exponential,
    needs=Needs.GAUSSIAN,
)
