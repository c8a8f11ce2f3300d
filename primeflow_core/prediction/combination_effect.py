"""Compares a combination with its parts: the combination effect that the model predicts, and the measured one."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.evaluation.defaults import FEWEST
from primeflow_core.evaluation.interaction import Interaction, interaction
from primeflow_core.evaluation.profiles import log_fold_change, mean_profile


class PartFrom(StrEnum):
    """The source of the cells of a part."""

    MEASURED = "measured"
    PREDICTED = "predicted"


@dataclass(frozen=True)
class Part:
    """Cells (n, G) of one perturbation alone."""

    condition: Condition
    cells: np.ndarray
    origin: PartFrom


@dataclass(frozen=True)
class CombinationCells:
    """Cells (n, G) of a combination, its parts, and the controls (k, G) of the same experiment."""

    cells: np.ndarray
    parts: tuple[Part, ...]
    controls: np.ndarray

    def interaction(self, seed: int) -> Interaction:
        names = [part.condition.label for part in self.parts]
        return interaction(names, self.cells, [part.cells for part in self.parts], self.controls, seed=seed)

    def change(self) -> np.ndarray:
        """(G,) log2 change of the combination."""
        return _change(self.cells, self.controls)

    def sum_change(self) -> np.ndarray:
        """(G,) what the single effects add up to, log2."""
        return np.sum([_change(part.cells, self.controls) for part in self.parts], axis=0)


@dataclass(frozen=True)
class Interplay:
    """``predicted`` and ``measured``: the combination against the sum of its parts.

    ``changes``: one row a gene, log2 changes against control: gene, sum_change, predicted_change and, where it was
    measured, measured_change. ``parts``: name, origin and number of
    cells of each part of the predicted side.
    """

    predicted: Interaction
    measured: Interaction | None
    parts: tuple[tuple[str, PartFrom, int], ...]
    changes: pd.DataFrame

    def summary(self) -> pd.DataFrame:
        """A row for the predicted and, where there is one, for the measured combination."""
        sides = {"predicted": self.predicted, "measured": self.measured}
        return pd.DataFrame(
            [{"combination": name, **side.summary()} for name, side in sides.items() if side is not None]
        )

    @property
    def furthest_first(self) -> pd.DataFrame:
        """``changes``, those genes first where the predicted combination is furthest from the sum."""
        distance = (self.changes["predicted_change"] - self.changes["sum_change"]).abs()
        return self.changes.loc[distance.sort_values(ascending=False, kind="stable").index].reset_index(drop=True)

    @property
    def scatter(self) -> tuple[list[str], np.ndarray, np.ndarray]:
        """Genes, what the single effects add up to, and the predicted combination, as figures take them."""
        columns = (self.changes[name].to_numpy(np.float64) for name in ("sum_change", "predicted_change"))
        across, upwards = columns
        return list(self.changes["gene"]), across, upwards


def measured_parts(condition: Condition, cells: Cells | None) -> dict[Condition, np.ndarray]:
    """The parts that were measured alone in this context, with enough cells to compare."""
    if cells is None:
        return {}
    alone = {part: cells.dense(cells.where(part)) for part in condition.parts}
    return {part: found for part, found in alone.items() if len(found) >= FEWEST}


def measured_side(condition: Condition, cells: Cells | None, controls: np.ndarray) -> CombinationCells | None:
    """The combination as it was measured; None where it or one of its parts was not, or by too few cells."""
    alone = measured_parts(condition, cells)
    together = cells.dense(cells.where(condition)) if cells is not None else controls[:0]
    if len(together) < FEWEST or len(alone) < len(condition.parts):
        return None
    return CombinationCells(
        together, tuple(Part(part, alone[part], PartFrom.MEASURED) for part in condition.parts), controls
    )


def interplay(
    predicted: CombinationCells, measured: CombinationCells | None, genes: Sequence[str], *, seed: int = 0
) -> Interplay:
    """The predicted and the measured combination effect of two or three parts. Raises DataError for too few cells."""
    changes = {"gene": list(genes), "sum_change": predicted.sum_change(), "predicted_change": predicted.change()}
    if measured is not None:
        changes["measured_change"] = measured.change()
    found = None if measured is None else measured.interaction(seed)
    parts = tuple((part.condition.label, part.origin, len(part.cells)) for part in predicted.parts)
    return Interplay(predicted.interaction(seed), found, parts, pd.DataFrame(changes))


def _change(cells: np.ndarray, controls: np.ndarray) -> np.ndarray:
    return log_fold_change(mean_profile(cells), mean_profile(controls))
