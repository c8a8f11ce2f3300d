"""The adversary of CPA: networks that guess the perturbation from z_basal, so that the encoder learns to hide it."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from primeflow_core.models.baselines.condition_parts import ConditionParts
from primeflow_core.models.baselines.layers import MLP


class Adversary(nn.Module):
    """Guesses of z_basal (B, L): each single perturbation there or not, and the value of each covariate.

    A combination has several perturbations and control none, so each perturbation is a guess of its own, at any dose;
    the sum of these binary cross-entropies is about as large as that of a choice of one among them.
    """

    def __init__(self, latent: int, width: int, layers: int, parts: ConditionParts) -> None:
        super().__init__()
        self._parts = parts
        self.perturbations = MLP(latent, width, parts.perturbations, layers)
        self.covariates = nn.ModuleList(MLP(latent, width, values, layers) for values in parts.covariates)

    def cross_entropy(self, z: Tensor, condition: Tensor) -> Tensor:
        """(B,) in nats, summed over perturbations and covariates, of z_basal (B, L) and conditions (B, C)."""
        return self._entropy(self._guesses(z), condition)

    def penalised(self, z: Tensor, condition: Tensor, weight: float, penalty: float) -> Tensor:
        """(B,) ``weight`` times the cross-entropy + ``penalty`` times the mean square of the guesses' slopes.

        A slope is that of the summed guesses of one network at z_basal (B, L), which is held fixed; its square is
        averaged over L and summed over networks (PerturBench). Without the penalty the guesses become steep, and tell
        the encoder nothing of where to go (zero-centred penalty; Mescheder et al. 2018).
        """
        z = z.detach().requires_grad_()
        guesses = self._guesses(z)
        slopes = [torch.autograd.grad(guess.sum(), z, create_graph=True)[0] for guess in guesses]
        steepness = torch.stack([slope.square().mean(dim=1) for slope in slopes]).sum(dim=0)
        return weight * self._entropy(guesses, condition) + penalty * steepness

    def _guesses(self, z: Tensor) -> list[Tensor]:
        """Logits of the perturbations (B, P), then of each covariate (B, values)."""
        return [net(z).float() for net in (self.perturbations, *self.covariates)]

    def _entropy(self, guesses: Sequence[Tensor], condition: Tensor) -> Tensor:
        strengths, one_hots = self._parts.split(condition)
        of_perturbations, *of_covariates = guesses
        there = (strengths > 0).float()
        entropy = F.binary_cross_entropy_with_logits(of_perturbations, there, reduction="none").sum(dim=1)
        for guess, one_hot in zip(of_covariates, one_hots, strict=True):
            entropy = entropy + F.cross_entropy(guess, one_hot.argmax(dim=1), reduction="none")
        return entropy
