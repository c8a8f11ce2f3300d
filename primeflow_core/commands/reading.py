"""Which file a command reads, and how: as the options say, else as it was read before, else as is found."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from primeflow_core.commands.terminal import note
from primeflow_core.data import datasets, known_files
from primeflow_core.data.cells import Cells
from primeflow_core.data.h5ad.issues import Severity
from primeflow_core.data.h5ad.obs_columns import Wishes
from primeflow_core.data.h5ad.reading import Examined, examine, read_as, values_of
from primeflow_core.data.h5ad.writing import is_simulated, sha256_of
from primeflow_core.data.reading import Reading
from primeflow_core.data.repair import RAW, Repair, X
from primeflow_core.data.split_record import read_record
from primeflow_core.errors import DataError, SettingError
from primeflow_core.models.checkpoint import Manifest

COLUMNS = ("condition", "covariates", "control", "separator", "dose", "kind", "merge_guides")


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
            raise DataError(f"{text} is not on this machine yet. Download it with: primeflow fetch {text}")
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


@dataclass(frozen=True)
class ReadingChoice:
    """What is asked of a file before it is read; what is None is found."""

    wishes: Wishes
    repair: Repair

    def differing(self, other: "ReadingChoice") -> dict[str, object]:
        """Choices that are not those of ``other``, by name."""
        before = {**asdict(other.wishes), **asdict(other.repair)}
        chosen = {**asdict(self.wishes), **asdict(self.repair)}
        return {name: value for name, value in chosen.items() if value != before[name]}


def reading_choice(
    file: DataFile, given: argparse.Namespace, split: Path | None = None, known: Reading | None = None
) -> ReadingChoice:
    """The options, completed by ``known``, the record beside the split, or what is known of a named data set."""
    return _completed(given, known or _known(file, split))


def chosen_reading(file: DataFile, given: argparse.Namespace, split: Path | None = None) -> dict[str, object]:
    """How the file is read, as far as it is not as usual: a part of what a benchmark or a search is about."""
    usual = _exactly(file.dataset.reading) if file.dataset else ReadingChoice(Wishes(), Repair())
    return reading_choice(file, given, split).differing(usual)


def _exactly(reading: Reading) -> ReadingChoice:
    return ReadingChoice(Wishes.exactly(reading.layout), reading.repair)


def _known(file: DataFile, split: Path | None) -> Reading | None:
    record = None if split is None else read_record(split)
    if record is not None and record.data_sha256 == sha256_of(file.path):
        return record.reading
    if record is not None:
        note(f"{split} was made for another file ({record.data}), so how that was read is not used here.")
    return None if file.dataset is None else file.dataset.reading


def _completed(given: argparse.Namespace, known: Reading | None) -> ReadingChoice:
    told = wishes_of(given)
    if known is None or told.condition not in (None, known.layout.condition):
        return ReadingChoice(told, repair_of(given, Repair()))
    said = {name: getattr(told, name) for name in COLUMNS if getattr(told, name) is not None}
    return ReadingChoice(replace(_exactly(known).wishes, **said), repair_of(given, known.repair))


def reading_flags(given: argparse.Namespace) -> list[str]:
    """The options of how the file is read, as they were given."""
    flags = []
    for name in COLUMNS[:-1]:
        value = getattr(given, name)
        for one in value if isinstance(value, list) else [] if value is None else [value]:
            flags += [f"--{name}", one]
    flags += ["--merge-guides"] if given.merge_guides else []
    flags += ["--raw"] if given.raw else [] if given.layer is None else ["--layer", given.layer]
    return flags + ([] if given.normalise is None else ["--normalise" if given.normalise else "--no-normalise"])


def wishes_of(given: argparse.Namespace) -> Wishes:
    return Wishes(
        condition=given.condition,
        covariates=covariate_columns(given.covariates),
        control=_control(given.control),
        separator=given.separator,
        dose=given.dose,
        kind=given.kind,
        merge_guides=given.merge_guides,
    )


def _control(labels: Sequence[str] | None) -> str | tuple[str, ...] | None:
    """One label as a text, so that it equals one that was found."""
    if labels is None or isinstance(labels, str):
        return labels
    return labels[0] if len(labels) == 1 else tuple(labels)


def repair_of(given: argparse.Namespace, known: Repair) -> Repair:
    """``known``, with what the options say of the values instead."""
    matrix = RAW if given.raw else known.matrix
    if given.layer is not None:
        matrix = X if given.layer == X else f"layers/{given.layer}"
    normalise = known.normalise if given.normalise is None else given.normalise
    total = known.total if (matrix, normalise) == (known.matrix, known.normalise) else None
    return replace(known, matrix=matrix, normalise=normalise, total=total)


def read_given(file: DataFile, given: argparse.Namespace, split: Path | None = None) -> Cells:
    """The cells of ``file``, read as ``reading_choice`` says; it is remembered where the file is."""
    choice = reading_choice(file, given, split)
    found = examine(file.path, choice.wishes, choice.repair)
    cells = values_of(file.path, found)
    tell_doubts(file, found)
    known_files.remember(file.path, cells.sha256)
    return cells


def tell_doubts(file: DataFile, found: Examined) -> None:
    """What is doubtful about how a file is read, on standard error."""
    for problem in found.inspection.problems:
        if problem.severity is Severity.WARNING:
            note(f"{file.name}: WARNING: {problem}")


def training_cells(given: argparse.Namespace, manifest: Manifest) -> Cells:
    """The cells that a model was trained on, read as its training read them, from --data or from where they are found.

    Raises DataError where they are nowhere, or --data names another file.
    """
    ignored = [name for name in (*COLUMNS, "normalise") if getattr(given, name) is not None]
    if ignored:
        flag = ignored[0].replace("_", "-")
        note(f"--{flag} is not used: the file is read as the training of {manifest.name} read it.")
    return cells_of_training(given.model, manifest, given.data)


def cells_of_training(model: Path, manifest: Manifest, data: str | None) -> Cells:
    """As ``training_cells``; ``data`` names the file, None where it is to be found."""
    path = found_training_file(model, manifest) if data is None else data_file(data).path
    if path is None:
        raise DataError(_not_found(model, manifest))
    if sha256_of(path) != manifest.data_sha256:
        raise DataError(f"{path.name} is not the file that {manifest.name} was trained on ({manifest.dataset}).")
    return read_as(path, manifest.reading)


def found_training_file(model: Path, manifest: Manifest) -> Path | None:
    """The file with the content that the model was trained on: where it was, in the cache, or beside the model."""
    if manifest.dataset in {dataset.name for dataset in datasets.DATASETS}:
        dataset = datasets.dataset_named(manifest.dataset)
        return datasets.fetch(dataset.name) if dataset.simulated else datasets.local_path(dataset.name)
    return known_files.find(manifest.data_sha256, manifest.dataset, (model, model.parent, Path()))


def _not_found(model: Path, manifest: Manifest) -> str:
    if manifest.dataset in {dataset.name for dataset in datasets.DATASETS}:
        return f"{manifest.dataset} is not on this machine yet. Download it with: primeflow fetch {manifest.dataset}"
    was = known_files.where_it_was(manifest.data_sha256)
    return (
        f"The file that {manifest.name} was trained on ({manifest.dataset}) was looked for by its content"
        f"{f' at {was},' if was else ''} in the cache, in {model} and beside it, and is not there. Name it with --data."
    )
