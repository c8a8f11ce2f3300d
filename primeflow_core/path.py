"""Interpolation paths from source x_0 (t = 0) to a cell x_1 (t = 1), and their velocity (paper, section 3)."""

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


Path = Callable[[Tensor, Tensor, Tensor], PathSample]


def linear(x_0: Tensor, x_1: Tensor, t: Tensor) -> PathSample:
    """x_t = (1 - t) x_0 + t x_1; dx_t/dt = x_1 - x_0. x_0, x_1 (B, G); t (B,)."""
    t = t.unsqueeze(-1)
    return PathSample((1 - t) * x_0 + t * x_1, x_1 - x_0)


def trigonometric(x_0: Tensor, x_1: Tensor, t: Tensor) -> PathSample:
    """x_t = cos(pi t / 2) x_0 + sin(pi t / 2) x_1; dx_t/dt = pi / 2 (cos(.) x_1 - sin(.) x_0)."""
    angle = (math.pi / 2 * t).unsqueeze(-1)
    cos, sin = torch.cos(angle), torch.sin(angle)
    return PathSample(cos * x_0 + sin * x_1, math.pi / 2 * (cos * x_1 - sin * x_0))


PATHS: MappingProxyType[str, Path] = MappingProxyType({"linear": linear, "trigonometric": trigonometric})


def widened(sample: PathSample, sigma: float, generator: torch.Generator | None) -> PathSample:
    """Add Gaussian noise of standard deviation ``sigma`` to x_t; the target stays (conditional flow matching)."""
    if sigma == 0:
        return sample
    noise = torch.randn(sample.x_t.shape, generator=generator, device=sample.x_t.device)
    return PathSample(sample.x_t + sigma * noise, sample.dx_t)
