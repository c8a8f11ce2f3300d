"""Mean profiles of conditions and how they agree: cosine of log fold changes, RMSE of means."""

import numpy as np

PSEUDO = 0.1


def mean_profile(cells: np.ndarray) -> np.ndarray:
    """(n, G) to (G,) float64."""
    return cells.mean(axis=0, dtype=np.float64)


def log_fold_change(perturbed: np.ndarray, control: np.ndarray) -> np.ndarray:
    """log2(m + 0.1) - log2(c + 0.1) of two mean profiles (G,) of log-normalised values; NaN becomes 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        change = np.log2(perturbed + PSEUDO) - np.log2(control + PSEUDO)
    return np.nan_to_num(change, nan=0.0)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine of two vectors (G,); NaN where one of them is zero."""
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / norms if norms > 0 else float("nan")


def rmse(a: np.ndarray, b: np.ndarray) -> float:
    """Root of the mean over genes of the squared difference of two mean profiles (G,)."""
    return float(np.sqrt(np.mean((a - b) ** 2)))
