"""Differential expression of several sets of cells, each against cells of its own, as one table."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from primeflow_core.evaluation.selection import group_difference


@dataclass(frozen=True)
class Contrast:
    """Cells (n, G) of ``genes`` against ``others`` (k, G); ``name`` tells the contrasts of a table apart."""

    name: str
    genes: tuple[str, ...]
    cells: np.ndarray
    others: np.ndarray


@dataclass(frozen=True)
class Difference:
    """``table``: the column ``contrast``, then the columns of ``group_difference``, one row a gene and contrast."""

    table: pd.DataFrame

    @property
    def nbytes(self) -> int:
        return int(self.table.memory_usage(deep=True).sum())


def differences(contrasts: Sequence[Contrast]) -> Difference:
    """Raises DataError for fewer than two cells on a side."""
    tables = []
    for contrast in contrasts:
        table = group_difference(contrast.cells, contrast.others, contrast.genes)
        table.insert(0, "contrast", contrast.name)
        tables.append(table)
    return Difference(pd.concat(tables, ignore_index=True))
