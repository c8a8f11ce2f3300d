"""A table that describes cells, kept apart from their values: found beside them or named, and joined by cell names."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from primeflow_core.data.formats.compression import unpacked_text
from primeflow_core.data.formats.file_names import AFTER_A_NAME, TABLES
from primeflow_core.data.formats.h5ad_writer import write_table
from primeflow_core.data.formats.hdf5_output import output_file
from primeflow_core.data.formats.separated_text import read_text_table
from primeflow_core.data.h5ad.issues import Problem, Severity
from primeflow_core.errors import DataError

LEAST_SHARE = 0.5
SHOWN = 3
NAMED_AFTER = tuple(f"{{}}{end}" for end in AFTER_A_NAME[:6])
ENDINGS = (".csv", ".tsv", ".txt")
PACKED = ("", ".gz")


def tables_beside(folder: Path, stem: str) -> list[Path]:
    """Files in ``folder`` that are called like a table of the cells of ``stem``, the likeliest first."""
    names = [*(name.format(stem) for name in NAMED_AFTER), *TABLES]
    found = (folder / f"{name}{ending}{packed}" for name in names for ending in ENDINGS for packed in PACKED)
    return [path for path in found if path.is_file()]


def is_general(table: Path) -> bool:
    """Whether its name does not say what it describes."""
    return table.name.split(".")[0] in TABLES


@dataclass(frozen=True)
class CellTable:
    """``columns`` as text (M rows) by unique names of cells; ``source``: the name of its file."""

    source: str
    columns: pd.DataFrame

    @staticmethod
    def read(path: Path, cells: pd.Index) -> "CellTable":
        """A table whose names are in the column that has most of ``cells``. Raises DataError where too few match."""
        table = _read(path)
        at = _column_of_names(table, cells)
        names = pd.Index(table.iloc[:, at])
        if len(twice := names[names.duplicated()]):
            raise DataError(f"{path.name} describes {len(twice):,} cells more than once, for instance {twice[0]}.")
        columns = table.iloc[:, [other for other in range(table.shape[1]) if other != at]]
        return CellTable(path.name, _typed(columns.set_axis(names, axis=0)))

    def joined(self, obs: pd.DataFrame, source: str) -> tuple[pd.DataFrame, Problem]:
        """``obs`` with these columns, and how many names match. Raises DataError where fewer than half do."""
        here, there = obs.index.astype(str), self.columns.index
        known = here.isin(there)
        unused = int((~there.isin(here)).sum())
        counts = (
            f"{int(known.sum()):,} of the {len(here):,} cells have a row in {self.source}"
            f"{_some(here[~known], ' (no row: ')}; {unused:,} of its {len(there):,} rows name no cell here"
            f"{_some(there[~there.isin(here)], ' (')}."
        )
        if known.mean() < LEAST_SHARE:
            raise DataError(f"{source}: only {counts} Bring the table of these cells, with the same names.")
        kept = obs[[name for name in obs.columns if name not in self.columns]].set_axis(here, axis=0)
        table = pd.concat([kept, self.columns.reindex(here)], axis=1)
        replaced = [str(name) for name in obs.columns if name in self.columns]
        text = counts + (f" Taken from it in place of the file's own: {', '.join(replaced)}." if replaced else "")
        severity = Severity.NOTE if known.all() else Severity.WARNING
        return table, Problem(severity, "cell-table", text)


def _some(names: pd.Index, start: str) -> str:
    if not len(names):
        return ""
    return start + ", ".join(map(str, names[:SHOWN])) + (" …)" if len(names) > SHOWN else ")")


def _column_of_names(table: pd.DataFrame, cells: pd.Index) -> int:
    """The first column with most names of cells, of those whose values are distinct if any of them has one."""
    matching = _matching(table, cells)
    distinct = [count if table.iloc[:, at].is_unique else 0 for at, count in enumerate(matching)]
    return int(np.argmax(distinct if any(distinct) else matching))


def _matching(table: pd.DataFrame, names: pd.Index) -> list[int]:
    known = set(names.astype(str))
    return [len(known & set(table.iloc[:, at])) for at in range(table.shape[1])]


def share_described(path: Path, names: pd.Index) -> float:
    """The share of ``names`` that a table has in one column of distinct values. Raises DataError as ``CellTable``."""
    table = _read(path)
    distinct = table.iloc[:, [at for at in range(table.shape[1]) if table.iloc[:, at].is_unique]]
    return max(_matching(distinct, names), default=0) / max(1, len(names))


def _read(path: Path) -> pd.DataFrame:
    try:
        with unpacked_text(path) as plain:
            return read_text_table(plain)
    except DataError as error:
        raise DataError(f"{path.name} cannot be read as a table of the cells: {error}.") from error


def _typed(columns: pd.DataFrame) -> pd.DataFrame:
    """Columns of numbers as numbers; words such as NA stay, since the reading says what they are taken for."""
    return pd.DataFrame({str(name): _numbers(columns.iloc[:, at]) for at, name in enumerate(columns.columns)})


def _numbers(column: pd.Series) -> pd.Series:
    column = column.mask(column == "")
    numbers = pd.to_numeric(column, errors="coerce")
    return numbers if (numbers.notna() == column.notna()).all() and column.notna().any() else column


def join_into(h5ad: Path, table: Path, source: str) -> Problem:
    """Join a table to the obs of an .h5ad, in place. Raises DataError where fewer than half of the names match."""
    from anndata.io import read_elem  # slow to import

    with output_file(h5ad, "r+") as file:
        obs = read_elem(file["obs"])
        obs = obs.set_axis(obs.index.astype(str), axis=0)
        joined, note = CellTable.read(table, obs.index).joined(obs, source)
        write_table(file, "obs", joined)
    return note
