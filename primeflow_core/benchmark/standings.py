"""How the models of a benchmark stand against each other, condition by condition.

A model is better than another by a metric only where the paired 95 % interval over conditions excludes 0 and the
difference is larger than its spread over trainings (evaluation/paired.py). A metric that cannot tell a repeat of the
experiment from typical perturbed cells on these data takes no part (evaluation/calibration.py). Benchmarks of earlier
versions have no baseline and replicate; all their metrics take part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from primeflow_core.benchmark.common_conditions import condition_columns, in_common
from primeflow_core.benchmark.display_names import Entry
from primeflow_core.benchmark.leaderboard import BOUNDS, figure, larger_is_better, metric_of
from primeflow_core.evaluation.calibration import Calibration, calibrations
from primeflow_core.evaluation.metrics.registry import metric_names, rank_columns
from primeflow_core.evaluation.paired import (
    FEWEST_CONDITIONS,
    ConditionValues,
    MetricStanding,
    PairedDifference,
    paired_difference,
)
from primeflow_core.models.baselines.registry import baselines_with_recipe


@dataclass(frozen=True, eq=False)
class Standings:
    """``table``: the models of a leaderboard, without floor and ceiling, rows numbered from 0. ``rows``: every training
    on the conditions that the models are compared on."""

    table: pd.DataFrame
    rows: pd.DataFrame

    @cached_property
    def conditions(self) -> int:
        return len(self._numbers)

    @property
    def enough_conditions(self) -> bool:
        return self.conditions >= FEWEST_CONDITIONS

    @cached_property
    def calibrations(self) -> Mapping[str, Calibration]:
        """What each metric can tell, with every condition counted once; empty for an earlier version's benchmark. Their
        values are those of the first model and mean nothing."""
        return calibrations(self.rows.drop_duplicates(condition_columns(self.rows)))

    def can_tell(self, column: str) -> bool:
        """Whether a metric, or the one of a rank, takes part; True where it is not known."""
        found = self.calibrations.get(metric_of(column))
        return found is None or found.can_tell

    def taking_part(self, metrics: Sequence[str]) -> tuple[str, ...]:
        return tuple(name for name in metrics if self.can_tell(name))

    def against(self, one: int, other: int, column: str) -> PairedDifference:
        """Row ``one`` of the table against row ``other`` by a metric or a rank."""
        own, others = (figure(self.table.iloc[row], column).spread for row in (one, other))
        spread = float(np.hypot(own, others))
        return self._difference(self._values(one, column), self._values(other, column), column, spread)

    def against_floor(self, row: int, metric: str) -> PairedDifference | None:
        """Against control cells offered as the prediction, the same in every training; None without a floor."""
        floor = self._means.get(f"{metric}_floor")
        if floor is None:
            return None
        spread = figure(self.table.iloc[row], metric).spread
        return self._difference(self._values(row, metric), self._of_entry(floor, row), metric, spread)

    def leading(self, column: str) -> frozenset[int]:
        """The row with the best mean and all rows that it is not better than. None where the metric takes no part, or
        with fewer than 3 conditions."""
        if column not in self._means or not self.can_tell(column) or not self.enough_conditions:
            return frozenset()
        first = self.first((*range(len(self.table)),), column)
        if first is None:
            return frozenset()
        known = np.flatnonzero(self.table[column].notna()).tolist()
        return frozenset(row for row in known if row == first or not self._behind(row, first, column))

    def first(self, rows: Sequence[int], column: str) -> int | None:
        """The row with the best mean among ``rows``; None where none has a value."""
        values = self.table[column].reindex(list(rows)).dropna()
        if values.empty:
            return None
        return int(values.idxmax() if larger_is_better(column) else values.idxmin())

    def leaders(self, columns: Sequence[str]) -> dict[str, frozenset[int]]:
        """``leading`` of each of the columns that take part."""
        return {name: self.leading(name) for name in self.taking_part(columns)}

    @property
    def closed_form(self) -> tuple[int, ...]:
        """The rows of models with nothing to train: without parameters, or a baseline computed from training cells."""
        baselines = [baseline.recipe for baseline in baselines_with_recipe()]
        found = (self.table["parameters"] == 0) | self.table["model"].isin(baselines)
        return tuple(np.flatnonzero(found).tolist())

    def _behind(self, row: int, first: int, column: str) -> bool:
        return self.against(first, row, column).standing is MetricStanding.BETTER

    def _difference(self, one: ConditionValues, other: ConditionValues, column: str, spread: float) -> PairedDifference:
        return paired_difference(one, other, larger_is_better=larger_is_better(column), spread=spread)

    def _values(self, row: int, column: str) -> ConditionValues:
        return self._of_entry(self._means[column], row)

    def _of_entry(self, means: pd.Series, row: int) -> ConditionValues:
        """(c,) means over trainings in the order of the conditions; NaN where the model has none."""
        entry: Entry = (self.table["model"].iloc[row], self.table["guidance"].iloc[row])
        found = np.full(self.conditions, np.nan)
        if entry in self._entries:
            of_entry = means.loc[entry]
            found[of_entry.index.to_numpy()] = of_entry.to_numpy(np.float64)
        return ConditionValues(found)

    @cached_property
    def _entries(self) -> frozenset[Entry]:
        return frozenset(zip(self.rows["model"], self.rows["guidance"], strict=True))

    @cached_property
    def _numbers(self) -> Mapping[tuple[str, ...], int]:
        """The conditions, numbered in the order of the rows."""
        return {condition: i for i, condition in enumerate(dict.fromkeys(self._condition_of))}

    @cached_property
    def _condition_of(self) -> Sequence[tuple[str, ...]]:
        return list(self.rows[condition_columns(self.rows)].itertuples(index=False, name=None))

    @cached_property
    def _means(self) -> Mapping[str, pd.Series]:
        """By column, the means over trainings, by model, weight and number of the condition."""
        names = (*metric_names(), *rank_columns(), *(f"{name}_floor" for name in metric_names()))
        numbers = [self._numbers[condition] for condition in self._condition_of]
        grouped = self.rows.groupby([self.rows["model"], self.rows["guidance"], np.array(numbers)])
        return {name: grouped[name].mean() for name in names if name in self.rows}


def standings(table: pd.DataFrame, rows: pd.DataFrame) -> Standings:
    """Of a leaderboard of all ``rows``; rows of its floor, ceiling and baseline are omitted."""
    models = table[~table["model"].isin(BOUNDS)].reset_index(drop=True)
    return Standings(models, in_common(rows))
