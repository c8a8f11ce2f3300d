"""The scale of the values of a file (counts, log-normalised, normalised, scaled), and log1p of normalised counts."""

from enum import StrEnum

import numpy as np
import scipy.sparse as sp

from primeflow_core.data.h5ad import storage

# log1p of a library of 10^6 counts in one gene is 14; nothing plausible on the log scale lies above 20.
HIGHEST_LOG = 20.0


class Scale(StrEnum):
    COUNTS = "counts"
    LOG = "log-normalised"
    LINEAR = "normalised, not logged"
    SCALED = "scaled"


def _scale(values: storage.ValueRange) -> Scale:
    if values.lowest < 0:
        return Scale.SCALED
    if values.whole:
        return Scale.COUNTS
    return Scale.LOG if values.highest < HIGHEST_LOG else Scale.LINEAR


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
