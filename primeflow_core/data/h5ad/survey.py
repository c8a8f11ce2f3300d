"""A survey of an AnnData file: its tables, the range of its values and a few facts, without its values.

Everything that is later said about a file (columns, conditions, scale) is worked out from its survey.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from primeflow_core.data.h5ad import storage
from primeflow_core.data.h5ad.value_range import ValueRange, value_range
from primeflow_core.data.repair import RAW, X
from primeflow_core.errors import DataError

GENES_OF = {RAW: "raw/var"}


@dataclass(frozen=True)
class Survey:
    """``obs`` (N rows) and ``var`` (G rows) as stored, and the range of the values of the N × G ``matrix``.

    ``size``: bytes of the file.
    """

    source: str
    size: int
    matrix: str
    obs: pd.DataFrame
    var: pd.DataFrame
    values: ValueRange

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.obs), len(self.var)


def survey(path: Path, matrix: str = X) -> Survey:
    """Read all of a file but its values, of which only the range is kept; ``var`` belongs to the matrix.

    Raises DataError for what is not an AnnData file, is damaged, or is empty.
    """
    with storage.opened(path) as file:
        cells, genes = storage.shape(file, path, matrix)
        obs, var = storage.read_table(file, "obs", path), storage.read_table(file, GENES_OF.get(matrix, "var"), path)
        if (len(obs), len(var)) != (cells, genes):
            raise DataError(
                f"{path.name} is damaged: {matrix} is {cells} × {genes}, obs has {len(obs)} rows and var {len(var)}. "
                "Write it again from where it came."
            )
        if not cells or not genes:
            raise DataError(f"{path.name} is empty: {cells} cells, {genes} genes. Check the filter that made it.")
        return Survey(path.name, path.stat().st_size, matrix, obs, var, value_range(file, path, matrix))
