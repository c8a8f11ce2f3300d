"""Options that say how a data file is to be read, shared by every command that reads one."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from primeflow_core.data import datasets
from primeflow_core.data.cells import Cells
from primeflow_core.data.h5ad.reading import read_cells
from primeflow_core.data.h5ad.writing import is_simulated
from primeflow_core.errors import DataError, SettingError


@dataclass(frozen=True)
class DataFile:
    """A data file and, where it is one, the named data set it holds."""

    path: Path
    dataset: datasets.Dataset | None

    @property
    def name(self) -> str:
        return self.dataset.name if self.dataset else self.path.name

    @property
    def simulated(self) -> bool:
        return is_simulated(self.path)


def data_file(text: str) -> DataFile:
    """A path, or the name of a data set in the cache. Raises DataError when it is neither."""
    path = Path(text)
    if path.is_file():
        return DataFile(path, None)
    if text in {dataset.name for dataset in datasets.DATASETS}:
        local = datasets.local_path(text)
        if local is None:
            raise DataError(f"{text} is not here yet. Bring it with: primeflow fetch {text}")
        return DataFile(local, datasets.dataset_named(text))
    if path.exists():
        return DataFile(path, None)
    raise DataError(f"{text} does not exist. Give the path of an .h5ad file or a name that `primeflow datasets` lists.")


def covariate_columns(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(column.strip() for column in text.split(",") if column.strip())


def covariate_values(texts: Sequence[str]) -> dict[str, str]:
    """``NAME=VALUE`` texts as given by --covariate. Raises SettingError for anything else."""
    values: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name or not value:
            raise SettingError(f"--covariate {text!r} must be NAME=VALUE, for example cell_type=k562.")
        values[name] = value
    return values


def read_given(file: DataFile, given: argparse.Namespace) -> Cells:
    """The cells of ``file`` as the options say; a named data set in its own known layout unless they say otherwise."""
    options = reading_options(given)
    if file.dataset is not None and not any(options.values()):
        return datasets.open_cells(file.dataset.name)
    return read_cells(file.path, **options, normalise=given.normalise)


class ReadingOptions(TypedDict):
    """Keywords of ``inspect`` and ``read_cells``; None: find it."""

    condition: str | None
    covariates: Sequence[str] | None
    control: str | None
    separator: str | None
    dose: str | None
    kind: str | None


def reading_options(given: argparse.Namespace) -> ReadingOptions:
    return ReadingOptions(
        condition=given.condition,
        covariates=covariate_columns(given.covariates),
        control=given.control,
        separator=given.separator,
        dose=given.dose,
        kind=given.kind,
    )
