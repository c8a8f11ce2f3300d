"""Dense matrices as text (.csv, .tsv): cells × genes or genes × cells, told apart by the names of the cells.

The cells are where the names of the table of cells are. Without one, the rows are cells if other columns than
numbers describe them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from primeflow_core.data.formats.cell_table import LEAST_SHARE, share_described
from primeflow_core.data.formats.file_format import Converted, FileFormat, FormatSource
from primeflow_core.data.formats.h5ad_writer import CELLS, GENES, write_blocks, write_tables
from primeflow_core.data.formats.hdf5_output import output_file
from primeflow_core.data.formats.separated_text import Header, read_header
from primeflow_core.errors import DataError

BLOCK = 2_000_000
NOTHING = ["", "NA", "NaN", "nan"]
FEWEST_COLUMNS = 2


def is_text_matrix(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        return len(read_header(path).columns) > FEWEST_COLUMNS
    except (DataError, UnicodeError):
        return False


@dataclass(frozen=True)
class TextMatrix:
    """A table of which the columns ``numbers`` are values and the columns ``words`` describe the rows."""

    path: Path
    name: str
    header: Header
    numbers: tuple[int, ...]
    words: tuple[int, ...]

    @staticmethod
    def of(source: FormatSource) -> "TextMatrix":
        header = read_header(source.path)
        first = next(_pieces(source.path, header, 200), None)
        if first is None:
            raise DataError(f"{source.name} is empty: it has no row.")
        kinds = [pd.api.types.is_numeric_dtype(first.iloc[:, at]) for at in range(1, first.shape[1])]
        numbers = tuple(at + 1 for at, number in enumerate(kinds) if number)
        words = tuple(at + 1 for at, number in enumerate(kinds) if not number)
        if not numbers:
            raise DataError(f"{source.name} is a table of words: it has no column of numbers.")
        return TextMatrix(source.path, source.name, header, numbers, words)

    @property
    def names_of_columns(self) -> pd.Index:
        return pd.Index([self.header.columns[at] for at in self.numbers])

    def pieces(self) -> Iterator[pd.DataFrame]:
        """Some rows at a time, the first column being their names."""
        return _pieces(self.path, self.header, max(1, BLOCK // len(self.header.columns)))

    def block(self, piece: pd.DataFrame) -> sp.csr_matrix:
        values = piece.iloc[:, list(self.numbers)]
        try:
            return sp.csr_matrix(values.to_numpy(dtype=np.float32))
        except (ValueError, TypeError) as error:
            text = values.apply(pd.to_numeric, errors="coerce").isna() & values.notna()
            row, column = np.argwhere(text.to_numpy())[0] if text.to_numpy().any() else (0, 0)
            raise DataError(
                f"{self.name}: {values.iloc[row, column]!r} in row {piece.iloc[row, 0]!r}, column "
                f"{self.header.columns[self.numbers[column]]!r} is not a number."
            ) from error


def _pieces(path: Path, header: Header, rows: int) -> Iterator[pd.DataFrame]:
    columns = [str(at) for at in range(len(header.columns))]
    try:
        yield from pd.read_csv(
            path, sep=header.separator, header=None, skiprows=1, names=columns, chunksize=rows, dtype={"0": str},
            keep_default_na=False, na_values=dict.fromkeys(columns[1:], NOTHING), low_memory=False,
            encoding=header.encoding,
        )  # fmt: skip
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(f"{path.name} is cut short or damaged: its lines are not alike ({error}).") from error


def convert(source: FormatSource, target: Path) -> Converted:
    matrix = TextMatrix.of(source)
    rows = pd.Index(np.concatenate([piece.iloc[:, 0].to_numpy(dtype=object) for piece in matrix.pieces()]))
    cells_are_rows = _cells_are_rows(matrix, rows, source)
    columns = matrix.names_of_columns
    words: list[pd.DataFrame] = []

    def blocks() -> Iterator[sp.csr_matrix]:
        for piece in matrix.pieces():
            words.append(piece.iloc[:, list(matrix.words)])
            yield matrix.block(piece)

    cells, genes = (rows, columns) if cells_are_rows else (columns, rows)
    with output_file(target, "w") as written:
        write_blocks(written, "X", blocks(), (len(cells), len(genes)), CELLS if cells_are_rows else GENES)
        described = pd.concat(words).set_axis([matrix.header.columns[at] for at in matrix.words], axis=1)
        described = described.set_axis(rows, axis=0)
        obs, var = (described, pd.DataFrame(index=genes)) if cells_are_rows else (pd.DataFrame(index=cells), described)
        write_tables(written, obs, var)
    return Converted()


def _cells_are_rows(matrix: TextMatrix, rows: pd.Index, source: FormatSource) -> bool:
    """Raises DataError where that is not known, or the table is of other cells."""
    columns = matrix.names_of_columns
    if source.metadata is None:
        if matrix.words:
            return True
        stem = Path(source.name).stem
        raise DataError(
            f"{source.name} holds {len(rows):,} × {len(columns):,} numbers and nothing that describes the cells. Put a "
            f"table of the cells beside it, called {stem}.obs.csv, or name it: --metadata FILE"
        )
    shares = [share_described(source.metadata, names) for names in (rows, columns)]
    if max(shares) < LEAST_SHARE:
        raise DataError(
            f"{source.metadata.name} describes other cells than {source.name}: it names {shares[0]:.0%} of its rows "
            f"and {shares[1]:.0%} of its columns. The names must be the same in both."
        )
    return shares[0] >= shares[1]


TEXT = FileFormat("text", "a table as text (.csv, .tsv)", is_text_matrix, convert, bare=True)
