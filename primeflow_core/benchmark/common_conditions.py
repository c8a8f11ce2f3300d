"""The conditions that the models of a benchmark are compared on: those that every model was scored on.

A model can refuse a condition. For instance, the sum of single effects refuses one if a part was not measured alone.
Means over different conditions cannot be compared.
"""

from typing import Any

import pandas as pd

from primeflow_core.evaluation.metrics.registry import metric_names


def by_model(rows: pd.DataFrame) -> Any:
    """Groups of one model with one guidance weight, in the order of the rows."""
    return rows.groupby(["model", "guidance"], sort=False)


def condition_columns(rows: pd.DataFrame) -> list[str]:
    """The columns that name a condition: all columns before the metrics."""
    columns = list(rows.columns)
    return columns[: min(columns.index(name) for name in metric_names() if name in columns)]


def in_common(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of those conditions. If there are none, models are removed until there are, the model that was scored
    on the fewest conditions first."""
    if rows.empty:
        return rows
    of_row = pd.Series(list(rows[condition_columns(rows)].itertuples(index=False, name=None)), index=rows.index)
    scored = sorted((set(of_row[group.index]) for _, group in by_model(rows)), key=len)
    while not (shared := set.intersection(*scored)):
        scored.pop(0)
    return rows[[condition in shared for condition in of_row]]


def compared(rows: pd.DataFrame) -> str:
    """A sentence on how many conditions the models are compared on; empty if it is all of them."""
    columns = condition_columns(rows)
    shared, all_of_them = (len(some.drop_duplicates(columns)) for some in (in_common(rows), rows))
    if shared == all_of_them:
        return ""
    return f"Compared on {shared} of {all_of_them} conditions: those that every model predicts."
