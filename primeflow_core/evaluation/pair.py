"""Predicted and measured cells of the same genes, checked once: the only input of every metric."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from primeflow_core.data.conditions import parse_perturbations, split_label
from primeflow_core.data.layout import CONTROL, SEPARATOR
from primeflow_core.errors import DataError
from primeflow_core.evaluation.labelled import LabelledCells

MOST_PREDICTED = 1000

Key = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class CellRows:
    """Rows of a sparse matrix (N, G), its ``columns`` in another order where given; dense only while they are used."""

    values: sp.csr_matrix
    rows: np.ndarray
    columns: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.rows), self.values.shape[1]

    def sparse(self) -> sp.csr_matrix:
        """(n, G)."""
        chosen = self.values[self.rows]
        return chosen if self.columns is None else chosen[:, self.columns]

    def dense(self) -> np.ndarray:
        """(n, G) float32."""
        return np.ascontiguousarray(self.sparse().toarray(), dtype=np.float32)


@dataclass(frozen=True)
class ConditionCells:
    """One scored condition of one covariate group: predicted (n, G) and measured (m, G) cells.

    ``parts``: its perturbations with their doses, sorted.
    """

    label: str
    group: tuple[str, ...]
    predicted: CellRows
    measured: CellRows
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pair:
    """What is scored: ``scored`` conditions with ``controls`` of each covariate group, both from the reference.

    ``reference`` holds all its cells (N, G), for the principal components. ``missing_from_prediction`` and
    ``missing_from_reference`` list the conditions that only one side has, ``alone`` those of covariate groups where
    the reference has nothing else: as in PerturBench such a group does not count. At most 1,000 predicted cells a
    condition are used, the first ones. Controls inside the prediction are not used: as in PerturBench, predicted
    effects are measured from the reference's own controls. Cells stay sparse until a metric asks for them.
    """

    genes: tuple[str, ...]
    covariates: tuple[str, ...]
    scored: tuple[ConditionCells, ...]
    controls: Mapping[tuple[str, ...], CellRows]
    reference: sp.csr_matrix
    missing_from_prediction: tuple[str, ...]
    missing_from_reference: tuple[str, ...]
    alone: tuple[str, ...] = ()

    def by_group(self) -> dict[tuple[str, ...], tuple[ConditionCells, ...]]:
        """The scored conditions of each covariate group, in file order."""
        groups: dict[tuple[str, ...], list[ConditionCells]] = {}
        for condition in self.scored:
            groups.setdefault(condition.group, []).append(condition)
        return {group: tuple(conditions) for group, conditions in groups.items()}


def paired(
    prediction: LabelledCells,
    reference: LabelledCells,
    covariates: Sequence[str],
    control: str = CONTROL,
    separator: str | None = SEPARATOR,
) -> Pair:
    """Match conditions and genes. The order of the parts of a label and of the genes does not matter, nor does a part
    that names the control, as in GEARS' ``A+ctrl``. ``+`` joins parts, also if the file has another ``separator``.

    Raises DataError if genes are missing on either side, if a group has no controls, or if no condition is in both.
    """
    columns = _gene_columns(prediction, reference)
    predicted = _by_condition(prediction, control, separator)
    measured = _by_condition(reference, control, separator)
    counts = Counter(group for _, group in measured)
    label_of = _labels(prediction, predicted) | _labels(reference, measured)
    perturbed = [key for key in measured if key[0] and counts[key[1]] > 1]
    alone = [key for key in measured if key[0] and counts[key[1]] == 1]
    common = [key for key in perturbed if key in predicted]
    if not common and any(key in predicted for key in alone):
        raise DataError(
            f"{reference.source} has one condition only in each group of the covariates "
            f"({_some(_named(key, label_of[key]) for key in alone)}): there are no control cells ({control!r}) to "
            "measure its effect from. Name their label with --control, or fewer --covariates."
        )
    if not common:
        sides = ((prediction, predicted), (reference, measured))
        raise DataError(
            f"{prediction.source} and {reference.source} have no condition in common. "
            + " ".join(f"{cells.source} has {_examples(rows, label_of)}." for cells, rows in sides)
            + " Check labels, --condition-column, --covariates, --dose, --separator and --control."
        )
    controls = {group: _controls(reference, measured, group, control) for group in {key[1] for key in common}}
    scored = tuple(
        ConditionCells(
            label_of[key],
            key[1],
            CellRows(prediction.values, predicted[key][:MOST_PREDICTED], columns),
            CellRows(reference.values, measured[key]),
            key[0],
        )
        for key in common
    )
    return Pair(
        reference.genes,
        tuple(covariates),
        scored,
        controls,
        reference.values,
        tuple(_named(key, label_of[key]) for key in perturbed if key not in predicted),
        tuple(_named(key, label_of[key]) for key in predicted if key[0] and key not in measured),
        tuple(_named(key, label_of[key]) for key in alone),
    )


def _named(key: Key, label: str) -> str:
    return " · ".join((label, *key[1]))


def _examples(rows: Mapping[Key, np.ndarray], label_of: Mapping[Key, str]) -> str:
    names = [_named(key, label_of[key]) for key in rows if key[0]]
    return f"for instance {_some(names)}" if names else "no perturbed cells"


def _some(names: Iterable[str], most: int = 3) -> str:
    return ", ".join(list(names)[:most])


def _labels(cells: LabelledCells, rows: dict[Key, np.ndarray]) -> dict[Key, str]:
    """Each condition with the label that its file writes first."""
    return {key: str(cells.labels[found[0]]) for key, found in rows.items()}


def _by_condition(cells: LabelledCells, control: str, separator: str | None) -> dict[Key, np.ndarray]:
    """Rows of each condition; its key is the sorted parts of the label (none: control) and the covariate values."""
    parts = cells.parts
    if parts is None:
        parts_of = {label: _parts(label, control, separator) for label in dict.fromkeys(cells.labels.tolist())}
        parts = tuple(parts_of[label] for label in cells.labels.tolist())
    rows: dict[Key, list[int]] = {}
    for i, key in enumerate(zip(parts, cells.groups, strict=True)):
        rows.setdefault(key, []).append(i)
    return {key: np.array(found) for key, found in rows.items()}


def _parts(label: str, control: str, separator: str | None) -> tuple[str, ...]:
    if label == control:
        return ()
    texts = [text for piece in split_label(label, separator) for text in split_label(piece, SEPARATOR)]
    found = parse_perturbations(SEPARATOR.join(texts), control=control)
    return tuple(sorted(part.label for part in found))


def _gene_columns(prediction: LabelledCells, reference: LabelledCells) -> np.ndarray | None:
    """The columns of the prediction in the order of the reference's genes; None if they are in that order already."""
    if prediction.genes == reference.genes:
        return None
    position = {gene: i for i, gene in enumerate(prediction.genes)}
    for one, other in ((prediction, reference), (reference, prediction)):
        missing = sorted(set(other.genes) - set(one.genes))
        if missing:
            raise DataError(
                f"{one.source} lacks {len(missing)} of the {len(other.genes)} genes of {other.source}, for instance "
                f"{_some(missing)}. Both files need the same genes."
            )
    return np.array([position[gene] for gene in reference.genes])


def _controls(
    reference: LabelledCells, measured: dict[Key, np.ndarray], group: tuple[str, ...], control: str
) -> CellRows:
    rows = measured.get(((), group))
    if rows is None:
        where = f" in {' · '.join(group)}" if group else ""
        raise DataError(
            f"{reference.source} has no control cells ({control!r}){where}. Name their label with --control."
        )
    return CellRows(reference.values, rows)
