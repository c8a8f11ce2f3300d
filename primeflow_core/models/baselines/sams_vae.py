"""SAMS-VAE, a variational autoencoder with sparse additive mechanism shifts (Bereket and Karaletsos 2023).

    z_p = sum over perturbations t of strength_t m_t e_t,   z = z_basal + z_p,   x = softplus(decoder(z))

with masks m_t, effects e_t and z_basal of a posterior each, z_basal from an encoder that sees the cell and z_p; in the
form of PerturBench, with squared error.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
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
from primeflow_core.models.kinds.kind import ModelParts, RecipeRow
from primeflow_core.models.kinds.ranges import Real
from primeflow_core.models.kinds.search_space import DROPOUT, LATENT, LAYERS, WIDE, WIDTH, YES_OR_NO, SearchSpace, both
from primeflow_core.models.kinds.training_settings import (
    JIANG_DATA,
    NORMAN,
    SRIVATSAN,
    VARIATIONAL_CPU,
    best,
    variational,
)
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
        """The number of perturbations, summed over the cells."""
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


BEST = {
    NORMAN: (
        SamsVaeConfig(
            width=3584, latent=128, encoder_layers=1, effect_layers=3, decoder_layers=2, dropout=0.4, mask_prior=0.114
        ),
        variational(3.03e-5, 4.2e-9, 256),
    ),
    SRIVATSAN: (
        SamsVaeConfig(
            width=1536, latent=64, encoder_layers=4, effect_layers=2, decoder_layers=1, dropout=0.3, mask_prior=0.0115
        ),
        variational(4.0e-4, 1.75e-6, 256),
    ),
    JIANG_DATA: (
        SamsVaeConfig(
            width=3328, latent=64, encoder_layers=3, effect_layers=5, decoder_layers=3, dropout=0.5, mask_prior=0.207,
            covariates=True, basal="prior",
        ),
        variational(7.6e-6, 1.6e-8, 256, 400),
    ),
}  # fmt: skip
DENSE = SamsVaeConfig(latent=32, sparse=False, basal="prior", decoder_layers=3)
BEST_DENSE = {
    NORMAN: (
        replace(DENSE, width=2048, encoder_layers=1, effect_layers=1, dropout=0.3),
        variational(1.60e-5, 6.6e-5, 256),
    ),
    SRIVATSAN: (
        replace(DENSE, width=2560, encoder_layers=4, effect_layers=2, dropout=0.4, covariates=True),
        variational(3.42e-4, 6.9e-8, 256),
    ),
    JIANG_DATA: (
        replace(DENSE, width=1536, encoder_layers=5, effect_layers=2, dropout=0.6, covariates=True),
        variational(3.89e-4, 1.0e-6, 256, 400),
    ),
}
SPARSE_SHIFTS = ModelParts(
    SamsVaeConfig,
    (
        RecipeRow(
            "sams-vae",
            "SAMS-VAE, small; for a CPU and a few thousand cells",
            {"sams_vae": SamsVaeConfig()},
            VARIATIONAL_CPU,
        ),
        RecipeRow(
            "sams-vae-s",
            "SAMS-VAE (S), small: no mask, nothing random in effects, cells from the prior",
            {"sams_vae": SamsVaeConfig(sparse=False, basal="prior", covariates=True)},
            # Nothing holds its effects near 0: learnt faster, those of unseen pairs go astray.
            {**VARIATIONAL_CPU, "learning_rate": 1e-3},
        ),
        *(
            RecipeRow(f"sams-vae-{data.lower()}", best("SAMS-VAE", data), {"sams_vae": row}, how, large=True)
            for data, (row, how) in BEST.items()
        ),
        *(
            RecipeRow(f"sams-vae-s-{data.lower()}", best("SAMS-VAE (S)", data), {"sams_vae": row}, how, large=True)
            for data, (row, how) in BEST_DENSE.items()
        ),
    ),
    SearchSpace(
        {
            "width": WIDTH, "latent": LATENT, "encoder_layers": LAYERS, "effect_layers": LAYERS,
            "decoder_layers": LAYERS, "dropout": DROPOUT, "covariates": YES_OR_NO,
            "mask_prior": both(Real(1e-4, 0.99, log=True), unless=("sparse", False)),
        },
        extent="width", large=WIDE,
    ),
)  # fmt: skip
