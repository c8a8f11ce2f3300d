"""Loom (.loom): a matrix of genes × cells with attributes of its rows and columns, read with h5py."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp

from primeflow_core.data.formats.file_format import Converted, FileFormat, FormatSource
from primeflow_core.data.formats.h5ad_writer import GENES, write_blocks, write_tables
from primeflow_core.data.formats.hdf5_output import output_file
from primeflow_core.data.formats.hdf5_parts import groups
from primeflow_core.data.h5ad.issues import Problem, Severity

CELL_NAMES = ("CellID", "obs_names", "cell_names", "cell_id", "barcode", "barcodes", "Barcode")
GENE_NAMES = ("Gene", "var_names", "gene_names", "gene_symbol", "GeneName", "Symbol", "Accession", "gene_ids")
BLOCK = 4_000_000


def is_loom(path: Path) -> bool:
    found = groups(path)
    return "matrix" in found and not found["matrix"] and {"row_attrs", "col_attrs"} <= set(found)


def convert(source: FormatSource, target: Path) -> Converted:
    notes: list[Problem] = []
    with h5py.File(source.path, "r") as file, output_file(target, "w") as written:
        genes, cells = file["matrix"].shape
        obs = _table(file["col_attrs"], CELL_NAMES, cells, "cells", notes)
        var = _table(file["row_attrs"], GENE_NAMES, genes, "genes", notes)
        write_tables(written, obs, var)
        write_blocks(written, "X", _blocks(file["matrix"]), (cells, genes), GENES)
        layers = file.get("layers")
        for layer in layers if isinstance(layers, h5py.Group) else ():
            write_blocks(written, f"layers/{layer}", _blocks(layers[layer]), (cells, genes), GENES)
    return Converted(tuple(notes))


def _table(attributes: h5py.Group, usual: Sequence[str], length: int, whose: str, notes: list[Problem]) -> pd.DataFrame:
    """Attributes of one value a row as columns, the first of the usual names as the index."""
    columns = {name: _values(item) for name, item in attributes.items() if _is_column(item, length)}
    index = next((columns.pop(name) for name in usual if name in columns), None)
    if index is None:
        text = f"The {whose} have no names (none of {', '.join(usual[:3])}), so they are numbered."
        notes.append(Problem(Severity.WARNING, "no-names", text))
        index = np.arange(length)
    return pd.DataFrame(columns, index=pd.Index(index).astype(str))


def _is_column(item: h5py.Dataset | h5py.Group, length: int) -> bool:
    return isinstance(item, h5py.Dataset) and item.shape == (length,)


def _values(item: h5py.Dataset) -> np.ndarray:
    return item.asstr()[:] if item.dtype.kind in "OS" else item[:]


def _blocks(matrix: h5py.Dataset) -> Iterator[sp.csr_matrix]:
    """Some genes at a time, (n, cells)."""
    step = max(1, BLOCK // max(1, matrix.shape[1]))
    for start in range(0, matrix.shape[0], step):
        yield sp.csr_matrix(np.asarray(matrix[start : start + step], dtype=np.float32))


LOOM = FileFormat("loom", "a .loom", is_loom, convert)
