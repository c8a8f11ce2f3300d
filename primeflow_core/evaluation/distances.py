"""Distances between two sets of cells: PerturBench's MMD and the unbiased energy distance.

MMD here is half the energy distance as a V-statistic: mean |x - y| - mean |x - x'| / 2 - mean |y - y'| / 2 with
Euclidean norms, the diagonal counted. It is biased upward for few cells; the U-statistic is not.
"""

from collections.abc import Sequence

import numpy as np

BLOCK = 1024


def mean_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Mean Euclidean distance of every row of x (n, G) to every row of y (m, G), in blocks of BLOCK x BLOCK."""
    return _total_distance(_centred(x, x), _centred(y, x)) / (len(x) * len(y))


def _centred(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    # |x|^2 + |y|^2 - 2 xy loses digits where the norms are far larger than the distance; a common shift mends it.
    return values.astype(np.float64) - reference.mean(axis=0, dtype=np.float64)


def _total_distance(x: np.ndarray, y: np.ndarray) -> float:
    x_squares, y_squares = np.einsum("ij,ij->i", x, x), np.einsum("ij,ij->i", y, y)
    total = 0.0
    for i in range(0, len(x), BLOCK):
        for j in range(0, len(y), BLOCK):
            a, b = slice(i, i + BLOCK), slice(j, j + BLOCK)
            squares = x_squares[a, None] + y_squares[None, b] - 2 * x[a] @ y[b].T
            total += float(np.sqrt(np.maximum(squares, 0.0, out=squares)).sum())
    return total


def mean_self_distance(x: np.ndarray) -> float:
    """Mean distance of the rows of x (n, G) to each other, each to itself (0) included."""
    centred = _centred(x, x)
    squares = np.einsum("ij,ij->i", centred, centred)
    total = 0.0
    for i in range(0, len(x), BLOCK):
        for j in range(i, len(x), BLOCK):
            a, b = slice(i, i + BLOCK), slice(j, j + BLOCK)
            block = squares[a, None] + squares[None, b] - 2 * centred[a] @ centred[b].T
            if i == j:
                np.fill_diagonal(block, 0.0)
            total += (1 if i == j else 2) * float(np.sqrt(np.maximum(block, 0.0, out=block)).sum())
    return total / len(x) ** 2


def mmd(x: np.ndarray, y: np.ndarray) -> float:
    """PerturBench's MMD of cells x (n, G) and y (m, G); 0 for identical sets. NaN for an empty set."""
    if not len(x) or not len(y):
        return float("nan")
    return mean_distance(x, y) - mean_self_distance(x) / 2 - mean_self_distance(y) / 2


def pairwise_mmd(xs: Sequence[np.ndarray], ys: Sequence[np.ndarray]) -> np.ndarray:
    """(len(xs), len(ys)) MMD of every set with every other; the terms within a set are computed once."""
    within_x = np.array([mean_self_distance(x) for x in xs])
    within_y = np.array([mean_self_distance(y) for y in ys])
    between = np.array([[mean_distance(x, y) for y in ys] for x in xs]).reshape(len(xs), len(ys))
    return between - within_x[:, None] / 2 - within_y[None, :] / 2


def energy_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Unbiased energy distance, 2 E|x - y| - E|x - x'| - E|y - y'| without the diagonal; NaN below two cells a side."""
    n, m = len(x), len(y)
    if n < 2 or m < 2:
        return float("nan")
    within = mean_self_distance(x) * n / (n - 1) + mean_self_distance(y) * m / (m - 1)
    return 2 * mean_distance(x, y) - within
