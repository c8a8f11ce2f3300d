"""Mean and spread over seeds, for every metric and model, between floor and ceiling.

The value of a seed is the mean over its conditions, as in PerturBench. Floor and ceiling depend on the conditions, not
on the model (evaluation/agreement.py). All models are compared on the same conditions (common_conditions.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from primeflow_core.benchmark.common_conditions import by_model, condition_columns, in_common
from primeflow_core.evaluation.metrics.registry import all_metrics, metric_names, rank_columns

SMALL = 0.1
UNRANKED = "No ranks: no context has two of these conditions, so no prediction can be confused with another condition."
FLOOR, CEILING = "floor: control cells", "ceiling: half of the measured cells"


@dataclass(frozen=True)
class Figure:
    """Mean and standard deviation over ``seeds`` of one metric of one model. The spread of a single seed is NaN."""

    mean: float
    spread: float

    @property
    def text(self) -> str:
        """Three decimals; four if the mean is below 0.1."""
        if not np.isfinite(self.mean):
            return "-"
        digits = 3 if abs(self.mean) >= SMALL else 4
        mean = f"{self.mean:.{digits}f}"
        return mean if not np.isfinite(self.spread) else f"{mean} ± {self.spread:.{digits}f}"


def leaderboard(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each model and guidance weight: ``model``, ``guidance``, ``seeds``, ``conditions``, ``seconds``,
    ``parameters``, and each metric and rank as NAME and NAME_sd. Then the floor and the ceiling, without spread.

    ``rows`` as from ``BenchmarkStore.rows``, whose order is kept.
    """
    shared = in_common(rows)
    found = [
        _row(str(model), float(weight), group, group.loc[group.index.intersection(shared.index)])
        for (model, weight), group in by_model(rows)
    ]
    return pd.concat([pd.DataFrame(found), _bounds(shared)], ignore_index=True)


def _row(model: str, weight: float, rows: pd.DataFrame, shared: pd.DataFrame) -> dict[str, object]:
    row: dict[str, object] = {
        "model": model, "guidance": weight, "seeds": rows["seed"].nunique(),
        "conditions": len(shared.drop_duplicates(condition_columns(shared))),
        "seconds": float(rows.groupby("seed", sort=False)["seconds"].first().mean()),
        "parameters": int(rows["parameters"].max()),
    }  # fmt: skip
    for name in (*metric_names(), *rank_columns()):
        if name in rows:
            of_seeds = shared.groupby("seed", sort=False)[name].mean()
            row |= {name: float(of_seeds.mean()), f"{name}_sd": float(of_seeds.std(ddof=1))}
    return row


def _bounds(rows: pd.DataFrame) -> pd.DataFrame:
    """Floor and ceiling, with every condition counted once."""
    of_condition = rows.drop_duplicates(condition_columns(rows))
    found = []
    for label, suffix in ((FLOOR, "_floor"), (CEILING, "_ceiling")):
        values = {
            name: float(of_condition[name + suffix].mean()) for name in metric_names() if name + suffix in of_condition
        }
        found.append({"model": label, "conditions": len(of_condition), **values})
    return pd.DataFrame(found)


def ranks_of(table: pd.DataFrame) -> tuple[str, ...]:
    """The ranks that any model has. There are none if no context has two predicted conditions."""
    return tuple(name for name in rank_columns() if name in table and table[name].notna().any())


def figure(row: pd.Series, name: str) -> Figure:
    return Figure(float(row.get(name, np.nan)), float(row.get(f"{name}_sd", np.nan)))


def best(table: pd.DataFrame, name: str) -> set[int]:
    """Rows of the models whose mean is within one standard deviation of the best mean."""
    models = table[~table["model"].isin([FLOOR, CEILING]) & table[name].notna()]
    if models.empty:
        return set()
    goodness = models[name].to_numpy(np.float64) * (1.0 if larger_is_better(name) else -1.0)
    first = int(goodness.argmax())
    spread = float(np.nan_to_num(figure(models.iloc[first], name).spread))
    return set(models.index[goodness >= goodness[first] - spread])


def larger_is_better(column: str) -> bool:
    """Whether larger values of a metric's column are better. Smaller ranks are better."""
    return any(metric.larger_is_better for metric in all_metrics() if metric.name == column)


def markdown(table: pd.DataFrame, names: Sequence[str] | None = None) -> str:
    """The table in Markdown: mean ± standard deviation over seeds. Bold: the best, and all as good as it.

    ``names``: columns of metrics or ranks; every metric if None.
    """
    shown = [name for name in (metric_names() if names is None else names) if name in table]
    leading = {name: best(table, name) for name in shown}
    heads = [
        "model",
        "w",
        "seeds",
        "conditions",
        *(f"{name} {'↑' if larger_is_better(name) else '↓'}" for name in shown),
    ]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for number, row in table.iterrows():
        texts = [str(row["model"]), _plain(row["guidance"]), _plain(row["seeds"]), _plain(row["conditions"])]
        for name in shown:
            text = figure(row, name).text
            texts.append(f"**{text}**" if number in leading[name] else text)
        lines.append("| " + " | ".join(texts) + " |")
    return "\n".join(lines) + "\n"


def _plain(value: float) -> str:
    return "" if pd.isna(value) else f"{value:g}"
