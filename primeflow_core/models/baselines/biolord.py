"""Biolord, which keeps known attributes of a cell apart from the rest of it (Piran et al. 2024), as in PerturBench.

    x = softplus(decoder(encoder(cell) + noise, pertnet(perturbations), an embedding of each covariate))

Cells of a condition are control cells, encoded, with the condition beside them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from primeflow_core.data.conditions import Vocabulary
from primeflow_core.models.baselines.architecture import Architecture
from primeflow_core.models.baselines.condition_parts import ConditionParts
from primeflow_core.models.baselines.from_controls import FromControls
from primeflow_core.models.baselines.layers import MLP
from primeflow_core.models.baselines.limits import at_least, dropout_within
from primeflow_core.models.baselines.posterior import squared_error, standard_normal
from primeflow_core.models.kinds.kind import ModelParts, RecipeRow
from primeflow_core.models.kinds.ranges import Real
from primeflow_core.models.kinds.search_space import DROPOUT, LATENT, LAYERS, WIDE, WIDTH, Searched, SearchSpace
from primeflow_core.models.kinds.training_settings import NORMAN, SRIVATSAN, VARIATIONAL_CPU, best, variational
from primeflow_core.models.predictor import Batch


@dataclass(frozen=True)
class BiolordConfig(Architecture):
    """Numbers of Biolord; every network has ``layers``, every embedding ``latent`` numbers.

    ``noise``: standard deviation of what is added to an encoded cell while it learns, so that the encoder cannot carry
    the condition. ``penalty_weight`` of the squared norm of a cell's covariate embeddings.
    """

    width: int = 256
    latent: int = 32
    layers: int = 1
    dropout: float = 0.1
    noise: float = 0.1
    penalty_weight: float = 1.0

    def __post_init__(self) -> None:
        at_least(self, 1, ("width", "latent"))
        at_least(self, 0, ("layers", "noise", "penalty_weight"))
        dropout_within(self)

    def build(self, genes: Sequence[str], vocabulary: Vocabulary) -> "Biolord":
        return Biolord(genes, vocabulary, self)


class Biolord(FromControls):
    """Learns from all cells, controls among them."""

    def __init__(self, genes: Sequence[str], vocabulary: Vocabulary, config: BiolordConfig) -> None:
        super().__init__(genes, vocabulary)
        self.config, self._parts = config, ConditionParts(vocabulary)
        width, latent, layers, dropout = config.width, config.latent, config.layers, config.dropout
        self.encoder = MLP(len(self.genes), width, latent, layers, dropout)
        self.perturbations = MLP(self._parts.perturbations, width, latent, layers, dropout)
        self.covariates = nn.ModuleList(nn.Linear(values, latent, bias=False) for values in self._parts.covariates)
        self.decoder = MLP((2 + len(self.covariates)) * latent, width, len(self.genes), layers, dropout)

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """(B,) squared error summed over genes + penalty_weight times the squared norm of the covariate embeddings."""
        known = self._embedded(batch.condition)
        noise = self.config.noise * standard_normal(len(batch.x_1), self.config.latent, generator)
        error = squared_error(self._decoded(self.encoder(batch.x_1) + noise, batch.condition, known), batch.x_1)
        norm = sum((embedding.float().square().sum(dim=1) for embedding in known), start=torch.zeros_like(error))
        return error + self.config.penalty_weight * norm

    def _embedded(self, condition: Tensor) -> list[Tensor]:
        """A (B, L) of each covariate."""
        one_hots = self._parts.split(condition)[1]
        return [net(one_hot) for net, one_hot in zip(self.covariates, one_hots, strict=True)]

    def _decoded(self, encoded: Tensor, condition: Tensor, known: Sequence[Tensor]) -> Tensor:
        moved = self.perturbations(self._parts.split(condition)[0])
        return F.softplus(self.decoder(torch.cat([encoded, moved, *known], dim=1)))

    def made(self, drawn: Tensor, condition: Tensor) -> Tensor:
        """The noise is only for training. It is omitted here, like dropout."""
        return self._decoded(self.encoder(drawn), condition, self._embedded(condition))


BATCH = 1000
# PerturBench sums the penalty over the batch, where it has the mean of the errors.
BEST = BiolordConfig(width=2304, latent=512, layers=1, dropout=0.4, penalty_weight=2621.3 * BATCH)
BIOLORD = ModelParts(
    BiolordConfig,
    (
        RecipeRow(
            "biolord",
            "Biolord, small; for a CPU and a few thousand cells",
            {"biolord": BiolordConfig()},
            VARIATIONAL_CPU,
        ),
        *(
            RecipeRow(
                f"biolord-{data.lower()}",
                best("Biolord", data),
                {"biolord": BEST},
                variational(1.67e-4, 4.6e-4, BATCH),
                large=True,
            )
            for data in (NORMAN, SRIVATSAN)
        ),
    ),
    SearchSpace(
        {
            "width": WIDTH, "latent": LATENT, "layers": LAYERS, "dropout": DROPOUT,
            "penalty_weight": Searched(Real(0.1, 1e4, log=True), Real(1e4, 1e8, log=True)),
        },
        extent="width", large=WIDE,
    ),
)  # fmt: skip
