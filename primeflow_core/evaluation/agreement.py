"""How far to trust one prediction: each metric between its floor and its ceiling.

Floor: control cells that the reference does not use, offered as the prediction. Ceiling: one half of the measured
cells scored against the other half. A figure is only readable between the two.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from primeflow_core.evaluation.distances import energy_distance, mmd
from primeflow_core.evaluation.genes import recall, t_scores, top_genes
from primeflow_core.evaluation.pair import Pair
from primeflow_core.evaluation.principal_components import Components, components
from primeflow_core.evaluation.profiles import cosine, log_fold_change, mean_profile
from primeflow_core.evaluation.table import PCS, TOP_GENES, with_mean

HALVINGS = 5
FEWEST = 4

Metric = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Bounded:
    """A value with its floor and ceiling; either is None where there are too few cells."""

    value: float
    floor: float | None
    ceiling: float | None

    @property
    def position(self) -> float | None:
        """0 at the floor, 1 at the ceiling, clipped; None where a bound is missing or both coincide."""
        if self.floor is None or self.ceiling is None or self.floor == self.ceiling:
            return None
        return float(np.clip((self.value - self.floor) / (self.ceiling - self.floor), 0.0, 1.0))


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


def agreement(predicted: np.ndarray, measured: Measured, *, top: int = 50, seed: int = 0) -> Mapping[str, Bounded]:
    """mmd_gex, mmd_pca, deg_recall, cosine_logfc and energy_distance of predicted cells (n, G), each bounded."""
    metrics = _metrics(measured, top)
    halves = _halves(measured.cells, seed)
    floor = measured.floor_controls if len(measured.floor_controls) >= FEWEST else None
    return {
        name: Bounded(
            metric(predicted, measured.cells),
            None if floor is None else metric(floor, measured.cells),
            _mean([metric(a, b) for a, b in halves]),
        )
        for name, metric in metrics.items()
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

    ``floor_controls``: of each covariate group cells that the reference does not hold. Without them the
    reference's controls are halved for the floor, and the values then use the other half only.
    """
    fitted = components(pair.reference, pcs)
    rows: list[dict[str, object]] = []
    for condition in pair.scored:
        controls = pair.controls[condition.group]
        kept, floor = halved_controls(controls, seed) if floor_controls is None else (
            controls, floor_controls.get(condition.group, controls[:0])
        )  # fmt: skip
        measured = Measured(condition.measured, kept, floor, pair.genes, fitted)
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
    return float(np.mean(values)) if values else None


def _halves(cells: np.ndarray, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Random halvings, each in both directions; none for too few cells."""
    if len(cells) < 2 * FEWEST:
        return []
    generator = np.random.default_rng(seed)
    halves = []
    for _ in range(HALVINGS):
        order = generator.permutation(len(cells))
        one, other = cells[order[: len(cells) // 2]], cells[order[len(cells) // 2 :]]
        halves += [(one, other), (other, one)]
    return halves


def _metrics(measured: Measured, top: int) -> dict[str, Metric]:
    controls, genes, project = measured.controls, measured.genes, measured.components.project
    centre = mean_profile(controls)

    def change(cells: np.ndarray) -> np.ndarray:
        return log_fold_change(mean_profile(cells), centre)

    def first(cells: np.ndarray) -> frozenset[str]:
        return top_genes(t_scores(cells, controls), genes, top)

    return {
        "mmd_gex": mmd,
        "mmd_pca": lambda a, b: mmd(project(a), project(b)),
        "deg_recall": lambda a, b: recall(first(a), first(b), top),
        "cosine_logfc": lambda a, b: cosine(change(a), change(b)),
        "energy_distance": energy_distance,
    }
