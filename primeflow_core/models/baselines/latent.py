"""Latent Additive: perturbations add up in a latent space of cells (PerturBench, spec "The baselines").

softplus(decoder(encoder(x_control) + perturbations' network)), learnt by squared error from random pairs of a perturbed
cell and a control cell of the same context.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from primeflow_core.data.conditions import Vocabulary
from primeflow_core.models.baselines.architecture import Architecture
from primeflow_core.models.baselines.from_controls import PairedWithControls
from primeflow_core.models.baselines.layers import MLP
from primeflow_core.models.baselines.limits import at_least, dropout_within
from primeflow_core.models.kinds.kind import ModelParts, RecipeRow
from primeflow_core.models.kinds.search_space import DROPOUT, LATENT, LAYERS, WIDE, WIDTH, YES_OR_NO, SearchSpace
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


def _best(data: str, config: LatentConfig, training: Mapping[str, Any], rate: float, decay: float) -> RecipeRow:
    numbers = {**training, "learning_rate": rate, "weight_decay": decay}
    return RecipeRow(f"latent-{data.lower()}", best("Latent Additive", data), {"latent": config}, numbers, large=True)


LATENT_ADDITIVE = ModelParts(
    LatentConfig,
    (
        RecipeRow("latent", f"Latent Additive, {ON_A_CPU}", {"latent": LatentConfig()}, CPU),
        _best(NORMAN, LatentConfig(4352, 512, 1, 0.1), PERTURBENCH, 9.26e-5, 2.18e-8),
        _best(
            SRIVATSAN,
            LatentConfig(5376, 192, 2, 0.3, encode_covariates=True, decode_covariates=True),
            PERTURBENCH, 3.41e-5, 6.1e-11,
        ),
        _best(
            JIANG_DATA,
            LatentConfig(2304, 64, 4, 0.3, encode_covariates=True, decode_covariates=True),
            JIANG, 5.65e-5, 5.8e-10,
        ),
    ),
    SearchSpace(
        {
            "width": WIDTH, "latent": LATENT, "layers": LAYERS, "dropout": DROPOUT,
            "encode_covariates": YES_OR_NO, "decode_covariates": YES_OR_NO,
        },
        extent="width", large=WIDE,
    ),
)  # fmt: skip
