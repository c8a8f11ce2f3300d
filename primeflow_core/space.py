"""The space the flow runs in: log-normalised genes; and the way back to expression, with its zeros."""

import torch
from torch import Tensor

ZERO_FACTOR = {"clip": 0.0, "half-smallest": 0.5, "smallest": 1.0}


def smallest_nonzero(x_1: Tensor) -> Tensor:
    """(N, G) training cells to (G,): each gene's smallest value above 0; infinite for a gene that is always 0."""
    return torch.where(x_1 > 0, x_1, torch.inf).amin(dim=0)


def to_expression(x_1: Tensor, smallest: Tensor, zeros: str) -> Tensor:
    """Values of the flow at t = 1 (B, G) to expression >= 0.

    Log-normalised counts are mostly exact zeros and a continuous flow emits near-zeros: ``zeros`` names what
    becomes 0, negative values only (``clip``) or also what lies below (half of) ``smallest`` (G,).
    """
    clipped = x_1.clamp_min(0)
    factor = ZERO_FACTOR[zeros]
    return clipped if factor == 0 else torch.where(clipped < factor * smallest, 0.0, clipped)
