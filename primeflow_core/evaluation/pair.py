"""Predicted and measured cells of the same genes, checked once: the only input of every metric."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from primeflow_core import hdf5
from primeflow_core.anndata_file import HIGHEST_LOG
from primeflow_core.conditions import CONTROL, SEPARATOR
from primeflow_core.conventions import column as text_column
from primeflow_core.errors import DataError

MOST_PREDICTED = 1000

Key = tuple[tuple[str, ...], tuple[str, ...]]


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
    with hdf5.opened(path) as file:
        obs, var = hdf5.read_table(file, "obs", path), hdf5.read_table(file, "var", path)
        values = hdf5.read_values(file, path)
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
    """One scored condition of one covariate group: predicted (n, G) and measured (m, G) cells."""

    label: str
    group: tuple[str, ...]
    predicted: CellRows
    measured: CellRows


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
    """Match conditions and genes. The order of the parts of a label and of the genes does not matter, nor does a
    part that names the control, as in GEARS' ``A+ctrl``. ``+`` joins parts whatever the file's ``separator``.

    Raises DataError where genes are missing on either side, a group lacks controls, or no condition is common.
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
    """Each condition as its file first writes it; with its doses where they have a column of their own."""
    if cells.doses is not None:
        return {key: SEPARATOR.join(key[0]) or str(cells.labels[found[0]]) for key, found in rows.items()}
    return {key: str(cells.labels[found[0]]) for key, found in rows.items()}


def _by_condition(cells: LabelledCells, control: str, separator: str | None) -> dict[Key, np.ndarray]:
    """Rows of each condition; its key is the sorted parts of the label (none: control) and the covariate values."""
    doses = itertools.repeat("", len(cells.labels)) if cells.doses is None else cells.doses.tolist()
    written = list(zip(cells.labels.tolist(), doses, strict=True))
    parts_of = {pair: _parts(*pair, control, separator, cells.source) for pair in dict.fromkeys(written)}
    rows: dict[Key, list[int]] = {}
    for i, (pair, group) in enumerate(zip(written, cells.groups, strict=True)):
        rows.setdefault((parts_of[pair], group), []).append(i)
    return {key: np.array(found) for key, found in rows.items()}


def _parts(label: str, doses: str, control: str, separator: str | None, source: str) -> tuple[str, ...]:
    if label == control:
        return ()
    joints = {SEPARATOR, separator or SEPARATOR}
    parts = [part.strip() for part in re.split("|".join(re.escape(joint) for joint in sorted(joints)), label)]
    amounts = [amount.strip() for amount in doses.split(SEPARATOR)] if doses else [""] * len(parts)
    if len(amounts) != len(parts):
        raise DataError(
            f"{source} gives {doses!r} as the dose of {label!r}: {len(amounts)} for {len(parts)} parts. Mend it, or "
            "pass --dose none to score without doses."
        )
    return tuple(sorted(_dosed(*pair) for pair in zip(parts, amounts, strict=True) if pair[0] != control))


def _dosed(part: str, amount: str) -> str:
    """``A@0.1``, one way to write each dose; the part alone where there is none, or it says its own."""
    name, at, own = part.rpartition("@")
    try:
        return f"{name}@{float(own):g}" if at else f"{part}@{float(amount):g}" if amount else part
    except ValueError:
        return part


def _gene_columns(prediction: LabelledCells, reference: LabelledCells) -> np.ndarray | None:
    """The columns of the prediction in the order of the reference's genes; None where they have it already."""
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
