"""The metrics of a model on held-out conditions or cells, read from the metrics.json of its folder."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from primeflow_core.data.split_file import TEST
from primeflow_core.errors import CheckpointError, DataError, PrimeflowError
from primeflow_core.evaluation.bounded import Bounded
from primeflow_core.evaluation.calibration import BASELINE, DISJOINT, REPLICATE, STANDARD_ERRORS, WINS, Calibration
from primeflow_core.evaluation.mean_row import MEAN
from primeflow_core.evaluation.metric import Metric, Place
from primeflow_core.evaluation.metrics.registry import metrics_at
from primeflow_core.models.checkpoint import METRICS
from primeflow_core.runtime.json_text import read_text

if TYPE_CHECKING:
    from primeflow_core.model_store.metrics_schema import ScoreRow

HEADLINE = "energy_distance"
"""The metric of the one line that sums a model up: it has no bias for few cells."""
NOT_EVALUATED = "not evaluated"
BETTER, NO_BETTER = "better than control cells", "no better than control cells, so do not rely on it"


@dataclass(frozen=True)
class HeldOutMetrics:
    """Every metric that cards show and that was scored, by name: its mean over the scored ``conditions``.

    ``seen``: training saw other cells of them. ``baselines``: the means of each baseline that was scored with the
    model, by its name; None where there is no value.
    """

    figures: Mapping[str, Bounded]
    conditions: int
    seen: bool
    baselines: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """For instance ``on 2 held-out conditions, the prediction is better than control cells: energy distance 0.02
        (control cells 0.57, a second experiment 0.00)``."""
        distance = self.figures[HEADLINE]
        where = f"held-out cells of {self._counted()} seen in training" if self.seen else self._counted("held-out ")
        if distance.silent:
            return (
                f"on {where}, the energy distance cannot tell a second experiment from typical perturbed cells: "
                f"{_shown(distance.value)} (typical cells {_shown(distance.baseline)}, a second experiment "
                f"{_shown(distance.ceiling)})"
            )
        return (
            f"on {where}, the prediction is {BETTER if self.beats_controls else NO_BETTER}: energy distance "
            f"{_shown(distance.value)} (control cells {_shown(distance.floor)}, a second experiment "
            f"{_shown(distance.ceiling)})"
        )

    @property
    def beats_controls(self) -> bool:
        """Whether the predicted cells are closer to the measured ones than control cells are."""
        distance = self.figures[HEADLINE]
        return distance.floor is not None and distance.value < distance.floor

    @property
    def sentence(self) -> str:
        """What the values are means over, and what they can tell."""
        if self.seen:
            return (
                f"Mean over held-out cells of {self._counted()} that training saw: it tells whether the model fits "
                "them, not whether it predicts new ones."
            )
        return f"Mean over {self._counted()} that training never saw."

    def _counted(self, kind: str = "") -> str:
        return f"{self.conditions} {kind}condition{'' if self.conditions == 1 else 's'}"


def read_validation(folder: Path) -> HeldOutMetrics | None:
    """None for a model that was never evaluated. Raises CheckpointError for metrics that cannot be read."""
    path = folder / METRICS
    if not path.is_file():
        return None
    try:
        return _held_out(read_text(path))
    except (PrimeflowError, ValueError) as error:
        raise CheckpointError(
            f"{path} cannot be read as the metrics of a model: {error}. Copy it again, or make it again with "
            "`primeflow card`. You can still use the model."
        ) from error


def _held_out(text: str) -> HeldOutMetrics | None:
    from primeflow_core.model_store.metrics_schema import MetricsFile

    metrics = MetricsFile.read(text)
    rows = metrics.scored.get(TEST, ())
    if not rows:
        return None
    mean = next((row for row in rows if row.condition == MEAN), None)
    if mean is None:
        raise DataError(f"scored.{TEST} has no row of the {MEAN}")
    figures = {metric.name: _bounded(metric, mean, len(rows) - 1) for metric in _metrics_of(mean)}
    rivals = {} if metrics.rivals is None else metrics.rivals.model_extra or {}
    of_baselines = {
        row.rival: {name: row.number(name) for name in figures if name in (row.model_extra or {})}
        for row in rivals.get(TEST, ())
        if row.condition == MEAN
    }
    return HeldOutMetrics(figures, len(rows) - 1, metrics.held_out == "cells", of_baselines)


def _metrics_of(mean: "ScoreRow") -> list[Metric]:
    """The metrics of a card, the headline first. A model that an earlier version scored has fewer metrics."""
    scored = mean.model_extra or {}
    found = [metric for metric in metrics_at(Place.CARD) if metric.name in scored or metric.name == HEADLINE]
    return sorted(found, key=lambda metric: metric.name != HEADLINE)


def _bounded(metric: Metric, mean: "ScoreRow", conditions: int) -> Bounded:
    name, known = metric.name, mean.model_extra or {}
    value, floor, ceiling = (mean.number(key) for key in (name, f"{name}_floor", f"{name}_ceiling"))
    wrong = mean.number(f"{name}_wrong") if f"{name}_wrong" in known else None
    calibration = _calibration(metric, mean, conditions) if f"{name}{BASELINE}" in known else None
    own = math.nan if value is None else value
    return Bounded(own, floor, ceiling, metric.larger_is_better, wrong, calibration)


def _calibration(metric: Metric, mean: "ScoreRow", conditions: int) -> Calibration | None:
    """None where the conditions have no baseline or no replicate."""
    own = DISJOINT if f"{metric.name}{DISJOINT}" in (mean.model_extra or {}) else ""
    value, *ends = (mean.number(f"{metric.name}{end}") for end in (own, BASELINE, REPLICATE, WINS, STANDARD_ERRORS))
    baseline, replicate, wins, errors = (math.nan if one is None else one for one in ends)
    if math.isnan(baseline) or math.isnan(replicate) or math.isnan(wins):
        return None
    return Calibration(metric, math.nan if value is None else value, baseline, replicate, wins, errors, conditions)


def _shown(figure: float | None) -> str:
    return "unknown" if figure is None or math.isnan(figure) else f"{round(figure, 2) + 0.0:.2f}"
