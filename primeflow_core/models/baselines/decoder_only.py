"""Decoder-Only: a profile for each condition, without looking at any cell (PerturBench, spec "The baselines").

softplus(MLP([perturbations, covariates])), learnt by squared error from all cells, so it aims at their mean.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from primeflow_core.data.conditions import Vocabulary
from primeflow_core.models.baselines.architecture import Architecture
from primeflow_core.models.baselines.direct import DirectPredictor
from primeflow_core.models.baselines.layers import MLP
from primeflow_core.models.baselines.limits import at_least, dropout_within
from primeflow_core.models.kinds.kind import ModelParts, RecipeRow
from primeflow_core.models.kinds.search_space import DROPOUT, LAYERS, WIDE, WIDTH, YES_OR_NO, SearchSpace
from primeflow_core.models.kinds.training_settings import (
    CPU,
    JIANG,
    JIANG_DATA,
    NORMAN,
    ON_A_CPU,
    PERTURBENCH,
    SRIVATSAN,
    best,
)
from primeflow_core.models.predictor import Batch


@dataclass(frozen=True)
class DecoderOnlyConfig(Architecture):
    """``softplus`` False: the network's own values, of which negative ones become 0 in cells."""

    width: int = 512
    layers: int = 2
    dropout: float = 0.0
    softplus: bool = True
    use_covariates: bool = True

    def __post_init__(self) -> None:
        at_least(self, 1, ("width",))
        at_least(self, 0, ("layers",))
        dropout_within(self)

    def build(self, genes: Sequence[str], vocabulary: Vocabulary) -> "DecoderOnly":
        return DecoderOnly(genes, vocabulary, self)


class DecoderOnly(DirectPredictor):
    """All cells of a condition are the same."""

    def __init__(self, genes: Sequence[str], vocabulary: Vocabulary, config: DecoderOnlyConfig) -> None:
        super().__init__(genes, vocabulary)
        self._softplus, self._dropout = config.softplus, config.dropout
        self._inputs = vocabulary.size if config.use_covariates else len(vocabulary.perturbations)
        self.decoder = MLP(self._inputs, config.width, len(self.genes), config.layers, config.dropout)

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """(B,) squared error of each cell, mean over genes."""
        return (self.made(batch.x_1, batch.condition) - batch.x_1).square().mean(dim=1)

    def drawn(self, condition: Tensor, cells: int, generator: torch.Generator) -> Tensor:
        """(cells, 0): there is nothing to start from."""
        return torch.zeros(cells, 0)

    def made(self, drawn: Tensor, condition: Tensor) -> Tensor:
        if self.training and self._dropout:
            return self._profiles(condition)
        # One profile each: cells of a condition whose products round differently would have a variance.
        conditions, of = condition.unique(dim=0, return_inverse=True)
        return self._profiles(conditions)[of]

    def _profiles(self, condition: Tensor) -> Tensor:
        h: Tensor = self.decoder(condition[:, : self._inputs])
        return softplus(h) if self._softplus else h


def _best(data: str, config: DecoderOnlyConfig, training: Mapping[str, Any], rate: float, decay: float) -> RecipeRow:
    numbers = {**training, "learning_rate": rate, "weight_decay": decay}
    rows = {"decoder_only": config}
    return RecipeRow(f"decoder-only-{data.lower()}", best("Decoder-Only", data), rows, numbers, large=True)


DECODER_ONLY = ModelParts(
    DecoderOnlyConfig,
    (
        RecipeRow("decoder-only", f"Decoder-Only, {ON_A_CPU}", {"decoder_only": DecoderOnlyConfig()}, CPU),
        _best(
            NORMAN, DecoderOnlyConfig(3328, 3, softplus=False, use_covariates=False), PERTURBENCH, 1.375e-4, 4.4e-5
        ),
        _best(SRIVATSAN, DecoderOnlyConfig(4352, 5), PERTURBENCH, 6.80e-5, 7.6e-6),
        _best(JIANG_DATA, DecoderOnlyConfig(5376, 3), JIANG, 9.43e-5, 8.5e-8),
    ),
    SearchSpace(
        {
            "width": WIDTH, "layers": LAYERS, "dropout": DROPOUT, "softplus": YES_OR_NO, "use_covariates": YES_OR_NO
        },
        extent="width", large=WIDE,
    ),
)  # fmt: skip
