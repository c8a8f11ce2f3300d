"""All metrics, one row each, in the order of tables and figures: PerturBench's five first."""

from primeflow_core.evaluation.metric import Metric, Place
from primeflow_core.evaluation.metrics.cosine_logfc import COSINE_LOGFC
from primeflow_core.evaluation.metrics.deg_recall import DEG_RECALL
from primeflow_core.evaluation.metrics.energy_distance import ENERGY_DISTANCE
from primeflow_core.evaluation.metrics.mmd_gex import MMD_GEX
from primeflow_core.evaluation.metrics.mmd_pca import MMD_PCA
from primeflow_core.evaluation.metrics.rmse_mean import RMSE_MEAN

METRICS: tuple[Metric, ...] = (
    COSINE_LOGFC,
    RMSE_MEAN,
    MMD_GEX,
    MMD_PCA,
    DEG_RECALL,
    ENERGY_DISTANCE,
)


def all_metrics() -> tuple[Metric, ...]:
    return METRICS


def metric_names() -> tuple[str, ...]:
    return tuple(metric.name for metric in all_metrics())


def ranked_metrics() -> tuple[Metric, ...]:
    """The metrics that conditions are ranked by: those of PerturBench's table."""
    return tuple(metric for metric in all_metrics() if metric.ranked)


def rank_columns() -> tuple[str, ...]:
    return tuple(metric.rank for metric in ranked_metrics())


def metrics_at(place: Place) -> tuple[Metric, ...]:
    """The metrics that are shown at ``place``."""
    return tuple(metric for metric in all_metrics() if place not in metric.left_out_of)


def metric_named(name: str) -> Metric:
    """Raises KeyError for a name that no metric has."""
    return {metric.name: metric for metric in all_metrics()}[name]
