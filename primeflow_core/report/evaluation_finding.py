"""A csv that the command evaluate wrote, as a finding for the report."""

from pathlib import Path

import pandas as pd

from primeflow_core.errors import DataError
from primeflow_core.evaluation.mean_row import MEAN
from primeflow_core.evaluation.metric import Metric
from primeflow_core.evaluation.metrics.registry import all_metrics
from primeflow_core.report.finding import Finding, Table
from primeflow_core.wording import counted

CONDITION = "condition"


def evaluation_finding(path: Path) -> Finding:
    """Raises DataError for anything but the metrics of conditions with a row of their mean."""
    frame = _read(path)
    metrics = [metric for metric in all_metrics() if metric.name in frame]
    means = frame[frame[CONDITION] == MEAN]
    if not metrics or means.empty:
        raise DataError(f"{path} holds no metrics of conditions. Name a csv that `primeflow evaluate --out` wrote.")
    mean, count = means.iloc[0], len(frame) - len(means)
    said = ", ".join(f"{metric.page_label} {mean[metric.name]:.3g}" for metric in metrics)
    return Finding(
        f"{path.name}: mean over {counted(count, CONDITION)}: {said}.", "evaluation", (), (),
        (Table("Metrics of each condition", frame, {metric.name: _heading(metric) for metric in metrics}),), "",
        (), f"The metrics of {path.name} compare predicted with measured cells: {_methods(metrics)}.",
    )  # fmt: skip


def _read(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path, dtype={CONDITION: str})
    except ValueError as error:
        raise DataError(
            f"{path} cannot be read as a csv: {error}. Name one that `primeflow evaluate` wrote."
        ) from error
    if CONDITION not in frame:
        raise DataError(f"{path} has no column {CONDITION!r}. Name a csv that `primeflow evaluate --out` wrote.")
    numbers = [metric.name for metric in all_metrics() if metric.name in frame]
    try:
        return frame.astype(dict.fromkeys(numbers, float))
    except (TypeError, ValueError) as error:
        raise DataError(f"{path} has metrics that are not numbers: {error}.") from error


def _heading(metric: Metric) -> str:
    return f"{metric.page_label} ({metric.direction})"


def _methods(metrics: list[Metric]) -> str:
    return "; ".join(metric.methods for metric in metrics)
