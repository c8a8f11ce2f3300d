"""Files that make a reader spin or swell, made from small valid ones."""

from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp

from tests.own_files import brought

HEAP = b"GCOL"
"""The signature of the place where HDF5 keeps texts of any length."""


def spinning(folder: Path) -> Path:
    """A file whose texts HDF5 looks for without end, with the interpreter held: some of their heap is zero."""
    path = brought(folder)
    content = bytearray(path.read_bytes())
    start = content.index(HEAP) + 64
    content[start : start + 68] = bytes(68)
    path.write_bytes(content)
    return path


def dense(folder: Path, cells: int = 4_000, genes: int = 5_000) -> Path:
    """Whole numbers of one byte that are all the same: nothing when packed, 16 bytes a value while they are read."""
    path = folder / "dense.h5ad"
    obs = pd.DataFrame({"condition": ["control", "A"] * (cells // 2)}, index=[f"c{i}" for i in range(cells)])
    anndata.AnnData(sp.csr_matrix((cells, genes), dtype=np.float32), obs=obs).write_h5ad(path)
    with h5py.File(path, "a") as file:
        del file["X"]
        kind = {"encoding-type": "array", "encoding-version": "0.2.0"}
        file.create_dataset("X", data=np.ones((cells, genes), np.int8), compression="gzip").attrs.update(kind)
    return path


def long_texts(folder: Path, cells: int = 2_000, letters: int = 100_000) -> Path:
    """A column in which every cell refers to the same long text, that is stored once."""
    path = folder / "texts.h5ad"
    obs = pd.DataFrame({"condition": ["control", "A"] * (cells // 2), "note": ["x"] * cells})
    obs.index = [f"c{i}" for i in range(cells)]
    obs["note"] = obs["note"].astype(object)
    x = sp.random(cells, 20, 0.3, format="csr", dtype=np.float32, random_state=0)
    adata = anndata.AnnData(x, obs=obs)
    adata.strings_to_categoricals = lambda *_: None
    adata.write_h5ad(path)
    with h5py.File(path, "a") as file:
        del file["obs/note"]
        note = file.create_dataset("obs/note", (cells,), h5py.string_dtype())
        note.attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})
        note[0] = "x" * letters
    _refer_to_the_first(path, cells)
    return path


def _refer_to_the_first(path: Path, cells: int) -> None:
    """Write the reference of the first cell into the places of all."""
    with h5py.File(path, "r") as file:
        at = file["obs/note"].id.get_offset()
    content = bytearray(path.read_bytes())
    content[at : at + 16 * cells] = content[at : at + 16] * cells
    path.write_bytes(content)
