"""A finished benchmark, as read from its folder."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from primeflow_core.benchmark.about import About
from primeflow_core.benchmark.common_conditions import in_common
from primeflow_core.benchmark.display_names import Entry, labels
from primeflow_core.benchmark.leaderboard import leaderboard, ranks_of
from primeflow_core.benchmark.read_cell_projection import PictureFile, Place
from primeflow_core.benchmark.standings import Standings
from primeflow_core.evaluation.metrics.registry import metric_named, metric_names

UNGUIDED = 1.0
BETWEEN = " · "


@dataclass(frozen=True, eq=False)
class Results:
    """``table``: the models, in the order of the file. ``bounds``: floor, ceiling and baseline, rows of the same form.

    ``rows``: every condition of every training. ``contexts``: its contexts, with the same index. ``key``: the name of
    the benchmark on this machine. ``own``: a user made it here.
    """

    key: str
    folder: Path
    about: About
    table: pd.DataFrame
    bounds: pd.DataFrame
    rows: pd.DataFrame
    contexts: pd.Series
    picture: PictureFile | None
    own: bool = False

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(name for name in metric_names() if name in self.table)

    @cached_property
    def ranks(self) -> tuple[str, ...]:
        return ranks_of(self.table)

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(zip(self.table["model"], self.table["guidance"], strict=True))

    @cached_property
    def labels(self) -> dict[Entry, str]:
        return labels(self.entries)

    @cached_property
    def shared(self) -> pd.DataFrame:
        """The rows of those conditions that the models are compared on."""
        return in_common(self.rows)

    @cached_property
    def standings(self) -> Standings:
        return Standings(self.table, self.shared)

    @cached_property
    def derived(self) -> pd.DataFrame:
        """The leaderboard of ``rows`` in the order of ``table``: also what a file of an earlier version has not."""
        whole = leaderboard(self.rows).set_index(["model", "guidance"])
        return whole.loc[list(self.entries)].reset_index()

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Each scored condition with its context, in the order of the file."""
        return tuple(dict.fromkeys(zip(self.rows["condition"], self.contexts, strict=True)))

    def rows_at(self, place: Place) -> pd.DataFrame:
        condition, context = place
        return self.rows[(self.rows["condition"] == condition) & (self.contexts == context)]

    def named(self, rows: pd.DataFrame, metric: str) -> pd.DataFrame:
        """``rows`` with display names in place of recipes and weights, the best by ``metric`` first."""
        larger = metric_named(metric).larger_is_better
        order = self.table[metric].sort_values(ascending=not larger, na_position="last").index
        place = {self.entries[row]: i for i, row in enumerate(order)}
        entries = list(zip(rows["model"], rows["guidance"], strict=True))
        sorted_rows = rows.assign(model=[self.labels[entry] for entry in entries], guidance=UNGUIDED)
        return sorted_rows.iloc[np.argsort([place[entry] for entry in entries], kind="stable")]
