"""Genes that differ most between perturbed and control cells, and how many of them a prediction finds."""

from collections.abc import Sequence

import numpy as np

from primeflow_core.errors import SettingError
from primeflow_core.evaluation.profiles import Profile

# Below this the two variances together are float32 rounding: the gene is constant on both sides. A gene seen once,
# at 0.01, among a million cells lies a hundred times higher.
NO_VARIANCE = 1e-12
# Digits of |t| that count. Ties are exact on paper only (|t| = 1 for a gene seen in one cell): rounding in the last
# digits would break them by the order of the cells.
DIGITS = 9


def t_of_profiles(mean: np.ndarray, variance: np.ndarray, cells: int | np.ndarray, control: Profile) -> np.ndarray:
    """(..., G) t with overestimated variance: (m_p - m_c) / sqrt(v_p / n_p + v_c / n_p), ddof 1.

    A gene without variance on both sides gets 0; stock code's one-pass float32 variance gives such genes 1e4 to
    1e6 or NaN by rounding, so this departs from it on purpose. All NaN below two cells on either side, where no
    variance exists (stock code stops with an error there).
    """
    variances = variance + control.variance
    varies = ~(variances <= NO_VARIANCE)
    return np.where(varies, (mean - control.mean) / np.sqrt(np.where(varies, variances, 1.0) / cells), 0.0)


class TopGenes:
    """Finds the genes with the largest |t|; ties are broken by gene name."""

    def __init__(self, genes: Sequence[str], k: int) -> None:
        """Raises SettingError for k below 1."""
        if k < 1:
            raise SettingError(f"The number of top genes is {k}; it must be 1 or more.")
        self.k = min(k, len(genes))
        self._by_name = np.array(sorted(range(len(genes)), key=genes.__getitem__), dtype=np.int64)

    def among(self, t: np.ndarray) -> np.ndarray:
        """(P, G) to a mask (P, G) with k genes in each row, all genes when k is more; none in rows with NaN."""
        size: np.ndarray = np.round(np.abs(t[:, self._by_name]), DIGITS)
        last = np.partition(size, -self.k, axis=1)[:, -self.k, None]
        above, tied = size > last, size == last
        wanted = self.k - above.sum(axis=1, keepdims=True)
        chosen = np.empty(t.shape, dtype=bool)
        chosen[:, self._by_name] = above | (tied & (tied.cumsum(axis=1) <= wanted))
        return chosen & ~np.isnan(t).any(axis=1, keepdims=True)


def top_genes(t: np.ndarray, genes: Sequence[str], k: int) -> frozenset[str]:
    """The k of ``genes`` with the largest |t| (G,), ties broken by gene name; all genes when k is more; none for NaN.

    Raises SettingError for k below 1.
    """
    return frozenset(genes[i] for i in np.flatnonzero(TopGenes(genes, k).among(t[None])[0]).tolist())


def recalls(predicted: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Masks (P, G) and (Q, G) to (P, Q): share of the measured top genes that are predicted; NaN where there are none.

    With no more genes than k all are top genes and the share is 1: it has no meaning then.
    """
    both = predicted.astype(np.float32) @ measured.astype(np.float32).T
    some = np.asarray(predicted.any(axis=1))[:, None]
    sizes = np.where(some, measured.sum(axis=1), 0)
    return np.divide(both, sizes, out=np.full(both.shape, np.nan), where=sizes > 0)
