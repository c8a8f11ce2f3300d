"""The outcome of one benchmark, or of several splits of the same data together."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from primeflow_core.benchmark.about import About
from primeflow_core.benchmark.cell_projection import Canvas
from primeflow_core.benchmark.output_files import BenchmarkOutcome
from primeflow_core.benchmark.store import BenchmarkStore
from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.errors import SettingError

HELD_OUT = ("condition", "context")


def outcome(about: About, stores: Sequence[BenchmarkStore], cells: Cells) -> BenchmarkOutcome:
    """The outcome of ``stores``, each with another split of the same ``cells``.

    Raises SettingError if no training was finished, or no model can predict any condition.
    """
    rows = _joined([store.rows() for store in stores])
    if rows.empty:
        reasons = [why for conditions in _refused(stores).values() for why in conditions.values()]
        if reasons:
            raise SettingError(f"No model can predict any held-out condition, so there is no table: {reasons[0]}")
        raise SettingError("No training was finished, so there is no table.")
    predicted, canvas = _joined([store.picture() for store in stores]), Canvas(cells)
    contexts = predicted["context"].unique() if len(predicted) else ()
    picture = _joined([canvas.measured(_pictured(predicted, cells)), predicted])
    return BenchmarkOutcome(replace(about, refused=_refused(stores)), rows, picture, canvas.axes(contexts))


def _refused(stores: Sequence[BenchmarkStore]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for store in stores:
        for recipe, conditions in store.refused().items():
            found.setdefault(recipe, {}).update(conditions)
    return found


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()


def _pictured(predicted: pd.DataFrame, cells: Cells) -> list[Condition]:
    names = set(predicted[list(HELD_OUT)].itertuples(index=False, name=None)) if len(predicted) else set()
    return [one for one in cells.conditions if (one.label, one.context) in names]
