"""Applies the choices of a reading to the tables of an AnnData file. The file itself is not changed."""

from dataclasses import replace

import numpy as np
import pandas as pd
from anndata.utils import make_index_unique

from primeflow_core.data.h5ad.wishes import NONE, Wishes
from primeflow_core.data.layout import CONTROL
from primeflow_core.data.repair import Repair
from primeflow_core.errors import DataError

_UNTREATED_COLUMN = "condition"


def repaired_obs(obs: pd.DataFrame, repair: Repair) -> pd.DataFrame:
    """The table of cells with distinct names, and labelled as control where none was treated."""
    if repair.distinct and not obs.index.is_unique:
        obs = obs.set_axis(make_index_unique(obs.index), axis=0)
    return obs.assign(**{_UNTREATED_COLUMN: CONTROL}) if repair.untreated else obs


def repaired_wishes(wishes: Wishes, repair: Repair) -> Wishes:
    if not repair.untreated:
        return wishes
    return replace(wishes, condition=_UNTREATED_COLUMN, control=CONTROL, separator=NONE, dose=NONE, kind=NONE)


def gene_names(var: pd.DataFrame, repair: Repair) -> pd.Index:
    """(G,) names, repeated ones too. Raises DataError where there is no such column."""
    if repair.gene_column is None:
        return var.index
    if repair.gene_column not in var.columns:
        raise DataError(f"There is no var column {repair.gene_column!r}. Choose another one with the gene names.")
    return pd.Index(var[repair.gene_column].astype(str))


def gene_positions(names: pd.Index, repair: Repair) -> np.ndarray:
    """The columns of the values that are read: all, or the first of each name."""
    return np.flatnonzero(~names.duplicated()) if repair.distinct else np.arange(len(names))
