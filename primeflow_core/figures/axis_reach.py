"""How far the axis of a metric goes, so that one model that fails does not squeeze all others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

FAR = 3.0
"""How far beyond floor and ceiling the axis may go, in distances between them."""
MARGIN = 0.05


@dataclass(frozen=True)
class AxisReach:
    """``low`` to ``high``; ``beyond``: by number of the model the mean of those with a training that lies outside."""

    low: float
    high: float
    beyond: dict[int, float]

    def told(self, number: int) -> str:
        """The mean of a model beyond the axis, with an arrow to it."""
        mean = self.beyond[number]
        return f"← {mean:.3g}" if self.is_below(number) else f"{mean:.3g} →"

    def is_below(self, number: int) -> bool:
        return self.beyond[number] < self.low


def axis_reach(of_models: Sequence[np.ndarray], rows: pd.DataFrame, name: str) -> AxisReach | None:
    """Of the values of each model's trainings, and the floor and ceiling in ``rows``; None where an axis can hold all,
    or a bound is not known."""
    if not {f"{name}_floor", f"{name}_ceiling"} <= set(rows):
        return None
    bounds = [float(rows[f"{name}_{bound}"].mean()) for bound in ("floor", "ceiling")]
    room = FAR * (max(bounds) - min(bounds))
    low, high = min(bounds) - room, max(bounds) + room
    beyond = {
        number: float(values.mean())
        for number, values in enumerate(of_models)
        if ((values < low) | (values > high)).any()
    }
    if not room > 0 or not beyond:
        return None
    # Not the other trainings of a model that is beyond: its mean is written where they would stand.
    near = np.concatenate([bounds, *(values for number, values in enumerate(of_models) if number not in beyond)])
    low, high = float(np.nanmin(near)), float(np.nanmax(near))
    margin = MARGIN * (high - low)
    return AxisReach(low - margin, high + margin, beyond)
