"""Interpolation paths from source x_0 (t = 0) to a cell x_1 (t = 1), and their velocity (paper, section 3).

A path is x_t = a(t) x_0 + b(t) x_1, its velocity a'(t) x_0 + b'(t) x_1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor


@dataclass(frozen=True)
class PathSample:
    """A point on the path and the target of the field there: x_t and dx_t/dt, both (B, G)."""

    x_t: Tensor
    dx_t: Tensor


@dataclass(frozen=True)
class Weights:
    """The weights of source and cell in x_t, and their derivatives by t; each with the shape of t."""

    source: Tensor
    cell: Tensor
    source_rate: Tensor
    cell_rate: Tensor


Path = Callable[[Tensor], Weights]


def linear(t: Tensor) -> Weights:
    """x_t = (1 - t) x_0 + t x_1; dx_t/dt = x_1 - x_0."""
    return Weights(1 - t, t, -torch.ones_like(t), torch.ones_like(t))


def trigonometric(t: Tensor) -> Weights:
    """x_t = cos(pi t / 2) x_0 + sin(pi t / 2) x_1; dx_t/dt = pi / 2 (cos(.) x_1 - sin(.) x_0)."""
    angle = math.pi / 2 * t
    cos, sin = torch.cos(angle), torch.sin(angle)
    return Weights(cos, sin, -math.pi / 2 * sin, math.pi / 2 * cos)


PATHS: MappingProxyType[str, Path] = MappingProxyType({"linear": linear, "trigonometric": trigonometric})


def between(path: str, x_0: Tensor, x_1: Tensor, t: Tensor) -> PathSample:
    """The point of the named path from x_0 to x_1, both (B, G), at t (B,)."""
    at = PATHS[path](t.unsqueeze(-1))
    return PathSample(at.source * x_0 + at.cell * x_1, at.source_rate * x_0 + at.cell_rate * x_1)


def widened(sample: PathSample, sigma: float, generator: torch.Generator | None) -> PathSample:
    """Add Gaussian noise of standard deviation ``sigma`` to x_t; the target stays (conditional flow matching)."""
    if sigma == 0:
        return sample
    noise = torch.randn(sample.x_t.shape, generator=generator, device=sample.x_t.device)
    return PathSample(sample.x_t + sigma * noise, sample.dx_t)
