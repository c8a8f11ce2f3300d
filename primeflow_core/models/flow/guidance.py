"""Classifier-free guidance: the velocity of one condition, with and without it (paper, section 3)."""

import torch
from torch import Tensor

from primeflow_core.models.flow.objective import Field
from primeflow_core.models.flow.solvers.solver import Velocity


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
