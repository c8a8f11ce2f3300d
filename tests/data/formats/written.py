"""One small screen, written in each format that the product reads; all of them hold the same cells and labels."""

import bz2
import gzip
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import anndata
import h5py
import mudata
import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.io import mmwrite

LABELS = ["control"] * 20 + ["KLF1"] * 14 + ["CEBPA"] * 14 + ["KLF1+CEBPA"] * 14
GENES = ["GATA1", "TP53", "KLF1", "CEBPA", "ACTB", "GAPDH", "MYC", "SPI1", "HBB", "HBG1"]
PROTEINS = 3


def screen() -> anndata.AnnData:
    """Log-normalised values, so that it also serves as a prediction and a target state."""
    counts = np.random.default_rng(0).poisson(3.0, (len(LABELS), len(GENES))) + np.eye(len(LABELS), len(GENES))
    values = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 30).astype(np.float32)
    obs = pd.DataFrame({"condition": LABELS}, index=[f"c{at}" for at in range(len(LABELS))])
    return anndata.AnnData(sp.csr_matrix(values), obs=obs, var=pd.DataFrame(index=GENES))


def h5ad(folder: Path) -> Path:
    screen().write_h5ad(folder / "cells.h5ad")
    return folder / "cells.h5ad"


def old_h5ad(folder: Path) -> Path:
    """As AnnData 0.6 wrote it: obs and var as compound data sets, categories as codes with their names in uns."""
    adata, path = screen(), folder / "old.h5ad"
    categories = pd.Categorical(adata.obs["condition"])
    obs = np.array(
        list(zip(adata.obs_names, categories.codes, strict=True)), dtype=[("index", "S8"), ("condition", "i1")]
    )
    with h5py.File(path, "w") as file:
        file["obs"], file["var"] = obs, np.array([(name,) for name in GENES], dtype=[("index", "S8")])
        file["uns/condition_categories"] = np.array(categories.categories.tolist(), dtype=h5py.string_dtype())
        group = file.create_group("X")
        group.attrs["h5sparse_format"], group.attrs["h5sparse_shape"] = "csr", adata.shape
        for name in ("data", "indices", "indptr"):
            group[name] = getattr(adata.X, name)
    return path


def h5mu(folder: Path) -> Path:
    adata = screen()
    proteins = anndata.AnnData(np.ones((adata.n_obs, PROTEINS), np.float32), obs=pd.DataFrame(index=adata.obs_names))
    mudata.MuData({"rna": adata, "prot": proteins}).write(folder / "cells.h5mu")
    return folder / "cells.h5mu"


def h5mu_labels_of_all(folder: Path) -> Path:
    """The labels only in the table of all modalities, whose order is another one."""
    adata, path = screen(), folder / "cells.h5mu"
    bare = anndata.AnnData(adata.X, obs=adata.obs[[]], var=adata.var)
    proteins = anndata.AnnData(np.ones((adata.n_obs, PROTEINS), np.float32), obs=adata.obs[[]].iloc[::-1])
    both = mudata.MuData({"prot": proteins, "rna": bare})
    both.obs["condition"] = adata.obs["condition"].reindex(both.obs_names)
    both.write(path)
    return path


def zarr_store(folder: Path, version: int, dense: bool = False) -> Path:
    adata, path = screen(), folder / f"v{version}.zarr"
    if dense:
        adata.X = adata.X.toarray()
    with anndata.settings.override(zarr_write_format=version):
        adata.write_zarr(path)
    return path


def zarr_zip(folder: Path) -> Path:
    store = zarr_store(folder, 3)
    with zipfile.ZipFile(folder / "cells.zarr.zip", "w") as archive:
        for file in sorted(store.rglob("*")):
            archive.write(file, f"cells.zarr/{file.relative_to(store)}")
    return folder / "cells.zarr.zip"


def with_antibodies(adata: anndata.AnnData) -> tuple[sp.csr_matrix, list[str], list[str]]:
    """Values, names and types of genes with two antibodies among them."""
    extra = sp.csr_matrix(np.full((adata.n_obs, 2), 7.0, np.float32))
    values = sp.csr_matrix(sp.hstack([adata.X[:, :5], extra, adata.X[:, 5:]]))
    types = ["Gene Expression"] * 5 + ["Antibody Capture"] * 2 + ["Gene Expression"] * 5
    return values, [*GENES[:5], "CD3", "CD4", *GENES[5:]], types


def labels_beside(folder: Path, stem: str) -> None:
    screen().obs.rename_axis("cell").to_csv(folder / f"{stem}_metadata.csv")


def tenx_h5(folder: Path) -> Path:
    values, names, types = with_antibodies(screen())
    with h5py.File(folder / "tenx.h5", "w") as file:
        group = file.create_group("matrix")
        _tenx_matrix(group, values)
        group["features/name"], group["features/feature_type"] = _texts(names), _texts(types)
        group["features/id"] = _texts([f"ENSG{at:011}" for at in range(len(names))])
    labels_beside(folder, "tenx")
    return folder / "tenx.h5"


def tenx_h5_version_2(folder: Path) -> Path:
    with h5py.File(folder / "tenx2.h5", "w") as file:
        group = file.create_group("GRCh38")
        _tenx_matrix(group, screen().X)
        group["gene_names"] = _texts(GENES)
        group["genes"] = _texts([f"ENSG{at:011}" for at in range(len(GENES))])
    labels_beside(folder, "tenx2")
    return folder / "tenx2.h5"


def _tenx_matrix(group: h5py.Group, values: sp.csr_matrix) -> None:
    """CellRanger's features × cells by columns is our cells × features by rows."""
    group["barcodes"], group["shape"] = _texts(screen().obs_names), np.array(values.shape[::-1], np.int32)
    for name in ("data", "indices", "indptr"):
        group[name] = getattr(values, name)


def _texts(values: list[str]) -> np.ndarray:
    return np.array(list(values), dtype="S32")


def mtx_folder(folder: Path) -> Path:
    values, names, types = with_antibodies(screen())
    place = folder / "filtered_feature_bc_matrix"
    place.mkdir()
    with gzip.open(place / "matrix.mtx.gz", "wb") as file:
        mmwrite(file, values.T)
    table = pd.DataFrame({"id": [f"E{at}" for at in range(len(names))], "name": names, "type": types})
    table.to_csv(place / "features.tsv.gz", sep="\t", header=False, index=False)
    pd.Series(screen().obs_names).to_csv(place / "barcodes.tsv.gz", header=False, index=False)
    labels_beside(folder, "filtered_feature_bc_matrix")
    return place


def bare_mtx(folder: Path) -> Path:
    """One sample of several in a folder, cells × genes, with a name before each file."""
    mmwrite(folder / "GSM1_matrix.mtx", screen().X)
    pd.DataFrame({"id": GENES, "name": GENES}).to_csv(folder / "GSM1_genes.tsv", sep="\t", header=False, index=False)
    pd.Series(screen().obs_names).to_csv(folder / "GSM1_barcodes.tsv", header=False, index=False)
    labels_beside(folder, "GSM1_matrix")
    return folder / "GSM1_matrix.mtx"


def loom(folder: Path) -> Path:
    adata = screen()
    with h5py.File(folder / "cells.loom", "w") as file:
        file["matrix"] = adata.X.T.toarray()
        file["row_attrs/Gene"], file["col_attrs/CellID"] = _texts(GENES), _texts(adata.obs_names)
        file["col_attrs/condition"] = _texts(LABELS)
    return folder / "cells.loom"


def csv_of_cells(folder: Path) -> Path:
    screen().to_df().to_csv(folder / "cells.csv")
    screen().obs.rename_axis("cell").to_csv(folder / "cells.obs.csv")
    return folder / "cells.csv"


def csv_of_genes(folder: Path) -> Path:
    screen().to_df().T.to_csv(folder / "genes.tsv.gz", sep="\t")
    screen().obs.to_csv(folder / "metadata.csv")
    return folder / "genes.tsv.gz"


def csv_with_labels(folder: Path) -> Path:
    """The labels are a column of the table of values."""
    screen().to_df().assign(condition=LABELS).to_csv(folder / "labelled.csv")
    return folder / "labelled.csv"


def csv_of_r(folder: Path) -> Path:
    """As R's write.table: no name above the names of the rows."""
    text = screen().to_df().to_csv(sep="\t", index_label=False)
    (folder / "counts.txt").write_text(text)
    labels_beside(folder, "counts")
    return folder / "counts.txt"


def packed(folder: Path, how: Callable[[bytes], bytes], ending: str) -> Path:
    path = folder / f"cells.h5ad{ending}"
    path.write_bytes(how(h5ad(folder).read_bytes()))
    return path


def mtx_tar(folder: Path) -> Path:
    place = mtx_folder(folder)
    labels = folder / "filtered_feature_bc_matrix_metadata.csv"
    labels.rename(place / "metadata.csv")
    with tarfile.open(folder / "run.tar.gz", "w:gz") as archive:
        archive.add(place, "run")
    return folder / "run.tar.gz"


def csv_zip(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "cells.zip", "w") as archive:
        for name in (csv_of_cells(folder).name, "cells.obs.csv"):
            archive.write(folder / name, name)
    return folder / "cells.zip"


WRITTEN: dict[str, Callable[[Path], Path]] = {
    "h5ad": h5ad,
    "h5ad before 0.7": old_h5ad,
    "h5ad.gz": lambda folder: packed(folder, gzip.compress, ".gz"),
    "h5ad.bz2": lambda folder: packed(folder, bz2.compress, ".bz2"),
    "h5ad.xz": lambda folder: packed(folder, lzma.compress, ".xz"),
    "zarr 2": lambda folder: zarr_store(folder, 2),
    "zarr 3": lambda folder: zarr_store(folder, 3),
    "zarr dense": lambda folder: zarr_store(folder, 3, dense=True),
    "zarr.zip": zarr_zip,
    "h5mu": h5mu,
    "h5mu, labels of all": h5mu_labels_of_all,
    "10x h5": tenx_h5,
    "10x h5 of CellRanger 2": tenx_h5_version_2,
    "10x mtx": mtx_folder,
    "one mtx": bare_mtx,
    "mtx.tar.gz": mtx_tar,
    "loom": loom,
    "csv, cells × genes": csv_of_cells,
    "tsv.gz, genes × cells": csv_of_genes,
    "csv with labels": csv_with_labels,
    "txt of R": csv_of_r,
    "csv.zip": csv_zip,
}
