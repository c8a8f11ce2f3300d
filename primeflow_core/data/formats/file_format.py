"""One format of files: how it is recognised, and how it becomes an .h5ad."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from primeflow_core.data.h5ad.issues import Problem


@dataclass(frozen=True)
class FormatSource:
    """What is converted: ``path`` as it lies on the disk, perhaps unpacked, and ``name``, as its owner calls it.

    ``modality``: the part of a .h5mu to take, None to choose it; ``metadata``: the table of the cells, where there is
    one; ``beside``: a table beside the file, which describes the cells if nothing in the file does.
    """

    path: Path
    name: str
    modality: str | None = None
    metadata: Path | None = None
    beside: Path | None = None


@dataclass(frozen=True)
class Converted:
    """What the user should know of a conversion, and the modality that was taken."""

    notes: tuple[Problem, ...] = ()
    modality: str | None = None


def _no_files(_: Path) -> tuple[Path, ...]:
    return ()


@dataclass(frozen=True)
class FileFormat:
    """A format. ``convert`` writes an .h5ad to a path and raises DataError for a file that it cannot read.

    ``label``: in sentences, with its article. ``companions``: other files that belong to one of this format.
    ``bare``: whether files of it hold no description of the cells, so that a table beside them is looked for.
    """

    name: str
    label: str
    recognises: Callable[[Path], bool]
    convert: Callable[[FormatSource, Path], Converted]
    companions: Callable[[Path], tuple[Path, ...]] = _no_files
    bare: bool = False
