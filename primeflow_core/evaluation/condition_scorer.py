"""Scores sets of cells of one condition against each other by every metric."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from primeflow_core.evaluation.distances import CellSet
from primeflow_core.evaluation.genes import TopGenes
from primeflow_core.evaluation.metric import Compares, Metric
from primeflow_core.evaluation.metrics.registry import all_metrics
from primeflow_core.evaluation.principal_components import Components
from primeflow_core.evaluation.profiles import Profile
from primeflow_core.evaluation.score_input import ConditionSet, ScoreInput, condition_set
from primeflow_core.evaluation.scores import GroupScores, matrices_of


@dataclass(frozen=True)
class ConditionScorer:
    """Scores as the reference would; effects are measured from ``control``.

    Those of the predicted side from ``predicted_control``, unless it is None.
    """

    control: Profile
    components: Components
    top: TopGenes
    predicted_control: Profile | None = None

    def matrices(self, group: GroupScores) -> dict[str, np.ndarray]:
        """The group's scores with effects measured from this scorer's controls, metrics of profiles first."""
        given = ScoreInput(group.predicted, group.measured, self.control, self.top, self.predicted_control)
        again = matrices_of(given, [metric for metric in all_metrics() if metric.needs_controls])
        return {metric.name: (group.matrices | again)[metric.name] for metric in profiles_first()}

    def of_cells(self, predicted: CellSet, measured: CellSet) -> dict[str, float]:
        return self.of_sets(condition_set([predicted], self.components), condition_set([measured], self.components))

    def of_sets(
        self, predicted: ConditionSet, measured: ConditionSet, metrics: Iterable[Metric] | None = None
    ) -> dict[str, float]:
        """The score by each of ``metrics``, by all if None; each set holds one condition."""
        given = ScoreInput(predicted, measured, self.control, self.top, self.predicted_control)
        asked = profiles_first() if metrics is None else metrics
        return {name: float(matrix[0, 0]) for name, matrix in matrices_of(given, asked).items()}


def profiles_first() -> list[Metric]:
    """The order of the columns of agreement.bounds."""
    return sorted(all_metrics(), key=lambda metric: metric.compares is Compares.CELLS)


def mean_scores(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each metric where it is a number in one of ``scores``; a metric without a number is omitted."""
    means = {name: mean_of_numbers(np.array([each[name] for each in scores])) for name in (scores[0] if scores else ())}
    return {name: value for name, value in means.items() if np.isfinite(value)}


def mean_of_numbers(values: np.ndarray) -> float:
    """The mean of the values that are numbers; NaN if there is none."""
    numbers = values[np.isfinite(values)]
    return float(numbers.mean()) if len(numbers) else float("nan")
