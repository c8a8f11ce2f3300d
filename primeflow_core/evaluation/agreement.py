"""Says how far to trust one prediction: each metric between its floor and its ceiling.

Floor: control cells that the reference does not use, offered as the prediction. Ceiling: one half of the measured cells
scored against the other half. A figure is only readable between the two. The value of the prediction of another
condition, the ends of the calibrated score (yardstick.py) and an interval over cells are computed too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from primeflow_core.evaluation.bootstrap import interval, mean_replicates, resampled
from primeflow_core.evaluation.bounded import Bounded
from primeflow_core.evaluation.calibration import calibrations
from primeflow_core.evaluation.condition_scorer import ConditionScorer, mean_of_numbers, mean_scores
from primeflow_core.evaluation.defaults import FEWEST, TOP_GENES
from primeflow_core.evaluation.distances import InMemory
from primeflow_core.evaluation.genes import TopGenes
from primeflow_core.evaluation.mean_row import with_mean
from primeflow_core.evaluation.measured_condition import MeasuredCondition, halved_controls
from primeflow_core.evaluation.metrics.registry import all_metrics, metric_named
from primeflow_core.evaluation.pair import MOST_PREDICTED
from primeflow_core.evaluation.profiles import Profile, profile
from primeflow_core.evaluation.replicate_input import ReplicateInput
from primeflow_core.evaluation.scores import GroupScores, ScoredPair
from primeflow_core.evaluation.typical_cells import PerturbedTraining
from primeflow_core.evaluation.yardstick import MeasuredCells, Yardstick, yardstick


def agreement(
    predicted: np.ndarray, measured: MeasuredCondition, *, top: int = TOP_GENES, seed: int = 0
) -> dict[str, Bounded]:
    """Predicted cells (n, G) against the measured ones by every metric, each bounded.

    The floor needs 4 floor controls, the ceiling 8 measured cells: 4 in each half. ``wrong`` needs predictions of other
    conditions in ``measured``, ``calibration`` its typical cells.
    """
    scorer, cells, made = _scorer(measured, top), InMemory(measured.cells), InMemory(predicted)
    training = _ample(_training_controls(measured))
    value = scorer.of_cells(made, cells)
    wrong = mean_scores([scorer.of_cells(InMemory(other), cells) for other in measured.wrong])
    found = yardstick(
        MeasuredCells(measured.cells, measured.controls, measured.floor_controls, training, measured.typical),
        scorer,
        seed,
    )
    bounded = {
        name: Bounded(
            value[name], found.floor.get(name), found.ceiling.get(name), metric_named(name).larger_is_better,
            wrong.get(name),
        )
        for name in value
    }  # fmt: skip
    if measured.typical is None:
        return bounded
    disjoint = value if training is None else replace(scorer, predicted_control=training).of_cells(made, cells)
    return _calibrated(bounded, found, disjoint)


def _calibrated(bounded: Mapping[str, Bounded], found: Yardstick, disjoint: Mapping[str, float]) -> dict[str, Bounded]:
    row: dict[str, float] = {}
    for name in bounded:
        row |= {name: bounded[name].value} | found.calibrating_columns(name, disjoint[name])
    calibration = calibrations(pd.DataFrame([row]))
    return {name: replace(one, calibration=calibration.get(name)) for name, one in bounded.items()}


def values(predicted: np.ndarray, measured: MeasuredCondition, *, top: int = TOP_GENES) -> dict[str, float]:
    """The values of ``agreement`` alone, for one more prediction of the condition."""
    return _scorer(measured, top).of_cells(InMemory(predicted), InMemory(measured.cells))


def _scorer(measured: MeasuredCondition, top: int) -> ConditionScorer:
    others = measured.predicted_controls
    return ConditionScorer(
        profile(measured.controls),
        measured.components,
        TopGenes(measured.genes, top),
        None if others is None else profile(others),
    )


def _training_controls(measured: MeasuredCondition) -> np.ndarray:
    """Where effects of predictions are measured from in the calibrated score: never the controls of the reference."""
    return measured.floor_controls if measured.predicted_controls is None else measured.predicted_controls


def _ample(controls: np.ndarray) -> Profile | None:
    return profile(controls) if len(controls) >= FEWEST else None


def bounds(
    scored: ScoredPair,
    floor_controls: Mapping[tuple[str, ...], np.ndarray] | None = None,
    training: PerturbedTraining | None = None,
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
    of cells. With ``training`` also what the calibrated score needs: ``name_baseline``, ``name_replicate``,
    ``name_replicate_sd``, and for metrics of effects ``name_disjoint``, the value with effects of the prediction
    measured from ``floor_controls``, which are then those of training.
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
        scorer = ConditionScorer(profile(kept), scored.components, scored.top)
        sides = _sides(group, controls, floor, training)
        disjoint = None if training is None else _disjoint(group, scorer, floor)
        rows += _bounded_rows(group, scorer, sides, disjoint, scored.pair.covariates, seed)
        if resamples:
            replicates += _replicates(group, kept, scored, np.random.default_rng([seed, len(rows)]), resamples)
    table = with_mean(pd.DataFrame(rows), scored.pair.covariates)
    return _with_intervals(table, replicates) if resamples else table


def _sides(
    group: GroupScores, controls: np.ndarray, floor: np.ndarray, training: PerturbedTraining | None
) -> Iterator[MeasuredCells]:
    """The measured side of each condition of a group, dense one after the other."""
    training_control = None if training is None else _ample(floor)
    for condition in group.conditions:
        typical = None if training is None else training.typical(condition.parts, condition.group)
        yield MeasuredCells(
            condition.measured.dense(), controls, floor[:MOST_PREDICTED], training_control, typical
        )  # fmt: skip


def _disjoint(group: GroupScores, scorer: ConditionScorer, floor: np.ndarray) -> dict[str, np.ndarray]:
    """(c,) values of the metrics of effects, with those of predictions measured from training controls; NaN for too few
    of these."""
    control = _ample(floor)
    matrices = replace(scorer, predicted_control=control).matrices(group)
    return {
        metric.name: np.diagonal(matrices[metric.name]) if control else np.full(len(group.conditions), np.nan)
        for metric in all_metrics()
        if metric.needs_controls
    }


def _bounded_rows(
    group: GroupScores,
    scorer: ConditionScorer,
    sides: Iterator[MeasuredCells],
    disjoint: Mapping[str, np.ndarray] | None,
    covariates: Sequence[str],
    seed: int,
) -> list[dict[str, object]]:
    """``disjoint`` None: without the columns of the calibrated score."""
    rows = []
    matrices = scorer.matrices(group)
    for i, (condition, side) in enumerate(zip(group.conditions, sides, strict=True)):
        row: dict[str, object] = {"condition": condition.label}
        row |= zip(covariates, condition.group, strict=True)
        found = yardstick(side, scorer, seed)
        for name, matrix in matrices.items():
            row |= found.columns(name, float(matrix[i, i]), mean_of_numbers(np.delete(matrix[:, i], i)))
            if disjoint is not None:
                row |= found.calibrating_columns(name, float(disjoint[name][i]) if name in disjoint else None)
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
