"""What each perturbation adds to a cell's latent state in SAMS-VAE (Bereket and Karaletsos 2023)."""

from abc import abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from primeflow_core.baselines.layers import MLP
from primeflow_core.baselines.posterior import Posterior, PosteriorNet, standard_normal


@dataclass(frozen=True)
class Drawn:
    """One draw for each of n: ``shift`` (n, L), and its ``divergence`` (n,) from the prior, summed over L."""

    shift: Tensor
    divergence: Tensor


class Effects(nn.Module):
    """What single perturbations, by their number t, add."""

    @abstractmethod
    def drawn(self, t: Tensor, generator: torch.Generator) -> Drawn:
        """To learn from: draws of their own for each of t (n,)."""

    @abstractmethod
    def expected(self) -> Tensor:
        """(P, L) to predict with."""


class SparseEffects(Effects):
    """m_t * e_t: the mask m_t ~ Bernoulli of learnt logits, the effect e_t ~ N(., .) by a network of (m_t, one-hot t).

    Their priors are Bernoulli(``prior``) and N(0, I).
    """

    def __init__(
        self, perturbations: int, width: int, latent: int, layers: int, dropout: float, prior: float, temperature: float
    ) -> None:
        super().__init__()
        self._prior, self._temperature = prior, temperature
        self.logits = nn.Parameter(torch.zeros(perturbations, latent))
        self.net = PosteriorNet(latent + perturbations, width, latent, layers, dropout)

    @property
    def mask(self) -> Tensor:
        """(P, L) the probability that the perturbation moves the latent factor."""
        return self.logits.sigmoid()

    def drawn(self, t: Tensor, generator: torch.Generator) -> Drawn:
        logits = self.logits[t]
        mask = straight_through(logits, self._temperature, generator)
        effect = self._effect(mask, t)
        divergence = bernoulli_divergence(logits, self._prior).sum(dim=1) + effect.divergence()
        return Drawn(mask * effect.sample(standard_normal(len(t), logits.shape[1], generator)), divergence)

    def expected(self) -> Tensor:
        """The likelier value of each mask and the mean of its effect."""
        mask = (self.logits > 0).float()
        return mask * self._effect(mask, torch.arange(len(mask), device=mask.device)).mean

    def _effect(self, mask: Tensor, t: Tensor) -> Posterior:
        found: Posterior = self.net(torch.cat([mask, F.one_hot(t, len(self.logits)).float()], dim=1))
        return found


class DenseEffects(Effects):
    """e_t by a network of the one-hot t: the mask is 1 everywhere, and nothing is random."""

    def __init__(self, perturbations: int, width: int, latent: int, layers: int, dropout: float) -> None:
        super().__init__()
        self._perturbations = perturbations
        self.net = MLP(perturbations, width, latent, layers, dropout)

    def drawn(self, t: Tensor, generator: torch.Generator) -> Drawn:
        shift = self._effect(t)
        return Drawn(shift, shift.new_zeros(len(t)))

    def expected(self) -> Tensor:
        return self._effect(torch.arange(self._perturbations, device=next(self.parameters()).device))

    def _effect(self, t: Tensor) -> Tensor:
        found: Tensor = self.net(F.one_hot(t, self._perturbations).float())
        return found.float()


def straight_through(logits: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """0 or 1 of Bernoulli(sigmoid(logits)), with the gradient of its relaxation (Jang et al. 2017, two categories)."""
    uniform = torch.rand(logits.shape, generator=generator, device=logits.device)
    uniform = uniform.clamp(1e-6, 1 - 1e-6)
    relaxed = ((logits + uniform.logit()) / temperature).sigmoid()
    return (relaxed > 0.5).float() + relaxed - relaxed.detach()


def bernoulli_divergence(logits: Tensor, prior: float) -> Tensor:
    """Kullback-Leibler divergence of Bernoulli(sigmoid(logits)) from Bernoulli(prior), in nats; the shape of logits."""
    on, off = F.logsigmoid(logits), F.logsigmoid(-logits)
    against = torch.tensor([prior, 1 - prior], device=logits.device).log()
    return on.exp() * (on - against[0]) + off.exp() * (off - against[1])
