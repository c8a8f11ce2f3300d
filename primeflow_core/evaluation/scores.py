"""Scores each prediction of a covariate group against each measured condition of the group.

The diagonal of each matrix holds the conditions' own scores; ranks and the value of a wrong condition come from the
rest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from primeflow_core.evaluation.defaults import PCS, TOP_GENES
from primeflow_core.evaluation.genes import TopGenes
from primeflow_core.evaluation.metric import Metric
from primeflow_core.evaluation.metrics.registry import all_metrics
from primeflow_core.evaluation.pair import ConditionCells, Pair
from primeflow_core.evaluation.principal_components import Components, components
from primeflow_core.evaluation.profiles import profile
from primeflow_core.evaluation.score_input import ConditionSet, ScoreInput, condition_set


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
        predicted = condition_set([condition.predicted for condition in conditions], fitted)
        measured = condition_set([condition.measured for condition in conditions], fitted)
        control = profile(pair.controls[group].dense())
        matrices = matrices_of(ScoreInput(predicted, measured, control, top))
        groups.append(GroupScores(group, conditions, predicted, measured, matrices))
    return ScoredPair(pair, fitted, top, tuple(groups))


def matrices_of(given: ScoreInput, metrics: Iterable[Metric] | None = None) -> dict[str, np.ndarray]:
    """The score matrix (P, Q) of each of ``metrics``; of all metrics if None."""
    return {metric.name: metric.score(given) for metric in (all_metrics() if metrics is None else metrics)}
