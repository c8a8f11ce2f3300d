"""The adversary of CPA: networks that guess from z_basal what the cell met, so that the encoder learns to hide it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from primeflow_core.baselines.condition_parts import ConditionParts
from primeflow_core.baselines.layers import MLP


class Adversary(nn.Module):
    """Guesses of z_basal (B, L): each single perturbation there or not, and the value of each covariate.

    A combination has several perturbations and control none, so each perturbation is a guess of its own, whatever its
    dose; the sum of these binary cross-entropies is about as large as that of a choice of one among them.
    """

    def __init__(self, latent: int, width: int, layers: int, parts: ConditionParts) -> None:
        super().__init__()
        self._parts = parts
        self.perturbations = MLP(latent, width, parts.perturbations, layers)
        self.covariates = nn.ModuleList(MLP(latent, width, values, layers) for values in parts.covariates)

    def cross_entropy(self, z: Tensor, condition: Tensor) -> Tensor:
        """(B,) in nats, summed over perturbations and covariates, of z_basal (B, L) and conditions (B, C)."""
        strengths, one_hots = self._parts.split(condition)
        there = (strengths > 0).float()
        guessed = self.perturbations(z).float()
        entropy = F.binary_cross_entropy_with_logits(guessed, there, reduction="none").sum(dim=1)
        for net, one_hot in zip(self.covariates, one_hots, strict=True):
            entropy = entropy + F.cross_entropy(net(z).float(), one_hot.argmax(dim=1), reduction="none")
        return entropy

    def penalised(self, z: Tensor, condition: Tensor, penalty: float) -> Tensor:
        """(B,) cross-entropy + ``penalty`` times the squared norm of its gradient at z_basal, which is held fixed.

        Without the penalty the guesses become steep, and tell the encoder nothing of where to go (zero-centred
        penalty; Mescheder et al. 2018).
        """
        z = z.detach().requires_grad_()
        entropy = self.cross_entropy(z, condition)
        (slope,) = torch.autograd.grad(entropy.sum(), z, create_graph=True)
        return entropy + penalty * slope.square().sum(dim=1)
