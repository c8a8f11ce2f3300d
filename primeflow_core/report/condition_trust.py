"""How far to trust one prediction: each metric between its floor and its ceiling, beside the baselines."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import pandas as pd

from primeflow_core.evaluation.metric import Place
from primeflow_core.evaluation.metrics.registry import metrics_at
from primeflow_core.figures.interactive.agreement import BoundedMeasure
from primeflow_core.models.baselines.condition_scores import BaselineAgreement, baselines_beside
from primeflow_core.models.baselines.fit import FittedBaselines
from primeflow_core.prediction.measured_comparison import Comparison, truth_of
from primeflow_core.report.condition_view import ConditionView


@dataclass(frozen=True)
class ConditionTrust:
    """The metrics that have a floor and a ceiling, and what the baselines reach."""

    ranges: tuple[BoundedMeasure, ...]
    baselines: tuple[BaselineAgreement, ...]

    @property
    def told(self) -> str:
        return "; ".join(f"{entry.label} {entry.value:.3g}" for entry in self.ranges)

    def table(self) -> pd.DataFrame:
        rows = []
        for entry in self.ranges:
            row = {"Measure": entry.label, "Model": entry.value, "Floor": entry.floor, "Ceiling": entry.ceiling}
            rows.append(row | dict(entry.baselines))
        return pd.DataFrame(rows)


def trust_beside(found: Comparison, baselines: Sequence[BaselineAgreement]) -> ConditionTrust | None:
    """None if no metric has a value between a floor and a ceiling."""
    ranges = []
    for metric in metrics_at(Place.EXPLORE):
        name, label, bounded = metric.name, metric.page_label, found.agreement[metric.name]
        if bounded.floor is not None and bounded.ceiling is not None and isfinite(bounded.value):
            reached = tuple((other.label, other.agreement[name]) for other in baselines if name in other.agreement)
            ranges.append(
                BoundedMeasure(
                    label, bounded.value, bounded.floor, bounded.ceiling, bounded.tells_apart, baselines=reached
                )
            )
    return ConditionTrust(tuple(ranges), tuple(baselines)) if ranges else None


def baselines_on(view: ConditionView, fitted: FittedBaselines, count: int) -> tuple[BaselineAgreement, ...]:
    """What each baseline reaches with ``count`` cells; none without measured cells. Raises PrimeflowError."""
    if view.known is None:
        return ()
    truth = truth_of(view.measured, view.known, view.model.manifest.genes)
    return baselines_beside(fitted, view.condition, truth, count, 0)
