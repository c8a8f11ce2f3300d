"""Matches the gene columns of a file to the genes of a model, whatever names the file uses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from primeflow_core.data.gene_names import OTHER_SPECIES, NameKind, current_symbol, key_of, kind_of_names

LEAST_SHARE = 0.8
_MOST_COLUMNS = 30


@dataclass(frozen=True)
class GeneMatch:
    """``columns``: (G,) column of the file for each gene of the model, -1 where it has none.

    ``translated``: how many were found under another name; ``kind``: what the names of the file look like.
    """

    columns: np.ndarray
    translated: int
    kind: NameKind

    @property
    def found(self) -> int:
        return int((self.columns >= 0).sum())

    @property
    def enough(self) -> bool:
        return self.found >= LEAST_SHARE * len(self.columns)


def match_genes(names: Sequence[str], genes: Sequence[str]) -> GeneMatch:
    """Find each of ``genes`` (G,) among the ``names`` of a file: as written, in another case, by its current symbol.

    The first name that fits is taken. Names of another species than that of ``genes`` only fit as written: ``Actb``
    is no other name of ``ACTB``.
    """
    as_written = _looked_up(names, genes, str)
    columns = as_written.copy()
    kind = kind_of_names(list(names))
    foreign = (kind in OTHER_SPECIES) is not (kind_of_names(list(genes)) in OTHER_SPECIES)
    for key in () if foreign else (str.casefold, _symbol):
        missing = np.flatnonzero(columns < 0)
        columns[missing] = _looked_up(names, [genes[int(i)] for i in missing], key)
    translated = int(((columns >= 0) & (as_written < 0)).sum())
    return GeneMatch(columns, translated, kind)


def _looked_up(names: Sequence[str], wanted: Sequence[str], key: Callable[[str], str]) -> np.ndarray:
    if not wanted:
        return np.zeros(0, dtype=np.int64)
    place: dict[str, int] = {}
    for i, name in enumerate(names):
        place.setdefault(key(name), i)
    return np.array([place.get(key(gene), -1) for gene in wanted], dtype=np.int64)


def _symbol(name: str) -> str:
    return current_symbol(name) or key_of(name)


def gene_columns(var: pd.DataFrame, genes: Sequence[str]) -> Mapping[str | None, int]:
    """The number of ``genes`` found in each text column of var, most first; None is the index."""
    candidates: dict[str | None, list[str]] = {None: list(var.index)}
    for column in list(var.columns)[:_MOST_COLUMNS]:
        if not pd.api.types.is_numeric_dtype(var[column]) and var[column].nunique() > 1:
            candidates[str(column)] = var[column].astype(str).tolist()
    counts = {column: match_genes(names, genes).found for column, names in candidates.items()}
    return dict(sorted(counts.items(), key=lambda entry: -entry[1]))
