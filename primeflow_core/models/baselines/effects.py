"""The effect of each perturbation on a cell's latent state in SAMS-VAE (Bereket and Karaletsos 2023)."""

from abc import abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from primeflow_core.models.baselines.layers import MLP
from primeflow_core.models.baselines.posterior import Posterior, PosteriorNet, standard_normal

FIRST_LOGIT = -1.0
"""The initial value of the masks, as in PerturBench: 27 % are on."""


@dataclass(frozen=True)
class EffectDraw:
    """One draw for each of n: ``shift`` (n, L), and its ``divergence`` (n,) from the prior, summed over L."""

    shift: Tensor
    divergence: Tensor


class Effects(nn.Module):
    """The effects of single perturbations, by their number t. Training and prediction draw them in the same way.

    ``random``: how many random numbers R a draw takes.
    """

    random: int

    @abstractmethod
    def chance(self, draws: int, generator: torch.Generator) -> Tensor:
        """(draws, R): what is random in so many draws, on the generator's device."""

    @abstractmethod
    def drawn(self, t: Tensor, chance: Tensor) -> EffectDraw:
        """One independent draw for each of t (n,), from its row of ``chance`` (n, R)."""


class SparseEffects(Effects):
    """m_t * e_t: the mask m_t ~ Bernoulli of learnt logits, the effect e_t ~ N(., .) by a network of (m_t, one-hot t).

    Their priors are Bernoulli(``prior``) and N(0, I).
    """

    def __init__(
        self, perturbations: int, width: int, latent: int, layers: int, prior: float, temperature: float
    ) -> None:
        super().__init__()
        self.random = 2 * latent
        self._prior, self._temperature = prior, temperature
        self.logits = nn.Parameter(torch.full((perturbations, latent), FIRST_LOGIT))
        self.net = PosteriorNet(latent + perturbations, width, latent, layers)

    @property
    def mask(self) -> Tensor:
        """(P, L) the probability that the perturbation moves the latent factor."""
        return self.logits.sigmoid()

    def chance(self, draws: int, generator: torch.Generator) -> Tensor:
        """(draws, 2 L): uniform numbers for the masks, then normal ones for the effects."""
        latent = self.logits.shape[1]
        uniform = torch.rand(draws, latent, generator=generator, device=generator.device)
        return torch.cat([uniform, standard_normal(draws, latent, generator)], dim=1)

    def drawn(self, t: Tensor, chance: Tensor) -> EffectDraw:
        uniform, noise = chance.chunk(2, dim=1)
        logits = self.logits[t]
        mask = straight_through(logits, self._temperature, uniform)
        effect = self._effect(mask, t)
        divergence = bernoulli_divergence(logits, self._prior).sum(dim=1) + effect.divergence()
        return EffectDraw(mask * effect.sample(noise), divergence)

    def _effect(self, mask: Tensor, t: Tensor) -> Posterior:
        found: Posterior = self.net(torch.cat([mask, F.one_hot(t, len(self.logits)).float()], dim=1))
        return found


class DenseEffects(Effects):
    """e_t by a network of the one-hot t: the mask is 1 everywhere, and nothing is random."""

    def __init__(self, perturbations: int, width: int, latent: int, layers: int) -> None:
        super().__init__()
        self.random = 0
        self._perturbations = perturbations
        self.net = MLP(perturbations, width, latent, layers)

    def chance(self, draws: int, generator: torch.Generator) -> Tensor:
        return torch.empty(draws, 0, device=generator.device)

    def drawn(self, t: Tensor, chance: Tensor) -> EffectDraw:
        shift = self.net(F.one_hot(t, self._perturbations).float()).float()
        return EffectDraw(shift, shift.new_zeros(len(t)))


def straight_through(logits: Tensor, temperature: float, uniform: Tensor) -> Tensor:
    """0 or 1 of Bernoulli(sigmoid(logits)), with the gradient of its relaxation (Jang et al. 2017, two categories).

    ``uniform``: numbers in [0, 1) in the shape of ``logits``.
    """
    uniform = uniform.clamp(1e-6, 1 - 1e-6)
    relaxed = ((logits + uniform.logit()) / temperature).sigmoid()
    return (relaxed > 0.5).float() + relaxed - relaxed.detach()


def bernoulli_divergence(logits: Tensor, prior: float) -> Tensor:
    """Kullback-Leibler divergence of Bernoulli(sigmoid(logits)) from Bernoulli(prior), in nats; the shape of logits."""
    on, off = F.logsigmoid(logits), F.logsigmoid(-logits)
    against = torch.tensor([prior, 1 - prior], device=logits.device).log()
    return on.exp() * (on - against[0]) + off.exp() * (off - against[1])
