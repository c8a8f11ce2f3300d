"""Cells with the condition and the covariate values of each, as evaluation reads them of any file or AnnData."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from primeflow_core.data.h5ad import storage
from primeflow_core.data.h5ad.obs_columns import column as text_column
from primeflow_core.data.h5ad.scale import HIGHEST_LOG
from primeflow_core.errors import DataError


@dataclass(frozen=True)
class LabelledCells:
    """Cells of one file: ``values`` (N, G) CSR, and for each cell its condition label and its covariate values.

    ``doses``: the dose of each cell as text, empty where it has none; None where the labels say it themselves.
    """

    values: sp.csr_matrix
    genes: tuple[str, ...]
    labels: np.ndarray
    groups: tuple[tuple[str, ...], ...]
    names: np.ndarray
    source: str
    doses: np.ndarray | None = None

    def scale(self) -> str | None:
        """What X looks like where it is not log-normalised: ``counts``, ``scaled values`` or ``values that are
        normalised but not logarithmic``; None where it may be."""
        known = self.values.data
        if not len(known):
            return None
        if known.min() < 0:
            return "scaled values (some are negative)"
        if known.max() > 2 and (known == np.round(known)).all():
            return "counts (whole numbers)"
        return "values that are not on the log scale" if known.max() > HIGHEST_LOG else None

    def subset(self, index: np.ndarray) -> "LabelledCells":
        return replace(
            self,
            values=self.values[index],
            labels=self.labels[index],
            groups=tuple(self.groups[i] for i in index),
            names=self.names[index],
            doses=None if self.doses is None else self.doses[index],
        )


def read_labelled(path: Path, condition: str, covariates: Sequence[str], dose: str | None = None) -> LabelledCells:
    """Read what evaluation needs of an .h5ad, values as they are. Raises DataError naming file, column and remedy.

    ``dose``: an obs column whose value belongs to the condition, as in ``drug@0.1``; a file without it has doses in
    its labels, or none.
    """
    with storage.opened(path) as file:
        obs, var = storage.read_table(file, "obs", path), storage.read_table(file, "var", path)
        values = storage.read_values(file, path)
    return _labelled(values, obs, tuple(var.index), (condition, *covariates), path.name, dose)


def labelled(
    adata: AnnData, condition: str, covariates: Sequence[str], source: str = "the AnnData in memory"
) -> LabelledCells:
    """Take what evaluation needs of an AnnData, as ``read_labelled`` does; ``source`` names it in messages."""
    if adata.X is None:
        raise DataError(f"{source} has no X. Put the log-normalised values there: adata.X = adata.layers[NAME].copy().")
    values = sp.csr_matrix(adata.X, dtype=np.float32)
    return _labelled(values, adata.obs, tuple(adata.var_names.astype(str)), (condition, *covariates), source)


def _labelled(
    values: sp.csr_matrix,
    obs: pd.DataFrame,
    genes: tuple[str, ...],
    columns: Sequence[str],
    source: str,
    dose: str | None = None,
) -> LabelledCells:
    labels, *contexts = (_texts(obs, name, source) for name in columns)
    _check_values(values, obs.index, genes, source)
    groups = tuple(zip(*contexts, strict=True)) or ((),) * len(obs)
    doses = None if dose is None or dose not in obs else text_column(obs, dose).labels
    return LabelledCells(values, genes, labels, groups, obs.index.astype(str).to_numpy(), source, doses)


def _check_values(values: sp.csr_matrix, names: pd.Index, genes: tuple[str, ...], source: str) -> None:
    bad = np.flatnonzero(~np.isfinite(values.data))
    if len(bad):
        cell = names[np.searchsorted(values.indptr, bad[0], side="right") - 1]
        raise DataError(
            f"{source}: X holds a value that is no number (NaN or infinite), first in cell {cell}, gene "
            f"{genes[values.indices[bad[0]]]}. Replace or remove it."
        )
    repeated = [gene for gene, times in Counter(genes).items() if times > 1]
    if repeated:
        raise DataError(f"{source}: {len(repeated)} genes stand twice or more, for instance {repeated[0]}.")


def _texts(obs: pd.DataFrame, name: str, source: str) -> np.ndarray:
    """(N,) a column as text, as everywhere: whole floats lose their ``.0``."""
    if name not in obs:
        columns = ", ".join(map(str, obs.columns[:20])) or "none"
        raise DataError(f"{source} has no obs column {name!r}. It has: {columns}. Choose another one.")
    found = text_column(obs, name)
    empty = int((found.codes < 0).sum())
    if empty:
        raise DataError(f"{source}: {empty} cells have no value in obs column {name!r}. Fill it in, or remove them.")
    return found.labels
