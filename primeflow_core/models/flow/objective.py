"""The flow-matching loss with condition dropout (paper, section 3; classifier-free guidance)."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from primeflow_core.errors import SettingError
from primeflow_core.models.flow.coupling import COUPLINGS, INDEPENDENT, LEAST_ENTROPY, Transport
from primeflow_core.models.flow.path import PATHS, between, widened
from primeflow_core.models.space import GENES, SPACES

Field = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]

GAUSSIAN, CONTROL = "gaussian", "control"
SOURCES = (GAUSSIAN, CONTROL)


@dataclass(frozen=True)
class FlowConfig:
    """The training objective of the field: path, its width sigma, and how often the condition is dropped.

    ``factors``: 0 where the network is the whole field (the paper); else the network corrects the velocity of a
    Gaussian with so many factors, see velocity/gaussian.py. ``interplay``: whether its mean has perturbations that
    scale each other, as measured pairs show it, or that add up.

    The paper's ablations: ``space`` of the flow, ``genes`` or so many principal ``components``; its ``source``,
    ``gaussian`` noise or ``control`` cells of the context; and the ``coupling`` of source and cells, ``independent`` or
    ``optimal-transport`` with ``tau`` and ``entropy``, see coupling.py.
    """

    path: str = "linear"
    sigma: float = 0.0
    prob_unconditional: float = 0.2
    factors: int = 0
    interplay: bool = False
    space: str = GENES
    components: int = 100
    source: str = GAUSSIAN
    coupling: str = INDEPENDENT
    tau: float = 1.0
    entropy: float = 0.05

    def __post_init__(self) -> None:
        if self.sigma < 0 or not 0 <= self.prob_unconditional < 1:
            raise SettingError("sigma must be 0 or more and prob_unconditional at least 0 and below 1.")
        if self.factors < 0:
            raise SettingError(f"factors is {self.factors}; it must be 0 or more.")
        if self.components < 1:
            raise SettingError(f"components is {self.components}; it must be 1 or more.")
        if not 0 < self.tau <= 1 or self.entropy < LEAST_ENTROPY:
            raise SettingError(f"tau must be above 0 and at most 1, and entropy {LEAST_ENTROPY} or more.")
        _check_names(self)
        if self.factors and (self.space, self.source, self.coupling) != (GENES, GAUSSIAN, INDEPENDENT):
            raise SettingError(
                f"The Gaussian part (factors={self.factors}) is of genes that start from independent noise. Set "
                f"factors=0, or space={GENES}, source={GAUSSIAN} and coupling={INDEPENDENT}."
            )


def _check_names(config: FlowConfig) -> None:
    known: dict[str, Collection[str]] = {
        "path": PATHS, "space": SPACES, "source": SOURCES, "coupling": COUPLINGS
    }  # fmt: skip
    for setting, names in known.items():
        if (name := getattr(config, setting)) not in names:
            raise SettingError(f"{setting} is {name!r}; it must be one of {', '.join(names)}.")


def flow_matching_loss(
    field: Field,
    x_1: Tensor,
    condition: Tensor,
    config: FlowConfig,
    generator: torch.Generator,
    control: Tensor | None = None,
) -> Tensor:
    """Squared error of the velocity, mean over the D dimensions: (B,) for cells x_1 (B, D) and conditions (B, C).

    x_0 is ``control`` (B, D), one cell for each, or noise N(0, I). Draws it, the coupling, t ~ U(0, 1) and the dropped
    conditions from ``generator``.
    """
    device = x_1.device
    x_0 = torch.randn(x_1.shape, generator=generator, device=device) if control is None else control
    pairs = COUPLINGS[config.coupling](x_0, x_1, condition, Transport(config.entropy, config.tau), generator)
    t = torch.rand(len(x_1), generator=generator, device=device)
    null = torch.rand(len(x_1), generator=generator, device=device) < config.prob_unconditional
    sample = widened(between(config.path, x_0[pairs.source], x_1[pairs.cell], t), config.sigma, generator)
    error = field(sample.x_t, t, condition, null).float() - sample.dx_t
    return error.square().mean(dim=-1)
