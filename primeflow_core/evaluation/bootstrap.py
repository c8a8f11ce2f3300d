"""How far a score would move with other cells: bootstrap replicates over cells.

Predicted cells, measured cells and controls are each drawn again with replacement, many times. A replicate only
weights the cells, so that all of them share one computation of the distances. Within a set, pairs of one cell with
itself are left out and the diagonal is put back as the value has it: drawing with replacement would add such pairs
and push every distance down.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from primeflow_core.evaluation.distances import CentredCells, blocks, blocks_within, centre, cloud
from primeflow_core.evaluation.genes import TopGenes, recalls, t_of_profiles
from primeflow_core.evaluation.parallel import single_threaded_blas
from primeflow_core.evaluation.principal_components import Components
from primeflow_core.evaluation.profiles import Profile, log_fold_change

COVERAGE = 0.95
RANGES = {"cosine_logfc": (-1.0, 1.0), "rmse_mean": (0.0, np.inf), "deg_recall": (0.0, 1.0), "size": (0.0, np.inf)}


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


def replicated(
    predicted: Resampled, measured: Resampled, controls: Resampled, fitted: Components, top: TopGenes
) -> dict[str, np.ndarray]:
    """Of each metric the (B,) replicates for one condition."""
    in_components = [Resampled(fitted.project(each.cells), each.times) for each in (predicted, measured)]
    with single_threaded_blas():
        genes, projected = _distances(predicted, measured), _distances(*in_components)
    mean, variance = predicted.profiles()
    other_mean, other_variance = measured.profiles()
    control_mean, control_variance = controls.profiles()
    control = Profile(control_mean, control_variance, len(controls.cells))
    one, other = (log_fold_change(each, control_mean) for each in (mean, other_mean))
    return {
        "cosine_logfc": _row_cosines(one, other),
        "rmse_mean": np.sqrt(np.mean((mean - other_mean) ** 2, axis=1)),
        "mmd_gex": genes["mmd"],
        "mmd_pca": projected["mmd"],
        "deg_recall": _row_recalls(
            top.among(t_of_profiles(mean, variance, len(predicted.cells), control)),
            top.among(t_of_profiles(other_mean, other_variance, len(measured.cells), control)),
        ),
        "energy_distance": genes["energy"],
    }


def _row_cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.divide((a * b).sum(axis=1), norms, out=np.full(len(a), np.nan), where=norms > 0)


def _row_recalls(predicted: np.ndarray, measured: np.ndarray) -> np.ndarray:
    return np.array([recalls(p[None], m[None])[0, 0] for p, m in zip(predicted, measured, strict=True)])


def _distances(x: Resampled, y: Resampled) -> dict[str, np.ndarray]:
    """mmd and energy, each (B,)."""
    origin = centre(y.cells)
    one, other = cloud(x.cells, origin), cloud(y.cells, origin)
    between = mean_between(one, other, x.times, y.times)
    within = [mean_within(cells, times) for cells, times in ((one, x.times), (other, y.times))]
    with_diagonal = [mean * (1 - 1 / len(cells)) for mean, cells in zip(within, (one, other), strict=True)]
    return {
        "mmd": between - sum(with_diagonal) / 2,
        "energy": 2 * between - sum(within),
    }


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


def interval(value: float, replicates: np.ndarray, name: str) -> tuple[float, float]:
    """The interval that holds ``COVERAGE`` of the replicates, moved so that their median stands at ``value``.

    Moved, since drawing cells again adds noise of its own: a distance of means grows by it, an overlap shrinks, and
    the plain percentiles would lie beside the value. (NaN, NaN) where there is no value or no replicate.
    """
    known = replicates[np.isfinite(replicates)]
    if not np.isfinite(value) or not len(known):
        return float("nan"), float("nan")
    low, middle, high = np.quantile(known, [(1 - COVERAGE) / 2, 0.5, (1 + COVERAGE) / 2])
    least, most = RANGES.get(name, (-np.inf, np.inf))
    return float(max(value + low - middle, least)), float(min(value + high - middle, most))


def mean_replicates(of_conditions: Sequence[Mapping[str, np.ndarray]], name: str) -> np.ndarray:
    """(B,) replicates of the mean over conditions; a condition without the metric is left out."""
    known = [each[name] for each in of_conditions if np.isfinite(each[name]).all()]
    return np.mean(known, axis=0) if known else np.zeros(0)
