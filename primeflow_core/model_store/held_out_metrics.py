"""How well a model did on what it was not trained on, read from the metrics.json of its folder."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from primeflow_core.data.splits import TEST
from primeflow_core.evaluation.bounded import Bounded
from primeflow_core.evaluation.mean_row import MEAN
from primeflow_core.evaluation.scores import LARGER_IS_BETTER
from primeflow_core.models.checkpoint import METRICS

MEASURES = {
    "energy_distance": "Energy distance",
    "mmd_gex": "MMD, genes",
    "mmd_pca": "MMD, components",
    "deg_recall": "DEG recall",
    "cosine_logfc": "Cosine of changes",
}
NOT_EVALUATED = "not evaluated"
NO_BETTER = ": no better than control cells, believe nothing of it"


@dataclass(frozen=True)
class HeldOutMetrics:
    """Each of ``MEASURES``, mean over the scored ``conditions``; ``seen``: training saw other cells of them."""

    figures: Mapping[str, Bounded]
    conditions: int
    seen: bool

    @property
    def line(self) -> str:
        """For instance ``held-out energy distance 0.02 (control cells 0.57, a second experiment 0), 2 conditions``."""
        distance = self.figures["energy_distance"]
        where = f"cells held out of {self._counted} seen in training" if self.seen else self._counted
        return (
            f"held-out energy distance {_shown(distance.value)} (control cells {_shown(distance.floor)}, a second "
            f"experiment {_shown(distance.ceiling)}), {where}{'' if self.beats_controls else NO_BETTER}"
        )

    @property
    def beats_controls(self) -> bool:
        """Whether the predicted cells are closer to the measured ones than control cells are."""
        distance = self.figures["energy_distance"]
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
        figures = {name: _bounded(name, mean) for name in MEASURES}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration):
        return None
    return HeldOutMetrics(figures, len(rows) - 1, metrics.get("held_out") == "cells")


def _bounded(name: str, mean: Mapping[str, Any]) -> Bounded:
    value, floor, ceiling = (
        None if mean[key] is None else float(mean[key]) for key in (name, f"{name}_floor", f"{name}_ceiling")
    )
    return Bounded(math.nan if value is None else value, floor, ceiling, LARGER_IS_BETTER[name])


def _shown(figure: float | None) -> str:
    return "unknown" if figure is None or math.isnan(figure) else f"{round(figure, 2) + 0.0:.2f}"
