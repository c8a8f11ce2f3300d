"""AnnData's own .zarr stores, of Zarr 2 and 3: matrices are copied chunk by chunk, tables by AnnData's reader."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from primeflow_core.data.formats.file_format import Converted, FileFormat, FormatSource
from primeflow_core.data.formats.h5ad_writer import PACKED
from primeflow_core.data.formats.hdf5_output import HDF5Output, output_file
from primeflow_core.data.formats.zarr_chunks import check_chunks
from primeflow_core.errors import DataError

MARKS = (".zgroup", "zarr.json")
TABLES = ("obs", "var", "raw/var")
STATED = ("uns/simulated", "uns/provenance")
BLOCK = 4_000_000
"""Values that are copied at a time."""


def is_zarr(path: Path) -> bool:
    return path.is_dir() and any((path / mark).is_file() for mark in MARKS)


def convert(source: FormatSource, target: Path) -> Converted:
    import zarr  # slow to import

    store = zarr.open_group(str(source.path), mode="r")
    _check_is_anndata(store, source.name)
    tables, matrices = [name for name in TABLES if name in store], _matrices(store)
    notes = check_chunks(source.path, store, tables, matrices, source.name)
    with output_file(target, "w") as written:
        _copy(store, tables, matrices, written)
    return Converted(notes)


def _check_is_anndata(store: Any, name: str) -> None:
    if {"obs", "var"} <= set(store):
        return
    tables = store.get("tables")
    if tables is not None and (found := sorted(tables)):
        raise DataError(f"{name} is a SpatialData store. Name the table in it: {name}/tables/{found[0]}")
    held = ", ".join(sorted(store)[:12]) or "nothing"
    raise DataError(f"{name} is a Zarr store but not AnnData: obs or var is missing, it holds {held}.")


def _matrices(store: Any) -> list[str]:
    layers = store.get("layers")
    names = ["X", "raw/X", *(f"layers/{name}" for name in (() if layers is None else layers))]
    return [name for name in names if name in store]


def _copy(store: Any, tables: Sequence[str], matrices: Sequence[str], written: HDF5Output) -> None:
    from anndata.io import read_elem, write_elem  # slow to import

    written.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
    for name in tables:
        write_elem(written, name, read_elem(store[name]))
    for name in matrices:
        _copy_matrix(store[name], written, name)
    for name in (name for name in STATED if name in store):
        write_elem(written, name, read_elem(store[name]))


def _copy_matrix(matrix: Any, written: HDF5Output, name: str) -> None:
    """An array, or the group of a sparse matrix. An X that AnnData calls null is left out, as if it were absent."""
    if not hasattr(matrix, "ndim"):
        if {"data", "indices", "indptr"} <= set(matrix):
            for part in ("data", "indices", "indptr"):
                _copy_array(matrix[part], written, f"{name}/{part}")
            written[name].attrs.update(_attributes(matrix))
    elif matrix.ndim == 2:
        _copy_array(matrix, written, name)
        written[name].attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})


def _attributes(matrix: Any) -> dict[str, Any]:
    kept = {key: matrix.attrs[key] for key in ("encoding-type", "encoding-version")}
    return {**kept, "shape": np.array(matrix.attrs["shape"])}


def _copy_array(array: Any, written: HDF5Output, name: str) -> None:
    """In rows of whole chunks, so that every chunk is read once."""
    copied = written.create_dataset(
        name, array.shape, array.dtype, chunks=True if array.size else None, **_packed(array)
    )
    width = int(np.prod(array.shape[1:])) or 1
    chunk = max(1, int(array.chunks[0]))
    step = max(chunk, BLOCK // width // chunk * chunk)
    for start in range(0, array.shape[0], step):
        copied[start : start + step] = array[start : start + step]
        written.check()


def _packed(array: Any) -> dict[str, str]:
    return PACKED if array.size else {}


ZARR = FileFormat("zarr", "a .zarr store", is_zarr, convert)
