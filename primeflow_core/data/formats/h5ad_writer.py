"""Writes the parts of an .h5ad piece by piece, in AnnData's encoding, so that no matrix has to fit into memory."""

from collections.abc import Iterable

import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp

from primeflow_core.data.formats.hdf5_output import HDF5Output

PACKED = {"compression": "lzf"}
CHUNK = 65_536
CELLS, GENES = "csr_matrix", "csc_matrix"
"""How the rows of the blocks lie: a block of cells (rows of X) or a block of genes (columns of X)."""


def write_tables(file: h5py.File, obs: pd.DataFrame, var: pd.DataFrame) -> None:
    """An empty AnnData with these tables; X is written by ``write_blocks``."""
    file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
    write_table(file, "obs", obs)
    write_table(file, "var", var)


def write_table(file: h5py.File, name: str, table: pd.DataFrame) -> None:
    """``obs`` or ``var``; what is there of that name is replaced."""
    from anndata.io import write_elem  # slow to import

    if name in file:
        del file[name]
    table = table.set_axis(table.index.astype(str), axis=0).rename_axis(None, axis=0)
    table = table.set_axis([str(column).replace("/", "_") for column in table.columns], axis=1)
    write_elem(file, name, table.assign(**{column: _storable(table[column]) for column in table.columns}))


def _storable(column: pd.Series) -> pd.Series:
    """Words as categories, as AnnData stores them: a column of words with gaps cannot be stored otherwise."""
    if column.dtype != object:
        return column
    return column.where(column.isna(), column.astype(str)).astype("category")


def write_blocks(
    file: HDF5Output, name: str, blocks: Iterable[sp.csr_matrix], shape: tuple[int, int], rows_are: str
) -> None:
    """A sparse matrix (N, G) from its rows, or its columns, in order: each block holds some of them, (n, other).

    Raises OSError as soon as a block had no room.
    """
    group = file.create_group(name)
    group.attrs.update({"encoding-type": rows_are, "encoding-version": "0.1.0", "shape": np.array(shape)})
    data = group.create_dataset("data", (0,), np.float32, maxshape=(None,), chunks=(CHUNK,), **PACKED)
    indices = group.create_dataset("indices", (0,), np.int32, maxshape=(None,), chunks=(CHUNK,), **PACKED)
    ends = [np.zeros(1, dtype=np.int64)]
    for block in blocks:
        start, length = int(ends[-1][-1]), len(block.data)
        for stored, values in ((data, block.data), (indices, block.indices)):
            stored.resize((start + length,))
            stored[start:] = values
        file.check()
        ends.append(block.indptr[1:].astype(np.int64) + start)
    group.create_dataset("indptr", data=np.concatenate(ends), **PACKED)
