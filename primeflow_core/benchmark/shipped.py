"""Finished benchmarks on this machine, shipped and the user's own, for front ends. Nothing here trains or scores.

A folder of ``primeflow benchmark`` holds

    about.json           what was compared, on what data, and the command that makes it again
    benchmark.csv        the leaderboard
    conditions.parquet   every metric of every model, seed, guidance weight and condition
    cells.parquet        where measured and predicted cells lie (optional)

as output_files.py writes them. Their contents are checked here, once.
"""

import os
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from primeflow_core.benchmark.about import ABOUT, CELLS, CONDITIONS, LEADERBOARD
from primeflow_core.benchmark.leaderboard import BOUNDS
from primeflow_core.benchmark.read_about import read_about
from primeflow_core.benchmark.read_cell_projection import read_picture_file
from primeflow_core.benchmark.results import BETWEEN, Results
from primeflow_core.data.datasets import cache_folder
from primeflow_core.errors import DataError, PrimeflowError
from primeflow_core.evaluation.metrics.registry import metric_names

FILES = (ABOUT, LEADERBOARD, CONDITIONS, CELLS)
OF_A_TABLE = ("model", "guidance", "seeds", "conditions", "seconds", "parameters")
OF_ROWS = ("condition", "model", "guidance", "seed")


@dataclass(frozen=True)
class Shelf:
    """Benchmarks by names that fit into an address, shipped ones first, and a sentence for each unreadable folder."""

    results: dict[str, Results]
    problems: tuple[str, ...]

    @property
    def first(self) -> str | None:
        """The benchmark to open on: one with measured cells before one with simulated cells."""
        measured = (key for key, one in self.results.items() if not one.about.simulated)
        return next(measured, next(iter(self.results), None))


def own_benchmarks() -> Path:
    """The folder of the user's own benchmarks: ``PRIMEFLOW_BENCHMARKS``, or ``benchmarks`` in the cache."""
    chosen = os.environ.get("PRIMEFLOW_BENCHMARKS", "")
    return Path(chosen).expanduser() if chosen else cache_folder() / "benchmarks"


def benchmark_folders(*places: Path) -> tuple[Path, ...]:
    """The benchmark folders in these places, or the place itself if it is one."""
    return tuple(folder for place in dict.fromkeys(places) for folder in _described(place))


def _described(place: Path) -> Iterator[Path]:
    if (place / ABOUT).is_file():
        yield place
    yield from (about.parent for about in sorted(place.glob(f"*/{ABOUT}")))


def read_shelf(shipped: Path, *own: Path) -> Shelf:
    """Reads all benchmarks in these places. A damaged one does not affect the others."""
    found: dict[str, Results] = {}
    problems: list[str] = []
    for folder in benchmark_folders(shipped, *own):
        key = _key(folder.name, found)
        try:
            found[key] = read_results(folder, key, own=shipped not in (folder, folder.parent))
        except PrimeflowError as error:
            problems.append(str(error))
    return Shelf(found, tuple(problems))


def _key(name: str, taken: Container[str]) -> str:
    while name in taken:
        name += "-yours"
    return name


def read_results(folder: Path, key: str = "", *, own: bool = False) -> Results:
    """Raises DataError that names the file and what is wrong with it."""
    about = read_about(folder / ABOUT)
    table, rows = _table(folder / LEADERBOARD), _rows(folder / CONDITIONS)
    bound = table["model"].isin(BOUNDS)
    models, bounds = table[~bound].reset_index(drop=True), table[bound].reset_index(drop=True)
    _check_same(folder, models, rows)
    contexts = _contexts(rows)
    cells = folder / CELLS
    picture = read_picture_file(cells) if cells.is_file() else None
    return Results(key or folder.name, folder, about, models, bounds, rows, contexts, picture, own)


def _table(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype={"model": str}, keep_default_na=True)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise _damaged(path, str(error)) from error
    _check_columns(path, table, OF_A_TABLE)
    if table["model"].isna().any():
        raise _damaged(path, "a row names no model")
    return _as_numbers(path, table, [str(name) for name in table if name != "model"])


def _rows(path: Path) -> pd.DataFrame:
    try:
        rows = pq.read_table(path).to_pandas()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    _check_columns(path, rows, OF_ROWS)
    if rows.empty:
        raise _damaged(path, "it has no row")
    first = min(list(rows).index(name) for name in metric_names() if name in rows)
    words = {*list(rows)[:first], "model"}
    rows = rows.assign(**{name: rows[name].astype(str) for name in words})
    return _as_numbers(path, rows, [str(name) for name in rows if name not in words])


def _check_columns(path: Path, frame: pd.DataFrame, needed: tuple[str, ...]) -> None:
    if lacking := [name for name in needed if name not in frame]:
        raise _damaged(path, f"it has no column {lacking[0]}")
    if not any(name in frame for name in metric_names()):
        raise _damaged(path, f"it has none of the metrics {', '.join(metric_names())}")


def _as_numbers(path: Path, frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    try:
        return frame.assign(**{name: pd.to_numeric(frame[name]).astype(np.float64) for name in columns})
    except (ValueError, TypeError) as error:
        raise _damaged(path, str(error)) from error


def _check_same(folder: Path, models: pd.DataFrame, rows: pd.DataFrame) -> None:
    """Check that both files are of the same benchmark, and that the table has one row for each model and weight."""
    listed = list(zip(models["model"], models["guidance"], strict=True))
    if not listed or len(set(listed)) < len(listed):
        raise _damaged(folder / LEADERBOARD, "it names no model, or the same model twice")
    if set(listed) != set(zip(rows["model"], rows["guidance"], strict=True)):
        raise _damaged(folder / CONDITIONS, f"its models are not those of {LEADERBOARD}")
    if lacking := [name for name in metric_names() if name in models and name not in rows]:
        raise _damaged(folder / CONDITIONS, f"it has no column {lacking[0]}, which {LEADERBOARD} has")


def _contexts(rows: pd.DataFrame) -> pd.Series:
    """The values of the columns between the condition and the first metric."""
    columns = list(rows)
    first = min(columns.index(name) for name in metric_names() if name in columns)
    covariates = rows[columns[columns.index("condition") + 1 : first]]
    texts = [BETWEEN.join(values) for values in covariates.to_numpy(dtype=object)]
    return pd.Series(texts, index=rows.index, dtype=object)


def _damaged(path: Path, why: str) -> DataError:
    reason = " ".join(why.split()).rstrip(".")
    return DataError(f"{path} cannot be read: {reason}. Run `primeflow benchmark` again, or remove the folder.")
