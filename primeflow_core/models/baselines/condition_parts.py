"""An encoded condition taken apart: perturbations in multi-hot, and one one-hot for each covariate."""

from torch import Tensor

from primeflow_core.data.conditions import Vocabulary


class ConditionParts:
    """Sizes of the parts: ``perturbations`` P, ``covariates`` the number of values of each covariate."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.perturbations = len(vocabulary.perturbations)
        self.covariates = tuple(len(values) for _, values in vocabulary.covariates)

    def split(self, condition: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Conditions (B, C) to strengths (B, P), all 0 for control, and a (B, values) of each covariate."""
        strengths, *one_hots = condition.split((self.perturbations, *self.covariates), dim=1)
        return strengths, tuple(one_hots)
