"""Decoder-Only: a profile for each condition, without looking at any cell (PerturBench, spec "The baselines").

softplus(MLP([perturbations, covariates])), learnt by squared error from all cells, so it aims at their mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from primeflow_core.data.conditions import Vocabulary
from primeflow_core.models.baselines.architecture import Architecture
from primeflow_core.models.baselines.direct import DirectPredictor
from primeflow_core.models.baselines.layers import MLP
from primeflow_core.models.baselines.limits import at_least, dropout_within
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
