"""Any file that a user brings as an .h5ad: itself if it is one, else converted once and kept in the cache."""

import errno
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from primeflow_core.data import known_files
from primeflow_core.data.formats import cell_table, converted_files
from primeflow_core.data.formats.compression import is_packed, unpack
from primeflow_core.data.formats.converted_files import SCRATCH, Record, converted_folder
from primeflow_core.data.formats.file_format import FileFormat, Source
from primeflow_core.data.formats.hdf5_parts import is_hdf5
from primeflow_core.data.formats.refusals import refusal
from primeflow_core.data.formats.registry import ENDINGS, FORMATS
from primeflow_core.data.h5ad.issues import Problem, Severity
from primeflow_core.data.h5ad.writing import sha256_of
from primeflow_core.errors import DataError, StorageError
from primeflow_core.runtime.atomic_files import replaced

VERSION = 1
"""Of the conversions: a file that an earlier one made is made again."""
MOST_LAYERS = 3
"""A table in a tar in a gzip."""
LEAST_ROOM = 50_000_000
ROOM = 2.0
"""Free space that a conversion needs, in sizes of what is converted."""
OWN_FORMAT = "h5ad"


@dataclass(frozen=True)
class LocalFile:
    """``path``: what the user named; ``h5ad``: what is read, ``path`` itself where that is an .h5ad.

    ``metadata``: the sha256 of the table that describes the cells; ``notes``: what the user should know.
    """

    path: Path
    h5ad: Path
    format: str = OWN_FORMAT
    modality: str | None = None
    metadata: str | None = None
    notes: tuple[Problem, ...] = ()

    @property
    def sha256(self) -> str:
        """Of what the user named, whatever is read in its place."""
        return sha256_of(self.path)

    @contextmanager
    def named(self) -> Iterator[None]:
        """Errors raised inside call the file what its user calls it."""
        try:
            yield
        except DataError as error:
            if self.h5ad == self.path:
                raise
            text = str(error).replace(str(self.h5ad), str(self.path)).replace(self.h5ad.name, self.path.name)
            raise type(error)(text.replace(self.h5ad.stem, stem_of(self.path.name))) from error


def as_h5ad(path: Path, *, modality: str | None = None, metadata: str | None = None) -> LocalFile:
    """``path`` as an .h5ad. ``modality``: the part of a .h5mu; ``metadata``: sha256 of the table of its cells.

    Raises DataError for what is in no format here, damaged, or described by no table that fits; StorageError where
    the cache has no room. A file of no format here is left to the reader of .h5ad files, which says what it is.
    """
    if not path.exists():
        return LocalFile(path, path)
    packed = is_packed(path) and _format_of(path) is None
    format_found = None if packed else _format_of(path)
    if said := refusal(path, path.name):
        raise DataError(said)
    if path.is_dir() and format_found is None:
        raise DataError(_unknown(path))
    if not packed and (format_found is None or (format_found.name == OWN_FORMAT and metadata is None)):
        return _with_note_on_modality(LocalFile(path, path), modality)
    return _with_note_on_modality(_converted(path, format_found, modality, metadata), modality)


def _format_of(path: Path) -> FileFormat | None:
    return next((one for one in FORMATS if one.recognises(path)), None)


def _with_note_on_modality(local: LocalFile, modality: str | None) -> LocalFile:
    if modality is None or local.modality is not None:
        return local
    text = f"The modality {modality!r} is not used: {local.path.name} holds only one table of cells."
    return replace(local, notes=(*local.notes, Problem(Severity.NOTE, "modality", text)))


def _converted(path: Path, known: FileFormat | None, modality: str | None, metadata: str | None) -> LocalFile:
    beside = _table_beside(path, known) if metadata is None else _table_of(metadata, path)
    key = _key(path, known, modality, beside)
    found = converted_files.kept(key)
    if found is None:
        found = _convert(path, known, Source(path, path.name, modality, beside), key)
    h5ad, record = found
    return LocalFile(path, h5ad, record.format, record.modality, record.metadata, record.notes)


def _key(path: Path, known: FileFormat | None, modality: str | None, table: Path | None) -> str:
    files = [path, *(known.companions(path) if known else ()), *([table] if table else ())]
    told = [VERSION, modality, *(_sha256(file, *_state(file)) for file in files)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _state(path: Path) -> tuple[int, int] | tuple[None, None]:
    """What changes when a file does; None for a folder, which has to be read."""
    state = path.stat()
    return (None, None) if path.is_dir() else (state.st_size, state.st_mtime_ns)


def _sha256(path: Path, size: int | None, changed: int | None) -> str:
    return sha256_of(path) if size is None else _sha256_of_file(path, size, changed)


@lru_cache(maxsize=64)
def _sha256_of_file(path: Path, size: int, changed: int | None) -> str:
    """Remembered while the file stays what it is: several steps of a command ask for it."""
    return sha256_of(path)


def _table_beside(path: Path, known: FileFormat | None) -> Path | None:
    """A table that describes the cells, for what may hold none itself."""
    if known is not None and not known.bare:
        return None
    folders = [path, path.parent] if path.is_dir() else [path.parent]
    found = [table for folder in folders for table in cell_table.tables_beside(folder, stem_of(path.name))]
    return next((table for table in found if table != path), None)


def _table_of(sha256: str, path: Path) -> Path:
    known = known_files.find(sha256, "", ())
    if known is not None:
        return known
    beside = cell_table.tables_beside(path.parent, stem_of(path.name))
    found = next((table for table in beside if sha256_of(table) == sha256), None)
    if found is None:
        raise DataError(
            f"The table that describes the cells of {path.name} is not where it was, or has changed. Name it again: "
            "--metadata FILE"
        )
    return found


def _convert(path: Path, known: FileFormat | None, source: Source, key: str) -> tuple[Path, Record]:
    folder = converted_folder()
    folder.mkdir(parents=True, exist_ok=True)
    converted_files.forget_unpacked(list(folder.glob(f"{SCRATCH}*")))
    _check_room(path, folder)
    target = folder / f"{key}{converted_files.ENDING}"
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=folder) as scratch, replaced(target) as temporary:
        one, plain = (known, path) if known else _unpacked(path, Path(scratch))
        record = _written(one, replace(source, path=plain), temporary)
    converted_files.keep(target, record)
    return target, record


def _check_room(path: Path, folder: Path) -> None:
    """HDF5 ends the process where a disk is full, so it is asked before."""
    size = sum(file.stat().st_size for file in path.rglob("*")) if path.is_dir() else path.stat().st_size
    if shutil.disk_usage(folder).free < ROOM * size + LEAST_ROOM:
        advice = "Free space there, or choose another folder by PRIMEFLOW_CACHE."
        raise StorageError(errno.ENOSPC, "the disk is full", str(folder), advice)


def _unpacked(path: Path, scratch: Path) -> tuple[FileFormat, Path]:
    """What is in a packed file, perhaps packed once more. Raises DataError where it is of no format here."""
    name, inside = path.name, path
    for layer in range(MOST_LAYERS):
        folder = scratch / str(layer)
        folder.mkdir()
        inside = unpack(inside, name, folder)
        name = inside.name
        if said := refusal(inside, f"{path.name}: {name}" if name not in path.name else path.name):
            raise DataError(said)
        found = _format_of(inside) or _format_in(inside)
        if found is not None:
            return found if isinstance(found, tuple) else (found, inside)
        if not is_packed(inside):
            break
    raise DataError(f"{path.name}, unpacked: {_unknown(inside)}")


def _format_in(folder: Path) -> tuple[FileFormat, Path] | None:
    """The one data file of an unpacked folder that holds tables beside it."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    tables = {table for file in files for table in cell_table.tables_beside(folder, stem_of(file.name))}
    found = [(one, file) for file in files if file not in tables and (one := _format_of(file)) is not None]
    return found[0] if len(found) == 1 else None


def _written(known: FileFormat, source: Source, target: Path) -> Record:
    beside = source.metadata or _table_beside(source.path, known)
    done = known.convert(replace(source, metadata=beside), target)
    notes = list(done.notes)
    if beside is not None:
        notes.append(cell_table.join_into(target, beside, source.name))
    return Record(known.name, done.modality, None if beside is None else sha256_of(beside), tuple(notes))


def _unknown(path: Path) -> str:
    if path.is_dir():
        return f"{path.name} is a folder, and neither a .zarr store nor a 10x .mtx folder. Name a file in it."
    if is_hdf5(path):
        return f"{path.name} is HDF5 of a kind that is not known here."
    labels = ", ".join(dict.fromkeys(one.label for one in FORMATS))
    return f"{path.name} is in no format that is read here. Bring one of these: {labels}."


def stem_of(name: str) -> str:
    """A file's name without the endings that say its format."""
    while (cut := next((ending for ending in ENDINGS if name.lower().endswith(ending)), "")) and len(name) > len(cut):
        name = name[: -len(cut)]
    return name
