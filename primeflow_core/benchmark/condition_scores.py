"""The scores of each model in each condition by one metric, between the floor and ceiling of that condition."""

import numpy as np
import pandas as pd

from primeflow_core.benchmark.read_cell_projection import Place
from primeflow_core.benchmark.results import BETWEEN, Results
from primeflow_core.evaluation.metrics.registry import metric_named
from primeflow_core.figures.interactive.condition_grid import ConditionGrid


def strongest_first(results: Results, metric: str) -> tuple[Place, ...]:
    """The conditions, worst floor first: there the perturbation changed the cells most."""
    floor = results.rows.get(f"{metric}_floor")
    if floor is None:
        return results.places
    means = floor.groupby([results.rows["condition"], results.contexts], sort=False).mean()
    order = means.sort_values(ascending=metric_named(metric).larger_is_better, kind="stable", na_position="last").index
    return tuple((str(condition), str(context)) for condition, context in order)


def condition_grid(results: Results, metric: str) -> ConditionGrid:
    """Means over trainings, the best model and the strongest condition first."""
    places = strongest_first(results, metric)
    rows = results.named(results.rows, metric)
    models = tuple(dict.fromkeys(rows["model"]))
    keys = [rows["model"], rows["condition"], results.contexts.loc[rows.index]]
    means = rows[metric].groupby(keys, sort=False).mean()
    index = pd.MultiIndex.from_tuples([(model, *place) for model in models for place in places])
    values = means.reindex(index).to_numpy(np.float64).reshape(len(models), len(places))
    floor, ceiling = (_bound(results, f"{metric}_{name}", places) for name in ("floor", "ceiling"))
    names = tuple(name_of(place, results) for place in places)
    record = metric_named(metric)
    return ConditionGrid(models, names, values, floor, ceiling, record.label, not record.larger_is_better)


def _bound(results: Results, column: str, places: tuple[Place, ...]) -> np.ndarray:
    """(c,) NaN where there is no value."""
    if column not in results.rows:
        return np.full(len(places), np.nan)
    means = results.rows[column].groupby([results.rows["condition"], results.contexts], sort=False).mean()
    return means.reindex(pd.MultiIndex.from_tuples(places)).to_numpy(np.float64)


def name_of(place: Place, results: Results) -> str:
    """The condition, with its context if there are several contexts."""
    condition, context = place
    several = len({other for _, other in results.places}) > 1
    return f"{condition}{BETWEEN}{context}" if several else condition
