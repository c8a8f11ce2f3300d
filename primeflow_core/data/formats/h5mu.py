"""MuData's .h5mu: several modalities of the same cells, of which one holds the genes.

Each is stored as an AnnData, and is copied as it lies, with the columns of the table of all cells that it lacks.
"""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from primeflow_core.data.formats.file_format import Converted, FileFormat, FormatSource
from primeflow_core.data.formats.h5ad_writer import write_table
from primeflow_core.data.formats.hdf5_output import output_file
from primeflow_core.data.formats.hdf5_parts import groups
from primeflow_core.data.h5ad.issues import Problem, Severity
from primeflow_core.errors import DataError

RNA = ("rna", "gex", "gene expression", "gene_expression", "geneexpression", "transcriptome", "mrna")
PARTS = ("X", "obs", "var", "layers", "raw", "uns")


def is_h5mu(path: Path) -> bool:
    return groups(path).get("mod", False)


def convert(source: FormatSource, target: Path) -> Converted:
    with h5py.File(source.path, "r") as file, output_file(target, "w") as written:
        name = _chosen(file, source)
        _copy(file[f"mod/{name}"], written)
        _add_columns_of_all(file, name, written)
        others = [_described(file, other) for other in file["mod"] if other != name]
    text = f"Modality {name!r} is read." + (f" Not read: {', '.join(others)}." if others else "")
    return Converted((Problem(Severity.NOTE, "modality", text),), name)


def _chosen(file: h5py.File, source: FormatSource) -> str:
    names = list(file["mod"])
    if source.modality is not None and source.modality in names:
        return source.modality
    known = names if len(names) == 1 else [name for name in names if name.lower() in RNA]
    if source.modality is None and len(known) == 1:
        return known[0]
    said = f"has no modality {source.modality!r}" if source.modality else f"has {len(names)} modalities"
    shapes = ", ".join(_described(file, name) for name in names) or "none"
    example = (known or names or ["rna"])[0]
    raise DataError(f"{source.name} {said}. There are: {shapes}. Choose one, for instance: --modality {example}")


def _described(file: h5py.File, name: str) -> str:
    modality = file[f"mod/{name}"]
    cells, features = (len(_index(modality[table])) for table in ("obs", "var"))
    return f"{name} ({cells:,} cells × {features:,} features)"


def _index(table: h5py.Group) -> np.ndarray:
    return table[table.attrs.get("_index", "_index")].asstr()[:]


def _copy(modality: h5py.Group, written: h5py.File) -> None:
    for key, value in modality.attrs.items():
        written.attrs[key] = value
    for name in (name for name in PARTS if name in modality):
        modality.file.copy(modality[name], written, name)


def _add_columns_of_all(file: h5py.File, name: str, written: h5py.File) -> None:
    """MuData keeps what holds for all modalities in a table of its own, and there the others as ``modality:column``."""
    from anndata.io import read_elem  # slow to import

    of_all, obs = read_elem(file["obs"]), read_elem(written["obs"])
    mapping = file.get(f"obsmap/{name}")
    new = [column for column in of_all.columns if ":" not in str(column) and column not in obs.columns]
    if not new:
        return
    of_all = of_all.set_axis(of_all.index.astype(str), axis=0)
    if mapping is not None and len(mapping) == len(of_all):
        at = np.asarray(mapping[:]).ravel().astype(np.int64)
        of_all = of_all.iloc[np.flatnonzero(at)[np.argsort(at[at > 0])]]
    rows = of_all if len(of_all) == len(obs) and (of_all.index == obs.index).all() else _by_name(of_all, obs.index)
    write_table(written, "obs", pd.concat([obs, rows[new].set_axis(obs.index, axis=0)], axis=1))


def _by_name(table: pd.DataFrame, names: pd.Index) -> pd.DataFrame:
    return table[~table.index.duplicated()].reindex(names.astype(str))


H5MU = FileFormat("h5mu", "MuData (.h5mu)", is_h5mu, convert)
