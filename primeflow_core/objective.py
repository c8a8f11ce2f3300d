"""The flow-matching loss with condition dropout (paper, section 3; classifier-free guidance)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from primeflow_core.errors import SettingError
from primeflow_core.path import PATHS, between, widened

Field = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class FlowConfig:
    """What the field is trained towards: path, its width sigma, and how often the condition is dropped.

    ``factors``: 0 where the network is the whole field (the paper); else the network corrects the velocity of a
    Gaussian with so many factors, see velocity/gaussian.py. ``interplay``: whether its mean has perturbations that
    scale each other, as measured pairs show it, or that add up.
    """

    path: str = "linear"
    sigma: float = 0.0
    prob_unconditional: float = 0.2
    factors: int = 0
    interplay: bool = False

    def __post_init__(self) -> None:
        if self.path not in PATHS:
            raise SettingError(f"path is {self.path!r}; it must be one of {', '.join(PATHS)}.")
        if self.sigma < 0 or not 0 <= self.prob_unconditional < 1:
            raise SettingError("sigma must be 0 or more and prob_unconditional at least 0 and below 1.")
        if self.factors < 0:
            raise SettingError(f"factors is {self.factors}; it must be 0 or more.")


def flow_matching_loss(
    field: Field, x_1: Tensor, condition: Tensor, config: FlowConfig, generator: torch.Generator
) -> Tensor:
    """Squared error of the velocity, mean over genes: (B,) for cells x_1 (B, G) and conditions (B, C).

    Draws x_0 ~ N(0, I), t ~ U(0, 1) and the dropped conditions from ``generator``.
    """
    device = x_1.device
    x_0 = torch.randn(x_1.shape, generator=generator, device=device)
    t = torch.rand(len(x_1), generator=generator, device=device)
    null = torch.rand(len(x_1), generator=generator, device=device) < config.prob_unconditional
    sample = widened(between(config.path, x_0, x_1, t), config.sigma, generator)
    error = field(sample.x_t, t, condition, null).float() - sample.dx_t
    return error.square().mean(dim=-1)
