"""The input of `evaluate`: which cells of which files are scored, by which columns, in which part of a split."""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from primeflow_core.commands.reading import covariate_columns, data_file
from primeflow_core.commands.terminal import note
from primeflow_core.data.cells import Cells
from primeflow_core.data.h5ad import storage
from primeflow_core.data.h5ad.reading import inspect, read_cells_as
from primeflow_core.data.layout import Layout
from primeflow_core.data.splits import LEFT_OUT, TEST, TRAIN, Split, listed_parts, read_split
from primeflow_core.errors import DataError, SettingError
from primeflow_core.evaluation.labelled import LabelledCells, read_labelled
from primeflow_core.evaluation.metrics.registry import metric_names
from primeflow_core.evaluation.pair import Pair, paired

RESERVED = ("condition", "baseline", "side", "cells")


@dataclass(frozen=True)
class EvaluationInput:
    """``pair`` is scored; ``floor``: of each covariate group controls outside the reference, None without a split."""

    pair: Pair
    truth_path: Path
    layout: Layout
    part: str
    floor: dict[tuple[str, ...], np.ndarray] | None
    split_path: Path | None

    def training(self) -> tuple[Cells, Split]:
        """The cells of the truth with the split. Raises DataError where they are not log-normalised."""
        if self.split_path is None:
            raise SettingError("This needs --split, which says what the training cells are.")
        cells = read_cells_as(self.truth_path, self.layout)
        return cells, read_split(self.split_path, cells, unlisted="leave-out")


def question(given: argparse.Namespace) -> EvaluationInput:
    """Read both files as the options say, and say on standard error what was chosen and what looks wrong."""
    truth_path = data_file(given.truth).path
    layout = _layout(given, truth_path)
    _check_prediction_columns(given.prediction, layout)
    files = [
        read_labelled(path, layout.condition, layout.covariates, layout.dose) for path in (given.prediction, truth_path)
    ]
    prediction, truth = files
    note(_described(layout))
    for cells in files:
        _warn_of_scale(cells)
    part = given.part or TEST
    reference, floor = (truth, None) if given.split is None else _part(truth, given.split, part, layout)
    pair = paired(prediction, reference, layout.covariates, layout.control, layout.separator)
    return EvaluationInput(pair, truth_path, layout, part, floor, given.split)


def _layout(given: argparse.Namespace, truth: Path) -> Layout:
    """What the user said, completed by what the truth looks like."""
    found = inspect(
        truth,
        condition=given.condition_column,
        covariates=covariate_columns(given.covariates),
        control=given.control,
        separator=given.separator,
        dose=given.dose,
    )
    if found.layout is None:
        raise DataError(f"{found.source}: {found.problems[0]} (--condition-column, --covariates, --control say it)")
    taken = [column for column in found.layout.covariates if column in (*RESERVED, *metric_names())]
    if taken:
        raise DataError(
            f"{found.source}: the covariate column {taken[0]!r} is called like a column of the result. "
            "Rename it in both files."
        )
    return found.layout


def _check_prediction_columns(prediction: Path, layout: Layout) -> None:
    """Leaving a covariate out in silence would throw the contexts together."""
    with storage.opened(prediction) as file:
        columns = [str(column) for column in storage.read_table(file, "obs", prediction).columns]
    missing = [column for column in layout.covariates if column not in columns]
    if missing:
        raise DataError(
            f"{prediction.name} has no obs column {missing[0]!r}, which the truth has as a covariate. Add it, or name "
            "the covariates to score within: --covariates COLUMN[,COLUMN], an empty text for none."
        )


def _described(layout: Layout) -> str:
    return (
        f"columns: condition {layout.condition!r}, covariates {', '.join(map(repr, layout.covariates)) or 'none'}, "
        f"dose {repr(layout.dose) if layout.dose else 'none'}; control {layout.control!r}, "
        f"separator {repr(layout.separator) if layout.separator else 'none'}"
    )


def _warn_of_scale(cells: LabelledCells) -> None:
    looks = cells.scale()
    if looks is not None:
        note(f"{cells.source}: X looks like {looks}. The metrics are meant for log-normalised values.")


def _part(
    truth: LabelledCells, path: Path, part: str, layout: Layout
) -> tuple[LabelledCells, dict[tuple[str, ...], np.ndarray]]:
    """The reference, and controls for the floor: those of training, or those of the rest where training is scored."""
    part_of = listed_parts(path)
    parts = np.array([part_of.get(name, LEFT_OUT) for name in truth.names.tolist()])
    rows, is_control = np.flatnonzero(parts == part), truth.labels == layout.control
    if not len(rows):
        raise DataError(f"{path.name} puts no cell of {truth.source} into {part}. Use the split of this file.")
    if not is_control[rows].any():
        raise DataError(
            f"{path.name} puts no control cell ({layout.control!r}) of {truth.source} into {part}; effects are "
            "measured from them. Put some there."
        )
    _warn_of_leaks(truth, rows, np.flatnonzero((parts == TRAIN) & ~is_control), part)
    outside = parts == TRAIN if part != TRAIN else ~np.isin(parts, (TRAIN, LEFT_OUT))
    floor: dict[tuple[str, ...], list[int]] = {group: [] for group in set(truth.groups)}
    for i in np.flatnonzero(is_control & outside).tolist():
        floor[truth.groups[i]].append(i)
    return truth.subset(rows), {group: truth.values[found].toarray() for group, found in floor.items()}


def _warn_of_leaks(truth: LabelledCells, rows: np.ndarray, trained_on: np.ndarray, part: str) -> None:
    doses = [""] * len(truth.labels) if truth.doses is None else truth.doses.tolist()

    def conditions(index: np.ndarray) -> dict[tuple[str, ...], None]:
        return dict.fromkeys((str(truth.labels[i]), *truth.groups[i], doses[i]) for i in index.tolist())

    trained = conditions(trained_on)
    leaks = [" · ".join(filter(None, condition)) for condition in conditions(rows) if condition in trained]
    if leaks and part != TRAIN:
        some = ", ".join(leaks[:8])
        note(f"{len(leaks)} conditions of {part} have training cells too, so they are not held out: {some}")
