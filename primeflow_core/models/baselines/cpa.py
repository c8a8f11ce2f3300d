"""CPA, the compositional perturbation autoencoder (Lotfollahi et al. 2023), in the form of PerturBench.

    z = z_basal + pertnet(perturbations) + sum over covariates of covnet(covariate),   x = decoder(z)

A variational encoder gives z_basal of a cell; an adversary sees to it that z_basal tells neither perturbation nor
covariates. Cells of a condition are control cells, encoded, with the condition added.
"""

from collections.abc import Sequence
from dataclasses import dataclass

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
        """(cells, G + L): control cells, and beside each the noise of its z_basal."""
        control = super().drawn(condition, cells, generator)
        return torch.cat([control, standard_normal(cells, self.config.latent, generator)], dim=1)

    def made(self, drawn: Tensor, condition: Tensor) -> Tensor:
        control, noise = drawn.split((len(self.genes), self.config.latent), dim=1)
        posterior: Posterior = self.encoder(control)
        return self._decoded(posterior.sample(noise), condition)
