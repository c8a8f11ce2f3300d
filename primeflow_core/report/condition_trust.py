"""How far to trust one prediction: each metric between its floor and its ceiling, beside the baselines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

import pandas as pd

from primeflow_core.evaluation.calibration import Calibration
from primeflow_core.evaluation.metric import Place
from primeflow_core.evaluation.metrics.registry import metrics_at
from primeflow_core.figures.interactive.agreement import BoundedMeasure
from primeflow_core.models.baselines.condition_scores import BaselineAgreement, baselines_beside
from primeflow_core.models.baselines.fit import FittedBaselines
from primeflow_core.prediction.measured_comparison import Comparison, truth_of
from primeflow_core.report.condition_view import ConditionView

WRONG = "Wrong condition"
TYPICAL, REPEAT, CALIBRATED, TELLS = "Typical cells", "Repeat", "Calibrated", "Can tell"


@dataclass(frozen=True)
class ConditionTrust:
    """The metrics that have a floor and a ceiling, and what the baselines reach.

    ``calibrations``: by label of the metric, between typical perturbed cells and a repeat of the experiment; empty
    where there are no typical cells.
    """

    ranges: tuple[BoundedMeasure, ...]
    baselines: tuple[BaselineAgreement, ...]
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)

    @property
    def told(self) -> str:
        return "; ".join(f"{entry.label} {entry.value:.3g}" for entry in self.ranges)

    @property
    def telling(self) -> tuple[BoundedMeasure, ...]:
        """The metrics that take part in a summary."""
        return tuple(entry for entry in self.ranges if not entry.silent)

    @property
    def first(self) -> BoundedMeasure:
        """The metric to name in one sentence: the first that can tell."""
        return next(iter(self.telling), self.ranges[0])

    def table(self) -> pd.DataFrame:
        """A row for each metric: floor, ceiling, what else was offered, and its calibrated score if there is one."""
        rows = []
        for entry in self.ranges:
            row = {"Measure": entry.label, "Model": entry.value, "Floor": entry.floor, "Ceiling": entry.ceiling}
            rows.append(row | dict(entry.baselines) | self._calibrated(entry.label))
        return pd.DataFrame(rows)

    def _calibrated(self, label: str) -> dict[str, object]:
        one = self.calibrations.get(label)
        if not self.calibrations:
            return {}
        if one is None:
            return dict.fromkeys((TYPICAL, REPEAT, CALIBRATED, TELLS))
        tells = "yes" if one.can_tell else "no"
        return {TYPICAL: one.baseline, REPEAT: one.replicate, CALIBRATED: one.score, TELLS: tells}


def trust_beside(found: Comparison, baselines: Sequence[BaselineAgreement]) -> ConditionTrust | None:
    """None if no metric has a value between a floor and a ceiling."""
    ranges, calibrations = [], {}
    for metric in metrics_at(Place.EXPLORE):
        name, label, bounded = metric.name, metric.page_label, found.agreement[metric.name]
        if bounded.floor is None or bounded.ceiling is None or not isfinite(bounded.value):
            continue
        reached = [(other.label, other.agreement[name]) for other in baselines if name in other.agreement]
        reached += [] if bounded.wrong is None else [(WRONG, bounded.wrong)]
        ranges.append(
            BoundedMeasure(
                label, bounded.value, bounded.floor, bounded.ceiling, bounded.tells_apart, tuple(reached),
                bounded.silent,
            )
        )  # fmt: skip
        if bounded.calibration is not None:
            calibrations[label] = bounded.calibration
    return ConditionTrust(tuple(ranges), tuple(baselines), calibrations) if ranges else None


def baselines_on(view: ConditionView, fitted: FittedBaselines, count: int) -> tuple[BaselineAgreement, ...]:
    """What each baseline reaches with ``count`` cells; none without measured cells. Raises PrimeflowError."""
    if view.known is None:
        return ()
    truth = truth_of(view.measured, view.known, view.model.manifest.genes)
    return baselines_beside(fitted, view.condition, truth, count, 0)
