"""CellRanger's .h5, of version 2 (a group per genome) and from 3 on (one group, features of several types)."""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp

from primeflow_core.data.formats.features import Features, kept_features
from primeflow_core.data.formats.file_format import Converted, FileFormat, FormatSource
from primeflow_core.data.formats.h5ad_writer import CELLS, write_blocks, write_tables
from primeflow_core.data.formats.hdf5_output import output_file
from primeflow_core.data.formats.hdf5_parts import groups
from primeflow_core.data.h5ad.storage import DAMAGE
from primeflow_core.errors import DataError

PARTS = {"data", "indices", "indptr", "shape", "barcodes"}
BLOCK = 4_000_000


def is_tenx(path: Path) -> bool:
    found = groups(path)
    if "obs" in found or not found:
        return False
    try:
        with h5py.File(path, "r") as file:
            return bool(_matrices(file))
    except DAMAGE:
        return False


def _matrices(file: h5py.File) -> list[str]:
    return [name for name in file if isinstance(file[name], h5py.Group) and set(file[name]) >= PARTS]


def convert(source: FormatSource, target: Path) -> Converted:
    with h5py.File(source.path, "r") as file, output_file(target, "w") as written:
        names = _matrices(file)
        if len(names) > 1:
            raise DataError(
                f"{source.name} holds a matrix for each of {len(names)} genomes ({', '.join(names)}). Take one, in "
                f"Python: scanpy.read_10x_h5('{source.name}', genome='{names[0]}').write_h5ad('{names[0]}.h5ad')."
            )
        return _convert(file[names[0]], written, source)


def _convert(matrix: h5py.Group, written: h5py.File, source: FormatSource) -> Converted:
    features = _features(matrix)
    kept, notes = kept_features(features, source.name)
    cells = matrix["barcodes"].asstr()[:]
    obs = pd.DataFrame(index=pd.Index(cells))
    write_tables(written, obs, features.table().iloc[kept])
    blocks = (block[:, kept] for block in _blocks(matrix, len(features.names)))
    write_blocks(written, "X", blocks, (len(cells), len(kept)), CELLS)
    return Converted(notes)


def _features(matrix: h5py.Group) -> Features:
    if "features" not in matrix:
        return Features(_text(matrix["gene_names"]), _text(matrix["genes"]), None)
    found = matrix["features"]
    return Features(_text(found["name"]), _text(found["id"]), _text(found["feature_type"]))


def _text(values: h5py.Dataset) -> np.ndarray:
    return np.asarray(values.asstr()[:], dtype=object)


def _blocks(matrix: h5py.Group, features: int) -> Iterator[sp.csr_matrix]:
    """Some cells at a time, (n, features): CellRanger stores them one after the other."""
    ends = np.asarray(matrix["indptr"][:], dtype=np.int64)
    start = 0
    while start < len(ends) - 1:
        stop = max(start + 1, int(np.searchsorted(ends, ends[start] + BLOCK, side="right")) - 1)
        at = slice(int(ends[start]), int(ends[stop]))
        parts = (matrix["data"][at].astype(np.float32), matrix["indices"][at], ends[start : stop + 1] - ends[start])
        block = sp.csr_matrix(parts, shape=(stop - start, features))
        block.check_format(full_check=True)
        yield block
        start = stop


TENX_H5 = FileFormat("10x h5", "a 10x .h5", is_tenx, convert, bare=True)
