"""A csv that the command evaluate wrote, as a finding for the report."""

from collections.abc import Mapping
from math import isfinite
from pathlib import Path

import pandas as pd

from primeflow_core.errors import DataError
from primeflow_core.evaluation.mean_row import MEAN
from primeflow_core.evaluation.metrics.registry import all_metrics
from primeflow_core.report.finding import Finding, Table
from primeflow_core.wording import counted

CONDITION = "condition"
CHALLENGE: Mapping[str, str] = {"mae": "MAE", "pds": "PDS", "des": "DES", "score": "Score"}
"""Columns of the other suite, the Virtual Cell Challenge's."""


def evaluation_finding(path: Path) -> Finding:
    """Raises DataError for anything but the metrics of conditions with a row of their mean."""
    frame = _read(path)
    shown = {name: label for name, label in _labels().items() if name in frame}
    means = frame[frame[CONDITION] == MEAN]
    if not shown or means.empty:
        raise DataError(f"{path} holds no metrics of conditions. Name a csv that `primeflow evaluate --out` wrote.")
    mean, count = means.iloc[0], len(frame) - len(means)
    said = ", ".join(f"{label} {mean[name]:.3g}" for name, label in shown.items() if isfinite(mean[name]))
    return Finding(
        f"{path.name}: mean over {counted(count, CONDITION)}: {said or 'no metric has a value'}.", "evaluation", (), (),
        (Table("Metrics of each condition", frame, _headings(frame)),), "", (),
        f"The metrics of {path.name} compare predicted with measured cells: {_methods(shown)}.",
    )  # fmt: skip


def _labels() -> dict[str, str]:
    """What can be in the csv, by column."""
    return {metric.name: metric.page_label for metric in all_metrics()} | dict(CHALLENGE)


def _headings(frame: pd.DataFrame) -> dict[str, str]:
    """Metrics by their labels; what stands beside one by its own word, such as ``RMSE: floor``."""
    found = dict(CHALLENGE)
    for metric in all_metrics():
        found[metric.name] = f"{metric.page_label} ({metric.direction})"
        for column in frame.columns:
            if (word := column.removeprefix(f"{metric.name}_")) != column:
                found[column] = f"{metric.page_label}: {word.replace('_', ' ')}"
    return found


def _methods(shown: Mapping[str, str]) -> str:
    known = [metric.methods for metric in all_metrics() if metric.name in shown]
    return "; ".join(known) or f"{', '.join(shown.values())} of the Virtual Cell Challenge"


def _read(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path, dtype={CONDITION: str})
    except ValueError as error:
        raise DataError(
            f"{path} cannot be read as a csv: {error}. Name one that `primeflow evaluate` wrote."
        ) from error
    if CONDITION not in frame:
        raise DataError(f"{path} has no column {CONDITION!r}. Name a csv that `primeflow evaluate --out` wrote.")
    numbers = [name for name in _labels() if name in frame]
    try:
        return frame.astype(dict.fromkeys(numbers, float))
    except (TypeError, ValueError) as error:
        raise DataError(f"{path} has metrics that are not numbers: {error}.") from error
