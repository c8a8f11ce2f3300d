"""Guidance and solvers: from noise at t = 0 to cells at t = 1 along the velocity field."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from primeflow_core.models.flow.objective import Field

Velocity = Callable[[Tensor, float], Tensor]
OnStep = Callable[[int, Tensor], None]
Solver = Callable[[Velocity, Tensor, int, OnStep], Tensor]


def guided(field: Field, condition: Tensor, weight: float) -> Velocity:
    """v = v_null + w (v_cond - v_null) for one ``condition`` (1, C), as a function of x_t (B, G) and a scalar t.

    w = 1 and w = 0 cost one evaluation of the field, whose embedding of time and condition is computed once for all
    cells; any other weight evaluates both halves in one batch.
    """
    dropped = torch.tensor([weight == 0], device=condition.device)

    def single(x_t: Tensor, t: float) -> Tensor:
        return field(x_t, x_t.new_full((1,), t), condition, dropped)

    def both(x_t: Tensor, t: float) -> Tensor:
        cells = len(x_t)
        null = torch.arange(2 * cells, device=condition.device) >= cells
        velocity = field(x_t.repeat(2, 1), x_t.new_full((2 * cells,), t), condition.expand(2 * cells, -1), null)
        conditioned, unconditioned = velocity.chunk(2)
        return unconditioned + weight * (conditioned - unconditioned)

    return single if weight in (0, 1) else both


def euler(velocity: Velocity, x_0: Tensor, steps: int, on_step: OnStep) -> Tensor:
    """First order, one evaluation a step; 100 steps are the paper's setting."""
    x_t, h = x_0, 1 / steps
    for step in range(steps):
        x_t = x_t + h * velocity(x_t, step * h)
        on_step(step + 1, x_t)
    return x_t


def midpoint(velocity: Velocity, x_0: Tensor, steps: int, on_step: OnStep) -> Tensor:
    """Second order, two evaluations a step, none of them at t = 1."""
    x_t, h = x_0, 1 / steps
    for step in range(steps):
        middle = x_t + h / 2 * velocity(x_t, step * h)
        x_t = x_t + h * velocity(middle, (step + 0.5) * h)
        on_step(step + 1, x_t)
    return x_t


def adams_bashforth(velocity: Velocity, x_0: Tensor, steps: int, on_step: OnStep) -> Tensor:
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


SOLVERS: MappingProxyType[str, Solver] = MappingProxyType(
    {"euler": euler, "midpoint": midpoint, "adams-bashforth": adams_bashforth}
)


@dataclass(frozen=True)
class HalfSolved:
    """A velocity of which one part is solved in closed form.

    ``carried`` takes x_t (B, G) from t to u along that part; ``gain`` (G,) is what an output of 1 of the ``remaining``
    part between t and u adds at u.
    """

    carried: Callable[[Tensor, float, float], Tensor]
    gain: Callable[[float, float], Tensor]
    remaining: Velocity


CROWDING = 1.5
"""Times are 1 - (1 - i / steps)^CROWDING: steps become shorter towards the cells, where the velocity bends most."""


def exponential(field: HalfSolved, x_0: Tensor, steps: int, on_step: OnStep) -> Tensor:
    """Exponential Adams-Bashforth (Cox & Matthews 2002): one evaluation a step, none for the part in closed form.

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
