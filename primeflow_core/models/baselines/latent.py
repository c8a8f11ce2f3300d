"""Latent Additive: perturbations add up in a latent space of cells (PerturBench, spec "The baselines").

softplus(decoder(encoder(x_control) + perturbations' network)), learnt by squared error from random pairs of a perturbed
cell and a control cell of the same context.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from primeflow_core.data.conditions import Vocabulary
from primeflow_core.models.baselines.architecture import Architecture
from primeflow_core.models.baselines.from_controls import PairedWithControls
from primeflow_core.models.baselines.layers import MLP
from primeflow_core.models.baselines.limits import at_least, dropout_within


@dataclass(frozen=True)
class LatentConfig(Architecture):
    """Width, blocks and dropout of all three networks; whether covariates enter the encoder and the decoder too."""

    width: int = 256
    latent: int = 64
    layers: int = 1
    dropout: float = 0.1
    encode_covariates: bool = False
    decode_covariates: bool = False

    def __post_init__(self) -> None:
        at_least(self, 1, ("width", "latent"))
        at_least(self, 0, ("layers",))
        dropout_within(self)

    def build(self, genes: Sequence[str], vocabulary: Vocabulary) -> "LatentAdditive":
        return LatentAdditive(genes, vocabulary, self)


class LatentAdditive(PairedWithControls):
    """A condition moves all cells of its context by the same way in the latent space."""

    def __init__(self, genes: Sequence[str], vocabulary: Vocabulary, config: LatentConfig) -> None:
        super().__init__(genes, vocabulary)
        self.config = config
        self._parts = len(vocabulary.perturbations)
        cells, covariates = len(self.genes), vocabulary.size - self._parts
        encoded, decoded = (use * covariates for use in (config.encode_covariates, config.decode_covariates))
        self.encoder = MLP(cells + encoded, config.width, config.latent, config.layers, config.dropout)
        self.perturbations = MLP(self._parts, config.width, config.latent, config.layers, config.dropout)
        self.decoder = MLP(config.latent + decoded, config.width, cells, config.layers, config.dropout)

    def made(self, drawn: Tensor, condition: Tensor) -> Tensor:
        perturbations, covariates = condition[:, : self._parts], condition[:, self._parts :]
        z = self.encoder(_beside(drawn, covariates, self.config.encode_covariates)) + self.perturbations(perturbations)
        return softplus(self.decoder(_beside(z, covariates, self.config.decode_covariates)))


def _beside(h: Tensor, covariates: Tensor, use: bool) -> Tensor:
    return torch.cat([h, covariates], dim=1) if use else h
