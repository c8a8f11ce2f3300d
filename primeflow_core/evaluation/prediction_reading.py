"""How predicted cells are read: as their file says itself, else in the columns that it shares with the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, parse_perturbations, split_label
from primeflow_core.data.formats.local_file import LocalFile, as_h5ad
from primeflow_core.data.h5ad.obs_columns import (
    COVARIATE_COLUMNS,
    DOSE_COLUMNS,
    condition_column,
    present,
    unit_column_of,
)
from primeflow_core.data.h5ad.obs_values import column
from primeflow_core.data.h5ad.reading import read_predicted
from primeflow_core.data.h5ad.survey import Survey, survey
from primeflow_core.data.h5ad.wishes import Wishes
from primeflow_core.data.h5ad.writing import read_provenance
from primeflow_core.data.layout import SEPARATOR, Layout
from primeflow_core.data.reading import Reading
from primeflow_core.data.repair import Repair
from primeflow_core.errors import ConditionError, DataError

if TYPE_CHECKING:
    from primeflow_core.data.reading_request import ReadingRequest, Report

MOST_SHOWN = 6
FEWEST_COUNT = 2.0
"""Whole numbers up to this may be log-normalised values of a made-up file."""


@dataclass(frozen=True)
class PredictedFile:
    """A file of predicted cells before it is read. ``provenance``: what it says of itself, empty for a foreign file."""

    path: Path
    surveyed: Survey
    provenance: Mapping[str, Any]
    local: LocalFile

    @property
    def own_reading(self) -> Reading | None:
        """How the file says that it is read."""
        return self._stored("reading")

    @property
    def trained_reading(self) -> Reading | None:
        """How the training file of its model was read."""
        return self._stored("trained_reading")

    def _stored(self, name: str) -> Reading | None:
        if name not in self.provenance:
            return None
        try:
            return Reading.from_json(self.provenance[name])
        except DataError as error:
            raise DataError(
                f"{self.path.name}: in uns['provenance'], {name}: {error}. Predict the cells again."
            ) from error

    def covariates(self) -> list[str]:
        """Columns of its cells that may tell contexts apart."""
        own = self.own_reading
        return list(own.layout.covariates) if own else present(self.surveyed.obs, COVARIATE_COLUMNS)


def opened_prediction(path: Path, modality: str | None = None) -> PredictedFile:
    local = as_h5ad(path, modality=modality)
    with local.named():
        surveyed, provenance = survey(local.h5ad), read_provenance(local.h5ad)
    return PredictedFile(path, replace(surveyed, source=path.name), provenance, local)


def shared_covariates(prediction: PredictedFile, obs: pd.DataFrame, layout: Layout) -> tuple[str, ...]:
    """The covariates of the truth, found without looking at the prediction, and those columns of both files that tell
    cells of one of them apart."""
    known = {layout.condition, *layout.covariates, layout.dose, layout.kind}
    told = [name for name in prediction.covariates() if name in obs.columns and name not in known]
    apart = [name for name in told if _differs(obs, name) or _differs(prediction.surveyed.obs, name)]
    return (*layout.covariates, *(name for name in apart if (column(obs, name).codes >= 0).all()))


def shared_separator(prediction: PredictedFile, obs: pd.DataFrame, layout: Layout) -> str | None:
    """The separator of the truth where none was found: that of the prediction, if both have a combination by it."""
    own = prediction.own_reading
    separator = own.layout.separator if own else SEPARATOR
    name = own.layout.condition if own else layout.condition
    predicted = prediction.surveyed.obs
    if layout.separator is not None or separator is None or name not in predicted:
        return layout.separator
    both = _combinations(obs, layout.condition, separator) & _combinations(predicted, name, separator)
    return separator if both else None


def _combinations(obs: pd.DataFrame, name: str, separator: str) -> set[frozenset[str]]:
    parts = (frozenset(split_label(label, separator)) for label in column(obs, name).values)
    return {names for names in parts if len(names) > 1}


def _differs(obs: pd.DataFrame, name: str) -> bool:
    return name in obs.columns and len(column(obs, name).values) > 1


def read_prediction(prediction: PredictedFile, told: "ReadingRequest", truth: Cells, report: "Report") -> Cells:
    """The predicted cells, log-normalised; covariates are called as those of the truth. Raises DataError."""
    own = prediction.own_reading
    if own is not None:
        return read_predicted(prediction.path, own, report)
    surveyed = prediction.surveyed
    renamed = _renamed_covariates(surveyed, truth)
    repair = Repair(
        normalise=_normalised(surveyed, told, truth, report), total=truth.reading.repair.total,
        modality=prediction.local.modality, metadata=prediction.local.metadata,
    )  # fmt: skip
    reading = Reading(_layout(surveyed, told, truth, tuple(renamed)), repair)
    return _called_as_in_truth(read_predicted(prediction.path, reading, report), renamed, report)


def _renamed_covariates(surveyed: Survey, truth: Cells) -> dict[str, str]:
    """The column of the prediction for each covariate of the truth that it has, and the truth's name of it."""
    found: dict[str, str] = {}
    for name in truth.layout.covariates:
        values = {dict(condition.covariates)[name] for condition in truth.conditions}
        own = name if name in surveyed.obs.columns else _with_values(surveyed.obs, values)
        if own is not None:
            found[own] = name
    return found


def _with_values(obs: pd.DataFrame, values: set[str]) -> str | None:
    """A usual column for covariates whose values are all among these."""
    return next((name for name in present(obs, COVARIATE_COLUMNS) if set(column(obs, name).values) <= values), None)


def _layout(surveyed: Survey, told: "ReadingRequest", truth: Cells, covariates: tuple[str, ...]) -> Layout:
    layout, obs = truth.layout, surveyed.obs
    condition = layout.condition
    if condition not in obs.columns and told.wishes.condition is None:
        condition = condition_column(obs, Wishes(), {}) or condition
    if condition not in obs.columns:
        raise DataError(
            f"{surveyed.source} has no obs column {condition!r} with the condition of each cell. It has: "
            f"{', '.join(map(str, obs.columns[:20])) or 'none'}. Name it like the column of the truth."
        )
    dose = layout.dose
    if dose is not None and dose not in obs.columns:
        dose = next(iter(present(obs, DOSE_COLUMNS)), None)
    units = layout.unit_column if layout.unit_column in obs.columns else unit_column_of(obs, dose or "")
    layout = replace(
        layout, condition=condition, covariates=covariates, dose=dose, kind=None, unit_column=units if dose else None
    )
    return replace(layout, separator=_separator(column(obs, condition).values, layout, truth))


def _separator(labels: Sequence[str], layout: Layout, truth: Cells) -> str | None:
    """That of the truth or the product's own, whichever gives more conditions of the truth."""
    measured = {condition.perturbations for condition in truth.conditions}

    def matching(separator: str | None) -> int:
        try:
            return sum(
                parse_perturbations(one, separator=separator, control=layout.control_labels) in measured
                for one in labels
            )
        except ConditionError:
            return 0

    return max(dict.fromkeys((layout.separator, SEPARATOR)), key=matching)


def _normalised(surveyed: Survey, told: "ReadingRequest", truth: Cells, report: "Report") -> bool:
    """Whether the prediction holds counts that are to be brought to the log scale."""
    values = surveyed.values
    counts = values.whole and values.lowest >= 0 and values.highest > FEWEST_COUNT
    if counts and not told.normalise:
        raise DataError(
            f"{surveyed.source} holds counts (whole numbers up to {values.highest:,.0f}) and {truth.source} is scored "
            "on the log scale. Pass --normalise to bring the predicted counts to it (log1p at the median total), or "
            "predict log-normalised values."
        )
    if counts:
        report(f"{surveyed.source} holds counts: brought to the log scale, as you say.")
    return counts


def _called_as_in_truth(cells: Cells, renamed: Mapping[str, str], report: "Report") -> Cells:
    conditions = tuple(
        Condition(c.perturbations, tuple((renamed[name], value) for name, value in c.covariates))
        for c in cells.conditions
    )
    layout = replace(cells.layout, covariates=tuple(renamed.values()))
    for own, name in renamed.items():
        if own != name:
            report(f"{cells.source}: its obs column {own!r} is compared with {name!r} of the truth.")
    return replace(cells, conditions=conditions, reading=replace(cells.reading, layout=layout))


def common_covariates(truth: Cells, prediction: Cells, told: "ReadingRequest", report: "Report") -> tuple[str, ...]:
    """The covariates of both; it is said which other ones are left out, and so which contexts are put together.

    Raises DataError where the prediction lacks one that the user named.
    """
    lacking = [name for name in truth.layout.covariates if name not in prediction.layout.covariates]
    if lacking and told.wishes.covariates is not None:
        raise DataError(
            f"{prediction.source} has no obs column {lacking[0]!r}. Add it, or name the covariates to score within: "
            "--covariates COLUMN[,COLUMN], an empty text for none."
        )
    both = tuple(name for name in truth.layout.covariates if name in prediction.layout.covariates)
    for cells, other in ((truth, prediction), (prediction, truth)):
        for name in cells.layout.covariates:
            values = list(dict.fromkeys(dict(condition.covariates)[name] for condition in cells.conditions))
            if name not in both and len(values) > 1:
                some = ", ".join(values[:MOST_SHOWN]) + (" …" if len(values) > MOST_SHOWN else "")
                report(
                    f"WARNING: {name!r} ({len(values)} values: {some}) is in {cells.source} and not in {other.source}. "
                    "Its cells are scored together, whatever their value."
                )
    return both
