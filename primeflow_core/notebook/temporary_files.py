"""Objects in memory as temporary files, so that they are read exactly as a file with the same content is.

The file of an AnnData is the one that its ``write_h5ad`` writes, byte for byte. So its content hash is that of the
file, and a model that learned from the object finds the file, and the other way round.
"""

import errno
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from primeflow_core.data.splits import Split
from primeflow_core.errors import DataError, SettingError, StorageError
from primeflow_core.screening.candidates import LABEL

if TYPE_CHECKING:
    from anndata import AnnData

Candidates: TypeAlias = str | Path | pd.DataFrame | Iterable[str]
SplitParts: TypeAlias = str | Path | pd.Series | pd.DataFrame


def is_anndata(given: object) -> bool:
    """Without importing AnnData, which a path does not need."""
    return any(f"{kind.__module__}.{kind.__name__}".startswith("anndata.") for kind in type(given).__mro__[:-1])


def data_file_in(folder: Path, given: "str | Path | AnnData", name: str = "adata.h5ad") -> str:
    """The name or path as it is; an AnnData as a file in ``folder``. Raises DataError where it cannot be written."""
    if isinstance(given, str | Path):
        return str(given)
    if not is_anndata(given):
        raise DataError(f"Data are a path, the name of a data set or an AnnData, not {type(given).__name__}.")
    _write(given, folder / name)
    return str(folder / name)


def _write(adata: "AnnData", path: Path) -> None:
    """Writing turns text columns into categories, in obs and var of the object too: it is done to copies of them."""
    from anndata import AnnData

    # AnnData gives this error no public name.
    from anndata._io.specs.registry import IORegistryError

    raw = adata.raw
    shallow = AnnData(
        adata.X, adata.obs.copy(), adata.var.copy(), adata.uns, obsm=dict(adata.obsm), varm=dict(adata.varm),
        layers=dict(adata.layers), obsp=dict(adata.obsp), varp=dict(adata.varp),
        raw=None if raw is None else {"X": raw.X, "var": raw.var.copy(), "varm": dict(raw.varm)},
    )  # fmt: skip
    _check_room(shallow, path.parent)
    try:
        shallow.write_h5ad(path)
    except (IORegistryError, TypeError, ValueError, KeyError, NotImplementedError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"The AnnData cannot be written as .h5ad ({reason}). Remove or convert that part of it, in a copy."
        ) from error


def _check_room(adata: "AnnData", folder: Path) -> None:
    """HDF5 ends the process where the disk is full, so it is not begun there. Raises StorageError."""
    matrices = (adata.X, *adata.layers.values(), None if adata.raw is None else adata.raw.X)
    numbers = sum(getattr(getattr(one, "data", one), "nbytes", 0) for one in matrices)
    needed = 2 * numbers + int(adata.obs.memory_usage(deep=True).sum())  # positions of sparse values take as much
    free = shutil.disk_usage(folder).free
    if needed > free:
        reason = f"an AnnData of {needed / 1e9:.1f} GB does not fit into {free / 1e9:.1f} GB"
        advice = "Set TMPDIR to a folder with more room, or save the AnnData as .h5ad and give its path."
        raise StorageError(errno.ENOSPC, reason, str(folder), advice)


def split_file_in(folder: Path, given: SplitParts) -> Path:
    """The path as it is; a Series of parts by cell, or a table with the columns cell and split, as a csv."""
    if isinstance(given, str | Path):
        return Path(given)
    if isinstance(given, pd.DataFrame):
        if not {"cell", "split"} <= set(given.columns):
            raise SettingError(f"A split has the columns cell and split, not {', '.join(map(str, given.columns))}.")
        given = given.set_index("cell")["split"]
    if not isinstance(given, pd.Series):
        raise SettingError(f"A split is a path, a Series or a DataFrame, not {type(given).__name__}.")
    path = folder / "split.csv"
    Split(given.index.to_numpy(dtype=str), given.to_numpy(dtype=str, na_value="")).write(path)
    return path


def candidates_in(folder: Path, given: Candidates) -> str:
    """A word such as ``all-pairs`` or a path as it is; labels, or a table with the column perturbation, as a csv."""
    if isinstance(given, str | Path):
        return str(given)
    table = given if isinstance(given, pd.DataFrame) else pd.DataFrame({LABEL: list(given)})
    path = folder / "candidates.csv"
    table.to_csv(path, index=False)
    return str(path)


def joined(given: str | Iterable[str] | None) -> str | None:
    """Names as the command line takes them."""
    return given if given is None or isinstance(given, str) else ",".join(given)


def doses_text(given: str | Iterable[float]) -> str:
    return given if isinstance(given, str) else ",".join(map(repr, np.asarray(list(given), dtype=float).tolist()))


def contexts_of(covariates: Mapping[str, str | Iterable[str]] | None) -> dict[str, list[str]]:
    given = (covariates or {}).items()
    return {name: [values] if isinstance(values, str) else list(values) for name, values in given}


def recorded(function: str, **settings: object) -> list[str]:
    """The call, for the record of what it makes."""
    said = ", ".join(f"{name}={value!r}" for name, value in settings.items() if value is not None)
    return [f"primeflow_core.api.{function}({said})"]
