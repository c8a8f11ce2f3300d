"""Distances between sets of cells: PerturBench's MMD and the unbiased energy distance.

MMD here is half the energy distance as a V-statistic: mean |x - y| - mean |x - x'| / 2 - mean |y - y'| / 2 with
Euclidean norms, the diagonal counted. It is biased upward for few cells; the U-statistic is not. All distances come
from matrix products, a block at a time, so that memory does not grow with the number of pairs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from primeflow_core.evaluation.parallel import shared_out

# Distances computed at a time, few enough to stay in the cache of a processor, and the longest side of such a block.
BLOCK, SIDE = 2**20, 2**10
# Up to as many features, float64 costs next to nothing; above, float32 takes half the time.
MOST_IN_DOUBLE = 128
# |x|^2 + |y|^2 - 2 xy of equal rows is rounding of this relative size or less; it counts as 0.
ROUNDING = 1e-13
# A square of this share of |x|^2 + |y|^2 has lost its digits in float32: its block is computed again in float64.
CANCELLED = 1e-4
# Cells that are held dense at a time, on each side.
TILE_BYTES = 256 * 2**20


class CellSet(Protocol):
    """Some cells of one condition, dense on request."""

    @property
    def shape(self) -> tuple[int, int]:
        """(n, G)."""

    def dense(self) -> np.ndarray:
        """(n, G)."""


@dataclass(frozen=True)
class InMemory:
    """Cells (n, G) that are dense already."""

    values: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        return self.values.shape[0], self.values.shape[1]

    def dense(self) -> np.ndarray:
        return self.values


@dataclass(frozen=True)
class Distances:
    """Mean distances of P sets x with Q sets y: ``between`` (P, Q) and within each, (P,) and (Q,), diagonal counted.

    ``n`` (P,) and ``m`` (Q,) are the numbers of cells.
    """

    between: np.ndarray
    within_x: np.ndarray
    within_y: np.ndarray
    n: np.ndarray
    m: np.ndarray

    @property
    def mmd(self) -> np.ndarray:
        """(P, Q)."""
        return self.between - self.within_x[:, None] / 2 - self.within_y / 2

    @property
    def energy(self) -> np.ndarray:
        """(P, Q) unbiased energy distances, 2 E|x - y| - E|x - x'| - E|y - y'|; NaN below two cells on either side."""
        return 2 * self.between - _off_diagonal(self.within_x, self.n)[:, None] - _off_diagonal(self.within_y, self.m)


def _off_diagonal(within: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """The mean distance of two different cells, from the mean that counts each cell's distance to itself."""
    return within * cells / np.where(cells > 1, cells - 1.0, np.nan)


@dataclass(frozen=True)
class CentredCells:
    """Cells (n, G) seen from an origin, and the squares of their norms (n,).

    An origin in their midst, since |x|^2 + |y|^2 - 2 xy loses digits where norms far exceed distances.
    """

    points: np.ndarray
    squares: np.ndarray

    def __getitem__(self, rows: slice) -> "CentredCells":
        return CentredCells(self.points[rows], self.squares[rows])

    def __len__(self) -> int:
        return len(self.squares)


def cloud(cells: np.ndarray, origin: np.ndarray) -> CentredCells:
    """Cells (n, G) seen from ``origin`` (G,), in the precision that their number of features asks for."""
    seen = cells - origin.astype(cells.dtype)
    points = seen.astype(np.float64 if cells.shape[1] <= MOST_IN_DOUBLE else np.float32, copy=False)
    return CentredCells(points, np.einsum("ij,ij->i", points, points, dtype=np.float64).astype(points.dtype))


def centre(cells: np.ndarray) -> np.ndarray:
    """(G,) float64; zeros for no cells."""
    return cells.mean(axis=0, dtype=np.float64) if len(cells) else np.zeros(cells.shape[1])


def _squared(x: CentredCells, y: CentredCells) -> np.ndarray:
    squared = x.points @ y.points.T
    squared *= -2.0
    squared += x.squares[:, None]
    squared += y.squares
    return squared


def _block(x: CentredCells, y: CentredCells, *, diagonal: bool) -> np.ndarray:
    """(n, m) distances; ``diagonal``: x and y are the same cells and each is at 0 from itself."""
    squared = _squared(x, y)
    if diagonal:
        np.fill_diagonal(squared, np.inf)
    limit = CANCELLED if squared.dtype == np.float32 else ROUNDING
    if (squared.min(axis=1) < limit * (x.squares + y.squares.max())).any():
        squared = _exact_squares(x, y, squared)
    if diagonal:
        np.fill_diagonal(squared, 0.0)
    return np.sqrt(squared, out=squared)


def _exact_squares(x: CentredCells, y: CentredCells, squared: np.ndarray) -> np.ndarray:
    """The squared distances, exactly 0 for equal cells. If any is small, all are computed again in float64; otherwise
    they are unchanged."""
    if squared.dtype == np.float32:
        if not (squared < CANCELLED * np.add.outer(x.squares, y.squares)).any():
            return squared
        x, y = (_in_double(side) for side in (x, y))
        squared = _squared(x, y)
    squared[squared < ROUNDING * np.add.outer(x.squares, y.squares)] = 0.0
    return squared


def _in_double(some: CentredCells) -> CentredCells:
    points = some.points.astype(np.float64)
    return CentredCells(points, np.einsum("ij,ij->i", points, points))


def blocks(x: CentredCells, y: CentredCells) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """Rows of x, rows of y and their distances, until all pairs are done."""
    for rows in _slices(len(x), len(y)):
        for columns in _slices(len(y), SIDE):
            yield rows, columns, _block(x[rows], y[columns], diagonal=False)


def blocks_within(x: CentredCells) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """Blocks on and above the diagonal; those below mirror them."""
    for rows in _slices(len(x), SIDE):
        yield from _blocks_from(x, rows)


def _blocks_from(x: CentredCells, rows: slice) -> Iterator[tuple[slice, slice, np.ndarray]]:
    for first in range(rows.start, len(x), SIDE):
        columns = slice(first, first + SIDE)
        yield rows, columns, _block(x[rows], x[columns], diagonal=first == rows.start)


def _slices(count: int, others: int) -> list[slice]:
    """``count`` rows in runs whose distances to ``others`` rows, a side at most, make one block."""
    height = BLOCK // max(min(others, SIDE), 1)
    return [slice(first, first + height) for first in range(0, count, height)]


def _means_within(clouds: Sequence[CentredCells]) -> list[float]:
    """The mean distance within each; NaN for no cells."""
    tasks = [(i, rows) for i, x in enumerate(clouds) for rows in _slices(len(x), SIDE)]
    totals = np.zeros(len(clouds))
    for (i, _), total in zip(tasks, shared_out(lambda task: _total_from(clouds[task[0]], task[1]), tasks), strict=True):
        totals[i] += total
    return [total / len(x) ** 2 if len(x) else float("nan") for x, total in zip(clouds, totals.tolist(), strict=True)]


def _total_from(x: CentredCells, rows: slice) -> float:
    """Sum of the distances of some rows to all later ones, twice, and to each other."""
    return sum(
        float(distance.sum(dtype=np.float64)) * (1 if columns.start == rows.start else 2)
        for _, columns, distance in _blocks_from(x, rows)
    )


def _row_sums(x: CentredCells, y: CentredCells) -> np.ndarray:
    """(n,) float64: for each cell of x, one block's height, the sum of its distances to all of y."""
    sums = np.zeros(len(x))
    for _, _, distance in blocks(x, y):
        sums += distance.sum(axis=1)
    return sums


def distances(x: np.ndarray, y: np.ndarray) -> Distances:
    """The energy distance of cells x (n, G) and y (m, G), P = Q = 1; NaN for an empty set."""
    return pairwise_distances([InMemory(x)], [InMemory(y)])


def mmd(x: np.ndarray, y: np.ndarray) -> float:
    """PerturBench's MMD of cells x (n, G) and y (m, G); 0 for identical sets. NaN for an empty set."""
    return float(distances(x, y).mmd[0, 0])


def energy_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Unbiased energy distance of cells x (n, G) and y (m, G); NaN below two cells a side."""
    return float(distances(x, y).energy[0, 0])


def pairwise_distances(xs: Sequence[CellSet], ys: Sequence[CellSet]) -> Distances:
    """The energy distance of each set to each other set. Distances within a set are computed once. NaN for an empty
    set."""
    origin = centre(next((y for y in ys if y.shape[0]), ys[0]).dense())
    within_x, within_y = np.empty(len(xs)), np.empty(len(ys))
    between = np.empty((len(xs), len(ys)))
    for columns in _tiles(ys, TILE_BYTES):
        within_y[columns] = _means_within([cloud(ys[j].dense(), origin) for j in columns])
    for tile in _tiles(xs, TILE_BYTES):
        clouds = [cloud(xs[i].dense(), origin) for i in tile]
        within_x[tile] = _means_within(clouds)
        for columns in _tiles(ys, TILE_BYTES):
            between[np.ix_(tile, columns)] = _between(clouds, [ys[j] for j in columns], origin)
    n, m = (np.array([cells.shape[0] for cells in side], dtype=np.float64) for side in (xs, ys))
    return Distances(between, within_x, within_y, n, m)


def _between(xs: Sequence[CentredCells], ys: Sequence[CellSet], origin: np.ndarray) -> np.ndarray:
    """Mean distances, (P, Q). The sets y are stacked in one matrix, so that small sets do not each need a matrix
    product."""
    sizes = np.array([y.shape[0] for y in ys])
    together = cloud(np.concatenate([y.dense() for y in ys]), origin)
    most = max(1, TILE_BYTES // (16 * max(len(together), 1)))
    sums = np.concatenate([_sums_over_sets(xs[i : i + most], together, sizes) for i in range(0, len(xs), most)])
    with np.errstate(invalid="ignore"):
        return sums / (sizes * np.array([[len(x)] for x in xs]))


def _sums_over_sets(xs: Sequence[CentredCells], together: CentredCells, sizes: np.ndarray) -> np.ndarray:
    """(P, Q) sums of distances, where Q sets of these sizes follow each other in ``together``."""
    tasks = [(i, rows) for i, x in enumerate(xs) for rows in _slices(len(together), len(x))]
    found = shared_out(lambda task: _row_sums(together[task[1]], xs[task[0]]), tasks)
    until = np.zeros((len(xs), len(together) + 1))
    for (i, rows), sums in zip(tasks, found, strict=True):
        until[i, 1:][rows] = sums
    np.cumsum(until, axis=1, out=until)
    ends = np.cumsum(sizes)
    return until[:, ends] - until[:, ends - sizes]


def _tiles(sets: Sequence[CellSet], most: int) -> list[list[int]]:
    """Indices of sets that follow each other, as many as fit into ``most`` bytes dense, at least one."""
    tiles: list[list[int]] = []
    used = 0
    for i, cells in enumerate(sets):
        size = cells.shape[0] * cells.shape[1] * 4
        if not tiles or used + size > most:
            tiles.append([])
            used = 0
        tiles[-1].append(i)
        used += size
    return tiles
