"""Genes that differ most between perturbed and control cells, and how many of them a prediction finds."""

from collections.abc import Sequence

import numpy as np

from primeflow_core.errors import SettingError

# Below this the two variances together are float32 rounding: the gene is constant on both sides. A gene seen once,
# at 0.01, among a million cells lies a hundred times higher.
NO_VARIANCE = 1e-12
# Digits of |t| that count. Ties are exact on paper only (|t| = 1 for a gene seen in one cell): rounding in the last
# digits would break them by the order of the cells.
DIGITS = 9


def t_scores(perturbed: np.ndarray, control: np.ndarray) -> np.ndarray:
    """(G,) t with overestimated variance: (m_p - m_c) / sqrt(v_p / n_p + v_c / n_p), ddof 1, two-pass variances.

    A gene without variance on both sides gets 0; stock code's one-pass float32 variance gives such genes 1e4 to
    1e6 or NaN by rounding, so this departs from it on purpose. All NaN below two cells on either side, where no
    variance exists (stock code stops with an error there).
    """
    n = len(perturbed)
    if n < 2 or len(control) < 2:
        return np.full(perturbed.shape[1], np.nan)
    variances = perturbed.var(axis=0, ddof=1, dtype=np.float64) + control.var(axis=0, ddof=1, dtype=np.float64)
    difference = perturbed.mean(axis=0, dtype=np.float64) - control.mean(axis=0, dtype=np.float64)
    varies = variances > NO_VARIANCE
    return np.where(varies, difference / np.sqrt(np.where(varies, variances, 1.0) / n), 0.0)


def top_genes(t: np.ndarray, genes: Sequence[str], k: int) -> frozenset[str]:
    """The k genes with the largest |t|, ties broken by gene name; all genes when k is more; none when t is NaN.

    Raises SettingError for k below 1.
    """
    if k < 1:
        raise SettingError(f"The number of top genes is {k}; it must be 1 or more.")
    if np.isnan(t).any():
        return frozenset()
    if k >= len(genes):
        return frozenset(genes)
    size = np.round(np.abs(t), DIGITS)
    last = np.partition(size, -k)[-k]
    above = [genes[i] for i in np.flatnonzero(size > last).tolist()]
    tied = sorted(genes[i] for i in np.flatnonzero(size == last).tolist())
    return frozenset([*above, *tied[: k - len(above)]])


def recall(predicted: frozenset[str], measured: frozenset[str]) -> float:
    """Share of the measured top genes that are among the predicted ones; NaN where a side has none.

    With no more genes than k all are top genes and the share is 1: it says nothing there.
    """
    if not predicted or not measured:
        return float("nan")
    return len(predicted & measured) / len(measured)
