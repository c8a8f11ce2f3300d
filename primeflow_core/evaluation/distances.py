"""Distances between two sets of cells: PerturBench's MMD and the unbiased energy distance.

MMD here is half the energy distance as a V-statistic: mean |x - y| - mean |x - x'| / 2 - mean |y - y'| / 2 with
Euclidean norms, the diagonal counted. It is biased upward for few cells; the U-statistic is not. All distances come
from matrix products in float64, a block at a time, so that memory does not grow with the number of pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BLOCK = 1024
# |x|^2 + |y|^2 - 2 xy of equal rows is rounding of this relative size or less; it counts as 0.
ROUNDING = 1e-13


@dataclass(frozen=True)
class Distances:
    """Mean distances of n cells x and m cells y: between them and within each, the diagonal counted."""

    between: float
    within_x: float
    within_y: float
    n: int
    m: int

    @property
    def mmd(self) -> float:
        return self.between - self.within_x / 2 - self.within_y / 2

    @property
    def energy(self) -> float:
        """The unbiased energy distance, 2 E|x - y| - E|x - x'| - E|y - y'|; NaN below two cells on either side."""
        if self.n < 2 or self.m < 2:
            return float("nan")
        within = self.within_x * self.n / (self.n - 1) + self.within_y * self.m / (self.m - 1)
        return 2 * self.between - within


@dataclass(frozen=True)
class _Cloud:
    """Cells (n, G) float64 seen from a common origin, and the squares of their norms (n,).

    An origin in their midst, since |x|^2 + |y|^2 - 2 xy loses digits where norms far exceed distances.
    """

    points: np.ndarray
    squares: np.ndarray


def _cloud(values: np.ndarray, origin: np.ndarray) -> _Cloud:
    points = values.astype(np.float64)
    points -= origin
    return _Cloud(points, np.einsum("ij,ij->i", points, points))


def _centre(values: np.ndarray) -> np.ndarray:
    return values.mean(axis=0, dtype=np.float64)


def _block_total(x: _Cloud, y: _Cloud, rows: slice, columns: slice) -> float:
    """Sum of the distances of some rows of x to some rows of y."""
    sums = np.add.outer(x.squares[rows], y.squares[columns])
    squares = x.points[rows] @ y.points[columns].T
    squares *= -2.0
    squares += sums
    sums *= ROUNDING
    squares[squares < sums] = 0.0
    return float(np.sqrt(squares, out=squares).sum())


def _mean_between(x: _Cloud, y: _Cloud) -> float:
    n, m = len(x.squares), len(y.squares)
    starts = [(i, j) for i in range(0, n, BLOCK) for j in range(0, m, BLOCK)]
    return sum(_block_total(x, y, slice(i, i + BLOCK), slice(j, j + BLOCK)) for i, j in starts) / (n * m)


def _mean_within(x: _Cloud) -> float:
    """Blocks below the diagonal mirror those above and are not computed."""
    n = len(x.squares)
    total = 0.0
    for i in range(0, n, BLOCK):
        for j in range(i, n, BLOCK):
            block = _block_total(x, x, slice(i, i + BLOCK), slice(j, j + BLOCK))
            total += block if i == j else 2 * block
    return total / n**2


def mean_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Mean Euclidean distance of every row of x (n, G) to every row of y (m, G)."""
    origin = _centre(x)
    return _mean_between(_cloud(x, origin), _cloud(y, origin))


def mean_self_distance(x: np.ndarray) -> float:
    """Mean distance of the rows of x (n, G) to each other, each to itself (0) included."""
    return _mean_within(_cloud(x, _centre(x)))


def distances(x: np.ndarray, y: np.ndarray) -> Distances:
    """All mean distances of cells x (n, G) and y (m, G); NaN for an empty set."""
    if not len(x) or not len(y):
        return Distances(np.nan, np.nan, np.nan, len(x), len(y))
    return Distances(mean_distance(x, y), mean_self_distance(x), mean_self_distance(y), len(x), len(y))


def mmd(x: np.ndarray, y: np.ndarray) -> float:
    """PerturBench's MMD of cells x (n, G) and y (m, G); 0 for identical sets. NaN for an empty set."""
    return distances(x, y).mmd


def energy_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Unbiased energy distance of cells x (n, G) and y (m, G); NaN below two cells a side."""
    return distances(x, y).energy


def pairwise_mmd(xs: Sequence[np.ndarray], ys: Sequence[np.ndarray]) -> np.ndarray:
    """(len(xs), len(ys)) MMD of every set with every other, none empty; terms within a set are computed once."""
    within_x = np.array([mean_self_distance(x) for x in xs])
    within_y = np.array([mean_self_distance(y) for y in ys])
    between = np.empty((len(xs), len(ys)))
    origin = np.mean([_centre(y) for y in ys], axis=0)
    for i, x in enumerate(xs):
        cloud = _cloud(x, origin)
        between[i] = [_mean_between(cloud, _cloud(y, origin)) for y in ys]
    return between - within_x[:, None] / 2 - within_y[None, :] / 2
