"""The velocity field v(x_t, t, condition) of the paper's ablations: a multilayer perceptron (Appendix E).

Expression, time and condition each have an encoder; what they make of a cell stands side by side before the decoder,
as in the flows of single cells by Klein et al. (2025, CellFlow).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from primeflow_core.errors import SettingError
from primeflow_core.models.flow.embedding import sinusoids, time_frequencies
from primeflow_core.models.flow.field_config import FieldConfig
from primeflow_core.models.kinds.kind import ModelParts
from primeflow_core.models.kinds.ranges import Real, Whole
from primeflow_core.models.kinds.search_space import WIDE, Searched, SearchSpace, both

TIME_FEATURES = 256


@dataclass(frozen=True)
class MLPConfig(FieldConfig):
    """Width, dropout and number of layers, as in the paper's table: hidden, drop, expr / cond / time / decode."""

    hidden: int = 3072
    dropout: float = 0.0
    expression_layers: int = 1
    condition_layers: int = 1
    time_layers: int = 3
    decode_layers: int = 2

    def __post_init__(self) -> None:
        for name in ("hidden", "expression_layers", "condition_layers", "time_layers", "decode_layers"):
            if getattr(self, name) < 1:
                raise SettingError(f"{name} is {getattr(self, name)}; it must be 1 or more.")
        if not 0 <= self.dropout < 1:
            raise SettingError(f"dropout is {self.dropout}; it must be at least 0 and below 1.")

    def build(self, outputs: int, condition_channels: int) -> "MLPField":
        """The field with fresh weights."""
        return MLPField(self, outputs, condition_channels)


def _hidden(inputs: int, layers: int, config: MLPConfig) -> nn.Sequential:
    """Linear, SiLU and dropout, ``layers`` times."""
    widths = [inputs] + [config.hidden] * layers
    parts = [
        part
        for before in widths[:-1]
        for part in (nn.Linear(before, config.hidden), nn.SiLU(), nn.Dropout(config.dropout))
    ]
    return nn.Sequential(*parts)


class MLPField(nn.Module):
    """v(x_t, t, condition) for D genes or components and C condition channels.

    The null condition is a learned vector in place of the encoded one.
    """

    frequencies: Tensor

    def __init__(self, config: MLPConfig, outputs: int, condition_channels: int) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("frequencies", time_frequencies(TIME_FEATURES), persistent=False)
        self.expression = _hidden(outputs, config.expression_layers, config)
        self.condition = _hidden(condition_channels, config.condition_layers, config)
        self.time = _hidden(TIME_FEATURES, config.time_layers, config)
        self.null = nn.Parameter(torch.randn(config.hidden) / config.hidden**0.5)
        self.decode = _hidden(3 * config.hidden, config.decode_layers, config)
        self.velocity = nn.Linear(config.hidden, outputs)

    def forward(self, x_t: Tensor, t: Tensor, condition: Tensor, null: Tensor) -> Tensor:
        """Velocity (B, D); arguments as those of ``UNetField``: t, condition and null may be one row for all cells."""
        asked = torch.where(null.unsqueeze(-1), self.null, self.condition(condition))  # (B or 1, hidden)
        parts = (self.expression(x_t), asked, self.time(sinusoids(t, self.frequencies)))
        h = torch.cat([part.expand(len(x_t), -1) for part in parts], dim=-1)  # (B, 3 hidden)
        found: Tensor = self.velocity(self.decode(h))
        return found


PERCEPTRON = ModelParts(
    MLPConfig,
    search=SearchSpace(
        {
            "hidden": Searched(Whole(128, 1024, step=128), Whole(1024, 4096, step=256)),
            "dropout": both(Real(0.0, 0.5, step=0.1)),
            "expression_layers": Searched(Whole(1, 3), Whole(1, 5)),
            "condition_layers": Searched(Whole(1, 3), Whole(1, 5)),
            "time_layers": Searched(Whole(1, 3), Whole(1, 5)),
            "decode_layers": Searched(Whole(1, 3), Whole(1, 5)),
        },
        extent="hidden",
        large=WIDE,
    ),
)
