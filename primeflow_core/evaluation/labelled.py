"""Cells with the label, the perturbations and the covariate values of each, as evaluation compares them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition


@dataclass(frozen=True)
class LabelledCells:
    """``values`` (N, G) CSR, and for each of the N cells its condition label and its covariate values.

    ``parts``: the perturbations of each cell, such as ``drug@0.1``, sorted; empty for a control. None: the labels say
    them.
    """

    values: sp.csr_matrix
    genes: tuple[str, ...]
    labels: np.ndarray
    groups: tuple[tuple[str, ...], ...]
    names: np.ndarray
    source: str
    parts: tuple[tuple[str, ...], ...] | None = None

    def subset(self, index: np.ndarray) -> "LabelledCells":
        return replace(
            self,
            values=self.values[index],
            labels=self.labels[index],
            groups=tuple(self.groups[i] for i in index),
            names=self.names[index],
            parts=None if self.parts is None else tuple(self.parts[i] for i in index),
        )


def labelled(cells: Cells) -> LabelledCells:
    """Cells with the labels of their file; with doses in them where the file has a column of doses."""
    own = cells.labels if cells.labels and cells.layout.dose is None else tuple(c.label for c in cells.conditions)
    facts = [(label, *_parts_and_group(condition)) for label, condition in zip(own, cells.conditions, strict=True)]
    of_cell = [facts[i] for i in cells.condition_of.tolist()]
    return LabelledCells(
        sp.csr_matrix(cells.values, dtype=np.float32),
        cells.genes,
        np.array([label for label, _, _ in of_cell], dtype=object),
        tuple(group for _, _, group in of_cell),
        cells.names,
        cells.source,
        tuple(parts for _, parts, _ in of_cell),
    )


def predicted_cells(predicted: Mapping[Condition, np.ndarray], genes: tuple[str, ...], source: str) -> LabelledCells:
    """Predicted cells (n, G) of each condition, one condition after the other; ``source`` names them in messages."""
    facts = [
        (condition.label, *_parts_and_group(condition))
        for condition, made in predicted.items()
        for _ in range(len(made))
    ]
    return LabelledCells(
        sp.csr_matrix(np.concatenate(list(predicted.values()))),
        genes,
        np.array([label for label, _, _ in facts], dtype=object),
        tuple(group for _, _, group in facts),
        np.array([f"cell_{i}" for i in range(len(facts))]),
        source,
        tuple(parts for _, parts, _ in facts),
    )


def _parts_and_group(condition: Condition) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return parts_of(condition), group_of(condition)


def parts_of(condition: Condition) -> tuple[str, ...]:
    """The perturbations of a condition with their doses, sorted; empty for control."""
    return tuple(sorted(part.label for part in condition.perturbations))


def group_of(condition: Condition) -> tuple[str, ...]:
    """The covariate values of a condition, in column order."""
    return tuple(value for _, value in condition.covariates)
