"""How well a model did on what it was not trained on, read from the metrics.json of its folder."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from primeflow_core.data.splits import TEST
from primeflow_core.evaluation.bounded import Bounded
from primeflow_core.evaluation.metric import Metric, Place
from primeflow_core.evaluation.metrics.registry import metrics_at
from primeflow_core.evaluation.table import MEAN
from primeflow_core.models.checkpoint import METRICS

HEADLINE = "energy_distance"
"""The metric of the one line that sums a model up: it has no bias for few cells."""
NOT_EVALUATED = "not evaluated"
NO_BETTER = ": no better than control cells, believe nothing of it"


@dataclass(frozen=True)
class HeldOutMetrics:
    """Every metric that was scored and that cards show, by name: its mean over the scored ``conditions``.

    ``seen``: training saw other cells of them.
    """

    figures: Mapping[str, Bounded]
    conditions: int
    seen: bool

    @property
    def line(self) -> str:
        """For instance ``held-out energy distance 0.02 (control cells 0.57, a second experiment 0), 2 conditions``."""
        distance = self.figures[HEADLINE]
        where = f"cells held out of {self._counted} seen in training" if self.seen else self._counted
        return (
            f"held-out energy distance {_shown(distance.value)} (control cells {_shown(distance.floor)}, a second "
            f"experiment {_shown(distance.ceiling)}), {where}{'' if self.beats_controls else NO_BETTER}"
        )

    @property
    def beats_controls(self) -> bool:
        """Whether the predicted cells are closer to the measured ones than control cells are."""
        distance = self.figures[HEADLINE]
        return distance.floor is not None and distance.value < distance.floor

    @property
    def sentence(self) -> str:
        """What the figures are means over, and what they can tell."""
        if self.seen:
            return (
                f"Mean over cells held out of {self._counted} that training saw: it tells whether the model fits "
                "them, not whether it predicts new ones."
            )
        return f"Mean over {self._counted} that training never saw."

    @property
    def _counted(self) -> str:
        return f"{self.conditions} condition{'' if self.conditions == 1 else 's'}"


def read_validation(folder: Path) -> HeldOutMetrics | None:
    """None for a model that was never checked, or whose metrics cannot be read."""
    try:
        metrics = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        rows = metrics["scored"][TEST]
        mean = next(row for row in rows if row["condition"] == MEAN)
        figures = {metric.name: _bounded(metric, mean) for metric in _headline_first() if metric.name in mean}
        if HEADLINE not in figures:
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration):
        return None
    return HeldOutMetrics(figures, len(rows) - 1, metrics.get("held_out") == "cells")


def _headline_first() -> list[Metric]:
    return sorted(metrics_at(Place.CARD), key=lambda metric: metric.name != HEADLINE)


def _bounded(metric: Metric, mean: Mapping[str, Any]) -> Bounded:
    value, floor, ceiling = (
        None if mean[key] is None else float(mean[key])
        for key in (metric.name, f"{metric.name}_floor", f"{metric.name}_ceiling")
    )
    return Bounded(math.nan if value is None else value, floor, ceiling, metric.larger_is_better)


def _shown(figure: float | None) -> str:
    return "unknown" if figure is None or math.isnan(figure) else f"{round(figure, 2) + 0.0:.2f}"
