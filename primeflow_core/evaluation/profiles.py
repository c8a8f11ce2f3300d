"""Profiles of conditions, mean and variance of each gene, and how two of them agree: cosine, RMSE."""

from dataclasses import dataclass

import numpy as np

PSEUDO = 0.1


@dataclass(frozen=True)
class Profile:
    """Statistics of n cells: ``mean`` (G,) and ``variance`` (G,; two passes, ddof 1, NaN for fewer than two cells),
    float64."""

    mean: np.ndarray
    variance: np.ndarray
    cells: int


def profile(cells: np.ndarray) -> Profile:
    """Computes the profile of cells (n, G)."""
    mean = mean_profile(cells)
    if len(cells) < 2:
        return Profile(mean, np.full(len(mean), np.nan), len(cells))
    return Profile(mean, cells.var(axis=0, ddof=1, dtype=np.float64), len(cells))


def mean_profile(cells: np.ndarray) -> np.ndarray:
    """(n, G) to (G,) float64."""
    return cells.mean(axis=0, dtype=np.float64)


def log_fold_change(perturbed: np.ndarray, control: np.ndarray) -> np.ndarray:
    """log2(m + 0.1) - log2(c + 0.1) of mean profiles (..., G) of log-normalised values; NaN becomes 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        change = np.log2(perturbed + PSEUDO) - np.log2(control + PSEUDO)
    return np.nan_to_num(change, nan=0.0)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine of two vectors (G,); NaN where one of them is zero."""
    return float(cosines(a[None], b[None])[0, 0])


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(P, G) and (Q, G) to (P, Q); NaN where a vector is zero."""
    norms = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1)
    return np.divide(a @ b.T, norms, out=np.full(norms.shape, np.nan), where=norms > 0)


def rmses(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(P, G) and (Q, G) to (P, Q)."""
    from scipy.spatial.distance import cdist

    return cdist(a, b) / np.sqrt(a.shape[1])
