"""The metrics of a model on held-out conditions or cells, read from the metrics.json of its folder."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from primeflow_core.data.splits import TEST
from primeflow_core.errors import CheckpointError, DataError, PrimeflowError
from primeflow_core.evaluation.bounded import Bounded
from primeflow_core.evaluation.mean_row import MEAN
from primeflow_core.evaluation.scores import LARGER_IS_BETTER
from primeflow_core.models.checkpoint import METRICS
from primeflow_core.runtime.json_text import read_text

if TYPE_CHECKING:
    from primeflow_core.model_store.metrics_schema import ScoreRow

MEASURES = {
    "energy_distance": "Energy distance",
    "mmd_gex": "MMD, genes",
    "mmd_pca": "MMD, components",
    "deg_recall": "DEG recall",
    "cosine_logfc": "Cosine of changes",
}
NOT_EVALUATED = "not evaluated"
BETTER, NO_BETTER = "better than control cells", "no better than control cells, so do not rely on it"


@dataclass(frozen=True)
class HeldOutMetrics:
    """Each of ``MEASURES``, mean over the scored ``conditions``; ``seen``: training saw other cells of them.

    ``rivals``: the means of each rival that was scored beside the model, by its name; None where there is no value.
    """

    figures: Mapping[str, Bounded]
    conditions: int
    seen: bool
    rivals: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """For instance ``on 2 held-out conditions, the prediction is better than control cells: energy distance 0.02
        (control cells 0.57, a second experiment 0.00)``."""
        distance = self.figures["energy_distance"]
        where = f"held-out cells of {self._counted()} seen in training" if self.seen else self._counted("held-out ")
        return (
            f"on {where}, the prediction is {BETTER if self.beats_controls else NO_BETTER}: energy distance "
            f"{_shown(distance.value)} (control cells {_shown(distance.floor)}, a second experiment "
            f"{_shown(distance.ceiling)})"
        )

    @property
    def beats_controls(self) -> bool:
        """Whether the predicted cells are closer to the measured ones than control cells are."""
        distance = self.figures["energy_distance"]
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
            "`primeflow card`; the model itself can be used."
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
    figures = {name: _bounded(name, mean) for name in MEASURES}
    rivals = {} if metrics.rivals is None else metrics.rivals.model_extra or {}
    of_rivals = {
        row.rival: {name: row.number(name) for name in MEASURES if name in (row.model_extra or {})}
        for row in rivals.get(TEST, ())
        if row.condition == MEAN
    }
    return HeldOutMetrics(figures, len(rows) - 1, metrics.held_out == "cells", of_rivals)


def _bounded(name: str, mean: "ScoreRow") -> Bounded:
    value, floor, ceiling = (mean.number(key) for key in (name, f"{name}_floor", f"{name}_ceiling"))
    return Bounded(math.nan if value is None else value, floor, ceiling, LARGER_IS_BETTER[name])


def _shown(figure: float | None) -> str:
    return "unknown" if figure is None or math.isnan(figure) else f"{round(figure, 2) + 0.0:.2f}"
