"""A value between its floor and its ceiling."""

from dataclasses import dataclass

import numpy as np

from primeflow_core.evaluation.calibration import Calibration


@dataclass(frozen=True)
class Bounded:
    """A value with its floor and ceiling; either is None where there are too few cells to compute it.

    ``wrong``: the mean value of predictions of other conditions. ``calibration``: the value between typical perturbed
    cells and a repeat of the experiment. Each is None where it is not known.
    """

    value: float
    floor: float | None
    ceiling: float | None
    larger_is_better: bool = False
    wrong: float | None = None
    calibration: Calibration | None = None

    @property
    def tells_apart(self) -> bool:
        """Whether the ceiling is better than the floor. If it is not, the metric cannot tell a good prediction from
        control cells."""
        if self.floor is None or self.ceiling is None:
            return False
        return self.ceiling > self.floor if self.larger_is_better else self.ceiling < self.floor

    @property
    def position(self) -> float | None:
        """0 at the floor, 1 at the ceiling, clipped.

        None where a figure is missing, or where the floor is as good as the ceiling: then the cells are too few,
        or the effect too small, for this metric to tell a good prediction from none.
        """
        if self.floor is None or self.ceiling is None or not self.tells_apart or not np.isfinite(self.value):
            return None
        span = self.ceiling - self.floor
        return float(np.clip((self.value - self.floor) / span, 0.0, 1.0))
