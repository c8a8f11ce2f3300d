"""Differential expression: which genes differ between cells and control cells, by Scanpy's ``rank_genes_groups``.

Scanpy, because its lists are what people compare theirs with: the same test, the same fold change and the same
correction as in their notebooks. Added to it: genes that never vary have no effect, also if rounding gives them one.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData
from scipy.stats import false_discovery_control

from primeflow_core.errors import DataError
from primeflow_core.evaluation.genes import NO_VARIANCE
from primeflow_core.evaluation.pair import CellRows, ConditionCells, Pair

Values: TypeAlias = Any  # np.ndarray or sp.csr_matrix (n, G)
Method = Literal["t-test", "wilcoxon"]

FEWEST_CELLS = 2
STATISTIC: dict[Method, str] = {"t-test": "t", "wilcoxon": "z"}
_CONTROL = "control"
# Numba, under Scanpy, ends the process where two threads enter it and its threading layer is not safe (macOS);
# Scanpy's verbosity is one for all threads too.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class DifferentialTest:
    """Cells against controls, each (G,): ``statistic`` (t or z), two-sided ``p``, ``p_adjusted`` over the genes by
    Benjamini-Hochberg, and ``log2_fold_change`` as in ``differential_expression``."""

    statistic: np.ndarray
    p: np.ndarray
    p_adjusted: np.ndarray
    log2_fold_change: np.ndarray


def differential_expression(
    cells: Values, controls: Values, genes: Sequence[str], *, method: Method = "t-test"
) -> pd.DataFrame:
    """Test log-normalised cells (n, G), dense or sparse, against controls (k, G).

    One row a gene, by p, then |t|, then name: gene, log2_fold_change, t, p, p_adjusted, percent_expressing and
    percent_expressing_control (0 to 100; of cells with a value above 0). ``method``: Welch's t test, or Wilcoxon's
    rank-sum test corrected for ties, with z in place of t. A gene that varies on neither side has t 0 and p 1 in the
    t test, as everywhere here.

    log2_fold_change is Scanpy's: log2 of (expm1(mean) + 1e-9) / (expm1(control mean) + 1e-9). A gene silent on one
    side only therefore reads about +-20 to 30; NaN where a mean is negative. Raises DataError for fewer than two
    cells on a side, for other numbers of genes, or for a value that is no number.
    """
    for name, values in (("cells", cells), ("control cells", controls)):
        _check(values, name, len(genes))
    return _table(cells, controls, genes, contrasts([cells], controls, method)[0], STATISTIC[method])


def differential_tables(pair: Pair) -> pd.DataFrame:
    """``differential_expression`` of every scored condition, its predicted and its measured cells alike, against the
    reference's controls of the group: condition, covariates, side (predicted or measured), then its columns.

    Sides that ``too_few_cells`` names are omitted. Raises DataError if none is left.
    """
    tables = []
    for group, conditions in pair.by_group().items():
        controls = pair.controls[group].sparse()
        for condition in conditions:
            sides = {name: rows for name, rows in _sides(condition).items() if _testable(rows, pair.controls[group])}
            sets = [rows.sparse() for rows in sides.values()]
            where = {"condition": condition.label} | dict(zip(pair.covariates, group, strict=True))
            for name, cells, found in zip(sides, sets, contrasts(sets, controls), strict=True):
                tables.append(_table(cells, controls, pair.genes, found, "t", where | {"side": name}))
    if not tables:
        raise DataError(
            f"No condition has {FEWEST_CELLS} cells on a side, and as many control cells: there is nothing to test."
        )
    return pd.concat(tables, ignore_index=True)


def too_few_cells(pair: Pair) -> tuple[str, ...]:
    """The sides that ``differential_tables`` omits, such as ``A · k562, predicted``: they have fewer than two cells, or
    their group has fewer than two controls."""
    return tuple(
        f"{' · '.join((condition.label, *condition.group))}, {name}"
        for condition in pair.scored
        for name, rows in _sides(condition).items()
        if not _testable(rows, pair.controls[condition.group])
    )


def contrasts(sets: Sequence[Values], controls: Values, method: Method = "t-test") -> list[DifferentialTest]:
    """Compares each set of cells (n, G), n at least 2, with controls (k, G), k at least 2. Genes keep their order."""
    if not sets:
        return []
    # In float32 Scanpy's one-pass variance of the t test has lost its digits; ranks need no more than float32.
    stacked = _stacked([*sets, controls], np.float64 if method == "t-test" else np.float32)
    names = [str(i) for i in range(len(sets))]
    labels = np.repeat([*names, _CONTROL], [values.shape[0] for values in (*sets, controls)])
    ranked = _ranked(stacked, labels, method)
    if method == "wilcoxon":
        return [_contrast(ranked, name) for name in names]
    variance = {name: _variance(stacked[labels == name]) for name in (*names, _CONTROL)}
    return [_contrast(ranked, name, variance[name] + variance[_CONTROL] <= NO_VARIANCE) for name in names]


def _check(values: Values, name: str, genes: int) -> None:
    if values.ndim != 2 or values.shape[1] != genes or not genes:
        raise DataError(f"The {name} have shape {values.shape}; expected (cells, genes) with {genes} genes, 1 or more.")
    if values.shape[0] < FEWEST_CELLS:
        raise DataError(f"There are {values.shape[0]} {name}; comparing genes needs {FEWEST_CELLS} at least.")
    if not np.isfinite(values.data if sp.issparse(values) else values).all():
        raise DataError(f"The {name} hold a value that is no number (NaN or infinite). Replace or remove it.")


def _sides(condition: ConditionCells) -> dict[str, CellRows]:
    return {"predicted": condition.predicted, "measured": condition.measured}


def _testable(rows: CellRows, controls: CellRows) -> bool:
    return min(rows.shape[0], controls.shape[0]) >= FEWEST_CELLS


def _stacked(blocks: Sequence[Values], dtype: type) -> Values:
    """Stacks one block over the other. The result is always a copy, and sparse if all blocks are: Scanpy removes stored
    zeros in place."""
    if not all(sp.issparse(block) for block in blocks):
        return np.vstack([block.toarray() if sp.issparse(block) else block for block in blocks]).astype(dtype)
    stacked = sp.csr_matrix(sp.vstack(blocks), dtype=dtype)
    stacked.sum_duplicates()
    return stacked


def _ranked(stacked: Values, labels: np.ndarray, method: Method) -> dict[str, np.ndarray]:
    """Scanpy's record arrays by name. Genes go in by number, so that their names may be anything."""
    import scanpy

    obs = pd.DataFrame({"set": pd.Categorical(labels)}, index=np.arange(len(labels)).astype(str))
    adata = AnnData(stacked, obs=obs)
    # Scanpy warns of whole numbers as of raw counts, and divides by the variance of genes that have none.
    with _ONE_AT_A_TIME, scanpy.settings.verbosity.override("error"), np.errstate(all="ignore"):
        scanpy.tl.rank_genes_groups(adata, "set", reference=_CONTROL, method=method, tie_correct=True)
    return dict(adata.uns["rank_genes_groups"])


def _contrast(ranked: dict[str, np.ndarray], name: str, constant: np.ndarray | bool = False) -> DifferentialTest:
    """The result of one set from Scanpy, in the order of the genes. ``constant`` genes, a mask (G,), have no effect."""
    order = np.argsort(ranked["names"][name].astype(np.int64))
    statistic, p = (ranked[key][name][order].astype(np.float64) for key in ("scores", "pvals"))
    statistic, p = np.where(constant, 0.0, statistic), np.where(constant, 1.0, p)
    # Adjusted here, not by Scanpy: the p of constant genes would count among its ranks.
    adjusted = false_discovery_control(p)
    return DifferentialTest(statistic, p, adjusted, ranked["logfoldchanges"][name][order].astype(np.float64))


def _variance(values: Values) -> np.ndarray:
    """(n, G) float64 to (G,), two passes, ddof 1."""
    if not sp.issparse(values):
        return values.var(axis=0, ddof=1)
    n, genes = values.shape
    mean = np.asarray(values.mean(axis=0)).ravel()
    stored = np.bincount(values.indices, minlength=genes)
    squares = np.bincount(values.indices, (values.data - mean[values.indices]) ** 2, minlength=genes)
    return (squares + (n - stored) * mean**2) / (n - 1)


def _table(
    cells: Values,
    controls: Values,
    genes: Sequence[str],
    found: DifferentialTest,
    statistic: str,
    where: dict[str, str] | None = None,
) -> pd.DataFrame:
    """One row a gene, sorted, after the constant columns ``where``."""
    order = np.lexsort((np.asarray(genes, dtype=str), -np.abs(found.statistic), found.p))
    columns = {
        "gene": np.asarray(genes, dtype=object),
        "log2_fold_change": found.log2_fold_change,
        statistic: found.statistic,
        "p": found.p,
        "p_adjusted": found.p_adjusted,
        "percent_expressing": _percent_expressing(cells),
        "percent_expressing_control": _percent_expressing(controls),
    }
    return pd.DataFrame((where or {}) | {name: values[order] for name, values in columns.items()})


def _percent_expressing(values: Values) -> np.ndarray:
    """(G,) 0 to 100."""
    return 100.0 * np.asarray((values > 0).sum(axis=0)).ravel() / values.shape[0]
