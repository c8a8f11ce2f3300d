"""Cells: expression values with the condition of each cell, read from and written to .h5ad."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from primeflow_core.data.conditions import Condition
from primeflow_core.data.layout import Layout
from primeflow_core.data.reading import Reading


@dataclass(frozen=True)
class Cells:
    """N cells by G genes, log-normalised, each with one of a table of conditions.

    ``values``: (N, G) float32, CSR or dense. ``condition_of``: (N,) index into ``conditions``.
    ``kinds``: the kind of perturbation of each of ``conditions``, empty where the data do not say.
    ``reading``: how their file was read.
    ``source`` names the file for messages; ``sha256`` is the file's, empty for cells made in memory.
    ``labels``: each of ``conditions`` as the file writes it, empty for cells made in memory.
    ``label_order``: the distinct labels in the file's order, that of the categories, else sorted; empty likewise.
    ``set_aside``: names of cells of the file that are not read, because they have no condition or context.
    """

    values: sp.csr_matrix | np.ndarray
    genes: tuple[str, ...]
    names: np.ndarray
    conditions: tuple[Condition, ...]
    condition_of: np.ndarray
    kinds: tuple[str, ...] = ()
    reading: Reading = field(default_factory=Reading)
    source: str = "cells in memory"
    sha256: str = ""
    labels: tuple[str, ...] = ()
    label_order: tuple[str, ...] = ()
    set_aside: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=str))

    @property
    def layout(self) -> Layout:
        return self.reading.layout

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def dense(self, index: np.ndarray | None = None) -> np.ndarray:
        """Rows as float32 (n, G)."""
        rows = self.values if index is None else self.values[index]
        dense = rows if isinstance(rows, np.ndarray) else rows.toarray()
        return np.ascontiguousarray(dense, dtype=np.float32)

    @cached_property
    def _position(self) -> dict[Condition, int]:
        return {condition: i for i, condition in enumerate(self.conditions)}

    def where(self, condition: Condition) -> np.ndarray:
        """Indices of the cells of ``condition``, in file order; empty when none was measured."""
        position = self._position.get(condition)
        return np.flatnonzero(self.condition_of == position) if position is not None else np.zeros(0, dtype=np.int64)

    def subset(self, index: np.ndarray) -> "Cells":
        """The chosen cells with only the conditions they have."""
        kept, condition_of = np.unique(self.condition_of[index], return_inverse=True)
        conditions = tuple(self.conditions[i] for i in kept)
        kinds = tuple(self.kinds[i] for i in kept) if self.kinds else ()
        labels = tuple(self.labels[i] for i in kept) if self.labels else ()
        return replace(
            self, values=self.values[index], names=self.names[index], conditions=conditions, condition_of=condition_of,
            kinds=kinds, labels=labels,
        )  # fmt: skip

    def within(self, columns: Sequence[str]) -> "Cells":
        """The same cells with these covariate columns only; conditions that no longer differ become one."""
        reduced = [
            Condition(c.perturbations, tuple(pair for pair in c.covariates if pair[0] in columns))
            for c in self.conditions
        ]
        position = {condition: i for i, condition in enumerate(dict.fromkeys(reduced))}
        first = [reduced.index(condition) for condition in position]
        return replace(
            self,
            conditions=tuple(position),
            condition_of=np.array([position[condition] for condition in reduced])[self.condition_of],
            kinds=tuple(self.kinds[i] for i in first) if self.kinds else (),
            labels=tuple(self.labels[i] for i in first) if self.labels else (),
            reading=replace(self.reading, layout=replace(self.layout, covariates=tuple(columns))),
        )

    def condition_list(self, index: Sequence[int] | np.ndarray) -> list[Condition]:
        return [self.conditions[self.condition_of[i]] for i in index]
