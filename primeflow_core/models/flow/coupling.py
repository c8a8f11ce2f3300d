"""Couplings: which source x_0 is paired with which cell x_1 in a batch (paper, section 3; Tong et al. 2024).

Optimal transport pairs them within each condition of the batch. Its plan P (n, m) is the least, over P >= 0, of

    <P, C> + eps KL(P | a b^T) + rho KL(P 1 | a) + rho KL(P^T 1 | b),    rho = eps tau / (1 - tau),

with squared distances C and uniform a, b (unbalanced entropic transport, Chizat et al. 2018). ``tau`` is tau_a = tau_b
of the paper in the parametrisation of OTT (Cuturi et al. 2022), where 1 keeps all of the mass, rho being infinite, and
less leaves outliers out.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

INDEPENDENT, OPTIMAL_TRANSPORT = "independent", "optimal-transport"
LEAST_ENTROPY = 0.01
"""Below, even usual costs would be capped."""
FARTHEST = 300.0
"""Costs are capped at so many entropies: exp(-cost / entropy) must not be 0 for all pairs of an outlier."""
ITERATIONS, TOLERANCE = 1000, 1e-6


@dataclass(frozen=True)
class Pairs:
    """Rows of x_0 and of x_1 that belong together, (B,) each; conditions keep their rows."""

    source: Tensor
    cell: Tensor


@dataclass(frozen=True)
class Transport:
    """``entropy``: eps as a share of the mean cost; ``tau`` in (0, 1]."""

    entropy: float
    tau: float

    @property
    def relaxation(self) -> float:
        """rho, in the unit of ``entropy``."""
        return math.inf if self.tau == 1 else self.entropy * self.tau / (1 - self.tau)


Coupling = Callable[[Tensor, Tensor, Tensor, Transport, torch.Generator], Pairs]


def independent(x_0: Tensor, x_1: Tensor, condition: Tensor, transport: Transport, generator: torch.Generator) -> Pairs:
    """Pairs each cell with the source in the same row."""
    rows = torch.arange(len(x_1), device=x_1.device)
    return Pairs(rows, rows)


def optimal(x_0: Tensor, x_1: Tensor, condition: Tensor, transport: Transport, generator: torch.Generator) -> Pairs:
    """Draws as many pairs as cells (B, D) of each of ``condition`` (B, C) from its plan, with replacement."""
    source = torch.empty(len(x_1), dtype=torch.int64, device=x_1.device)
    cell = torch.empty_like(source)
    distinct, group = torch.unique(condition, dim=0, return_inverse=True)
    for number in range(len(distinct)):
        rows = torch.nonzero(group == number).squeeze(-1)
        drawn = _drawn(plan(x_0[rows], x_1[rows], transport), len(rows), generator)
        source[rows], cell[rows] = rows[drawn.source], rows[drawn.cell]
    return Pairs(source, cell)


@torch.no_grad()
def plan(x_0: Tensor, x_1: Tensor, transport: Transport) -> Tensor:
    """(n, m) float64 mass between x_0 (n, D) and x_1 (m, D), both of uniform mass that sums to 1."""
    # It imports scikit-learn and much else, which takes seconds. Its stabilised variant is left alone: with an infinite
    # rho it keeps marginals wrongly once it rescales.
    from ot.unbalanced import sinkhorn_unbalanced

    x_0, x_1 = x_0.double(), x_1.double()
    cost = torch.cdist(x_0, x_1).square()
    cost = (cost / cost.mean().clamp_min(torch.finfo(cost.dtype).tiny)).clamp_max(FARTHEST * transport.entropy)
    masses = [cost.new_full((count,), 1 / count) for count in cost.shape]
    given: list[Any] = [*masses, cost]
    if cost.device.type == "cpu":
        # They share memory with the tensors, and each of many small operations costs less than half.
        given = [tensor.numpy() for tensor in given]
    found = sinkhorn_unbalanced(
        *given, transport.entropy, transport.relaxation, numItermax=ITERATIONS, stopThr=TOLERANCE, warn=False
    )
    return torch.as_tensor(found)


def _drawn(mass: Tensor, pairs: int, generator: torch.Generator) -> Pairs:
    up_to = mass.flatten().cumsum(0)
    at = torch.rand(pairs, generator=generator, device=mass.device, dtype=mass.dtype) * up_to[-1]
    # From the right: at 0 exactly, and where rounding reaches the end, it is still a pair that has mass.
    number = torch.searchsorted(up_to, at, right=True).clamp_max(int(torch.nonzero(mass.flatten())[-1]))
    return Pairs(number // mass.shape[1], number % mass.shape[1])


COUPLINGS: MappingProxyType[str, Coupling] = MappingProxyType({INDEPENDENT: independent, OPTIMAL_TRANSPORT: optimal})
