"""SAMS-VAE, a variational autoencoder with sparse additive mechanism shifts (Bereket and Karaletsos 2023).

    z_p = sum over perturbations t of strength_t m_t e_t,   z = z_basal + z_p,   x = softplus(decoder(z))

with masks m_t, effects e_t and z_basal of a posterior each, z_basal from an encoder that sees the cell and z_p; in the
form of PerturBench, with squared error.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from primeflow_core.data.conditions import Condition, Vocabulary
from primeflow_core.errors import SettingError
from primeflow_core.models.baselines.architecture import Architecture
from primeflow_core.models.baselines.condition_parts import ConditionParts
from primeflow_core.models.baselines.direct import DirectPredictor
from primeflow_core.models.baselines.effects import DenseEffects, Effects, SparseEffects
from primeflow_core.models.baselines.layers import MLP
from primeflow_core.models.baselines.limits import at_least, dropout_within
from primeflow_core.models.baselines.posterior import Posterior, PosteriorNet, squared_error, standard_normal
from primeflow_core.models.control_pool import ControlPool
from primeflow_core.models.predictor import Batch


@dataclass(frozen=True)
class SamsVaeConfig(Architecture):
    """Numbers of SAMS-VAE. ``sparse`` off: masks of 1 and effects without noise, as SAMS-VAE (S) has them.

    ``basal``: what predicted cells start from: ``controls``, encoded, or ``prior``, z_basal ~ N(0, I). ``mask_prior``:
    the share of latent factors that a perturbation is expected to move. ``covariates``: whether encoder and decoder
    see them. ``dropout`` is the decoder's; encoder and effects have none, as in PerturBench.
    """

    width: int = 256
    latent: int = 32
    encoder_layers: int = 1
    effect_layers: int = 1
    decoder_layers: int = 1
    dropout: float = 0.1
    sparse: bool = True
    mask_prior: float = 0.1
    temperature: float = 0.5
    basal: Literal["controls", "prior"] = "controls"
    covariates: bool = False

    def __post_init__(self) -> None:
        at_least(self, 1, ("width", "latent"))
        at_least(self, 0, ("encoder_layers", "effect_layers", "decoder_layers"))
        dropout_within(self)
        if not 0 < self.mask_prior < 1:
            raise SettingError(f"mask_prior is {self.mask_prior}; it must be above 0 and below 1.")
        if self.temperature <= 0:
            raise SettingError(f"temperature is {self.temperature}; it must be above 0.")
        if self.basal not in ("controls", "prior"):
            raise SettingError(f"basal is {self.basal!r}; it must be controls or prior.")

    def build(self, genes: Sequence[str], vocabulary: Vocabulary) -> "SamsVae":
        return SamsVae(genes, vocabulary, self)


class SamsVae(DirectPredictor):
    """Learns from all cells, controls among them."""

    cells_of: Tensor

    def __init__(self, genes: Sequence[str], vocabulary: Vocabulary, config: SamsVaeConfig) -> None:
        super().__init__(genes, vocabulary)
        self.config, self._parts = config, ConditionParts(vocabulary)
        width, latent = config.width, config.latent
        beside = sum(self._parts.covariates) if config.covariates else 0
        self.pool = ControlPool(len(self.genes), vocabulary) if config.basal == "controls" else None
        self.effects = self._effects_of(config)
        self.encoder = PosteriorNet(len(self.genes) + latent + beside, width, latent, config.encoder_layers)
        self.decoder = MLP(latent + beside, width, len(self.genes), config.decoder_layers, config.dropout)
        self.register_buffer("cells_of", torch.ones(self._parts.perturbations))

    def _effects_of(self, config: SamsVaeConfig) -> Effects:
        sizes = (self._parts.perturbations, config.width, config.latent, config.effect_layers)
        if config.sparse:
            return SparseEffects(*sizes, config.mask_prior, config.temperature)
        return DenseEffects(*sizes)

    def fit_statistics(self, chunks: Callable[[], Iterable[Batch]]) -> None:
        super().fit_statistics(chunks)
        if self.pool is not None:
            self.pool.fit(chunks)
        counts = [(self._parts.split(batch.condition)[0] > 0).sum(dim=0) for batch in chunks()]
        self.cells_of.copy_(torch.stack(counts).sum(dim=0).clamp_min(1))

    def distinct_cells(self, condition: Condition, most: int) -> int:
        return most if self.pool is None else self.pool.distinct(self.encoded(condition), most)

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """(B,) squared error summed over genes + divergence of z_basal + a share of those of mask and effect.

        Mask and effect belong to a perturbation, not to a cell. Their divergence counts once in the bound of the whole
        data set, so each of the ``cells_of`` the perturbation bears its share. The draws are the cell's own: the bound
        is the same as with one for all of them, and its gradient is less noisy.
        """
        chance = self.effects.chance(self._draws(batch.condition), generator)
        z_p, divergence = self._moved(batch.condition, chance)
        posterior = self._basal(batch.x_1, z_p, batch.condition)
        z_basal = posterior.sample(standard_normal(len(z_p), self.config.latent, generator))
        error = squared_error(self._decoded(z_basal + z_p, batch.condition), batch.x_1)
        return error + posterior.divergence() + divergence

    def _draws(self, condition: Tensor) -> int:
        """How many perturbations all of the cells have together."""
        return int(self._parts.split(condition)[0].count_nonzero())

    def _moved(self, condition: Tensor, chance: Tensor) -> tuple[Tensor, Tensor]:
        """z_p (B, L), 0 for control, and (B,) the share of the divergence.

        ``chance`` has a row for each perturbation of each cell, cell by cell.
        """
        strengths = self._parts.split(condition)[0]
        cell, t = strengths.nonzero(as_tuple=True)
        drawn = self.effects.drawn(t, chance)
        z_p = strengths.new_zeros(len(condition), self.config.latent)
        z_p = z_p.index_add(0, cell, strengths[cell, t, None] * drawn.shift)
        return z_p, strengths.new_zeros(len(condition)).index_add(0, cell, drawn.divergence / self.cells_of[t])

    def _basal(self, x_1: Tensor, z_p: Tensor, condition: Tensor) -> Posterior:
        posterior: Posterior = self.encoder(torch.cat([x_1, z_p, *self._beside(condition)], dim=1))
        return posterior

    def _decoded(self, z: Tensor, condition: Tensor) -> Tensor:
        return F.softplus(self.decoder(torch.cat([z, *self._beside(condition)], dim=1)))

    def _beside(self, condition: Tensor) -> tuple[Tensor, ...]:
        return self._parts.split(condition)[1] if self.config.covariates else ()

    def drawn(self, condition: Tensor, cells: int, generator: torch.Generator) -> Tensor:
        """(cells, G + L + R): control cells, the noise of z_basal and what is random in the effects; or, from the
        prior, (cells, L + R) with z_basal itself."""
        control = [] if self.pool is None else [self.pool.drawn(condition, cells, generator)]
        noise = standard_normal(cells, self.config.latent, generator)
        draws = self._draws(condition)
        chance = self.effects.chance(cells * draws, generator)
        return torch.cat([*control, noise, chance.view(cells, draws * self.effects.random)], dim=1)

    def made(self, drawn: Tensor, condition: Tensor) -> Tensor:
        genes = 0 if self.pool is None else len(self.genes)
        control, noise, chance = drawn.tensor_split((genes, genes + self.config.latent), dim=1)
        z_p, _ = self._moved(condition, chance.reshape(self._draws(condition), self.effects.random))
        if self.pool is None:
            return self._decoded(noise + z_p, condition)
        # A control cell was not moved by any perturbation.
        posterior = self._basal(control, torch.zeros_like(z_p), condition)
        return self._decoded(posterior.sample(noise) + z_p, condition)
