"""How much memory reading an AnnData file takes: what its values and texts become, not what is stored.

A dense matrix becomes sparse float32, a text a Python object, and names a table as wide as the widest of them. Texts
are looked at in blocks, so that a small file with large contents is refused before they are in memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from primeflow_core.errors import DataError

OF_AN_OBJECT = 57
"""Bytes of a short Python text beside its letters, and of the reference to it."""
TWICE = 2
"""A table is there twice while one process hands it to another; a matrix, while it is brought into its final form."""
THRICE = 3
"""A text is there as stored, as Python has it, and packed for the process that asked."""
OF_AN_ENTRY = 8
"""Bytes of a value of a sparse float32 matrix, with its index."""
OF_A_LETTER = 4
MOST_LETTERS = 1_000
BLOCK = 8_000_000


@dataclass(frozen=True)
class Texts:
    """``total``: bytes of all texts of a dataset as Python objects; ``widest``: letters of the longest."""

    total: int
    widest: int


def of_table(file: h5py.File, name: str, most: int) -> int:
    """Bytes that ``obs`` or ``var`` takes; looking ends where that is more than ``most``."""
    table, total = file[name], 0
    index = str(table.attrs.get("_index", "_index"))
    for path, column in _datasets(table):
        if total > most:
            break
        total += TWICE * _chunk(column)
        if column.dtype.kind in "OSU":
            texts = _texts(column, most)
            total += THRICE * texts.total
            if path == index:
                _check_names(file, name, texts.widest)
                total += TWICE * OF_A_LETTER * texts.widest * int(column.size or 0)
        else:
            total += TWICE * int(column.size or 0) * int(column.dtype.itemsize)
    return total


def _check_names(file: h5py.File, name: str, widest: int) -> None:
    """Names stand in one table that is as wide as the widest, so one long name takes gigabytes."""
    if widest > MOST_LETTERS:
        raise DataError(
            f"{Path(file.filename).name}: a name in {name} has {widest:,} letters; {MOST_LETTERS:,} is the most. Give "
            f"the {'cells' if name == 'obs' else 'genes'} shorter names."
        )


def of_matrix(x: h5py.Group | h5py.Dataset, nonzero: int) -> int:
    """Bytes that a matrix with so many values that are not zero takes while it is read."""
    if isinstance(x, h5py.Dataset):
        return TWICE * nonzero * OF_AN_ENTRY + _chunk(x)
    stored = sum(int(item.size or 0) * int(item.dtype.itemsize) for _, item in _datasets(x))
    return stored + int(x["data"].size or 0) * OF_AN_ENTRY + max(_chunk(item) for _, item in _datasets(x))


def check(cost: int, most: int, path: Path) -> None:
    """Raises DataError where reading costs more than ``most`` bytes."""
    if cost > most:
        raise DataError(
            f"{path.name} takes {_gigabytes(cost)} of memory or more when it is read; {_gigabytes(most)} is the most. "
            "Keep fewer cells (your controls and the perturbations you ask about are enough), and leave out columns "
            "of long texts."
        )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def _datasets(group: h5py.Group) -> Iterator[tuple[str, h5py.Dataset]]:
    found: list[tuple[str, h5py.Dataset]] = []
    group.visititems(lambda name, item: found.append((name, item)) if isinstance(item, h5py.Dataset) else None)
    return iter(found)


def _chunk(dataset: h5py.Dataset) -> int:
    """Bytes of one chunk, which is unpacked whole for a single value of it."""
    return int(np.prod(dataset.chunks, dtype=object)) * int(dataset.dtype.itemsize) if dataset.chunks else 0


def _texts(column: h5py.Dataset, most: int) -> Texts:
    count = int(column.size or 0)
    if column.dtype.kind in "SU":
        return Texts(count * (OF_AN_OBJECT + int(column.dtype.itemsize)), int(column.dtype.itemsize))
    if column.shape == ():
        return Texts(OF_AN_OBJECT + len(column[()]), len(column[()]))
    return _looked_at(column, most)


def _looked_at(column: h5py.Dataset, most: int) -> Texts:
    """Of texts of any length: so many at a time that they take about ``BLOCK`` bytes."""
    total, widest, start, step = 0, 0, 0, 16
    rows = int(column.shape[0])
    while start < rows and total <= most:
        lengths = [len(text) for text in np.ravel(column[start : start + step]).tolist() if isinstance(text, bytes)]
        total += sum(lengths) + len(lengths) * OF_AN_OBJECT
        widest = max(widest, max(lengths, default=0))
        start += step
        step = min(max(BLOCK * start // max(total, 1), 1), 8 * step)
    return Texts(total, widest)
