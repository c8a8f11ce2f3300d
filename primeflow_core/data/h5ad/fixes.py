"""Fixes that are applied to an AnnData file while it is read. The file itself is not changed."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from anndata.utils import make_index_unique

from primeflow_core.data.h5ad.obs_columns import NONE, Wishes
from primeflow_core.data.layout import CONTROL
from primeflow_core.errors import DataError

_UNTREATED_COLUMN = "condition"


@dataclass(frozen=True)
class Repair:
    """``normalise``: X holds counts, or values without the logarithm. ``gene_column``: the var column with the names
    of the genes, None for the index. ``distinct``: of genes of one name the first is read, cells of one name are
    numbered. ``untreated``: every cell is a control, whatever obs says.
    """

    normalise: bool = False
    gene_column: str | None = None
    distinct: bool = False
    untreated: bool = False

    def obs(self, obs: pd.DataFrame) -> pd.DataFrame:
        """The table of cells with distinct names, and labelled as control where none was treated."""
        if self.distinct and not obs.index.is_unique:
            obs = obs.set_axis(make_index_unique(obs.index), axis=0)
        return obs.assign(**{_UNTREATED_COLUMN: CONTROL}) if self.untreated else obs

    def wishes(self, wishes: Wishes) -> Wishes:
        if not self.untreated:
            return wishes
        return replace(
            wishes, condition=_UNTREATED_COLUMN, control=CONTROL, separator=NONE, dose=NONE, kind=NONE
        )  # fmt: skip

    def gene_names(self, var: pd.DataFrame) -> pd.Index:
        """(G,) names, repeated ones too. Raises DataError where there is no such column."""
        if self.gene_column is None:
            return var.index
        if self.gene_column not in var.columns:
            raise DataError(f"There is no var column {self.gene_column!r}. Choose another one with the gene names.")
        return pd.Index(var[self.gene_column].astype(str))

    def columns(self, names: pd.Index) -> np.ndarray:
        """The columns of X that are read: all, or the first of each name."""
        return np.flatnonzero(~names.duplicated()) if self.distinct else np.arange(len(names))

    @property
    def accepted(self) -> tuple[str, ...]:
        """Codes of problems that these fixes solve."""
        return ("one-condition",) if self.untreated else ()
