"""Data as read, and what was found in them."""

import shutil
import tempfile
import weakref
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from primeflow_core.data.data_file import DataFile, data_file
from primeflow_core.data.reading_request import ReadingRequest, reading_choice, report_doubts
from primeflow_core.notebook.progress import warn
from primeflow_core.notebook.temporary_files import data_file_in

if TYPE_CHECKING:
    from anndata import AnnData

    from primeflow_core.data.cells import Cells
    from primeflow_core.data.design import Task
    from primeflow_core.data.h5ad.issues import Problem
    from primeflow_core.data.h5ad.reading import Examined
    from primeflow_core.data.reading import Reading


class _Place:
    """A temporary folder that is gone when nothing refers to it any more, or when Python ends."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="primeflow-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)


@dataclass(frozen=True)
class HeldFile:
    """A data file; ``_place`` keeps the file of what was in memory as long as this object."""

    file: DataFile
    _place: _Place | None = field(default=None, repr=False, compare=False)

    @property
    def in_memory(self) -> bool:
        return self._place is not None


def held_file(given: "str | Path | AnnData", name: str = "adata.h5ad") -> HeldFile:
    """Raises DataError where there is no such file, or the AnnData cannot be written."""
    if isinstance(given, str | Path):
        return HeldFile(data_file(str(given)))
    place = _Place()
    return HeldFile(data_file(data_file_in(place.folder, given, name)), place)


@dataclass(frozen=True)
class Report:
    """What `primeflow check` says of a file: how it is read, and what must be known or changed. Printed, it says all.

    ``examined`` holds everything that was found.
    """

    examined: "Examined"

    @property
    def ready(self) -> bool:
        """Whether the file can be trained and evaluated on."""
        return self.examined.inspection.ready

    @property
    def problems(self) -> "tuple[Problem, ...]":
        """Errors first, then warnings, then notes."""
        return self.examined.inspection.problems

    @property
    def tasks(self) -> "tuple[Task, ...]":
        """What can be held out by ``split``, and what cannot; empty where the file is not ready."""
        from primeflow_core.data.design import tasks_of

        return tasks_of(self.examined) if self.ready else ()

    @property
    def reading(self) -> "Reading | None":
        """How the file is read; None where no condition or control was found."""
        return self.examined.reading

    def to_frame(self) -> pd.DataFrame:
        """A row for each problem: severity, code, text and remedy."""
        rows = [(str(one.severity), one.code, one.text, one.remedy) for one in self.problems]
        return pd.DataFrame(rows, columns=["severity", "code", "text", "remedy"])

    def __str__(self) -> str:
        from primeflow_core.data.h5ad.inspection_text import inspection_lines

        return "\n".join(inspection_lines(self.examined))

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class CellData:
    """Cells as they were read, log-normalised, with how they were read. Nothing in it changes.

    ``cells`` are what training and splitting use; ``report`` is what `primeflow check` says.
    """

    held: HeldFile
    request: ReadingRequest
    cells: "Cells"
    report: Report

    @property
    def name(self) -> str:
        return self.held.file.name

    @property
    def reading(self) -> "Reading":
        return self.cells.reading

    @property
    def sha256(self) -> str:
        """Of the file; of an AnnData that of the file which its ``write_h5ad`` writes."""
        return self.cells.sha256

    @cached_property
    def simulated(self) -> bool:
        return self.held.file.simulated_as(self.reading.repair)

    @property
    def n_obs(self) -> int:
        return len(self.cells)

    @property
    def n_vars(self) -> int:
        return len(self.cells.genes)

    @property
    def obs_names(self) -> pd.Index:
        return pd.Index(self.cells.names, name="cell")

    @property
    def var_names(self) -> pd.Index:
        return pd.Index(self.cells.genes)

    def to_anndata(self) -> "AnnData":
        """A new AnnData of the values as read: obs columns condition and the covariates, log-normalised X."""
        from primeflow_core.data.h5ad.writing import as_anndata, label_column
        from primeflow_core.data.layout import Layout
        from primeflow_core.data.reading import Reading
        from primeflow_core.data.repair import Repair

        cells = self.cells
        of_cell = [cells.conditions[i] for i in cells.condition_of.tolist()]
        columns = cells.layout.covariates
        covariates = {name: [dict(condition.covariates)[name] for condition in of_cell] for name in columns}
        said = {
            "data": self.name,
            "data_sha256": self.sha256,
            "reading": Reading(Layout(label_column(columns), covariates=columns), Repair(normalise=False)).to_json(),
        }
        labels = [condition.label for condition in of_cell]
        return as_anndata(cells.values.copy(), cells.genes, labels, covariates, said, names=cells.names.tolist())

    def __repr__(self) -> str:
        return f"CellData {self.report}"


def examined_file(held: HeldFile, request: ReadingRequest, split: Path | None = None) -> Report:
    """Raises DataError for what is not a data file at all."""
    from primeflow_core.data.h5ad.reading import examine

    choice = reading_choice(held.file, request, split, warn)
    return Report(examine(held.file.path, choice.wishes, choice.repair))


def read_dataset(held: HeldFile, request: ReadingRequest, split: Path | None = None) -> CellData:
    """Warnings of the file are given as Python warnings. Raises DataError for the first error."""
    from primeflow_core.data import known_files
    from primeflow_core.data.h5ad.reading import values_of

    report = examined_file(held, request, split)
    cells = values_of(held.file.path, report.examined)
    report_doubts(held.file.name, report.examined, warn)
    if not held.in_memory:
        known_files.remember(held.file.path, cells.sha256)
    return CellData(held, request, cells, report)
