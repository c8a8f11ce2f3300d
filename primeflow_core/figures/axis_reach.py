"""The range of a metric's axis, chosen so that one failed model does not squeeze the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

FAR = 3.0
"""How far beyond floor and ceiling the axis reaches, in multiples of the distance between them. The axis reaches
further if it would hold too few models."""
HELD = 0.75
"""Share of the models that the axis holds however far they are: floor and ceiling can be next to each other."""
MARGIN = 0.05


@dataclass(frozen=True)
class Beyond:
    """A model, by its number from the first, whose mean lies ``left`` or ``right`` of the axis."""

    number: int
    side: Literal["left", "right"]
    mean: float

    @property
    def text(self) -> str:
        return f"← {self.mean:.3g}" if self.side == "left" else f"{self.mean:.3g} →"


@dataclass(frozen=True)
class AxisReach:
    low: float
    high: float
    beyond: tuple[Beyond, ...]


def axis_reach(of_models: Sequence[np.ndarray], rows: pd.DataFrame, name: str) -> AxisReach | None:
    """The range of the axis, from the values of each model's trainings and from the floor and ceiling in ``rows``. The
    range holds all trainings of a model whose mean lies on the axis. None if all models fit on the axis, or if a bound
    is not known."""
    if not {f"{name}_floor", f"{name}_ceiling"} <= set(rows):
        return None
    bounds = [float(rows[f"{name}_{bound}"].mean()) for bound in ("floor", "ceiling")]
    if not abs(bounds[0] - bounds[1]) > 0:
        return None
    means = np.array([float(values.mean()) for values in of_models])
    low, high = _holding(of_models, bounds, _room(means, bounds))
    beyond = [
        Beyond(number, "left" if mean < low else "right", float(mean))
        for number, mean in enumerate(means)
        if _outside((low, high), mean)
    ]
    return AxisReach(low, high, tuple(beyond)) if beyond else None


def _room(means: np.ndarray, bounds: list[float]) -> float:
    distances = np.maximum(min(bounds) - means, means - max(bounds))
    held = np.nanquantile(distances, HELD, method="lower") if np.isfinite(distances).any() else 0.0
    return max(FAR * (max(bounds) - min(bounds)), float(held))


def _holding(of_models: Sequence[np.ndarray], bounds: list[float], room: float) -> tuple[float, float]:
    """Trainings of near models can widen the axis so that the mean of a further one lies on it: then all of that one's
    belong there too."""
    inside, held = (min(bounds) - room, max(bounds) + room), -1
    while True:
        near = [values for values in of_models if not _outside(inside, float(values.mean()))]
        if len(near) == held:
            return inside
        held = len(near)
        values = np.concatenate([bounds, *near])
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        margin = MARGIN * (high - low)
        inside = low - margin, high + margin


def _outside(bounds: tuple[float, float], mean: float) -> bool:
    """False for NaN: what is not known is not far away."""
    return mean < bounds[0] or mean > bounds[1]
