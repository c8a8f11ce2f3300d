"""The options that say which file a command reads, and how."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from primeflow_core.commands.terminal import note
from primeflow_core.data.cells import Cells
from primeflow_core.data.data_file import DataFile, data_file
from primeflow_core.data.formats.local_file import noted_table
from primeflow_core.data.h5ad.wishes import Wishes
from primeflow_core.data.reading_request import COLUMNS, ReadingRequest, one_or_several, read_requested
from primeflow_core.errors import SettingError
from primeflow_core.model_store import training_file
from primeflow_core.models.checkpoint import Manifest

if TYPE_CHECKING:
    from primeflow_core.training.source_file import SourceFile


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


def covariate_lists(texts: Sequence[str]) -> dict[str, list[str]]:
    """As ``covariate_values``, where a covariate may be given several times."""
    values: dict[str, list[str]] = {}
    for text in texts:
        for name, value in covariate_values([text]).items():
            values.setdefault(name, []).append(value)
    return values


def reading_request(given: argparse.Namespace) -> ReadingRequest:
    return ReadingRequest(
        wishes_of(given), given.layer, given.raw, given.normalise, given.modality, table_of_cells(given.metadata)
    )


def table_of_cells(path: Path | None) -> str | None:
    """The content of the table of --metadata. Raises DataError where it is not there."""
    return None if path is None else noted_table(path)


def reading_flags(given: argparse.Namespace) -> list[str]:
    """The options of how the file is read, as they were given."""
    flags = []
    for name in COLUMNS[:-1]:
        value = getattr(given, name)
        for one in value if isinstance(value, list) else [] if value is None else [value]:
            flags += [f"--{name}", one]
    flags += ["--merge-guides"] if given.merge_guides else []
    for name in ("modality", "metadata"):
        flags += [] if getattr(given, name) is None else [f"--{name}", str(getattr(given, name))]
    flags += ["--raw"] if given.raw else [] if given.layer is None else ["--layer", given.layer]
    return flags + ([] if given.normalise is None else ["--normalise" if given.normalise else "--no-normalise"])


def wishes_of(given: argparse.Namespace) -> Wishes:
    return Wishes(
        condition=given.condition,
        covariates=covariate_columns(given.covariates),
        control=one_or_several(given.control),
        separator=given.separator,
        dose=given.dose,
        kind=given.kind,
        merge_guides=given.merge_guides,
    )


def source_file(given: argparse.Namespace, file: DataFile) -> "SourceFile":
    """The data with the split of --split."""
    from primeflow_core.training.source_file import SourceFile

    return SourceFile(file, given.split, reading_request(given), given.unlisted)


def read_given(file: DataFile, given: argparse.Namespace) -> Cells:
    return read_requested(file, reading_request(given), None, note)


def note_unused(given: argparse.Namespace, manifest: Manifest) -> None:
    """Say which option about reading is not used where a model says how its file is read."""
    ignored = [name for name in (*COLUMNS, "normalise") if getattr(given, name) is not None]
    if ignored:
        flag = ignored[0].replace("_", "-")
        note(f"--{flag} is not used: the file is read as the training of {manifest.name} read it.")


def training_cells(given: argparse.Namespace, manifest: Manifest) -> Cells:
    """The cells that a model was trained on, read as its training read them, from --data or from where they are found.

    Raises DataError where they are nowhere, or --data names another file.
    """
    note_unused(given, manifest)
    named = None if given.data is None else data_file(given.data).path
    return training_file.training_cells(given.model, manifest, named)
