"""Numbers to features: sinusoids of expression and time, gene identity, the condition (paper, section 3)."""

import itertools
import math

import torch
from torch import Tensor, nn

LONGEST_WAVE = 32.0
SHORTEST_WAVE = 0.25
TIME_SCALE = 1000.0
TIME_PERIOD = 10_000.0


def mlp(sizes: list[int]) -> nn.Sequential:
    """Linear layers of the given sizes with SiLU between them."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Linear(before, after), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


def value_frequencies(features: int) -> Tensor:
    """(features // 2,) angular frequencies with waves from 32 down to 0.25 units of log expression."""
    waves = torch.logspace(math.log10(LONGEST_WAVE), math.log10(SHORTEST_WAVE), features // 2, dtype=torch.float64)
    return (2 * math.pi / waves).float()


def time_frequencies(features: int) -> Tensor:
    """(features // 2,) angular frequencies of guided diffusion for t in [0, 1] scaled by 1,000."""
    exponents = torch.arange(features // 2, dtype=torch.float64) / (features // 2)
    return (TIME_SCALE * torch.exp(-math.log(TIME_PERIOD) * exponents)).float()


def sinusoids(values: Tensor, frequencies: Tensor) -> Tensor:
    """(...,) values to (..., 2 F): cosines, then sines."""
    angles = values.unsqueeze(-1) * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class GeneTokens(nn.Module):
    """Each gene's value through sinusoids and a small MLP, joined with a learnable gene embedding.

    ``join`` "add": one sum of d features; "concat": d / 2 features of the value and d / 2 of the gene.
    """

    frequencies: Tensor

    def __init__(self, genes: int, features: int, layers: int, join: str) -> None:
        super().__init__()
        width = features if join == "add" else features // 2
        self.join = join
        self.register_buffer("frequencies", value_frequencies(width), persistent=False)
        self.value = mlp([width] * (layers + 1))
        self.gene = nn.Parameter(torch.randn(genes, width) / math.sqrt(width))

    def forward(self, x_t: Tensor) -> Tensor:
        value = self.value(sinusoids(x_t, self.frequencies))  # (B, G, width)
        gene = self.gene.expand_as(value)
        return value + gene if self.join == "add" else torch.cat([value, gene], dim=-1)  # (B, G, d)


class Modulation(nn.Module):
    """Time plus condition, one vector a cell, that scales and shifts every residual block.

    The null condition is a learned vector of its own, so it differs from control cells even where the
    data have no covariate.
    """

    frequencies: Tensor

    def __init__(self, condition_channels: int, channels: int, features: int, layers: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", time_frequencies(channels), persistent=False)
        self.time = mlp([channels] + [features] * layers)
        self.condition = mlp([condition_channels] + [features] * layers)
        self.null = nn.Parameter(torch.randn(features) / math.sqrt(features))

    def forward(self, t: Tensor, condition: Tensor, null: Tensor) -> Tensor:
        """t (B,), condition (B, C), null (B,) bool -> (B, features)."""
        conditional = torch.where(null.unsqueeze(-1), self.null, self.condition(condition))
        return self.time(sinusoids(t, self.frequencies)) + conditional
