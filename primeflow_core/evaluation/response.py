"""The response of each gene: how predicted and measured cells differ from unperturbed ones, and where both agree.

Change is PerturBench's: log2(m + 0.1) − log2(m_control + 0.1) on means m of log-normalised values. A gene is
*expected* to change when its predicted change is at least 0.25 and Welch's t test, corrected over all genes
(Benjamini-Hochberg), gives p < 0.05. The experiment *agrees* when the measured change has the same direction,
which chance alone does for every second gene, provided that both sides have controls of their own: shared
controls bring their noise to both.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd
from scipy import stats

from primeflow_core.errors import DataError
from primeflow_core.evaluation.profiles import log_fold_change, mean_profile

LEAST_CHANGE = 0.25
LARGEST_P = 0.05
FEWEST_CELLS = 2

ArrayOrSeries = TypeVar("ArrayOrSeries", np.ndarray, pd.Series)


@dataclass(frozen=True)
class ComparedCells:
    """Cells (n, G) and the unperturbed ones (k, G) that they are compared with."""

    cells: np.ndarray
    controls: np.ndarray


@dataclass(frozen=True)
class Response:
    """``table``: one row a gene, those that change most by prediction first.

    Columns: gene, predicted_change, predicted_p (adjusted), expected (up, down or empty), and where the condition
    was measured also measured_change, measured_p and agrees (True, False, or missing where nothing is expected).
    """

    table: pd.DataFrame
    measured: bool

    @property
    def up(self) -> int:
        return int((self.table["expected"] == "up").sum())

    @property
    def down(self) -> int:
        return int((self.table["expected"] == "down").sum())

    @property
    def agreeing(self) -> int:
        """The number of genes expected to change that the experiment moves the same way; 0 if not measured."""
        return int(self.table["agrees"].fillna(False).astype(bool).sum()) if self.measured else 0

    def most_changed(self, genes: int) -> pd.DataFrame:
        """The first rows: expected genes by size of change, then the others."""
        return self.table.head(genes)


def response(genes: tuple[str, ...], predicted: ComparedCells, measured: ComparedCells | None) -> Response:
    """Compare gene by gene. Raises DataError for other numbers of genes, or too few cells for a variance."""
    for cloud in filter(None, (predicted, measured)):
        _check(cloud, len(genes))
    table = pd.DataFrame({"gene": genes})
    table["predicted_change"] = change(predicted)
    table["predicted_p"] = adjusted_p(predicted)
    expected = _expected(table["predicted_change"], table["predicted_p"])
    up = table["predicted_change"] > 0
    table["expected"] = np.where(expected, np.where(up, "up", "down"), "")
    if measured is not None:
        table["measured_change"] = change(measured)
        table["measured_p"] = adjusted_p(measured)
        same = np.sign(table["measured_change"]) == np.sign(table["predicted_change"])
        table["agrees"] = same.astype("boolean").where(expected, pd.NA)
    first = pd.DataFrame({"rest": ~expected, "size": -table["predicted_change"].abs(), "gene": table["gene"]})
    order = first.sort_values(["rest", "size", "gene"], kind="stable").index
    return Response(table.loc[order].reset_index(drop=True), measured is not None)


def up_and_down(cloud: ComparedCells) -> tuple[int, int]:
    """The number of genes that are expected to rise, and to fall."""
    moved = change(cloud)
    expected = _expected(moved, adjusted_p(cloud))
    return int((expected & (moved > 0)).sum()), int((expected & (moved < 0)).sum())


def change(cloud: ComparedCells) -> np.ndarray:
    """(G,) log2 change of the mean, float64."""
    return log_fold_change(mean_profile(cloud.cells), mean_profile(cloud.controls))


def adjusted_p(cloud: ComparedCells) -> np.ndarray:
    """(G,) two-sided p of Welch's t test, Benjamini-Hochberg adjusted; 1 for a gene that never varies."""
    n, k = len(cloud.cells), len(cloud.controls)
    a = cloud.cells.var(axis=0, ddof=1, dtype=np.float64) / n
    b = cloud.controls.var(axis=0, ddof=1, dtype=np.float64) / k
    difference = cloud.cells.mean(axis=0, dtype=np.float64) - cloud.controls.mean(axis=0, dtype=np.float64)
    varies = a + b > 1e-12
    safe = np.where(varies, a + b, 1.0)
    freedom = safe**2 / np.maximum(a**2 / (n - 1) + b**2 / (k - 1), 1e-300)
    p = np.where(varies, 2 * stats.t.sf(np.abs(difference) / np.sqrt(safe), freedom), 1.0)
    return stats.false_discovery_control(np.clip(p, 0.0, 1.0))


def _expected(change: ArrayOrSeries, p: ArrayOrSeries) -> ArrayOrSeries:
    return (abs(change) >= LEAST_CHANGE) & (p < LARGEST_P)


def _check(cloud: ComparedCells, genes: int) -> None:
    for name, cells in (("cells", cloud.cells), ("control cells", cloud.controls)):
        if cells.ndim != 2 or cells.shape[1] != genes:
            raise DataError(f"The {name} have shape {cells.shape}; expected {genes} genes a cell.")
        if len(cells) < FEWEST_CELLS:
            raise DataError(f"There are {len(cells)} {name}; comparing genes needs {FEWEST_CELLS} at least.")
