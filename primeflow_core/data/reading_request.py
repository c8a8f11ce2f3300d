"""What the user says about how a file is read, completed by what is known of the file."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from primeflow_core.data import known_files
from primeflow_core.data.cells import Cells
from primeflow_core.data.content_hash import content_sha256
from primeflow_core.data.data_file import DataFile
from primeflow_core.data.h5ad.issues import Severity
from primeflow_core.data.h5ad.reading import Examined, examine, values_of
from primeflow_core.data.h5ad.wishes import Wishes
from primeflow_core.data.reading import Reading
from primeflow_core.data.repair import RAW, Repair, X
from primeflow_core.data.split_record import read_record

COLUMNS = ("condition", "covariates", "control", "separator", "dose", "kind", "merge_guides")
Report = Callable[[str], None]
"""Hears what the user should know and no result says."""


@dataclass(frozen=True)
class ReadingRequest:
    """What the user says about a file; None: it is not said.

    ``layer`` and ``raw``: where the values are; ``normalise``: whether they are brought to the log scale.
    ``modality``: the part of a .h5mu; ``metadata``: sha256 of the table of the cells, see ``noted_table``.
    """

    wishes: Wishes = field(default_factory=Wishes)
    layer: str | None = None
    raw: bool = False
    normalise: bool | None = None
    modality: str | None = None
    metadata: str | None = None

    def repair(self, known: Repair) -> Repair:
        """``known``, with what is said of the values instead."""
        matrix = RAW if self.raw else known.matrix
        if self.layer is not None:
            matrix = X if self.layer == X else f"layers/{self.layer}"
        normalise = known.normalise if self.normalise is None else self.normalise
        total = known.total if (matrix, normalise) == (known.matrix, known.normalise) else None
        modality, metadata = self.modality or known.modality, self.metadata or known.metadata
        return replace(known, matrix=matrix, normalise=normalise, total=total, modality=modality, metadata=metadata)


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
    file: DataFile, request: ReadingRequest, split: Path | None, report: Report, known: Reading | None = None
) -> ReadingChoice:
    """The request, completed by ``known``, the record beside the split, or what is known of a named data set."""
    return _completed(request, known or _known(file, split, report))


def chosen_reading(file: DataFile, request: ReadingRequest, split: Path | None, report: Report) -> dict[str, object]:
    """How the file is read, as far as it is not as usual: a part of what a benchmark or a search is about."""
    usual = _exactly(file.dataset.reading) if file.dataset else ReadingChoice(Wishes(), Repair())
    return reading_choice(file, request, split, report).differing(usual)


def read_requested(file: DataFile, request: ReadingRequest, split: Path | None, report: Report) -> Cells:
    """The cells of ``file``, read as ``reading_choice`` says; it is remembered where the file is."""
    choice = reading_choice(file, request, split, report)
    found = examine(file.path, choice.wishes, choice.repair)
    cells = values_of(file.path, found)
    report_doubts(file.name, found, report)
    known_files.remember(file.path, cells.sha256)
    return cells


def report_doubts(name: str, found: Examined, report: Report) -> None:
    """Report what is doubtful about how a file is read."""
    for problem in found.inspection.problems:
        if problem.severity is Severity.WARNING:
            report(f"{name}: WARNING: {problem}")


def one_or_several(labels: str | Iterable[str] | None) -> str | tuple[str, ...] | None:
    """One label as a text, so that it equals one that was found."""
    if labels is None or isinstance(labels, str):
        return labels
    several = tuple(labels)
    return several[0] if len(several) == 1 else several


def _exactly(reading: Reading) -> ReadingChoice:
    return ReadingChoice(Wishes.exactly(reading.layout), reading.repair)


def _known(file: DataFile, split: Path | None, report: Report) -> Reading | None:
    record = None if split is None else read_record(split)
    if record is not None and record.data_sha256 == content_sha256(file.path):
        return record.reading
    if record is not None:
        report(f"{split} was made for another file ({record.data}), so how that was read is not used here.")
    return None if file.dataset is None else file.dataset.reading


def _completed(request: ReadingRequest, known: Reading | None) -> ReadingChoice:
    told = request.wishes
    if known is None or told.condition not in (None, known.layout.condition):
        kept = Repair() if known is None else Repair(modality=known.repair.modality, metadata=known.repair.metadata)
        return ReadingChoice(told, request.repair(kept))
    said = {name: getattr(told, name) for name in COLUMNS if getattr(told, name) is not None}
    return ReadingChoice(replace(_exactly(known).wishes, **said), request.repair(known.repair))
