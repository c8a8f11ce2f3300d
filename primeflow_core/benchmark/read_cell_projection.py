"""Reads the picture of a benchmark (cell_projection.py), only the condition that is shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from primeflow_core.benchmark.about import PICTURE
from primeflow_core.benchmark.cell_projection import CONTROL, PREDICTED, REFERENCE, TRUTH
from primeflow_core.benchmark.display_names import Entry
from primeflow_core.errors import DataError
from primeflow_core.runtime.json_text import parse_json

COLUMNS = ("kind", "model", "guidance", "condition", "context", "x", "y")
Place = tuple[str, str]
"""A condition's label and its context."""


@dataclass(frozen=True)
class PictureFile:
    """``axes``: the titles of both axes, by context; ``entries``: which predictions are drawn, by condition."""

    path: Path
    axes: Mapping[str, tuple[str, str]]
    entries: Mapping[Place, tuple[Entry, ...]]


@dataclass(frozen=True)
class Pictured:
    """Places (n, 2) of the cells of one condition, ``predicted`` by model. ``others``: measured cells of other
    conditions of the context."""

    axes: tuple[str, str]
    others: np.ndarray
    control: np.ndarray
    truth: np.ndarray
    predicted: Mapping[Entry, np.ndarray]


def read_picture_file(path: Path) -> PictureFile:
    """The conditions that can be drawn. Raises DataError for a damaged file."""
    try:
        schema = pq.read_schema(path)
        if lacking := [name for name in COLUMNS if name not in schema.names]:
            raise DataError(f"it has no column {lacking[0]}")
        axes = _axes((schema.metadata or {}).get(PICTURE, b""))
        drawn = pq.read_table(
            path, columns=["condition", "context", "model", "guidance"], filters=[("kind", "=", PREDICTED)]
        )
        entries = _entries(drawn.to_pandas().drop_duplicates())
        if lacking := sorted({context for _, context in entries} - set(axes)):
            raise DataError(f"its axes have no titles for {lacking[0]!r}")
    except (pa.ArrowException, OSError, ValueError, TypeError, AttributeError, DataError) as error:
        raise DataError(f"{path} cannot be read as the picture of a benchmark: {error}.") from error
    return PictureFile(path, axes, entries)


def _axes(said: bytes) -> dict[str, tuple[str, str]]:
    titles = parse_json(said or b"null")
    if not isinstance(titles, dict):
        raise DataError("its metadata have no titles of axes")
    found = {str(context): tuple(map(str, pair)) for context, pair in titles.items()}
    return {context: (pair[0], pair[1]) for context, pair in found.items() if len(pair) == 2}


def _entries(drawn: pd.DataFrame) -> dict[Place, tuple[Entry, ...]]:
    found: dict[Place, list[Entry]] = {}
    columns = (drawn[name].tolist() for name in ("condition", "context", "model", "guidance"))
    for condition, context, model, weight in zip(*columns, strict=True):
        found.setdefault((str(condition), str(context)), []).append((str(model), float(weight)))
    return {place: tuple(entries) for place, entries in found.items()}


def pictured(file: PictureFile, place: Place) -> Pictured:
    """The cells of one condition and of its context. Raises DataError if it is not drawn, or the file is damaged."""
    condition, context = place
    if place not in file.entries:
        raise DataError(f"{file.path} has no cells of {condition} {context}.")
    here: tuple[str, str, Any] = ("context", "=", context)
    wanted = [[here, ("condition", "=", condition)], [here, ("kind", "in", [REFERENCE, CONTROL])]]
    try:
        cells = pq.read_table(file.path, filters=wanted).to_pandas()
        points = cells[["x", "y"]].to_numpy(np.float32)
        kind, of_condition = cells["kind"].astype(str), cells["condition"].astype(str) == condition
        made = cells[(kind == PREDICTED) & of_condition]
        predicted = {
            (str(model), float(str(weight))): rows[["x", "y"]].to_numpy(np.float32)
            for (model, weight), rows in made.groupby(["model", "guidance"], sort=False, observed=True)
        }
    except (pa.ArrowException, OSError, ValueError, TypeError) as error:
        raise DataError(f"{file.path} cannot be read as the picture of a benchmark: {error}.") from error
    by_kind = {name: points[(kind == name).to_numpy()] for name in (REFERENCE, CONTROL, TRUTH)}
    return Pictured(file.axes[context], by_kind[REFERENCE], by_kind[CONTROL], by_kind[TRUTH], predicted)
