"""Writes .h5ad files, and reads what a file says about itself: its provenance, its hash, whether it is simulated."""

import hashlib
import io
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from primeflow_core.data.h5ad.survey import PROVENANCE, facts_of
from primeflow_core.errors import DataError
from primeflow_core.runtime.atomic_files import replaced
from primeflow_core.runtime.json_text import parse_json

if TYPE_CHECKING:
    import anndata


def sha256_of(path: Path) -> str:
    """Of the content of a file; of a folder, of the paths in it and their contents, sorted."""
    if path.is_dir():
        lines = "".join(f"{name}\0{sha256_of(path / name)}\n" for name in files_in(path))
        return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()
    with path.open("rb") as opened_file:
        return hashlib.file_digest(opened_file, "sha256").hexdigest()


def files_in(folder: Path) -> list[str]:
    """The paths of all files below a folder, relative to it, sorted."""
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


def label_column(covariates: Collection[str]) -> str:
    """The obs column with the labels of written cells: ``condition``, unless a covariate is called so."""
    names = ("condition", "perturbation", *(f"condition_{i}" for i in range(len(covariates))))
    return next(name for name in names if name not in covariates)


def as_anndata(
    values: sp.csr_matrix | np.ndarray,
    genes: Sequence[str],
    conditions: Sequence[str],
    covariates: Mapping[str, Sequence[str]],
    provenance: Mapping[str, Any],
    *,
    names: Sequence[str] | None = None,
    extra_obs: Mapping[str, Sequence[Any]] | None = None,
    places: Mapping[str, np.ndarray] | None = None,
) -> "anndata.AnnData":
    """Cells as an AnnData that Scanpy and CELLxGENE know.

    ``values``: (N, G); ``conditions``: (N,) labels, kept as given, in the obs column ``label_column``; ``covariates``:
    (N,) values a column; ``places``: (N, k) coordinates by name in obsm. ``provenance`` is stored as one JSON text
    in ``uns['provenance']``; read it back with ``read_provenance``. Raises DataError where the lengths do not fit.
    """
    import anndata  # slow to import, and most commands write no cells

    columns = {label_column(covariates): conditions, **covariates}
    for name, column in {**columns, **(extra_obs or {})}.items():
        if len(column) != values.shape[0]:
            raise DataError(f"Column {name!r} has {len(column)} values for {values.shape[0]} cells.")
    if len(genes) != values.shape[1]:
        raise DataError(f"{len(genes)} gene names for {values.shape[1]} columns of values.")
    index = [f"cell_{i}" for i in range(values.shape[0])] if names is None else [str(name) for name in names]
    obs = pd.DataFrame({name: pd.Categorical(list(column)) for name, column in columns.items()}, index=index)
    for name, column in (extra_obs or {}).items():
        obs[name if name not in columns else f"cell_{name}"] = list(column)
    adata = anndata.AnnData(values, obs=obs, var=pd.DataFrame(index=[str(gene) for gene in genes]))
    for name, coordinates in (places or {}).items():
        adata.obsm[name] = np.asarray(coordinates, dtype=np.float32)
    adata.uns[PROVENANCE] = json.dumps(provenance, sort_keys=True)
    return adata


def packed(adata: "anndata.AnnData") -> bytes:
    """The content of the file that ``adata.write_h5ad`` writes, packed."""
    return bytes(_packed(adata))


def write_anndata(path: Path, adata: "anndata.AnnData") -> None:
    """Write what ``adata.write_h5ad`` writes, packed; it appears under ``path`` only when complete.

    Raises StorageError where the disk has no room. HDF5 is given memory to write to, which takes less than ``adata``
    does: it ends the process with a segmentation fault where it cannot flush a file that it closes.
    """
    content = _packed(adata)
    with replaced(path) as temporary:
        temporary.write_bytes(content)


def _packed(adata: "anndata.AnnData") -> memoryview:
    # Slow to import, and most commands write no cells.
    import h5py
    from anndata.io import write_elem

    adata.strings_to_categoricals()
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        write_elem(file, "/", adata, dataset_kwargs={"compression": "gzip"})
    return memory.getbuffer()


def is_simulated(path: Path) -> bool:
    """Whether the file says of itself that its cells are simulated (``uns['simulated']``)."""
    return facts_of(path).simulated


def read_provenance(path: Path) -> dict[str, Any]:
    """The provenance that ``as_anndata`` stored; empty if the file has none."""
    try:
        found = parse_json(facts_of(path).provenance)
    except DataError as reason:
        raise DataError(f"{path.name}: uns['{PROVENANCE}'] is not JSON text. Write the file again.") from reason
    return found if isinstance(found, dict) else {}
