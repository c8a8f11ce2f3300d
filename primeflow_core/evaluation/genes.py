"""Genes that differ most between perturbed and control cells, and how many of them a prediction finds."""

from collections.abc import Sequence

import numpy as np

from primeflow_core.errors import SettingError

# Below this a pooled variance is rounding: the gene is constant on both sides.
NO_VARIANCE = 1e-12


def t_scores(perturbed: np.ndarray, control: np.ndarray) -> np.ndarray:
    """(G,) t with overestimated variance: (m_p - m_c) / sqrt(v_p / n_p + v_c / n_p), ddof 1, two-pass variances.

    NaN and infinite become 0. A gene without variance on both sides gets 0; stock code's one-pass float32
    variance gives such genes 1e4 to 1e6 or NaN by rounding, so this departs from it on purpose.
    """
    n = len(perturbed)
    if n < 2 or len(control) < 2:
        return np.zeros(perturbed.shape[1])
    pooled = (perturbed.var(axis=0, ddof=1, dtype=np.float64) + control.var(axis=0, ddof=1, dtype=np.float64)) / n
    difference = perturbed.mean(axis=0, dtype=np.float64) - control.mean(axis=0, dtype=np.float64)
    varies = pooled > NO_VARIANCE
    return np.where(varies, difference / np.sqrt(np.where(varies, pooled, 1.0)), 0.0)


def top_genes(t: np.ndarray, genes: Sequence[str], k: int) -> frozenset[str]:
    """The k genes with the largest |t|; ties are broken by gene name."""
    order = sorted(range(len(genes)), key=lambda i: (-abs(t[i]), genes[i]))
    return frozenset(genes[i] for i in order[:k])


def recall(predicted: frozenset[str], measured: frozenset[str], k: int) -> float:
    """Share of the measured top genes that are among the predicted ones."""
    if k < 1:
        raise SettingError(f"The number of top genes is {k}; it must be 1 or more.")
    return len(predicted & measured) / k
