"""Tables as text, such as .csv and .tsv: which sign separates their columns, and what their first line names."""

import csv
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from primeflow_core.errors import DataError

SEPARATORS = (",", "\t", ";")
MOST_LINE = 1 << 25
"""Bytes of the first line: 100,000 genes have some 10 MB of names."""


@dataclass(frozen=True)
class Header:
    """The sign that separates columns, and their names, the first being that of the names of the rows."""

    separator: str
    columns: tuple[str, ...]
    encoding: str


def read_header(path: Path) -> Header:
    """The names of the columns. Raises DataError, without the name of the file, for what is not a table in text."""
    encoding = _encoding(path)
    try:
        with path.open(encoding=encoding, newline="") as file:
            first, second = file.readline(MOST_LINE), file.readline(MOST_LINE)
    except UnicodeDecodeError as error:
        raise DataError("it is not text") from error
    separator = max(SEPARATORS, key=first.count)
    if not first.count(separator) or not second.strip():
        raise DataError("it is text, but not a table with a first line of names and rows below it")
    names, row = (next(csv.reader([line], delimiter=separator)) for line in (first, second))
    if len(names) == len(row) - 1:  # as R writes it: no name above the names of the rows
        names = ["", *names]
    if len(names) != len(row):
        raise DataError(f"its first line has {len(names):,} columns and its second {len(row):,}")
    return Header(separator, tuple(names), encoding)


def _encoding(path: Path) -> str:
    """Excel writes UTF-8 with a mark, or UTF-16."""
    with path.open("rb") as file:
        return "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def read_text_table(path: Path) -> pd.DataFrame:
    """A whole table with its values as text, and numbered rows. Raises DataError without the name of the file."""
    header = read_header(path)
    try:
        table = pd.read_csv(
            path, sep=header.separator, header=None, skiprows=1, dtype=str, keep_default_na=False, na_filter=False,
            encoding=header.encoding,
        )  # fmt: skip
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(f"its lines are not alike ({error})") from error
    return table.set_axis(list(header.columns), axis=1)
