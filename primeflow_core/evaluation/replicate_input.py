"""The input of a metric's bootstrap replicates: one condition whose cells are drawn B times, with replacement.

Shared results, such as the distances behind MMD and energy distance, are computed once, at first use.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from primeflow_core.evaluation.bootstrap import Resampled, mean_between, mean_within
from primeflow_core.evaluation.distances import centre, cloud
from primeflow_core.evaluation.genes import TopGenes, t_of_profiles
from primeflow_core.evaluation.parallel import single_threaded_blas
from primeflow_core.evaluation.principal_components import Components
from primeflow_core.evaluation.profiles import Profile, log_fold_change


@dataclass(frozen=True)
class ResampledDistances:
    """MMD and unbiased energy distance of each replicate, (B,)."""

    mmd: np.ndarray
    energy: np.ndarray


@dataclass(frozen=True)
class ReplicateInput:
    """Predicted, measured and control cells of one condition, each drawn again B times."""

    predicted: Resampled
    measured: Resampled
    controls: Resampled
    fitted: Components
    top: TopGenes

    @cached_property
    def gene_distances(self) -> ResampledDistances:
        """Over all genes."""
        return _distances(self.predicted, self.measured)

    @cached_property
    def component_distances(self) -> ResampledDistances:
        """Over the principal components."""
        sides = (self.predicted, self.measured)
        return _distances(*(Resampled(self.fitted.project(each.cells), each.times) for each in sides))

    @cached_property
    def means(self) -> tuple[np.ndarray, np.ndarray]:
        """Predicted and measured, each (B, G)."""
        (predicted, _), (measured, _) = self._profiles
        return predicted, measured

    @cached_property
    def log_fold_changes(self) -> tuple[np.ndarray, np.ndarray]:
        """Predicted and measured, each (B, G)."""
        predicted, measured = (log_fold_change(mean, self._control.mean) for mean in self.means)
        return predicted, measured

    @cached_property
    def top_genes(self) -> tuple[np.ndarray, np.ndarray]:
        """Masks of the genes that change most, predicted and measured, each (B, G)."""
        sides = zip((self.predicted, self.measured), self._profiles, strict=True)
        predicted, measured = (
            self.top.among(t_of_profiles(mean, variance, len(side.cells), self._control))
            for side, (mean, variance) in sides
        )
        return predicted, measured

    @cached_property
    def _profiles(self) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
        return self.predicted.profiles(), self.measured.profiles()

    @cached_property
    def _control(self) -> Profile:
        return Profile(*self.controls.profiles(), len(self.controls.cells))


def _distances(x: Resampled, y: Resampled) -> ResampledDistances:
    with single_threaded_blas():
        origin = centre(y.cells)
        one, other = cloud(x.cells, origin), cloud(y.cells, origin)
        between = mean_between(one, other, x.times, y.times)
        within = [mean_within(cells, times) for cells, times in ((one, x.times), (other, y.times))]
    with_diagonal = [mean * (1 - 1 / len(cells)) for mean, cells in zip(within, (one, other), strict=True)]
    return ResampledDistances(between - sum(with_diagonal) / 2, 2 * between - sum(within))
