"""How far a score would move with other cells: bootstrap replicates over cells.

Predicted cells, measured cells and controls are each drawn again with replacement, many times. A replicate only weights
the cells, so that all of them share one computation of the distances. Within a set, pairs of one cell with itself are
omitted and the diagonal is put back as the value has it: drawing with replacement would add such pairs and push every
distance down.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from primeflow_core.evaluation.distances import CentredCells, blocks, blocks_within, centre

COVERAGE = 0.95
UNLIMITED = (-np.inf, np.inf)


@dataclass(frozen=True)
class Resampled:
    """Cells (n, G) and for each of B replicates how often every cell was drawn, (B, n)."""

    cells: np.ndarray
    times: np.ndarray

    def profiles(self) -> tuple[np.ndarray, np.ndarray]:
        """Means and variances (ddof 1), each (B, G) float64."""
        n = len(self.cells)
        middle = centre(self.cells)
        around = self.cells - middle
        mean = self.times @ around / n
        square = self.times @ np.square(around, out=around) / n
        variance = np.maximum(square - mean**2, 0.0) * (n / (n - 1) if n > 1 else np.nan)
        return mean + middle, variance


def resampled(cells: np.ndarray, replicates: int, draw: np.random.Generator) -> Resampled:
    n = len(cells)
    return Resampled(cells, draw.multinomial(n, np.full(n, 1 / n), size=replicates).astype(np.float64))


def mean_between(x: CentredCells, y: CentredCells, x_times: np.ndarray, y_times: np.ndarray) -> np.ndarray:
    """(B,) mean distances of cells that were drawn so many times, (B, n) and (B, m), or shares of them."""
    total = np.zeros(len(x_times))
    for rows, columns, distance in blocks(x, y):
        total += np.einsum("bj,bj->b", x_times[:, rows] @ distance, y_times[:, columns])
    mean: np.ndarray = total / (x_times.sum(axis=1) * y_times.sum(axis=1))
    return mean


def mean_within(x: CentredCells, times: np.ndarray) -> np.ndarray:
    """(B,) mean distances of two different cells, drawn so many times, (B, n); NaN where one alone was drawn."""
    total = np.zeros(len(times))
    for rows, columns, distance in blocks_within(x):
        part = np.einsum("bj,bj->b", times[:, rows] @ distance, times[:, columns])
        total += part if rows == columns else 2 * part
    different_pairs = times.sum(axis=1) ** 2 - np.square(times).sum(axis=1)
    return np.divide(total, different_pairs, out=np.full(len(total), np.nan), where=different_pairs > 0)


def interval(value: float, replicates: np.ndarray, limits: tuple[float, float] = UNLIMITED) -> tuple[float, float]:
    """The interval that holds ``COVERAGE`` of the replicates, moved so that their median stands at ``value``.

    Moved, since drawing cells again adds noise of its own: a distance of means grows by it, an overlap shrinks, and the
    plain percentiles would not be around the value. It ends at ``limits``, the smallest and largest possible value.
    (NaN, NaN) where there is no value or no replicate.
    """
    known = replicates[np.isfinite(replicates)]
    if not np.isfinite(value) or not len(known):
        return float("nan"), float("nan")
    low, middle, high = np.quantile(known, [(1 - COVERAGE) / 2, 0.5, (1 + COVERAGE) / 2])
    least, most = limits
    return float(max(value + low - middle, least)), float(min(value + high - middle, most))


def mean_replicates(of_conditions: Sequence[Mapping[str, np.ndarray]], name: str) -> np.ndarray:
    """(B,) replicates of the mean over conditions; a condition without the metric is omitted."""
    known = [each[name] for each in of_conditions if np.isfinite(each[name]).all()]
    return np.mean(known, axis=0) if known else np.zeros(0)
