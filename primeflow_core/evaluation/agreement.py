"""Says how far to trust one prediction: each metric between its floor and its ceiling.

Floor: control cells that the reference does not use, offered as the prediction. Ceiling: one half of the measured cells
scored against the other half. A figure is only readable between the two. The value of the prediction of another
condition, and an interval over cells, are computed too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from primeflow_core.evaluation.bootstrap import interval, mean_replicates, resampled
from primeflow_core.evaluation.bounded import Bounded
from primeflow_core.evaluation.defaults import FEWEST, TOP_GENES
from primeflow_core.evaluation.distances import CellSet, InMemory
from primeflow_core.evaluation.genes import TopGenes
from primeflow_core.evaluation.mean_row import with_mean
from primeflow_core.evaluation.measured_condition import MeasuredCondition, halved_controls
from primeflow_core.evaluation.metric import Compares, Metric
from primeflow_core.evaluation.metrics.registry import all_metrics, metric_named
from primeflow_core.evaluation.pair import MOST_PREDICTED
from primeflow_core.evaluation.principal_components import Components
from primeflow_core.evaluation.profiles import Profile, profile
from primeflow_core.evaluation.replicate_input import ReplicateInput
from primeflow_core.evaluation.score_input import ScoreInput, condition_set
from primeflow_core.evaluation.scores import GroupScores, ScoredPair, matrices_of

HALVINGS = 5


def agreement(
    predicted: np.ndarray, measured: MeasuredCondition, *, top: int = TOP_GENES, seed: int = 0
) -> dict[str, Bounded]:
    """Predicted cells (n, G) against the measured ones by every metric, each bounded.

    The floor needs 4 floor controls, the ceiling 8 measured cells: 4 in each half.
    """
    judge = _judge(measured, top)
    value = judge.of_prediction(InMemory(predicted), InMemory(measured.cells))
    floor = judge.floor(measured.floor_controls, InMemory(measured.cells))
    ceiling = judge.ceiling(measured.cells, seed)
    return {
        name: Bounded(value[name], floor.get(name), ceiling.get(name), metric_named(name).larger_is_better)
        for name in value
    }


def values(predicted: np.ndarray, measured: MeasuredCondition, *, top: int = TOP_GENES) -> dict[str, float]:
    """The values of ``agreement`` alone, for one more prediction of the condition."""
    return _judge(measured, top).of_prediction(InMemory(predicted), InMemory(measured.cells))


def _judge(measured: MeasuredCondition, top: int) -> "_ConditionScorer":
    others = measured.predicted_controls
    return _ConditionScorer(
        profile(measured.controls),
        measured.components,
        TopGenes(measured.genes, top),
        None if others is None else profile(others),
    )


def bounds(
    scored: ScoredPair,
    floor_controls: Mapping[tuple[str, ...], np.ndarray] | None = None,
    *,
    seed: int = 0,
    resamples: int = 0,
) -> pd.DataFrame:
    """Value, floor and ceiling of every scored condition: columns condition, covariates, and of each metric
    ``name``, ``name_floor``, ``name_ceiling``, ``name_wrong``; last the row ``mean``.

    ``floor_controls``: of each covariate group cells that the reference does not hold; as of any prediction, the
    first 1,000 are used. Without them the reference's controls, if they are 8 at least, are halved for the floor, and
    the values then use the other half only. ``wrong``: the mean score of the predictions of the group's other
    conditions. With ``resamples`` also ``name_low`` and ``name_high``, the 95 % interval over as many bootstrap samples
    of cells.
    """
    rows: list[dict[str, object]] = []
    replicates: list[dict[str, np.ndarray]] = []
    for group in scored.groups:
        controls = scored.pair.controls[group.group].dense()
        if floor_controls is not None:
            kept, floor = controls, floor_controls.get(group.group, controls[:0])
        elif len(controls) >= 2 * FEWEST:
            kept, floor = halved_controls(controls, seed)
        else:
            kept, floor = controls, controls[:0]
        judge = _ConditionScorer(profile(kept), scored.components, scored.top)
        rows += _bounded_rows(group, judge, floor[:MOST_PREDICTED], scored.pair.covariates, seed)
        if resamples:
            replicates += _replicates(group, kept, scored, np.random.default_rng([seed, len(rows)]), resamples)
    table = with_mean(pd.DataFrame(rows), scored.pair.covariates)
    return _with_intervals(table, replicates) if resamples else table


def _bounded_rows(
    group: GroupScores, judge: "_ConditionScorer", floor: np.ndarray, covariates: Sequence[str], seed: int
) -> list[dict[str, object]]:
    rows = []
    matrices = judge.matrices(group)
    for i, condition in enumerate(group.conditions):
        row: dict[str, object] = {"condition": condition.label}
        row |= zip(covariates, condition.group, strict=True)
        measured = condition.measured.dense()
        lowest, highest = judge.floor(floor, InMemory(measured)), judge.ceiling(measured, seed)
        for name, matrix in matrices.items():
            row[name] = matrix[i, i]
            row[f"{name}_floor"], row[f"{name}_ceiling"] = lowest.get(name, np.nan), highest.get(name, np.nan)
            row[f"{name}_wrong"] = _mean(np.delete(matrix[:, i], i))
        rows.append(row)
    return rows


def _replicates(
    group: GroupScores, controls: np.ndarray, scored: ScoredPair, draw: np.random.Generator, count: int
) -> list[dict[str, np.ndarray]]:
    """The bootstrap replicates of each metric, (count,), by condition."""
    found = []
    for condition in group.conditions:
        sets = (condition.predicted.dense(), condition.measured.dense(), controls)
        predicted, measured, control = (resampled(cells, count, draw) for cells in sets)
        given = ReplicateInput(predicted, measured, control, scored.components, scored.top)
        found.append({metric.name: metric.replicates(given) for metric in all_metrics()})
    return found


def _with_intervals(table: pd.DataFrame, replicates: Sequence[Mapping[str, np.ndarray]]) -> pd.DataFrame:
    """``table``, its last row the mean, with ``name_low`` and ``name_high`` of each metric."""
    added: dict[str, list[float]] = {}
    for name in replicates[0]:
        rows = [each[name] for each in replicates] + [mean_replicates(replicates, name)]
        limits = metric_named(name).limits
        ends = [interval(value, drawn, limits) for value, drawn in zip(table[name], rows, strict=True)]
        added |= {f"{name}_low": [low for low, _ in ends], f"{name}_high": [high for _, high in ends]}
    return table.assign(**added)


@dataclass(frozen=True)
class _ConditionScorer:
    """Scores sets of cells against each other as the reference would; effects are measured from ``control``.

    Those of predictions from ``predicted_control``, unless it is None.
    """

    control: Profile
    components: Components
    top: TopGenes
    predicted_control: Profile | None = None

    def matrices(self, group: GroupScores) -> dict[str, np.ndarray]:
        """The group's scores with effects measured from this judge's controls, metrics of profiles first."""
        given = ScoreInput(group.predicted, group.measured, self.control, self.top)
        again = matrices_of(given, [metric for metric in all_metrics() if metric.needs_controls])
        return {metric.name: (group.matrices | again)[metric.name] for metric in _profiles_first()}

    def of_prediction(self, predicted: CellSet, measured: CellSet) -> dict[str, float]:
        return self._scores(predicted, measured, self.predicted_control)

    def _scores(self, one: CellSet, other: CellSet, control_of_one: Profile | None) -> dict[str, float]:
        x, y = condition_set([one], self.components), condition_set([other], self.components)
        matrices = matrices_of(ScoreInput(x, y, self.control, self.top, control_of_one), _profiles_first())
        return {name: float(matrix[0, 0]) for name, matrix in matrices.items()}

    def floor(self, controls: np.ndarray, measured: CellSet) -> dict[str, float]:
        """The scores by metric. Empty for too few controls; a metric without a number is omitted."""
        return _numbers([self.of_prediction(InMemory(controls), measured)]) if len(controls) >= FEWEST else {}

    def ceiling(self, measured: np.ndarray, seed: int) -> dict[str, float]:
        """The mean over random halvings; empty for too few cells."""
        halvings = _halves(measured, seed)
        return _numbers([self._scores(InMemory(one), InMemory(other), None) for one, other in halvings])


def _profiles_first() -> list[Metric]:
    """The order of the columns of ``bounds``."""
    return sorted(all_metrics(), key=lambda metric: metric.compares is Compares.CELLS)


def _numbers(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each metric where it is a number in one of ``scores``."""
    means = {name: _mean(np.array([each[name] for each in scores])) for name in (scores[0] if scores else ())}
    return {name: value for name, value in means.items() if np.isfinite(value)}


def _mean(values: np.ndarray) -> float:
    """The mean of the values that are numbers; NaN if there is none."""
    numbers = values[np.isfinite(values)]
    return float(numbers.mean()) if len(numbers) else float("nan")


def _halves(cells: np.ndarray, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Random halvings, none for too few cells. One direction is enough: every metric here is symmetric."""
    if len(cells) < 2 * FEWEST:
        return []
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(len(cells)) for _ in range(HALVINGS)]
    return [(cells[order[: len(cells) // 2]], cells[order[len(cells) // 2 :]]) for order in orders]
