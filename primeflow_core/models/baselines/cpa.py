"""CPA, the compositional perturbation autoencoder (Lotfollahi et al. 2023), in the form of PerturBench.

    z = z_basal + pertnet(perturbations) + sum over covariates of covnet(covariate),   x = decoder(z)

A variational encoder gives z_basal of a cell; an adversary sees to it that z_basal tells neither perturbation nor
covariates. Cells of a condition are control cells, encoded, with the condition added.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from primeflow_core.data.conditions import Vocabulary
from primeflow_core.models.baselines.adversary import Adversary
from primeflow_core.models.baselines.architecture import Architecture
from primeflow_core.models.baselines.condition_parts import ConditionParts
from primeflow_core.models.baselines.from_controls import FromControls
from primeflow_core.models.baselines.layers import MLP
from primeflow_core.models.baselines.limits import at_least, dropout_within
from primeflow_core.models.baselines.posterior import Posterior, PosteriorNet, squared_error, standard_normal
from primeflow_core.models.kinds.kind import ModelParts, RecipeRow
from primeflow_core.models.kinds.ranges import OptionRange, Real, Whole
from primeflow_core.models.kinds.search_space import (
    DROPOUT,
    LATENT,
    LAYERS,
    WEIGHT,
    WIDE,
    WIDTH,
    Searched,
    SearchSpace,
    both,
)
from primeflow_core.models.kinds.training_settings import (
    JIANG_DATA,
    NORMAN,
    SRIVATSAN,
    VARIATIONAL_CPU,
    best,
    variational,
)
from primeflow_core.models.predictor import Batch, Learning


@dataclass(frozen=True)
class CPAConfig(Architecture):
    """Numbers of CPA; the decoder has as many layers as the encoder. ``adversary`` off: CPA (noAdv).

    ``warmup_epochs``: so long the autoencoder learns alone. After them one step of ``adversary_steps`` is its own, with
    ``adversary_weight`` times the adversary's cross-entropy to its credit, and the others are the adversary's, with as
    much of it to its debit and ``penalty`` times the squares of its slopes.
    """

    width: int = 256
    latent: int = 32
    encoder_layers: int = 1
    perturbation_layers: int = 1
    covariate_layers: int = 1
    dropout: float = 0.1
    kl_weight: float = 1.0
    adversary: bool = True
    adversary_width: int = 128
    adversary_layers: int = 1
    adversary_steps: int = 2
    adversary_weight: float = 1.0
    penalty: float = 1.0
    warmup_epochs: int = 5

    def __post_init__(self) -> None:
        at_least(self, 1, ("width", "latent", "adversary_width"))
        at_least(self, 2, ("adversary_steps",))
        layers = ("encoder_layers", "perturbation_layers", "covariate_layers", "adversary_layers")
        at_least(self, 0, (*layers, "kl_weight", "adversary_weight", "penalty", "warmup_epochs"))
        dropout_within(self)

    def build(self, genes: Sequence[str], vocabulary: Vocabulary) -> "CPA":
        return CPA(genes, vocabulary, self)


class CPA(FromControls):
    """Learns from all cells, controls among them."""

    def __init__(self, genes: Sequence[str], vocabulary: Vocabulary, config: CPAConfig) -> None:
        super().__init__(genes, vocabulary)
        self.config, self._parts = config, ConditionParts(vocabulary)
        width, latent, layers, dropout = config.width, config.latent, config.encoder_layers, config.dropout
        self.encoder = PosteriorNet(len(self.genes), width, latent, layers, dropout)
        self.perturbations = MLP(self._parts.perturbations, width, latent, config.perturbation_layers, dropout)
        self.covariates = nn.ModuleList(
            MLP(values, width, latent, config.covariate_layers, dropout) for values in self._parts.covariates
        )
        self.decoder = MLP(latent, width, len(self.genes), layers, dropout)
        self.adversary = (
            Adversary(latent, config.adversary_width, config.adversary_layers, self._parts)
            if config.adversary
            else None
        )

    def learning(self, step: int, epoch: float) -> Learning:
        """The autoencoder alone in the warm-up, then it and the adversary in turns."""
        adversary = self.adversary
        if adversary is None:
            return super().learning(step, epoch)
        others = tuple(weight for name, weight in self.named_parameters() if not name.startswith("adversary."))
        if epoch < self.config.warmup_epochs:
            return Learning(others, self.loss)
        if step % self.config.adversary_steps == 0:
            return Learning(others, lambda batch, generator: self._hidden_from(adversary, batch, generator))
        return Learning(
            tuple(adversary.parameters()), lambda batch, generator: self._guessed_by(adversary, batch, generator)
        )

    def idle(self, epochs: float) -> str:
        warmup = self.config.warmup_epochs
        if self.adversary is None or epochs > warmup:
            return ""
        return f"the adversary, whose warm-up (warmup_epochs) takes {warmup}"

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """(B,) squared error summed over genes + kl_weight times the divergence of z_basal.

        The adversary has no part in it: validation would otherwise choose weights by how poor the adversary was.
        """
        posterior: Posterior = self.encoder(batch.x_1)
        return self._loss_of(posterior, self._sampled(posterior, generator), batch)

    def _hidden_from(self, adversary: Adversary, batch: Batch, generator: torch.Generator) -> Tensor:
        """(B,) the loss less what the adversary fails to guess."""
        posterior: Posterior = self.encoder(batch.x_1)
        z_basal = self._sampled(posterior, generator)
        missed = adversary.cross_entropy(z_basal, batch.condition)
        return self._loss_of(posterior, z_basal, batch) - self.config.adversary_weight * missed

    def _guessed_by(self, adversary: Adversary, batch: Batch, generator: torch.Generator) -> Tensor:
        """(B,) the adversary's own loss."""
        with torch.no_grad():
            z_basal = self._sampled(self.encoder(batch.x_1), generator)
        return adversary.penalised(z_basal, batch.condition, self.config.adversary_weight, self.config.penalty)

    def _sampled(self, posterior: Posterior, generator: torch.Generator) -> Tensor:
        return posterior.sample(standard_normal(len(posterior.mean), self.config.latent, generator))

    def _loss_of(self, posterior: Posterior, z_basal: Tensor, batch: Batch) -> Tensor:
        error = squared_error(self._decoded(z_basal, batch.condition), batch.x_1)
        return error + self.config.kl_weight * posterior.divergence()

    def _decoded(self, z_basal: Tensor, condition: Tensor) -> Tensor:
        """(B, G) means from z_basal (B, L) and conditions (B, C)."""
        strengths, one_hots = self._parts.split(condition)
        z = z_basal + self.perturbations(strengths)
        for net, one_hot in zip(self.covariates, one_hots, strict=True):
            z = z + net(one_hot)
        means: Tensor = self.decoder(z)
        return means

    def drawn(self, condition: Tensor, cells: int, generator: torch.Generator) -> Tensor:
        """(cells, G + L): control cells, each followed by the noise of its z_basal."""
        control = super().drawn(condition, cells, generator)
        return torch.cat([control, standard_normal(cells, self.config.latent, generator)], dim=1)

    def made(self, drawn: Tensor, condition: Tensor) -> Tensor:
        control, noise = drawn.split((len(self.genes), self.config.latent), dim=1)
        posterior: Posterior = self.encoder(control)
        return self._decoded(posterior.sample(noise), condition)


BEST = {
    NORMAN: (
        CPAConfig(
            width=3328, latent=128, encoder_layers=1, perturbation_layers=2, covariate_layers=1, adversary_width=776,
            adversary_layers=2, adversary_steps=2, adversary_weight=3.805, kl_weight=19.76, penalty=1.898, dropout=0.2,
            warmup_epochs=15,
        ),
        variational(6.84e-5, 1.66e-7),
    ),
    SRIVATSAN: (
        CPAConfig(
            width=1280, latent=512, encoder_layers=3, perturbation_layers=2, covariate_layers=1, adversary_width=383,
            adversary_layers=2, adversary_steps=3, adversary_weight=0.210, kl_weight=0.264, penalty=10.21, dropout=0.1,
            warmup_epochs=5,
        ),
        variational(2.69e-4, 2.99e-6),
    ),
    JIANG_DATA: (
        CPAConfig(
            width=3328, latent=512, encoder_layers=7, perturbation_layers=2, covariate_layers=1, adversary_width=537,
            adversary_layers=1, adversary_steps=7, adversary_weight=1.487, kl_weight=6.905, penalty=2.815, dropout=0.3,
            warmup_epochs=5,
        ),
        variational(2.63e-5, 3.69e-7, 2000, 400),
    ),
}  # fmt: skip
# Without a warm-up: its epochs would be all of the 2,000 steps where the cells are many.
SMALL = CPAConfig(kl_weight=0.3, adversary_weight=3.0, warmup_epochs=0)
STEADY = 100.0
"""Penalty of the small adversary: of 1, 10, 100 and 1,000 the best by energy distance of K562's validation pairs."""
NO_ADVERSARY = ("adversary", False)
COMPOSITIONAL = ModelParts(
    CPAConfig,
    (
        RecipeRow(
            "cpa",
            "CPA, small; for a CPU and a few thousand cells",
            {"cpa": replace(SMALL, penalty=STEADY)},
            VARIATIONAL_CPU,
        ),
        RecipeRow(
            "cpa-noadv",
            "CPA (noAdv), small: cpa without the adversary",
            {"cpa": replace(SMALL, adversary=False)},
            VARIATIONAL_CPU,
        ),
        *(
            RecipeRow(f"cpa-{data.lower()}", best("CPA", data), {"cpa": row}, how, large=True)
            for data, (row, how) in BEST.items()
        ),
        *(
            RecipeRow(
                f"cpa-noadv-{data.lower()}",
                best("CPA (noAdv)", data),
                {"cpa": replace(row, adversary=False)},
                how,
                large=True,
            )
            for data, (row, how) in BEST.items()
        ),
    ),
    SearchSpace(
        {
            "width": WIDTH, "latent": LATENT, "encoder_layers": LAYERS, "perturbation_layers": both(Whole(1, 4)),
            "covariate_layers": both(Whole(1, 3)), "dropout": DROPOUT, "kl_weight": WEIGHT,
            "adversary_width": Searched(Whole(32, 512, log=True), Whole(128, 1024, log=True), unless=NO_ADVERSARY),
            "adversary_layers": both(Whole(1, 4), unless=NO_ADVERSARY),
            "adversary_steps": both(OptionRange((2, 3, 5, 7, 10, 20, 30)), unless=NO_ADVERSARY),
            "adversary_weight": both(Real(0.1, 20.0, log=True), unless=NO_ADVERSARY),
            "penalty": both(Real(0.1, 1e3, log=True), unless=NO_ADVERSARY),
            "warmup_epochs": both(Whole(0, 20, step=5), unless=NO_ADVERSARY),
        },
        extent="width", large=WIDE,
    ),
)  # fmt: skip
