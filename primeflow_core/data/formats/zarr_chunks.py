"""Chunks that are not in a Zarr store: a writer leaves out those of zeros, so one that was lost looks the same."""

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from primeflow_core.data.h5ad.issues import Problem, Severity
from primeflow_core.errors import DataError
from primeflow_core.wording import counted

CHUNK = re.compile(r"(c/|c\.)?\d+([./]\d+)*")
"""The path of a chunk below its array, in Zarr 2 and 3."""
SPARSE = ("data", "indices", "indptr")
SHOWN = 4


@dataclass(frozen=True)
class Gap:
    """``missing`` of the ``chunks`` of the array ``name``."""

    name: str
    missing: int
    chunks: int

    def __str__(self) -> str:
        return f"{self.missing:,} of {counted(self.chunks, 'chunk')} of {self.name}"


def check_chunks(folder: Path, store: Any, tables: list[str], matrices: list[str], name: str) -> tuple[Problem, ...]:
    """What is said of chunks that are read as zeros, because they are not in the ``store`` below ``folder``.

    Raises DataError where one is missing that cannot hold zeros only: names, and the parts of a sparse matrix.
    """
    gaps = {part: list(_gaps(folder, store, part)) for part in (*tables, *matrices)}
    for gap in (gap for found in gaps.values() for gap in found):
        if _never_zero(store, gap.name):
            are = "is" if gap.missing == 1 else "are"
            raise DataError(f"{name} is not complete: {gap} {are} missing. Copy or download all of it again.")
    notes = []
    for severity, parts, read in (
        (Severity.WARNING, matrices, "read as zeros"),
        (Severity.NOTE, tables, "read as zeros, or as the first category"),
    ):
        found = [gap for part in parts for gap in gaps[part]]
        if found:
            some = ", ".join(map(str, found[:SHOWN])) + (" …" if len(found) > SHOWN else "")
            text = f"Not in the store, and {read}, since Zarr leaves out chunks of zeros: {some}."
            notes.append(
                Problem(severity, "missing-chunks", text, "If it was copied, compare it with where it came from.")
            )
    return tuple(notes)


def _gaps(folder: Path, store: Any, part: str) -> Iterator[Gap]:
    found = store[part]
    arrays = [found] if hasattr(found, "ndim") else [each for _, each in found.members(max_depth=None)]
    for array in (array for array in arrays if hasattr(array, "ndim") and array.ndim and array.size):
        pieces = array.shards or array.chunks
        chunks = math.prod(-(-length // piece) for length, piece in zip(array.shape, pieces, strict=True))
        there = sum(1 for path in _files(folder / array.path) if CHUNK.fullmatch(path))
        if there < chunks:
            yield Gap(array.path, chunks - there, chunks)


def _files(folder: Path) -> Iterator[str]:
    """The paths of all files below a folder, relative to it."""
    for place, _, names in os.walk(folder):
        yield from ((Path(place) / name).relative_to(folder).as_posix() for name in names)


def _never_zero(store: Any, path: str) -> bool:
    """Whether a chunk of zeros, or of empty texts, makes no sense there."""
    parent, _, last = path.rpartition("/")
    holder = store[parent] if parent else store
    kept = set(holder)
    if kept >= set(SPARSE):
        return last in SPARSE and holder["data"].size > 0
    if last == "categories" and "codes" in kept:
        return int(holder[last].size) > 1
    return last == holder.attrs.get("_index")
