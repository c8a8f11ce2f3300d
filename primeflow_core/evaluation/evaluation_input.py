"""The input of an evaluation: which cells of which files are scored, how each is read, in which part of a split."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from primeflow_core.data import known_files
from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.data.content_hash import content_sha256
from primeflow_core.data.data_file import DataFile
from primeflow_core.data.h5ad.doses import factor
from primeflow_core.data.h5ad.reading import examine, values_of
from primeflow_core.data.h5ad.scale import Scale
from primeflow_core.data.h5ad.wishes import NONE
from primeflow_core.data.layout import Layout
from primeflow_core.data.reading import Reading
from primeflow_core.data.reading_request import ReadingRequest, Report, reading_choice, report_doubts
from primeflow_core.data.split_file import LEFT_OUT, TEST, TRAIN, listed_parts
from primeflow_core.data.splits import Split, read_split
from primeflow_core.errors import DataError, SettingError
from primeflow_core.evaluation.covariate_headings import covariate_headings
from primeflow_core.evaluation.labelled import group_of, labelled
from primeflow_core.evaluation.pair import Pair, paired
from primeflow_core.evaluation.prediction_reading import (
    PredictedFile,
    common_covariates,
    opened_prediction,
    read_prediction,
    shared_covariates,
    shared_separator,
)

Floor = dict[tuple[str, ...], np.ndarray]


@dataclass(frozen=True)
class EvaluationRequest:
    """Two files to compare. ``reading``: how both are read; ``part`` of the ``split``: the cells to score against."""

    prediction: Path
    truth: DataFile
    reading: ReadingRequest
    split: Path | None = None
    part: str = TEST


@dataclass(frozen=True)
class EvaluationInput:
    """``pair`` is scored; ``truth`` holds all measured cells; ``floor``: of each covariate group controls outside the
    reference, None without a split."""

    pair: Pair
    truth: Cells
    part: str
    floor: Floor | None
    split_path: Path | None

    @property
    def layout(self) -> Layout:
        return self.truth.layout

    @property
    def has_training(self) -> bool:
        """Whether there is a split, all of whose cells the truth has: else the training cells are not known."""
        if self.split_path is None:
            return False
        return set(listed_parts(self.split_path)) <= {*self.truth.names.tolist(), *self.truth.set_aside.tolist()}

    def training(self) -> tuple[Cells, Split]:
        """The cells of the truth with the split."""
        if self.split_path is None:
            raise SettingError("This needs --split, which says what the training cells are.")
        return self.truth, read_split(self.split_path, self.truth, unlisted="leave-out")


def evaluation_input(request: EvaluationRequest, describe: Report, report: Report) -> EvaluationInput:
    """Read both files. ``describe`` hears how each is read, ``report`` what looks wrong."""
    opened = opened_prediction(request.prediction, request.reading.modality)
    truth = _truth(request, opened, report)
    prediction = read_prediction(opened, request.reading, truth, report)
    for cells in (truth, prediction):
        describe(f"{cells.source}: {_described(cells)}")
    columns = common_covariates(truth, prediction, request.reading, report)
    truth, prediction = truth.within(columns), prediction.within(columns)
    split, part = request.split, request.part
    reference, floor = (truth, None) if split is None else _part(truth, split, part, report)
    headings, layout = covariate_headings(columns), truth.layout
    pair = paired(labelled(prediction), labelled(reference), headings, layout.control, layout.separator)
    return EvaluationInput(pair, truth, part, floor, split)


def _truth(request: EvaluationRequest, prediction: PredictedFile, report: Report) -> Cells:
    """The measured cells: as the request says, as the model of the prediction read them, or as is found."""
    file, told = request.truth, request.reading
    trained = prediction.trained_reading
    same_file = trained is not None and prediction.provenance.get("data_sha256") == content_sha256(file.path)
    choice = reading_choice(file, told, request.split, report, trained if same_file else None)
    found = examine(file.path, choice.wishes, choice.repair)
    wishes, repair = choice.wishes, choice.repair
    if told.normalise is None and not same_file and file.dataset is None and _holds_counts(found.reading):
        repair = replace(repair, normalise=True, total=_total(file, trained, report))
    if told.wishes.covariates is None and found.reading is not None:
        wishes = replace(wishes, covariates=shared_covariates(prediction, found.obs, found.reading.layout))
    if told.wishes.separator is None and found.reading is not None:
        wishes = replace(wishes, separator=shared_separator(prediction, found.obs, found.reading.layout) or NONE)
    wishes = replace(wishes, unit=_unit(found.reading, trained, wishes.unit))
    if (wishes, repair) != (choice.wishes, choice.repair):
        found = examine(file.path, wishes, repair)
    cells = values_of(file.path, found)
    report_doubts(file.name, found, report)
    known_files.remember(file.path, cells.sha256)
    return cells


def _unit(found: Reading | None, trained: Reading | None, known: str | None) -> str | None:
    """The unit of doses that the model of the prediction learned, so that equal numbers are equal doses."""
    measured, learned = (None if reading is None else reading.layout.unit for reading in (found, trained))
    if measured is None or learned is None or learned == measured or factor(measured, learned) is None:
        return known
    return learned


def _holds_counts(reading: Reading | None) -> bool:
    return reading is not None and reading.scale == Scale.COUNTS


def _total(file: DataFile, trained: Reading | None, report: Report) -> float:
    """The total at which the model of the prediction saw counts. Raises DataError where that is not known."""
    total = None if trained is None else trained.repair.total
    if total is None:
        raise DataError(
            f"{file.name} holds counts and the prediction does not say how counts were brought to its scale. Pass "
            "--normalise if it was log1p at the median total of the cells of this file, or give log-normalised values."
        )
    report(f"{file.name} holds counts: read as the prediction's model read its own, log1p at a total of {total:,.6g}.")
    return total


def _described(cells: Cells) -> str:
    layout = cells.layout
    covariates = ", ".join(map(repr, layout.covariates)) or "none"
    return (
        f"columns: condition {layout.condition!r}, covariates {covariates}, "
        f"dose {repr(layout.dose) if layout.dose else 'none'}; control {layout.control!r}, "
        f"separator {repr(layout.separator) if layout.separator else 'none'}"
    )


def _part(truth: Cells, path: Path, part: str, report: Report) -> tuple[Cells, Floor]:
    """The reference, and controls for the floor: those of training, or those of the rest where training is scored."""
    parts = _parts(truth, path, report)
    rows = np.flatnonzero(parts == part)
    is_control = np.array([condition.is_control for condition in truth.conditions])[truth.condition_of]
    if not len(rows):
        raise DataError(f"{path.name} puts no cell of {truth.source} into {part}. Use the split of this file.")
    if not is_control[rows].any():
        raise DataError(
            f"{path.name} puts none of the {is_control.sum():,} control cells of {truth.source} "
            f"({truth.layout.control!r}) into {part}; effects are measured from them. Put some there."
        )
    _warn_of_leaks(truth, rows, np.flatnonzero((parts == TRAIN) & ~is_control), part, report)
    outside = parts == TRAIN if part != TRAIN else ~np.isin(parts, (TRAIN, LEFT_OUT))
    floor: Floor = {group_of(condition): np.zeros((0, len(truth.genes)), np.float32) for condition in truth.conditions}
    for i in np.unique(truth.condition_of[is_control & outside]).tolist():
        floor[group_of(truth.conditions[i])] = truth.dense(np.flatnonzero((truth.condition_of == i) & outside))
    return truth.subset(rows), floor


def _parts(truth: Cells, path: Path, report: Report) -> np.ndarray:
    """(N,) the part of each cell. Raises DataError where the names do not belong together."""
    part_of = listed_parts(path)
    names = truth.names.tolist()
    matched = sum(name in part_of for name in names)
    known = {*names, *truth.set_aside.tolist()}
    unknown = next((name for name in part_of if name not in known), None)
    unlisted = next((name for name in names if name not in part_of), None)
    counts = (
        f"{matched:,} names are in {path.name} ({len(part_of):,} names) and in {truth.source} ({len(names):,} cells)"
    )
    if not matched or (unknown is not None and unlisted is not None):
        raise DataError(
            f"{counts}; {path.name} also names {unknown!r} and {truth.source} also has {unlisted!r}. Use the split of "
            "this file, with the names as they are in it."
        )
    if unknown is not None or unlisted is not None:
        report(f"{counts}. Cells that only one of them has are not scored.")
    if unknown is not None:
        report(
            f"{truth.source} lacks cells of the split, so scores are not calibrated: not all training cells are known."
        )
    return np.array([part_of.get(name, LEFT_OUT) for name in names])


def _warn_of_leaks(truth: Cells, rows: np.ndarray, trained_on: np.ndarray, part: str, report: Report) -> None:
    def conditions(index: np.ndarray) -> list[Condition]:
        return [truth.conditions[i] for i in dict.fromkeys(truth.condition_of[index].tolist())]

    trained = set(conditions(trained_on))
    leaks = [_named(condition) for condition in conditions(rows) if condition in trained]
    if leaks and part != TRAIN:
        some = f"{', '.join(leaks[:8])}{' and others' if len(leaks) > 8 else ''}"
        report(
            f"{len(leaks)} conditions of {part} have training cells too, so they are not held out: {some}. Their "
            "scores tell how well a model fits them, not whether it predicts new ones."
        )


def _named(condition: Condition) -> str:
    return " · ".join(filter(None, (condition.label, condition.context)))
