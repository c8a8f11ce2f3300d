"""Mean and spread over seeds, for every metric and model, between floor and ceiling.

The value of a seed is the mean over its conditions, as in PerturBench. Floor, ceiling and baseline depend on the
conditions, not on the model (evaluation/yardstick.py). All models are compared on the same conditions
(common_conditions.py).
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
import pandas as pd

from primeflow_core.benchmark.common_conditions import by_model, condition_columns, in_common
from primeflow_core.evaluation.calibration import CALIBRATED, calibrated_score
from primeflow_core.evaluation.metrics.registry import all_metrics, metric_named, metric_names, rank_columns

SMALL = 0.1
UNRANKED = "No ranks: no context has two of these conditions, so no prediction can be confused with another condition."
FLOOR, CEILING = "floor: control cells", "ceiling: half of the measured cells"
BASELINE = "baseline: typical perturbed cells"
BOUNDS = (FLOOR, CEILING, BASELINE)
ENDS = ((FLOOR, "_floor"), (CEILING, "_ceiling"), (BASELINE, "_baseline"))
WRONG = "_wrong"
BOLD = "Bold: the best mean, and every model that it is not better than, over conditions and over trainings."


@dataclass(frozen=True)
class Figure:
    """Mean and standard deviation over ``seeds`` of one metric of one model. The spread of a single seed is NaN."""

    mean: float
    spread: float

    @property
    def text(self) -> str:
        """Three decimals; four if the mean is below 0.1."""
        return self.with_digits(3 if abs(self.mean) >= SMALL else 4)

    def with_digits(self, digits: int) -> str:
        if not np.isfinite(self.mean):
            return "-"
        mean = f"{round(self.mean, digits) + 0.0:.{digits}f}"
        return mean if not np.isfinite(self.spread) else f"{mean} ± {self.spread:.{digits}f}"


def leaderboard(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each model and guidance weight: ``model``, ``guidance``, ``seeds``, ``conditions``, ``seconds``,
    ``parameters``, and each metric and rank as NAME and NAME_sd; likewise NAME_calibrated, the calibrated score, and
    NAME_wrong, the value of predictions of other conditions. Then floor, ceiling and baseline, without spread.

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
    for name, of_seeds in _of_seeds(shared):
        row |= {name: float(of_seeds.mean()), f"{name}_sd": float(of_seeds.std(ddof=1))}
    return row


def _of_seeds(rows: pd.DataFrame) -> Iterator[tuple[str, pd.Series]]:
    """The columns of a model, each with its value by seed."""
    by_seed = rows.groupby("seed", sort=False)
    for name in (*metric_names(), *rank_columns(), *(f"{name}{WRONG}" for name in metric_names())):
        if name in rows:
            yield name, by_seed[name].mean()
    for metric in all_metrics():
        if f"{metric.name}_baseline" in rows:
            scores = [calibrated_score(of_seed, metric) for _, of_seed in by_seed]
            yield f"{metric.name}{CALIBRATED}", pd.Series(scores, dtype=float)


def _bounds(rows: pd.DataFrame) -> pd.DataFrame:
    """Floor, ceiling and baseline, with every condition counted once; without the baseline of an earlier version."""
    of_condition = rows.drop_duplicates(condition_columns(rows))
    found = []
    for label, suffix in ENDS:
        values = {
            name: float(of_condition[name + suffix].mean()) for name in metric_names() if name + suffix in of_condition
        }
        if values or label != BASELINE:
            found.append({"model": label, "conditions": len(of_condition), **values})
    return pd.DataFrame(found)


def ranks_of(table: pd.DataFrame) -> tuple[str, ...]:
    """The ranks that any model has. There are none if no context has two predicted conditions."""
    return tuple(name for name in rank_columns() if name in table and table[name].notna().any())


def figure(row: pd.Series, name: str) -> Figure:
    return Figure(float(row.get(name, np.nan)), float(row.get(f"{name}_sd", np.nan)))


def metric_of(column: str) -> str:
    """The metric of a column such as ``mmd_gex_rank`` or ``mmd_gex_calibrated``. Raises KeyError for another column."""
    for name in sorted(metric_names(), key=len, reverse=True):
        if column == name or column.startswith(f"{name}_"):
            return name
    raise KeyError(column)


def larger_is_better(column: str) -> bool:
    """Whether larger values of a metric's column are better: always of its calibrated score, never of its rank."""
    if column in rank_columns():
        return False
    return column.endswith(CALIBRATED) or metric_named(metric_of(column)).larger_is_better


def markdown(table: pd.DataFrame, leading: Mapping[str, Set[int]], names: Sequence[str] | None = None) -> str:
    """The table in Markdown: mean ± standard deviation over seeds. Bold: ``leading``, by column the numbers of rows.

    ``names``: columns of metrics or ranks; every metric if None. A column that is not in ``leading`` takes no part in
    comparisons, and its heading says so.
    """
    shown = [name for name in (metric_names() if names is None else names) if name in table]
    heads = ["model", "w", "seeds", "conditions", *(_heading(name, silent=name not in leading) for name in shown)]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for number, (_, row) in enumerate(table.iterrows()):
        texts = [str(row["model"]), _plain(row["guidance"]), _plain(row["seeds"]), _plain(row["conditions"])]
        for name in shown:
            text = figure(row, name).text
            texts.append(f"**{text}**" if number in leading.get(name, ()) else text)
        lines.append("| " + " | ".join(texts) + " |")
    return "\n".join(lines) + "\n"


def _heading(name: str, *, silent: bool) -> str:
    return f"{name} {'↑' if larger_is_better(name) else '↓'}{' (cannot tell)' if silent else ''}"


def _plain(value: float) -> str:
    return "" if pd.isna(value) else f"{value:g}"
