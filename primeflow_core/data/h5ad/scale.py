"""The scale of the values of a file (counts, log-normalised, normalised, scaled), and log1p of normalised counts."""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
import pandas as pd
import scipy.sparse as sp

from primeflow_core.data.h5ad.issues import Problem, Severity, error
from primeflow_core.data.h5ad.storage import way_to
from primeflow_core.data.h5ad.value_range import ValueRange

# log1p of a library of 10^6 counts in one gene is 14; nothing plausible on the log scale lies above 20.
HIGHEST_LOG = 20.0
_LOGARITHMS = ("natural", "binary")
_OF_COUNTS = tuple(f"{form} of counts" for form in _LOGARITHMS)


class Scale(StrEnum):
    COUNTS = "counts"
    LOG = "log-normalised"
    LINEAR = "normalised, not logged"
    SCALED = "scaled"


def scale_of(values: ValueRange) -> Scale:
    """By the sums of the cells where they are equal, and by the steps between values; else by the highest value."""
    if values.lowest < 0 or values.form == "unit":
        return Scale.SCALED
    if values.whole:
        return Scale.COUNTS
    if values.form in (*_LOGARITHMS, *_OF_COUNTS):
        return Scale.LOG
    if values.form == "linear":
        return Scale.LINEAR
    return Scale.LOG if values.highest < HIGHEST_LOG else Scale.LINEAR


def value_problems(
    values: ValueRange,
    scale: Scale,
    told: bool | None,
    normalise: bool,
    cells: pd.Index,
    genes: pd.Index,
    others: Sequence[str] = (),
) -> list[Problem]:
    """The one thing that keeps X from being used as it is, or is in doubt, or nothing.

    ``told``: whether the user said that values are to be brought to the log scale; ``normalise``: whether they are;
    ``others``: further matrices of the file.
    """
    if values.bad is not None:
        cell, gene = values.bad
        text = (
            f"X holds a value that is not a number (NaN or infinite), first in cell {cells[cell]}, gene {genes[gene]}."
        )
        return [error("not-a-number", text, "Replace or remove it before saving.")]
    if values.nonzero == 0:
        return [error("all-zero", "All values are zero.", "Check which matrix was saved as X.")]
    if scale is Scale.SCALED:
        return [_scaled(values, bool(told), others)]
    if scale is Scale.LOG:
        return _logged(values, normalise)
    if scale is Scale.COUNTS:
        return [_counts(values, normalise)]
    return [] if normalise else [_linear(values)]


def _scaled(values: ValueRange, told: bool, others: Sequence[str]) -> Problem:
    save = "Save the values before scaling as X."
    if others:
        save = f"The file has other values too: read them with {' or '.join(map(way_to, others))}."
    if values.lowest < 0:
        return error("scaled", f"Values are negative, down to {values.lowest:.4g}: the data are scaled.", save)
    text = "Every gene varies by 1 (standard deviation): the data are scaled, without centring."
    if told:
        return Problem(Severity.WARNING, "scaled", f"{text} They are normalised all the same, as you say.", save)
    return error("scaled", text, save)


def _logged(values: ValueRange, normalise: bool) -> list[Problem]:
    if normalise:
        text = f"Values look log-normalised already (up to {values.highest:.4g}), and are normalised again, as you say."
        return [Problem(Severity.WARNING, "normalised-already", text, "Leave out --normalise if they are.")]
    if values.form in _OF_COUNTS:
        text = (
            f"Values up to {values.highest:.4g} are logarithms of counts that were not brought to one total: cells "
            "with more counts have higher values."
        )
        return [Problem(Severity.WARNING, "log-of-counts", text, "Save the counts as X; they are converted when read.")]
    if values.form == "binary":
        text = f"Values are log2, not natural logarithms (up to {values.highest:.4g}), and are used as they are."
        return [Problem(Severity.WARNING, "log2", text, "Fold changes are in units of log2 then.")]
    if values.form == "unclear":
        text = (
            f"Values up to {values.highest:.4g} are taken as log-normalised, but nothing in them shows it: the cells "
            "do not have equal sums, with or without the logarithm."
        )
        return [Problem(Severity.WARNING, "scale-unclear", text, "If they are not logged, pass --normalise.")]
    return []


def _counts(values: ValueRange, normalise: bool) -> Problem:
    text = f"Values are whole numbers up to {values.highest:,.0f}: counts."
    if normalise:
        done = "They are converted to the log scale when they are read: log1p at the median total of the cells."
        return Problem(Severity.NOTE, "counts", text, done)
    return error("counts", text, "Leave out --no-normalise, so that they are converted to the log scale.")


def _linear(values: ValueRange) -> Problem:
    what = "the counts of each cell times one number, " if values.form == "linear" else ""
    text = f"Values go up to {values.highest:,.6g} with fractions: {what}normalised but not on the log scale."
    return error("linear", text, "Pass --normalise to convert them to the log scale.")


def median_total(counts: sp.csr_matrix) -> float:
    """The median total of the cells that have any counts; 1 where none has."""
    totals = _totals(counts)
    return float(np.median(totals[totals > 0])) if (totals > 0).any() else 1.0


def log_normalised(counts: sp.csr_matrix, total: float | None = None) -> sp.csr_matrix:
    """log1p of counts scaled to ``total`` in each cell, None for their median total; (N, G) CSR float32."""
    totals = _totals(counts)
    target = median_total(counts) if total is None else total
    factors = np.divide(target, totals, out=np.zeros_like(totals), where=totals > 0)
    scaled = counts.astype(np.float32, copy=True)
    scaled.data = np.log1p(counts.data * np.repeat(factors, np.diff(counts.indptr))).astype(np.float32)
    return scaled


def _totals(counts: sp.csr_matrix) -> np.ndarray:
    """(N,) float64."""
    return np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel()
