"""A matrix in Matrix Market form with its tables of genes and cells: a 10x .mtx folder, or one .mtx beside them."""

import gzip
import io
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np
import pandas as pd
import scipy.sparse as sp

from primeflow_core.data.formats.features import Features, kept_features
from primeflow_core.data.formats.file_format import Converted, FileFormat, FormatSource
from primeflow_core.data.formats.h5ad_writer import CELLS, write_blocks, write_tables
from primeflow_core.data.formats.hdf5_output import output_file
from primeflow_core.errors import DataError

HEAD = b"%%MatrixMarket"
BLOCK = 20_000
MATRIX = "matrix.mtx"
ENDINGS = ("", ".gz")
TABLES = {"cells": ("barcodes.tsv", "cells.tsv", "barcodes.txt"), "genes": ("features.tsv", "genes.tsv", "genes.txt")}


def is_mtx(path: Path) -> bool:
    if path.is_dir():
        return matrix_of(path) is not None
    try:
        with _opened(path) as file:
            return file.read(len(HEAD)) == HEAD
    except (OSError, EOFError, zlib.error):
        return False


def _opened(path: Path) -> IO[bytes]:
    """The text of a file that may be packed by gzip."""
    with path.open("rb") as plain:
        packed = plain.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(path)) if packed else path.open("rb")


def matrix_of(folder: Path) -> Path | None:
    """The matrix of a folder that holds one."""
    found = [path for ending in ENDINGS for path in sorted(folder.glob(f"*.mtx{ending}")) if path.is_file()]
    return found[0] if len(found) == 1 else next((path for path in found if path.name.startswith(MATRIX)), None)


def companions(path: Path) -> tuple[Path, ...]:
    """The tables beside a matrix that are there; for a folder none, since they are a part of it."""
    if path.is_dir():
        return ()
    return tuple(found for kind in TABLES if (found := _table(path, kind)) is not None)


def _table(matrix: Path, kind: str) -> Path | None:
    """Named as usual, or with what stands before ``matrix.mtx`` in the name: GSM1_matrix.mtx, GSM1_barcodes.tsv."""
    stem = matrix.name.removesuffix(".gz").removesuffix(".mtx")
    starts = (stem.removesuffix("matrix"), f"{stem}_", f"{stem}.", "")
    names = (f"{start}{name}{ending}" for start in starts for name in TABLES[kind] for ending in ENDINGS)
    return next((matrix.parent / name for name in names if (matrix.parent / name).is_file()), None)


def convert(source: FormatSource, target: Path) -> Converted:
    matrix = source.path if source.path.is_file() else matrix_of(source.path)
    assert matrix is not None
    values = _values(matrix, source.name)
    cells, features = _read(matrix, "cells", source), _features(_read(matrix, "genes", source))
    shape = (len(cells), len(features.names))
    if values.shape == shape[::-1]:
        values = values.T
    if values.shape != shape:
        raise DataError(
            f"{source.name}: the matrix is {values.shape[0]:,} × {values.shape[1]:,}, and its tables name {shape[0]:,} "
            f"cells and {shape[1]:,} genes. Bring the three files of one run."
        )
    kept, notes = kept_features(features, source.name)
    values = sp.csr_matrix(values, dtype=np.float32)
    with output_file(target, "w") as written:
        obs = pd.DataFrame(index=pd.Index(cells.iloc[:, 0].astype(str)))
        write_tables(written, obs, features.table().iloc[kept])
        blocks = (values[at : at + BLOCK][:, kept] for at in range(0, shape[0], BLOCK))
        write_blocks(written, "X", blocks, (shape[0], len(kept)), CELLS)
    return Converted(notes)


def _values(matrix: Path, name: str) -> sp.coo_matrix:
    from scipy.io import mmread  # slow to import

    try:
        with _opened(matrix) as file:
            return sp.coo_matrix(mmread(file))
    except (OSError, EOFError, zlib.error, ValueError, TypeError, OverflowError) as error:
        raise DataError(f"{name}: {matrix.name} is cut short or damaged ({error}). Copy it again.") from error


def _read(matrix: Path, kind: str, source: FormatSource) -> pd.DataFrame:
    place = _table(matrix, kind)
    if place is None:
        names = " or ".join(f"{name}[.gz]" for name in TABLES[kind][:2])
        raise DataError(f"{source.name}: the table of its {kind} is missing. Put {names} beside {matrix.name}.")
    try:
        with _opened(place) as file:
            return pd.read_csv(io.BytesIO(file.read()), sep="\t", header=None, dtype=str, keep_default_na=False)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise DataError(f"{source.name}: {place.name} cannot be read as a table ({error}).") from error


def _features(table: pd.DataFrame) -> Features:
    """CellRanger 2 writes id and name, from 3 on also the type; others the name alone."""
    columns = [table.iloc[:, at].to_numpy(dtype=object) for at in range(table.shape[1])]
    names = columns[1] if len(columns) > 1 else columns[0]
    return Features(names, columns[0], columns[2] if len(columns) > 2 else None)


MTX = FileFormat("mtx", "a 10x .mtx folder", is_mtx, convert, companions, bare=True)
