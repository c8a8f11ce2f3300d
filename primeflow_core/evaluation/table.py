"""PerturBench's table: ten metrics of every condition, and their mean."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from primeflow_core.evaluation.distances import pairwise_mmd
from primeflow_core.evaluation.genes import recall, t_scores, top_genes
from primeflow_core.evaluation.pair import ConditionCells, Pair
from primeflow_core.evaluation.principal_components import Components, components
from primeflow_core.evaluation.profiles import cosine, log_fold_change, mean_profile, rmse
from primeflow_core.evaluation.ranks import tie_average_ranks

LARGER_IS_BETTER = {
    "cosine_logfc": True,
    "rmse_mean": False,
    "mmd_gex": False,
    "mmd_pca": False,
    "deg_recall": True,
}
PCS, TOP_GENES = 30, 50
MEAN = "mean"


@dataclass(frozen=True)
class _Side:
    """One condition's cells on one side with what the metrics need of them."""

    cells: np.ndarray
    projected: np.ndarray
    mean: np.ndarray
    change: np.ndarray
    top: frozenset[str]


def evaluate(pair: Pair, *, pcs: int = PCS, top_genes: int = TOP_GENES) -> pd.DataFrame:
    """One row a scored condition: condition, covariates, each metric and its rank; last the row ``mean``.

    Ranks compare the scored conditions of one covariate group; the mean skips NaN.
    """
    fitted = components(pair.reference, pcs)
    rows: list[dict[str, object]] = []
    for group in pair.groups():
        conditions = [condition for condition in pair.scored if condition.group == group]
        scores = _scores(pair, conditions, fitted, top_genes)
        for i, condition in enumerate(conditions):
            row: dict[str, object] = {"condition": condition.label}
            row.update(zip(pair.covariates, group, strict=True))
            for name, (matrix, ranks) in scores.items():
                row[name], row[f"{name}_rank"] = matrix[i, i], ranks[i]
            rows.append(row)
    return with_mean(pd.DataFrame(rows), pair.covariates)


def with_mean(table: pd.DataFrame, covariates: Sequence[str]) -> pd.DataFrame:
    numbers = table.drop(columns=["condition", *covariates]).mean(skipna=True)
    mean: dict[str, object] = {"condition": MEAN}
    mean |= dict.fromkeys(covariates, "")
    mean |= {str(name): value for name, value in numbers.items()}
    return pd.concat([table, pd.DataFrame([mean])], ignore_index=True)


def _scores(
    pair: Pair, conditions: Sequence[ConditionCells], fitted: Components, k: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Of each metric the matrix (prediction i, reference j) and the rank of every condition."""
    controls = pair.controls[conditions[0].group]
    predicted = [_side(condition.predicted, controls, pair.genes, fitted, k) for condition in conditions]
    measured = [_side(condition.measured, controls, pair.genes, fitted, k) for condition in conditions]
    matrices = {
        "cosine_logfc": np.array([[cosine(p.change, m.change) for m in measured] for p in predicted]),
        "rmse_mean": np.array([[rmse(p.mean, m.mean) for m in measured] for p in predicted]),
        "mmd_gex": pairwise_mmd([p.cells for p in predicted], [m.cells for m in measured]),
        "mmd_pca": pairwise_mmd([p.projected for p in predicted], [m.projected for m in measured]),
        "deg_recall": np.array([[recall(p.top, m.top) for m in measured] for p in predicted]),
    }
    return {
        name: (matrix, tie_average_ranks(matrix, larger_is_better=LARGER_IS_BETTER[name]))
        for name, matrix in matrices.items()
    }


def _side(cells: np.ndarray, controls: np.ndarray, genes: Sequence[str], fitted: Components, k: int) -> _Side:
    mean = mean_profile(cells)
    change = log_fold_change(mean, mean_profile(controls))
    return _Side(cells, fitted.project(cells), mean, change, top_genes(t_scores(cells, controls), genes, k))
