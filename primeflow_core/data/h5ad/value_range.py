"""The range of the values of a matrix and what their sums say of their scale, read in blocks of whole cells or genes.

Repeated entries of a sparse matrix are added up first: they are one value.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import scipy.sparse as sp

from primeflow_core.data.h5ad import storage
from primeflow_core.data.repair import X
from primeflow_core.errors import DataError

# expm1 of more than this overflows float64 when a cell is summed; nothing on a log scale is near it.
_HIGHEST = 50.0
_EQUAL_SUMS = 0.005
_ROUNDING = 1e-5
_UNIT_DEVIATION = 0.02
_FEWEST_STEPS, _MOST_STEP, _OFF_STEP, _ON_STEP = 50, 12.5, 0.04, 0.6
_OFF_WHOLE = 1e-4
_SAMPLED, _MOST_SAMPLED = 500, 4_000_000
_FORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda values: values,
    "natural": np.expm1,
    "binary": lambda values: np.exp2(values) - 1,
}


@dataclass(frozen=True)
class ValueRange:
    """Extremes of X, zeros included; ``whole``: no fractions; ``bad``: (cell, gene) of the first NaN or infinity.

    ``form``: what the values are after their sums and steps in each cell: ``linear``, ``natural`` or ``binary``
    logarithm of normalised counts, the same ``of counts`` as they are, ``unit`` variance of each gene, or ``unclear``.
    """

    lowest: float
    highest: float
    whole: bool
    nonzero: int
    bad: tuple[int, int] | None
    form: str = "unclear"


def value_range(file: h5py.File, path: Path, matrix: str = X) -> ValueRange:
    """Look at every stored value of a matrix once, a block at a time."""
    shape = storage.shape(file, path, matrix)
    tally = _Tally(shape)
    with storage.named_damage(path, matrix):
        for block in _blocks(file[matrix], shape, path, matrix):
            tally.add(block)
    return tally.found()


@dataclass(frozen=True)
class _Block:
    """Values with their rows and columns, each (n,)."""

    values: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


def _blocks(x: h5py.Group | h5py.Dataset, shape: tuple[int, int], path: Path, matrix: str) -> Iterator[_Block]:
    if isinstance(x, h5py.Dataset):
        height = max(storage.BLOCK // max(shape[1], 1), 1)
        for first in range(0, shape[0], height):
            part = x[first : first + height]
            rows, columns = np.nonzero(part)
            yield _Block(part[rows, columns], rows + first, columns)
        return
    by_gene = "csc" in str(x.attrs.get("encoding-type", ""))
    major, minor = (shape[1], shape[0]) if by_gene else shape
    bounds = _bounds(x, major, path, matrix)
    first = 0
    while first < major:
        last = max(int(np.searchsorted(bounds, bounds[first] + storage.BLOCK, side="right")) - 1, first + 1)
        values, along, across = _entries(x, bounds[first : last + 1], minor, path, matrix)
        along = along + first
        yield _Block(values, across, along) if by_gene else _Block(values, along, across)
        first = last


def _bounds(x: h5py.Group, major: int, path: Path, matrix: str) -> np.ndarray:
    """(major + 1,) where each cell or gene starts. Raises DataError where that cannot be."""
    bounds = x["indptr"][:].astype(np.int64)
    stored = {x["data"].shape[0], x["indices"].shape[0]}
    fits = len(bounds) == major + 1 and bounds[0] == 0 and {bounds[-1]} == stored and (np.diff(bounds) >= 0).all()
    if not fits:
        raise DataError(f"{path.name} is damaged: {matrix} points outside the matrix. Write it again.")
    return bounds


def _entries(
    x: h5py.Group, bounds: np.ndarray, minor: int, path: Path, matrix: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, and their places along and across, of some cells or genes; each entry once."""
    values = x["data"][bounds[0] : bounds[-1]]
    across = x["indices"][bounds[0] : bounds[-1]].astype(np.int64)
    if len(across) and not 0 <= across.min() <= across.max() < minor:
        raise DataError(f"{path.name} is damaged: {matrix} points outside the matrix. Write it again.")
    along = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    ordered = (np.diff(across) > 0) | (np.diff(along) > 0)
    if not ordered.all():
        part = sp.csr_matrix((values, across, bounds - bounds[0]), shape=(len(bounds) - 1, minor))
        part.sum_duplicates()
        values, across = part.data, part.indices
        along = np.repeat(np.arange(len(bounds) - 1), np.diff(part.indptr))
    return values, along, across


@dataclass
class _Tally:
    """What was seen so far; sums are only kept while they can matter."""

    shape: tuple[int, int]
    lowest: float = np.inf
    highest: float = -np.inf
    whole: bool = True
    nonzero: int = 0
    bad: tuple[int, int] | None = None
    sums: dict[str, np.ndarray] = field(default_factory=dict)
    moments: np.ndarray = field(init=False)
    sampled: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.moments = np.zeros((2, self.shape[1]))
        self.sums = {name: np.zeros(self.shape[0]) for name in _FORMS}

    def add(self, block: _Block) -> None:
        finite = np.isfinite(block.values)
        if not finite.all():
            at = int(np.argmin(finite))
            self.bad = self.bad or (int(block.rows[at]), int(block.columns[at]))
            block = _Block(block.values[finite], block.rows[finite], block.columns[finite])
        if not block.values.size:
            return
        self.lowest = min(self.lowest, float(block.values.min()))
        self.highest = max(self.highest, float(block.values.max()))
        self.whole = self.whole and bool((block.values == np.rint(block.values)).all())
        self.nonzero += int(np.count_nonzero(block.values))
        fractions = block.values.dtype.kind not in "iub" and not (self.whole and self.highest > _HIGHEST)
        if self.lowest >= 0 and fractions:
            self._measure(block)

    def _measure(self, block: _Block) -> None:
        """Sums of each cell and moments of each gene; of some cells the values themselves."""
        values = block.values.astype(np.float64)
        for name, form in _FORMS.items():
            if name == "linear" or self.highest <= _HIGHEST:
                self.sums[name] += np.bincount(block.rows, form(values), minlength=self.shape[0])
        for power in (1, 2):
            self.moments[power - 1] += np.bincount(block.columns, values**power, minlength=self.shape[1])
        every = max(self.shape[0] // _SAMPLED, self.shape[0] * self.shape[1] // _MOST_SAMPLED, 1)
        chosen = block.rows % every == 0
        self.sampled.append((block.rows[chosen], values[chosen]))

    def found(self) -> ValueRange:
        lowest, highest = self.lowest, self.highest
        if self.nonzero < self.shape[0] * self.shape[1]:
            lowest, highest = min(lowest, 0.0), max(highest, 0.0)
        judged = self.bad is None and not self.whole and lowest >= 0
        return ValueRange(lowest, highest, self.whole, self.nonzero, self.bad, self._form() if judged else "unclear")

    def _form(self) -> str:
        forms = [name for name in _FORMS if name == "linear" or self.highest <= _HIGHEST]
        apart = {name: _spread(self.sums[name]) for name in forms}
        closest, *others = sorted(apart, key=apart.__getitem__)
        # Small values are nearly their own logarithm, and equal cells are equal by any: then the sums say nothing.
        clear = all(apart[other] > 10 * apart[closest] + _ROUNDING for other in others)
        if self.shape[1] > 1 and apart[closest] < _EQUAL_SUMS and clear:
            return closest
        deviations = self._deviations()
        if len(deviations) > 1 and np.median(np.abs(deviations - 1)) < _UNIT_DEVIATION:
            return "unit"
        steps = {name: self._on_steps(_FORMS[name]) for name in forms}
        likely = max(steps, key=steps.__getitem__)
        if steps[likely] <= _ON_STEP:
            return "unclear"
        return f"{likely} of counts" if likely != "linear" and self._is_whole(_FORMS[likely]) else likely

    def _is_whole(self, form: Callable[[np.ndarray], np.ndarray]) -> bool:
        """Whether the values are whole numbers once the logarithm is undone."""
        values = form(np.concatenate([values for _, values in self.sampled]))
        return bool((np.abs(values - np.rint(values)) < _OFF_WHOLE * np.maximum(values, 1.0)).all())

    def _deviations(self) -> np.ndarray:
        """The standard deviation of each gene that any cell has."""
        mean, square = self.moments / self.shape[0]
        variance = np.maximum(square - mean**2, 0.0)
        return np.sqrt(variance[mean > 0])

    def _on_steps(self, form: Callable[[np.ndarray], np.ndarray]) -> float:
        """The share of values that are a whole number of times the smallest value of their cell.

        Counts of one cell are multiplied by one number when they are normalised, and one count is the commonest.
        """
        rows = np.concatenate([rows for rows, _ in self.sampled])
        values = form(np.concatenate([values for _, values in self.sampled]))
        rows, values = rows[values > 0], values[values > 0]
        smallest = np.full(self.shape[0], np.inf)
        np.minimum.at(smallest, rows, values)
        times = values / smallest[rows]
        times = times[(times > 1 + _OFF_STEP) & (times < _MOST_STEP)]
        if len(times) < _FEWEST_STEPS:
            return 0.0
        return float((np.abs(times - np.rint(times)) < _OFF_STEP).mean())


def _spread(sums: np.ndarray) -> float:
    """The middle distance of the sums of cells with any value from their median, as a share of it."""
    sums = sums[sums > 0]
    if len(sums) < 2:
        return np.inf
    middle = float(np.median(sums))
    return float(np.median(np.abs(sums - middle))) / middle
