"""The input of a metric: predicted and measured conditions, and results that several metrics share.

Shared results, such as the distances behind MMD and energy distance, are computed once, at first use.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from primeflow_core.evaluation.distances import CellSet, Distances, InMemory, pairwise_distances
from primeflow_core.evaluation.genes import TopGenes, t_of_profiles
from primeflow_core.evaluation.principal_components import Components
from primeflow_core.evaluation.profiles import Profile, log_fold_change, profile


@dataclass(frozen=True)
class ConditionSet:
    """P conditions as predicted, or as measured: cells, their principal components, and profiles (P, G)."""

    cells: Sequence[CellSet]
    projected: Sequence[InMemory]
    means: np.ndarray
    variances: np.ndarray
    counts: np.ndarray

    def log_fold_changes(self, control: Profile) -> np.ndarray:
        """(P, G)."""
        return log_fold_change(self.means, control.mean)

    def top_genes(self, control: Profile, top: TopGenes) -> np.ndarray:
        """Mask (P, G)."""
        return top.among(t_of_profiles(self.means, self.variances, self.counts[:, None], control))


def condition_set(sets: Sequence[CellSet], fitted: Components) -> ConditionSet:
    """Make each of P sets of cells dense once, and keep what is small."""
    profiles, projected = [], []
    for cells in sets:
        dense = cells.dense()
        profiles.append(profile(dense))
        projected.append(InMemory(fitted.project(dense)))
    return ConditionSet(
        sets,
        projected,
        np.stack([one.mean for one in profiles]),
        np.stack([one.variance for one in profiles]),
        np.array([one.cells for one in profiles]),
    )


@dataclass(frozen=True)
class ScoreInput:
    """P predicted and Q measured conditions; effects are measured from ``control``, and ``top`` finds the genes that
    change most.

    ``predicted_control``: where effects of the predicted side are measured from, if it comes from another experiment.
    """

    predicted: ConditionSet
    measured: ConditionSet
    control: Profile
    top: TopGenes
    predicted_control: Profile | None = None

    @cached_property
    def gene_distances(self) -> Distances:
        """Between cells, over all genes; (P, Q)."""
        return pairwise_distances(self.predicted.cells, self.measured.cells)

    @cached_property
    def component_distances(self) -> Distances:
        """Between cells, over the principal components; (P, Q)."""
        return pairwise_distances(self.predicted.projected, self.measured.projected)

    @cached_property
    def log_fold_changes(self) -> tuple[np.ndarray, np.ndarray]:
        """Predicted (P, G) and measured (Q, G)."""
        return self.predicted.log_fold_changes(self._predicted_from), self.measured.log_fold_changes(self.control)

    @cached_property
    def top_genes(self) -> tuple[np.ndarray, np.ndarray]:
        """Masks of the genes that change most, predicted (P, G) and measured (Q, G)."""
        predicted = self.predicted.top_genes(self._predicted_from, self.top)
        return predicted, self.measured.top_genes(self.control, self.top)

    @property
    def _predicted_from(self) -> Profile:
        return self.predicted_control or self.control
