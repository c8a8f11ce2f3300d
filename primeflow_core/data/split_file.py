"""Split files: a csv with the name and the part of each cell, as this product and PerturBench write them."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from primeflow_core.errors import DataError

TRAIN, VAL, TEST, LEFT_OUT = "train", "val", "test", "left-out"
PARTS = (TRAIN, VAL, TEST)
SEPARATED_BY = (",", ";", "\t")
MOST_BYTES = 1 << 30
_BLANK = ("", "nan", "none")
_HEADERS = ("", "cell", "cells", "barcode", "cell_barcode", "index")


def listed_parts(path: Path) -> dict[str, str]:
    """The part of each cell by its name, which is taken as it is, blanks too; with or without a header.

    Values are separated by commas, semicolons or tabs; ``.gz`` is unpacked. Raises DataError, which names the line.
    """
    listed: dict[str, str] = {}
    for line, row in _rows(path):
        if len(row) != 2:
            raise DataError(f"{path.name}, line {line}: {len(row)} columns; expected two, cell and split.")
        name, part = row[0], row[1].strip().lower()
        if line == 1 and part not in PARTS and (name.strip().lower() in _HEADERS or "split" in part):
            continue
        part = LEFT_OUT if part in _BLANK else part
        if part not in (*PARTS, LEFT_OUT):
            raise DataError(f"{path.name}, line {line}: {row[1]!r} is not a part of a split. Use train, val or test.")
        if name in listed:
            raise DataError(f"{path.name}, line {line}: the cell {name!r} is in the file twice. Keep one line.")
        listed[name] = part
    if not listed:
        raise DataError(f"{path.name} names no cell. Expected two columns, cell and split.")
    return listed


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    text = _text(path)
    first = text[: text.find("\n") if "\n" in text else len(text)]
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=max(SEPARATED_BY, key=first.count))
    try:
        for line, row in enumerate(lines, start=1):
            if row:
                yield line, row
    except csv.Error as error:
        raise DataError(
            f"{path.name}, line {lines.line_num}: it is not a csv ({error}). Expected two columns, cell and split."
        ) from error


def _text(path: Path) -> str:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise DataError(f"{path.name} is larger than 1 GiB when it is unpacked. Is this the split file?")
        return data.decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"There is no split file {path}. Check the name and the folder.") from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(f"{path.name} is not a csv, or is damaged. Expected two columns, cell and split.") from error
