"""The calibrated score, (u - b) / (r - b): 0 is the baseline, 1 a repeat of the experiment; and what a metric can tell.

u is the score of the prediction, b that of typical perturbed cells (typical_cells.py), r that of half of the measured
cells against the other half (halves.py). Scores above 1 and below 0 are shown as they are.

A metric can tell a good prediction from a typical one on these data if r is better than b by 2 standard errors over
conditions (in fewer than 3 conditions: over halvings). A metric that cannot tell is shown pale and takes no part in a
summary.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from primeflow_core.evaluation.mean_row import MEAN
from primeflow_core.evaluation.metric import Metric
from primeflow_core.evaluation.metrics.registry import all_metrics
from primeflow_core.evaluation.paired import FEWEST_CONDITIONS, ConditionValues, paired_difference
from primeflow_core.wording import counted

LEAST_STANDARD_ERRORS = 2.0
MOST_STANDARD_ERRORS = 1000.0
"""So many stand for all above, also for a difference without any error."""
DISJOINT, BASELINE, REPLICATE, REPLICATE_SD = "_disjoint", "_baseline", "_replicate", "_replicate_sd"
CALIBRATED, WINS, STANDARD_ERRORS = "_calibrated", "_replicate_wins", "_standard_errors"
MEASURED_ENDS = (DISJOINT, BASELINE, REPLICATE, REPLICATE_SD)
"""The ends of the columns that are measured; the others are computed from them."""


@dataclass(frozen=True)
class Calibration:
    """One metric of one prediction, over ``conditions``. ``value``: with disjoint controls of the two sides.

    ``wins``: the share of the conditions in which the replicate is better than the baseline. ``standard_errors``: how
    much better it is over all of them, in standard errors; below 0 where it is worse.
    """

    metric: Metric
    value: float
    baseline: float
    replicate: float
    wins: float
    standard_errors: float
    conditions: int

    @property
    def can_tell(self) -> bool:
        return self.standard_errors >= LEAST_STANDARD_ERRORS

    @property
    def won(self) -> int:
        """The number of conditions in which the replicate is better."""
        return round(self.wins * self.conditions)

    @property
    def score(self) -> float | None:
        """None where there is no value, or the replicate is no better than the baseline: nothing lies between then."""
        return calibrated(self.value, self.baseline, self.replicate, larger_is_better=self.metric.larger_is_better)

    @property
    def score_in_words(self) -> str:
        """For instance ``0.62 of the way from typical perturbed cells to a repeat of the experiment``."""
        if self.score is None:
            return "no calibrated score"
        if self.score > 1:
            return f"{self.score:.2f}: closer than a repeat of the experiment with half of its cells"
        if self.score < 0:
            return f"{self.score:.2f}: further away than typical perturbed cells"
        return f"{self.score:.2f} of the way from typical perturbed cells to a repeat of the experiment"

    @property
    def brief(self) -> str:
        """For a table below ``BRIEF``: ``in 5 of 5, by 4.1 standard errors``."""
        by = f", by {self.standard_errors:.1f} standard errors" if np.isfinite(self.standard_errors) else ""
        return f"{'' if self.can_tell else f'{CANNOT.lower()}: '}in {self.won} of {self.conditions}{by}"

    @property
    def told(self) -> str:
        """What the metric can tell on these data, in a sentence."""
        won = f"in {self.won} of {counted(self.conditions, 'condition')}"
        if np.isnan(self.standard_errors):
            return f"{CANNOT}: there are too few cells to say how much chance is in it."
        by = f"by {abs(self.standard_errors):.1f} standard errors"
        if self.can_tell:
            return f"A repeat of the experiment is better than typical perturbed cells {won}, {by}."
        worse = "worse" if self.standard_errors < 0 else "better"
        return (
            f"{CANNOT}: a repeat of the experiment is better than typical perturbed cells {won}, and over all it is "
            f"{worse} {by}; better by {LEAST_STANDARD_ERRORS:g} is needed."
        )


CANNOT = "Cannot tell"
BRIEF = "replicate better than baseline"


def calibrated(value: float, baseline: float, replicate: float, *, larger_is_better: bool) -> float | None:
    """(value - baseline) / (replicate - baseline), never clipped."""
    better = replicate > baseline if larger_is_better else replicate < baseline
    if not better or not np.isfinite([value, baseline, replicate]).all():
        return None
    return (value - baseline) / (replicate - baseline)


def calibrated_score(rows: pd.DataFrame, metric: Metric) -> float | None:
    """The score of one metric alone; None where it has none."""
    if not _has_ends(metric, rows):
        return None
    value, baseline, replicate = (_summary(column) for column in _ends(metric, rows))
    return calibrated(value, baseline, replicate, larger_is_better=metric.larger_is_better)


def calibrations(rows: pd.DataFrame) -> dict[str, Calibration]:
    """The calibration of each metric that has one, by name; ``rows``: one for each condition, as from agreement.bounds
    without its mean. Empty for rows of an earlier version."""
    named = [
        metric for metric in all_metrics() if {f"{metric.name}{end}" for end in (BASELINE, REPLICATE)} <= set(rows)
    ]
    found = {metric.name: _calibration(metric, rows) for metric in named}
    return {name: one for name, one in found.items() if one is not None}


def _has_ends(metric: Metric, rows: pd.DataFrame) -> bool:
    return {f"{metric.name}{end}" for end in (BASELINE, REPLICATE)} <= set(rows)


def _known(metric: Metric, rows: pd.DataFrame) -> np.ndarray:
    """The numbers of the conditions with a baseline and a replicate."""
    baseline, replicate = (values_of(rows, metric, end) for end in (BASELINE, REPLICATE))
    return np.flatnonzero(baseline.known & replicate.known)


def _ends(metric: Metric, rows: pd.DataFrame) -> tuple[ConditionValues, ConditionValues, ConditionValues]:
    """Value, baseline and replicate in the conditions that have both ends."""
    known = _known(metric, rows)
    own = DISJOINT if f"{metric.name}{DISJOINT}" in rows else ""
    value, baseline, replicate = (values_of(rows, metric, end).at(known) for end in (own, BASELINE, REPLICATE))
    return value, baseline, replicate


def _calibration(metric: Metric, rows: pd.DataFrame) -> Calibration | None:
    """None where no condition has a baseline and a replicate."""
    known = _known(metric, rows)
    if not len(known):
        return None
    value, baseline, replicate = _ends(metric, rows)
    ahead = paired_difference(replicate, baseline, larger_is_better=metric.larger_is_better)
    error = ahead.standard_error
    if len(known) < FEWEST_CONDITIONS:
        error = _within_conditions(metric, rows.iloc[known])
    gains = (replicate.values - baseline.values) * (1.0 if metric.larger_is_better else -1.0)
    return Calibration(
        metric, _summary(value), float(baseline.summary), float(replicate.summary), float((gains > 0).mean()),
        in_errors(ahead.gain, error), len(known),
    )  # fmt: skip


def _summary(column: ConditionValues) -> float:
    known = np.flatnonzero(column.known)
    return float(column.at(known).summary)


def values_of(rows: pd.DataFrame, metric: Metric, end: str = "") -> ConditionValues:
    """The column of a metric, such as its ``_baseline``, over the conditions in ``rows``."""
    return ConditionValues(rows[f"{metric.name}{end}"].to_numpy(np.float64))


def _within_conditions(metric: Metric, rows: pd.DataFrame) -> float:
    """The standard error over halvings; NaN where it is not known."""
    column = f"{metric.name}{REPLICATE_SD}"
    if column not in rows:
        return float("nan")
    spreads = rows[column].to_numpy(np.float64)
    return float(np.sqrt(np.square(spreads).sum()) / len(spreads))


def in_errors(gain: float, error: float) -> float:
    """``gain`` in standard errors, at most ``MOST_STANDARD_ERRORS`` of them; NaN for no gain and no error."""
    if error == 0 and gain == 0:
        return float("nan")
    size = abs(gain) / error if error > 0 else (np.nan if np.isnan(error) else np.inf)
    return float(np.copysign(min(size, MOST_STANDARD_ERRORS), gain))


def with_calibration(table: pd.DataFrame) -> pd.DataFrame:
    """``table`` of agreement.bounds, its last row the mean, with ``name_calibrated``, ``name_replicate_wins`` (1 or 0;
    in the last row the share of conditions) and ``name_standard_errors`` of each metric that has a baseline."""
    conditions = table[table["condition"] != MEAN]
    by_row = [calibrations(conditions.iloc[[i]]) for i in range(len(conditions))] + [calibrations(conditions)]
    added: dict[str, list[float | None]] = {}
    for metric in all_metrics():
        if f"{metric.name}{BASELINE}" in table:
            of_rows = [row.get(metric.name) for row in by_row]
            added[f"{metric.name}{CALIBRATED}"] = [None if one is None else one.score for one in of_rows]
            added[f"{metric.name}{WINS}"] = [None if one is None else one.wins for one in of_rows]
            added[f"{metric.name}{STANDARD_ERRORS}"] = [None if one is None else one.standard_errors for one in of_rows]
    return table.assign(**{name: pd.array(values, dtype=float) for name, values in added.items()})
