"""Cells on principal components, as in the paper's Figure 1: the measured cells, and the cells that models predict.

The components of a context are fitted to all its measured cells, so that every model is placed on the same ones.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.prediction.projection import MOST_CELLS, PCAMap, enough_for_a_map

MOST = 1_000
"""The most cells of a condition that are placed, as in the paper."""
REFERENCE, CONTROL, TRUTH, PREDICTED = "measured, other conditions", "control", "truth", "predicted"
NOWHERE = np.zeros(0, dtype=np.int64)


class Canvas:
    """The components of each context of ``cells``. A context with too few cells has none, and no picture."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        contexts = np.array([condition.context for condition in cells.conditions], dtype=object)[cells.condition_of]
        self._of_context = {str(context): np.flatnonzero(contexts == context) for context in np.unique(contexts)}
        self._maps: dict[str, PCAMap | None] = {}

    def map_of(self, context: str) -> PCAMap | None:
        """The components of a context, fitted at the first call, always to the same cells."""
        if context not in self._maps:
            cells = self._drawn(self._of_context.get(context, NOWHERE), MOST_CELLS)
            self._maps[context] = PCAMap(cells) if enough_for_a_map(cells) else None
        return self._maps[context]

    def axes(self, contexts: Iterable[str]) -> dict[str, tuple[str, str]]:
        """The titles of both axes, for each context that has a map."""
        found = {context: self.map_of(context) for context in contexts}
        return {context: fitted.axes for context, fitted in found.items() if fitted is not None}

    def predicted(self, made: Mapping[Condition, np.ndarray]) -> pd.DataFrame:
        """Cells (n, G) of each condition, at most MOST of them: ``kind``, ``condition``, ``context``, ``x``, ``y``."""
        return _joined([self._placed(PREDICTED, one, one.context, values[:MOST]) for one, values in made.items()])

    def measured(self, conditions: Collection[Condition]) -> pd.DataFrame:
        """The measured cells of ``conditions``, the controls of their contexts, and cells of all other conditions.

        At most MOST cells of each, drawn with seed 0. Rows that belong to a whole context have no ``condition``.
        """
        truth = [self._placed(TRUTH, one, one.context, self._drawn(self._cells.where(one))) for one in conditions]
        ground = []
        for context in dict.fromkeys(one.context for one in conditions):
            index = self._of_context.get(context, NOWHERE)
            of_cell = self._cells.condition_list(index)
            control = np.array([one.is_control for one in of_cell], dtype=bool)
            other = ~control & np.array([one not in conditions for one in of_cell], dtype=bool)
            for kind, chosen in ((CONTROL, control), (REFERENCE, other)):
                ground.append(self._placed(kind, None, context, self._drawn(index[chosen])))
        return _joined([*ground, *truth])

    def _drawn(self, index: np.ndarray, most: int | None = None) -> np.ndarray:
        most = MOST if most is None else most
        if len(index) > most:
            index = np.sort(np.random.default_rng(0).choice(index, most, replace=False))
        return self._cells.dense(index)

    def _placed(self, kind: str, condition: Condition | None, context: str, values: np.ndarray) -> pd.DataFrame:
        fitted = self.map_of(context)
        if fitted is None or not len(values):
            return pd.DataFrame()
        points = fitted.place(values)
        label = "" if condition is None else condition.label
        return pd.DataFrame(
            {"kind": kind, "condition": label, "context": context, "x": points[:, 0], "y": points[:, 1]}
        )


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()
