"""Every prediction of a covariate group scored against every measured condition of the group.

The diagonal of each matrix holds the conditions' own scores; ranks and the value of a wrong condition come from the
rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from primeflow_core.evaluation.defaults import PCS, TOP_GENES
from primeflow_core.evaluation.distances import CellSet, InMemory, pairwise_distances
from primeflow_core.evaluation.genes import TopGenes, recalls, t_of_profiles
from primeflow_core.evaluation.pair import ConditionCells, Pair
from primeflow_core.evaluation.principal_components import Components, components
from primeflow_core.evaluation.profiles import Profile, cosines, log_fold_change, profile, rmses

LARGER_IS_BETTER = {
    "cosine_logfc": True,
    "rmse_mean": False,
    "mmd_gex": False,
    "mmd_pca": False,
    "deg_recall": True,
    "energy_distance": False,
}


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


def side(sets: Sequence[CellSet], fitted: Components) -> ConditionSet:
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


def distance_scores(predicted: ConditionSet, measured: ConditionSet) -> dict[str, np.ndarray]:
    """mmd_gex, mmd_pca and energy_distance, each (P, Q)."""
    genes = pairwise_distances(predicted.cells, measured.cells)
    projected = pairwise_distances(predicted.projected, measured.projected)
    return {"mmd_gex": genes.mmd, "mmd_pca": projected.mmd, "energy_distance": genes.energy}


def effect_scores(
    predicted: ConditionSet,
    measured: ConditionSet,
    control: Profile,
    top: TopGenes,
    predicted_control: Profile | None = None,
) -> dict[str, np.ndarray]:
    """cosine_logfc, rmse_mean and deg_recall, each (P, Q); effects are measured from ``control``.

    Those of the predicted side from ``predicted_control``, where it comes from another experiment.
    """
    from_control = predicted_control or control
    return {
        "cosine_logfc": cosines(predicted.log_fold_changes(from_control), measured.log_fold_changes(control)),
        "rmse_mean": rmses(predicted.means, measured.means),
        "deg_recall": recalls(predicted.top_genes(from_control, top), measured.top_genes(control, top)),
    }


@dataclass(frozen=True)
class GroupScores:
    """The scored conditions of one covariate group; of each metric the matrix (prediction i, reference j)."""

    group: tuple[str, ...]
    conditions: Sequence[ConditionCells]
    predicted: ConditionSet
    measured: ConditionSet
    matrices: dict[str, np.ndarray]


@dataclass(frozen=True)
class ScoredPair:
    """A pair with the scores of all its groups."""

    pair: Pair
    components: Components
    top: TopGenes
    groups: tuple[GroupScores, ...]


def score(pair: Pair, *, pcs: int = PCS, top_genes: int = TOP_GENES) -> ScoredPair:
    """Score every prediction against every measured condition of its group.

    Raises SettingError for fewer than one principal component or top gene.
    """
    fitted, top = components(pair.reference, pcs), TopGenes(pair.genes, top_genes)
    groups = []
    for group, conditions in pair.by_group().items():
        predicted = side([condition.predicted for condition in conditions], fitted)
        measured = side([condition.measured for condition in conditions], fitted)
        control = profile(pair.controls[group].dense())
        matrices = effect_scores(predicted, measured, control, top) | distance_scores(predicted, measured)
        groups.append(GroupScores(group, conditions, predicted, measured, matrices))
    return ScoredPair(pair, fitted, top, tuple(groups))
