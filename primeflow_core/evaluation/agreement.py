"""How far to trust one prediction: each metric between its floor and its ceiling.

Floor: control cells that the reference does not use, offered as the prediction. Ceiling: one half of the measured
cells scored against the other half. A figure is only readable between the two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from primeflow_core.evaluation.distances import distances, mmd
from primeflow_core.evaluation.genes import recall, t_scores, top_genes
from primeflow_core.evaluation.pair import MOST_PREDICTED, Pair
from primeflow_core.evaluation.principal_components import Components, components
from primeflow_core.evaluation.profiles import cosine, log_fold_change, mean_profile, rmse
from primeflow_core.evaluation.table import LARGER_IS_BETTER, PCS, TOP_GENES, with_mean

HALVINGS = 5
FEWEST = 4


@dataclass(frozen=True)
class Bounded:
    """A value with its floor and ceiling; either is None where there are too few cells to compute it."""

    value: float
    floor: float | None
    ceiling: float | None
    larger_is_better: bool = False

    @property
    def tells_apart(self) -> bool:
        """Whether the ceiling is better than the floor, so that the metric can tell a good prediction from none."""
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


@dataclass(frozen=True)
class Measured:
    """The truth of one condition: measured cells (m, G), the controls they are compared with, and disjoint
    controls for the floor; the genes' names and the principal components for MMD PCA."""

    cells: np.ndarray
    controls: np.ndarray
    floor_controls: np.ndarray
    genes: Sequence[str]
    components: Components


def halved_controls(controls: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Controls (n, G) in two disjoint halves, for the reference and for the floor, drawn by ``seed``."""
    order = np.random.default_rng(seed).permutation(len(controls))
    return controls[order[: len(order) // 2]], controls[order[len(order) // 2 :]]


def agreement(predicted: np.ndarray, measured: Measured, *, top: int = TOP_GENES, seed: int = 0) -> dict[str, Bounded]:
    """Predicted cells (n, G) against the measured ones by each of rmse_mean, mmd_gex, mmd_pca, deg_recall,
    cosine_logfc and energy_distance, each bounded.

    The floor needs 4 floor controls, the ceiling 8 measured cells: 4 in each half.
    """
    value = _scores(predicted, measured.cells, measured, top)
    enough = len(measured.floor_controls) >= FEWEST
    floor = [_scores(measured.floor_controls, measured.cells, measured, top)] if enough else []
    halved = [_scores(one, other, measured, top) for one, other in _halves(measured.cells, seed)]
    return {
        name: Bounded(
            value[name],
            _mean([scores[name] for scores in floor]),
            _mean([scores[name] for scores in halved]),
            LARGER_IS_BETTER.get(name, False),
        )
        for name in value
    }


def bounds(
    pair: Pair,
    floor_controls: Mapping[tuple[str, ...], np.ndarray] | None = None,
    *,
    pcs: int = PCS,
    top_genes: int = TOP_GENES,
    seed: int = 0,
) -> pd.DataFrame:
    """Value, floor and ceiling of every scored condition: columns condition, covariates, and of each metric
    ``name``, ``name_floor``, ``name_ceiling``; last the row ``mean``.

    ``floor_controls``: of each covariate group cells that the reference does not hold; as of any prediction, the
    first 1,000 are used. Without them the reference's controls are halved for the floor, and the values then use
    the other half only.
    """
    fitted = components(pair.reference, pcs)
    rows: list[dict[str, object]] = []
    for condition in pair.scored:
        controls = pair.controls[condition.group]
        kept, floor = halved_controls(controls, seed) if floor_controls is None else (
            controls, floor_controls.get(condition.group, controls[:0])
        )  # fmt: skip
        measured = Measured(condition.measured, kept, floor[:MOST_PREDICTED], pair.genes, fitted)
        row: dict[str, object] = {"condition": condition.label}
        row |= zip(pair.covariates, condition.group, strict=True)
        for name, bounded in agreement(condition.predicted, measured, top=top_genes, seed=seed).items():
            row |= {name: bounded.value, f"{name}_floor": _or_nan(bounded.floor)}
            row[f"{name}_ceiling"] = _or_nan(bounded.ceiling)
        rows.append(row)
    return with_mean(pd.DataFrame(rows), pair.covariates)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _mean(values: Sequence[float]) -> float | None:
    """Of the numbers among them; None where there is none."""
    numbers = [value for value in values if np.isfinite(value)]
    return float(np.mean(numbers)) if numbers else None


def _halves(cells: np.ndarray, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Random halvings, none for too few cells. One direction is enough: every metric here is symmetric."""
    if len(cells) < 2 * FEWEST:
        return []
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(len(cells)) for _ in range(HALVINGS)]
    return [(cells[order[: len(cells) // 2]], cells[order[len(cells) // 2 :]]) for order in orders]


def _scores(one: np.ndarray, other: np.ndarray, measured: Measured, top: int) -> dict[str, float]:
    """Every metric of two sets of cells (n, G) and (m, G), effects measured from the controls of ``measured``."""
    controls, genes, project = measured.controls, measured.genes, measured.components.project
    centre, mean, other_mean = mean_profile(controls), mean_profile(one), mean_profile(other)
    apart = distances(one, other)
    return {
        "rmse_mean": rmse(mean, other_mean),
        "mmd_gex": apart.mmd,
        "mmd_pca": mmd(project(one), project(other)),
        "deg_recall": recall(
            top_genes(t_scores(one, controls), genes, top), top_genes(t_scores(other, controls), genes, top)
        ),
        "cosine_logfc": cosine(log_fold_change(mean, centre), log_fold_change(other_mean, centre)),
        "energy_distance": apart.energy,
    }
