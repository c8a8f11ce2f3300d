"""A survey of an AnnData file: its tables, the range of its values and a few facts, without its values.

Everything that is later said about a file (columns, conditions, scale) is worked out from its survey. A foreign file
can make HDF5 spin or swell, so a survey is made in a child process with bounds, which reads once whatever is read of
the file later, and is remembered as long as the file stays what it is.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ParamSpec, TypeVar

import h5py
import pandas as pd

from primeflow_core.data.h5ad import reading_cost, storage
from primeflow_core.data.h5ad.known_content import file_state, is_known
from primeflow_core.data.h5ad.value_range import ValueRange, value_range
from primeflow_core.data.repair import RAW, X
from primeflow_core.errors import DataError
from primeflow_core.runtime.bounded_child import Bounds
from primeflow_core.runtime.bounded_process import bounded
from primeflow_core.runtime.memory import most_for_a_file

GENES_OF = {RAW: "raw/var"}
PROVENANCE = "provenance"
SPOKEN_TRUE = ("true", "yes", "1")
LEAST_MEMORY = 500_000_000
SECONDS = 6.0
SECONDS_PER_BYTE = 5e-7
"""Of processor time; packed values are read at some 20 MB/s of the file, with much to spare."""
WAITING = 2.5
"""Wall time for a second of processor time, on a busy machine or a slow disk."""
MOST_REMEMBERED = 300_000_000


@dataclass(frozen=True)
class Facts:
    """What a file says of itself: whether its cells are simulated, and the text of its provenance."""

    simulated: bool
    provenance: str


@dataclass(frozen=True)
class Survey:
    """``obs`` (N rows) and ``var`` (G rows) as stored, and the range of the values of the N × G ``matrix``.

    ``size``: bytes of the file. ``cost``: bytes of memory that reading takes. ``others``: further matrices of the file.
    """

    source: str
    size: int
    matrix: str
    obs: pd.DataFrame
    var: pd.DataFrame
    values: ValueRange
    facts: Facts
    cost: int
    others: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.obs), len(self.var)


def survey(path: Path, matrix: str = X, most: int | None = None) -> Survey:
    """Read all of a file but its values, of which only the range is kept; ``var`` belongs to the matrix.

    Raises DataError for what is not an AnnData file, is damaged, is empty, or would take more than ``most`` bytes of
    memory (None: what this machine has); OverrunError where reading does not end.
    """
    storage.check_contents(path)
    most = most_for_a_file() if most is None else most
    key = (*file_state(path), matrix)
    found = _MEMORY.found(key)
    if found is None:
        found = _safely(path, most, surveyed, path, matrix, most)
        _MEMORY.remember(key, found)
    reading_cost.check(found.cost, most, path)
    return replace(found, source=path.name, obs=found.obs.copy(deep=False), var=found.var.copy(deep=False))


def check(path: Path, most: int) -> None:
    """Raises as ``survey``, but a file without X is accepted: its values may be elsewhere."""
    held = matrices(path, most)
    if held:
        survey(path, held[0], most)


def matrices(path: Path, most: int | None = None) -> tuple[str, ...]:
    """Where a file has values: X, raw/X, layers/NAME. Raises as ``survey``."""
    storage.check_contents(path)
    return _safely(path, most_for_a_file() if most is None else most, stored_matrices, path)


def facts_of(path: Path) -> Facts:
    """What a file says of itself. Raises DataError for what is not an AnnData file."""
    storage.check_contents(path)
    known = _MEMORY.of_file(file_state(path))
    return known.facts if known else _safely(path, LEAST_MEMORY, stated_facts, path)


def surveyed(path: Path, matrix: str, most: int) -> Survey:
    """The work of ``survey``."""
    with storage.opened(path) as file:
        with storage.named_damage(path, "the file"):
            cells, genes = storage.shape(file, path, matrix)
            others = tuple(name for name in storage.matrices(file) if name != matrix)
            of_genes = GENES_OF.get(matrix, "var")
            if not cells or not genes:
                raise DataError(f"{path.name} is empty: {cells} cells, {genes} genes. Check the filter that made it.")
            cost = reading_cost.of_matrix(file[matrix], 0)
            reading_cost.check(cost, most, path)
            for name in ("obs", of_genes):
                cost += reading_cost.of_table(file, name, most)
                reading_cost.check(cost, most, path)
        obs, var = storage.read_table(file, "obs", path), storage.read_table(file, of_genes, path)
        if (len(obs), len(var)) != (cells, genes):
            raise DataError(
                f"{path.name} is damaged: {matrix} is {cells} × {genes}, obs has {len(obs)} rows and var {len(var)}. "
                "Write it again from where it came."
            )
        values = value_range(file, path, matrix)
        cost += reading_cost.of_matrix(file[matrix], values.nonzero) - reading_cost.of_matrix(file[matrix], 0)
        reading_cost.check(cost, most, path)
        return Survey(path.name, path.stat().st_size, matrix, obs, var, values, _facts(file, path), cost, others)


def stored_matrices(path: Path) -> tuple[str, ...]:
    """The work of ``matrices``."""
    with storage.opened(path) as file, storage.named_damage(path, "the file"):
        return storage.matrices(file)


def stated_facts(path: Path) -> Facts:
    """The work of ``facts_of``."""
    with storage.opened(path) as file:
        return _facts(file, path)


def _facts(file: h5py.File, path: Path) -> Facts:
    with storage.named_damage(path, "uns"):
        said, provenance = _single(file, "uns/simulated"), _single(file, f"uns/{PROVENANCE}")
    simulated = said.strip().lower() in SPOKEN_TRUE if isinstance(said, str) else bool(said)
    return Facts(simulated, "{}" if provenance is None else str(provenance))


def _single(file: h5py.File, name: str) -> object:
    """One stored value; None where there is none or many."""
    stored = file.get(name)
    if not isinstance(stored, h5py.Dataset) or stored.shape != ():
        return None
    value = stored[()]
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value


P = ParamSpec("P")
T = TypeVar("T")


def _safely(path: Path, most: int, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """The call in a child process with bounds for a file of this size; in this one where its content is known."""
    if is_known(path):
        return function(*arguments, **named)
    seconds = SECONDS + SECONDS_PER_BYTE * path.stat().st_size
    bounds = Bounds(max(most, LEAST_MEMORY), seconds, WAITING * seconds)
    return bounded(bounds, path.name, function, *arguments, **named)


Key = tuple[object, ...]


class _Memory:
    """The latest surveys, up to ``MOST_REMEMBERED`` bytes in all; for many threads."""

    def __init__(self) -> None:
        self._surveys: OrderedDict[Key, Survey] = OrderedDict()
        self._sizes: dict[Key, int] = {}
        self._lock = threading.Lock()

    def found(self, key: Key) -> Survey | None:
        with self._lock:
            if key in self._surveys:
                self._surveys.move_to_end(key)
            return self._surveys.get(key)

    def of_file(self, identity: Key) -> Survey | None:
        """The survey of any matrix of a file."""
        with self._lock:
            return next((found for key, found in self._surveys.items() if key[:-1] == identity), None)

    def remember(self, key: Key, found: Survey) -> None:
        size = sum(int(table.memory_usage(deep=True).sum()) for table in (found.obs, found.var))
        with self._lock:
            self._surveys[key], self._sizes[key] = found, size
            while sum(self._sizes.values()) > MOST_REMEMBERED:
                oldest, _ = self._surveys.popitem(last=False)
                del self._sizes[oldest]


_MEMORY = _Memory()
