"""PerturBench's table: ten metrics of every condition, and their mean."""

from collections.abc import Sequence

import pandas as pd

from primeflow_core.evaluation.defaults import PCS, TOP_GENES
from primeflow_core.evaluation.mean_row import with_mean
from primeflow_core.evaluation.pair import Pair
from primeflow_core.evaluation.ranks import tie_average_ranks
from primeflow_core.evaluation.scores import LARGER_IS_BETTER, ScoredPair, score

METRICS = ("cosine_logfc", "rmse_mean", "mmd_gex", "mmd_pca", "deg_recall")
RANKS = tuple(f"{name}_rank" for name in METRICS)


def evaluate(pair: Pair, *, pcs: int = PCS, top_genes: int = TOP_GENES) -> pd.DataFrame:
    """``table`` of a pair that is scored for it alone."""
    return table(score(pair, pcs=pcs, top_genes=top_genes))


def table(scored: ScoredPair, also: Sequence[str] = ()) -> pd.DataFrame:
    """One row a scored condition: condition, covariates, each metric and its rank; last the row ``mean``.

    Ranks compare the scored conditions of one covariate group; the mean skips NaN. ``also``: more metrics of
    ``LARGER_IS_BETTER``, without rank.
    """
    rows: list[dict[str, object]] = []
    for group in scored.groups:
        ranks = {
            name: tie_average_ranks(group.matrices[name], larger_is_better=LARGER_IS_BETTER[name]) for name in METRICS
        }
        for i, condition in enumerate(group.conditions):
            row: dict[str, object] = {"condition": condition.label}
            row.update(zip(scored.pair.covariates, condition.group, strict=True))
            for name in METRICS:
                row[name], row[f"{name}_rank"] = group.matrices[name][i, i], ranks[name][i]
            row |= {name: group.matrices[name][i, i] for name in also}
            rows.append(row)
    return with_mean(pd.DataFrame(rows), scored.pair.covariates)
