"""How far the axis of a metric goes, so that one model that fails does not squeeze all others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

FAR = 3.0
"""How far beyond floor and ceiling the axis may go, in distances between them."""
MARGIN = 0.05


@dataclass(frozen=True)
class Beyond:
    """A model, by its number from the first, whose mean lies beyond the ``edge``, ``left`` or ``right``."""

    number: int
    edge: Literal["left", "right"]
    mean: float

    @property
    def text(self) -> str:
        return f"← {self.mean:.3g}" if self.edge == "left" else f"{self.mean:.3g} →"


@dataclass(frozen=True)
class AxisReach:
    low: float
    high: float
    beyond: tuple[Beyond, ...]


def axis_reach(of_models: Sequence[np.ndarray], rows: pd.DataFrame, name: str) -> AxisReach | None:
    """Of the values of each model's trainings, and the floor and ceiling in ``rows``. All trainings of a model whose
    mean is near are held. None where an axis can hold all, or a bound is not known."""
    if not {f"{name}_floor", f"{name}_ceiling"} <= set(rows):
        return None
    bounds = [float(rows[f"{name}_{bound}"].mean()) for bound in ("floor", "ceiling")]
    room = FAR * (max(bounds) - min(bounds))
    means = [float(values.mean()) for values in of_models]
    beyond = [Beyond(number, "left", mean) for number, mean in enumerate(means) if mean < min(bounds) - room]
    beyond += [Beyond(number, "right", mean) for number, mean in enumerate(means) if mean > max(bounds) + room]
    if not room > 0 or not beyond:
        return None
    far = {model.number for model in beyond}
    near = np.concatenate([bounds, *(values for number, values in enumerate(of_models) if number not in far)])
    low, high = float(np.nanmin(near)), float(np.nanmax(near))
    margin = MARGIN * (high - low)
    return AxisReach(low - margin, high + margin, tuple(beyond))
