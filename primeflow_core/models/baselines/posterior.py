"""Normal posteriors of variational autoencoders, by a network (Kingma and Welling 2014)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from primeflow_core.models.baselines.layers import MLP

NARROWEST = 1e-4
"""Least standard deviation: at 0 the divergence would be infinite."""


@dataclass(frozen=True)
class Posterior:
    """Independent normals: ``mean`` and standard ``deviation``, each (B, L)."""

    mean: Tensor
    deviation: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """(B, L) from standard normal ``noise`` (B, L), with gradients to mean and deviation."""
        return self.mean + self.deviation * noise

    def divergence(self) -> Tensor:
        """(B,) Kullback-Leibler divergence from N(0, I), in nats, summed over L."""
        return 0.5 * (self.mean**2 + self.deviation**2 - 1 - 2 * self.deviation.log()).sum(dim=-1)


class PosteriorNet(nn.Module):
    """(B, inputs) to a Posterior of ``latent`` numbers."""

    def __init__(self, inputs: int, width: int, latent: int, layers: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.net = MLP(inputs, width, 2 * latent, layers, dropout)

    def forward(self, h: Tensor) -> Posterior:
        # In float32 also where products are in bfloat16: the divergence takes logarithms.
        mean, spread = self.net(h).float().chunk(2, dim=-1)
        return Posterior(mean, F.softplus(spread) + NARROWEST)


def standard_normal(cells: int, latent: int, generator: torch.Generator) -> Tensor:
    """(cells, latent) on the generator's device."""
    return torch.randn(cells, latent, generator=generator, device=generator.device)


def squared_error(made: Tensor, x_1: Tensor) -> Tensor:
    """(B,) squared error of cells (B, G), summed over genes."""
    return (made.float() - x_1).square().sum(dim=-1)
