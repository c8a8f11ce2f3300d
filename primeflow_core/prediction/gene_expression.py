"""Expression of chosen genes in groups of cells: cell by cell, and as mean, change and share of expressing cells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from primeflow_core.evaluation.profiles import log_fold_change, mean_profile
from primeflow_core.figures.style import Role


@dataclass(frozen=True)
class CellsOfRole:
    """Cells (n, G) of one role under one condition, and the control cells (k, G) that they are compared with."""

    condition: str
    role: Role
    cells: np.ndarray
    controls: np.ndarray | None = None


def expression_by_role(
    genes: Sequence[str], cells: Mapping[Role, np.ndarray], chosen: Sequence[str]
) -> dict[str, dict[Role, np.ndarray]]:
    """The log-normalised values (n,) of each chosen gene and role; ``cells`` (n, G) in the order of ``genes``."""
    position = {gene: i for i, gene in enumerate(genes)}
    return {gene: {role: values[:, position[gene]] for role, values in cells.items()} for gene in chosen}


def expression_table(genes: Sequence[str], columns: Sequence[CellsOfRole], chosen: Sequence[str]) -> pd.DataFrame:
    """A table with one row for each chosen gene and column: gene, condition, role, mean (log-normalised), percent (of
    cells above 0), and change (log2 against the column's controls, NaN without them)."""
    position = {gene: i for i, gene in enumerate(genes)}
    index = [position[gene] for gene in chosen]
    tables = []
    for column in columns:
        values = column.cells[:, index]
        row = {"gene": list(chosen), "condition": column.condition, "role": str(column.role)}
        row |= {"mean": values.mean(axis=0, dtype=np.float64), "percent": 100 * (values > 0).mean(axis=0)}
        tables.append(pd.DataFrame(row | {"change": _change(column, index)}))
    return pd.concat(tables, ignore_index=True)


def _change(column: CellsOfRole, index: list[int]) -> np.ndarray:
    if column.controls is None:
        return np.full(len(index), np.nan)
    return log_fold_change(mean_profile(column.cells[:, index]), mean_profile(column.controls[:, index]))
