"""PerturBench's table: every ranked metric of every condition with its rank, and their mean."""

from collections.abc import Sequence

import pandas as pd

from primeflow_core.evaluation.defaults import PCS, TOP_GENES
from primeflow_core.evaluation.mean_row import with_mean
from primeflow_core.evaluation.metrics.registry import ranked_metrics
from primeflow_core.evaluation.pair import Pair
from primeflow_core.evaluation.ranks import tie_average_ranks
from primeflow_core.evaluation.scores import ScoredPair, score


def evaluate(pair: Pair, *, pcs: int = PCS, top_genes: int = TOP_GENES) -> pd.DataFrame:
    """``table`` of a pair that is scored for it alone."""
    return table(score(pair, pcs=pcs, top_genes=top_genes))


def table(scored: ScoredPair, also: Sequence[str] = ()) -> pd.DataFrame:
    """A table with one row for each scored condition: condition, covariates, each metric and its rank; and a last row
    ``mean``.

    Ranks compare the scored conditions of one covariate group; the mean skips NaN. ``also``: names of more metrics,
    without rank.
    """
    rows: list[dict[str, object]] = []
    metrics = ranked_metrics()
    for group in scored.groups:
        ranks = {
            metric.name: tie_average_ranks(group.matrices[metric.name], larger_is_better=metric.larger_is_better)
            for metric in metrics
        }
        for i, condition in enumerate(group.conditions):
            row: dict[str, object] = {"condition": condition.label}
            row.update(zip(scored.pair.covariates, condition.group, strict=True))
            for metric in metrics:
                row[metric.name] = group.matrices[metric.name][i, i]
                row[metric.rank] = ranks[metric.name][i]
            row |= {name: group.matrices[name][i, i] for name in also}
            rows.append(row)
    return with_mean(pd.DataFrame(rows), scored.pair.covariates)
