"""A selection drawn on a map: the cells inside it, and the genes that differ from other cells.

The test is Scanpy's Welch t test as in differential.py; the cells are chosen by their genes, so that p is a guide
to genes worth looking at and no evidence that there are two kinds of cells.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from primeflow_core.errors import DataError, SettingError
from primeflow_core.evaluation.differential import FEWEST_CELLS, Values, differential_expression

FEWEST_CORNERS = 3


def inside(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """(n,) mask of the points (n, 2) within the polygon (k, 2), which closes itself.

    Raises SettingError for fewer than 3 corners.
    """
    if polygon.ndim != 2 or polygon.shape[1] != 2 or len(np.unique(polygon, axis=0)) < FEWEST_CORNERS:
        raise SettingError("The outline encloses nothing. Draw a line around the cells, with 3 corners at least.")
    from matplotlib.path import Path

    outline = np.vstack([polygon, polygon[:1]])
    return np.asarray(Path(outline, closed=True).contains_points(points), dtype=bool)


def group_difference(group: Values, other: Values, genes: Sequence[str]) -> pd.DataFrame:
    """Log-normalised cells (n, G), dense or sparse, against other cells (k, G): one row a gene, by p, |t| and name.

    Columns gene, log2_fold_change, t, p, p_adjusted (Benjamini-Hochberg), percent_expressing and
    percent_expressing_other (0 to 100), as ``differential_expression``. Raises DataError for fewer than two cells on a
    side, for other numbers of genes, or for a value that is no number.
    """
    for name, cells in (("The selection", group), ("What it is compared with", other)):
        if cells.shape[0] < FEWEST_CELLS:
            raise DataError(
                f"{name} holds {cells.shape[0]} of the cells; comparing genes needs {FEWEST_CELLS} at least. "
                "Draw around more, or choose another group."
            )
    table = differential_expression(group, other, genes)
    return table.rename(columns={"percent_expressing_control": "percent_expressing_other"})
