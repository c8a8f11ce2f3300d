"""Finds an experiment that could falsify the model: the genes where the model and the sum of single effects differ
most.

Effect size is Cohen's d between the two expected means, in standard deviations of the cells. The experiment has two
arms of n cells, the combination and unperturbed cells, and a two-sided t test of their difference; its power is exact,
by the noncentral t with 2 n - 2 degrees of freedom and noncentrality d sqrt(n / 2).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from primeflow_core.errors import DataError
from primeflow_core.evaluation.genes import NO_VARIANCE
from primeflow_core.evaluation.profiles import log_fold_change, profile

GENES = 5
ALPHA = 0.05
POWER = 0.8
LEAST_EXPRESSING = 0.1
MOST_CELLS = 1_000_000
FEWEST_CELLS = 2
CLEAR = 2.0
COLUMNS = (
    "gene", "predicted_change", "sum_change", "turning_point", "effect_size", "clear", "cells_per_arm",
)  # fmt: skip


def falsifying_genes(
    genes: Sequence[str],
    predicted: np.ndarray,
    sum_mean: np.ndarray,
    controls: np.ndarray,
    count: int = GENES,
    *,
    sum_error: np.ndarray | None = None,
) -> pd.DataFrame:
    """The ``count`` genes of largest |d|, ties by name: predicted cells (n, G), the mean (G,) that the sum of single
    effects expects with its standard error (G,; None: 0), and control cells (k, G), log-normalised.

    Only genes that vary and that at least 10 % of the predicted or of the control cells express; first those in which
    the disagreement is larger than twice its standard error. Columns: gene, predicted_change, sum_change and
    turning_point (log2 change; the turning point lies halfway between the two means), effect_size (d by the root of the
    mean variance of both arms, predicted and control; above 0 where the model expects more), clear (larger than twice
    the error), cells_per_arm (missing where d is 0 or a million are not enough) for 80 % power at two-sided alpha 0.05
    divided by the number of genes listed, and sentence. Raises DataError for other numbers of genes or fewer than two
    cells.
    """
    error = np.zeros(len(genes)) if sum_error is None else sum_error
    _check(len(genes), predicted, controls, sum_mean, error)
    model, control = profile(predicted), profile(controls)
    deviation = np.sqrt((model.variance + control.variance) / 2)
    expressing = np.maximum((predicted > 0).mean(axis=0), (controls > 0).mean(axis=0))
    eligible = np.flatnonzero((expressing >= LEAST_EXPRESSING) & (deviation**2 > NO_VARIANCE))
    difference = (model.mean - sum_mean)[eligible]
    effect = difference / deviation[eligible]
    clear = np.abs(difference) > CLEAR * np.sqrt(model.variance / model.cells + error**2)[eligible]
    order = np.lexsort((np.asarray(genes, dtype=str)[eligible], -np.abs(effect), ~clear))[:count]
    chosen, alpha = eligible[order], ALPHA / max(len(order), 1)
    changes = [
        log_fold_change(mean[chosen], control.mean[chosen])
        for mean in (model.mean, sum_mean, (model.mean + sum_mean) / 2)
    ]
    cells = pd.array([cells_per_arm(d, alpha) for d in effect[order]], dtype="Int64")
    columns = (np.asarray(genes, dtype=object)[chosen], *changes, effect[order], clear[order], cells)
    table = pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
    table["sentence"] = [_sentence(*row) for row in table.drop(columns=list(COLUMNS[1:3])).itertuples(index=False)]
    return table


def cells_per_arm(d: float, alpha: float = ALPHA, power: float = POWER) -> int | None:
    """The smallest number of cells in each of two arms at which a two-sided t test finds ``d``; None where
    ``MOST_CELLS`` are not enough, as for 0."""
    few, enough = 1, 2
    while power_of(d, enough, alpha) < power:
        few, enough = enough, 2 * enough
        if few >= MOST_CELLS:
            return None
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if power_of(d, middle, alpha) >= power else (middle, enough)
    return enough if enough <= MOST_CELLS else None


def power_of(d: float, cells: int, alpha: float = ALPHA) -> float:
    """The power of a two-sided t test with ``cells``, 2 or more, in each of two arms whose means differ by ``d``
    standard deviations."""
    from scipy.stats import nct, t

    freedom, shift = 2 * cells - 2, abs(d) * np.sqrt(cells / 2)
    critical = t.isf(alpha / 2, freedom)
    return float(nct.sf(critical, freedom, shift) + nct.cdf(-critical, freedom, shift))


def _check(genes: int, predicted: np.ndarray, controls: np.ndarray, *of_sum: np.ndarray) -> None:
    for name, cells in (("predicted cells", predicted), ("control cells", controls)):
        if cells.ndim != 2 or cells.shape[1] != genes:
            raise DataError(f"The {name} have shape {cells.shape}; expected {genes} genes a cell.")
        if len(cells) < FEWEST_CELLS:
            raise DataError(f"There are {len(cells)} {name}; comparing genes needs {FEWEST_CELLS} at least.")
    for values in of_sum:
        if values.shape != (genes,):
            raise DataError(f"The sum of single effects has shape {values.shape}; expected {genes} genes.")


def _sentence(gene: str, turning_point: float, d: float, clear: bool, cells: int | None) -> str:
    if d == 0:
        return f"{gene}: the model and the sum expect the same, so it cannot tell them apart."
    side, other = ("above", "below") if d > 0 else ("below", "above")
    wanted = f"{cells:,}" if not pd.isna(cells) else f"more than {MOST_CELLS:,}"
    doubt = "" if clear else " The single effects are known too little here to be sure that the two disagree."
    return (
        f"{gene}: measured {side} {turning_point:+.2f} log2 change, it speaks for the model; {other}, for the sum "
        f"of single effects. It takes {wanted} cells an arm.{doubt}"
    )
