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
from primeflow_core.data.content_hash import content_sha256
from primeflow_core.data.formats import conversion, converted_files, mtx
from primeflow_core.data.formats.cell_table import tables_beside
from primeflow_core.data.formats.compression import is_packed
from primeflow_core.data.formats.conversion import recognised, table_beside, unknown
from primeflow_core.data.formats.converted_files import SCRATCH, ConversionRecord, converted_folder
from primeflow_core.data.formats.file_format import FormatSource
from primeflow_core.data.formats.file_names import stem_of
from primeflow_core.data.formats.h5ad_file import H5AD
from primeflow_core.data.formats.hdf5_parts import is_hdf5
from primeflow_core.data.h5ad.issues import Problem, Severity
from primeflow_core.data.h5ad.known_content import file_state, is_known
from primeflow_core.data.h5ad.writing import sha256_of
from primeflow_core.errors import DataError, StorageError
from primeflow_core.runtime.atomic_files import replaced
from primeflow_core.runtime.bounded_child import Bounds
from primeflow_core.runtime.bounded_process import bounded
from primeflow_core.runtime.memory import most_for_a_file

VERSION = 1
"""Of the conversions: a file that an earlier one made is made again."""
MORE_ROOM = "Free space there, or choose another folder by PRIMEFLOW_CACHE."
LEAST_ROOM = 50_000_000
ROOM = 2.0
"""Free space that a conversion needs, in sizes of what is converted."""
SECONDS, SECONDS_PER_BYTE = 15.0, 3e-6
"""Of processor time; text that is packed is read at some 2 MB/s of the file."""
SECONDS_TO_RECOGNISE = 6.0
MEMORY_TO_RECOGNISE = 500_000_000
WAITING = 2.5
"""Wall time for a second of processor time, on a busy machine or a slow disk."""


@dataclass(frozen=True)
class LocalFile:
    """``path``: what the user named; ``h5ad``: what is read, ``path`` itself where that is an .h5ad.

    ``metadata``: the sha256 of the table that describes the cells; ``notes``: what the user should know.
    """

    path: Path
    h5ad: Path
    format: str = H5AD.name
    modality: str | None = None
    metadata: str | None = None
    notes: tuple[Problem, ...] = ()

    @property
    def sha256(self) -> str:
        """Of what the user named, whatever is read in its place."""
        return content_sha256(self.path)

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
    found = _format(path)
    if found is None and path.is_dir():
        raise DataError(unknown(path))
    local = LocalFile(path, path)
    if metadata is not None or (is_packed(path) if found is None else found != H5AD.name):
        local = _converted(path, modality, metadata)
    if modality is None or local.modality is not None:
        return local
    text = f"The modality {modality!r} is not used: {path.name} holds only one table of cells."
    return replace(local, notes=(*local.notes, Problem(Severity.NOTE, "modality", text)))


def _format(path: Path) -> str | None:
    """The name of the format. Strange HDF5 is looked into by a child process, since a damage can make it spin."""
    return _hdf5_format(path, *file_state(path)) if is_hdf5(path) else recognised(path, path.name)


@lru_cache(maxsize=64)
def _hdf5_format(path: Path, *_state: int) -> str | None:
    """Remembered while the file stays what it is: several steps of a command ask for it."""
    if is_known(path):
        return recognised(path, path.name)
    bounds = Bounds(MEMORY_TO_RECOGNISE, SECONDS_TO_RECOGNISE, WAITING * SECONDS_TO_RECOGNISE)
    return bounded(bounds, path.name, recognised, path, path.name)


def _converted(path: Path, modality: str | None, metadata: str | None) -> LocalFile:
    table = None if metadata is None else _table_of(metadata, path)
    source = FormatSource(path.resolve(), path.name, modality, table, table_beside(path, path.name))
    key = _key(source)
    h5ad, record = converted_files.kept(key) or _convert(source, key)
    return LocalFile(path, h5ad, record.format, record.modality, record.metadata, record.notes)


def _key(source: FormatSource) -> str:
    """The sha256 of all that a conversion comes of."""
    beside = (source.metadata, source.beside, *mtx.companions(source.path))
    files = [source.path, *(file for file in beside if file is not None)]
    told = [VERSION, source.modality, source.metadata is None]
    told += [content_sha256(file) for file in files]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def noted_table(path: Path) -> str:
    """The sha256 of a table that describes cells, by which it is found again. Raises DataError."""
    if not path.is_file():
        raise DataError(f"There is no table {path}. Check the name and the folder.")
    sha256 = sha256_of(path)
    known_files.remember(path, sha256)
    return sha256


def _table_of(sha256: str, path: Path) -> Path:
    """The table of this content: where it was, or beside the file. Raises DataError where it is in neither place."""
    known = known_files.where_it_was(sha256)
    places = [*([known] if known else []), *tables_beside(path.parent, stem_of(path.name))]
    found = next((table for table in places if table.is_file() and sha256_of(table) == sha256), None)
    if found is None:
        raise DataError(
            f"The table that describes the cells of {path.name} is not where it was, or has changed. Name it again: "
            "--metadata FILE"
        )
    return found.resolve()


def _convert(source: FormatSource, key: str) -> tuple[Path, ConversionRecord]:
    folder = converted_folder()
    folder.mkdir(parents=True, exist_ok=True)
    converted_files.forget_unpacked(list(folder.glob(f"{SCRATCH}*")))
    size = _size(source.path)
    if shutil.disk_usage(folder).free < ROOM * size + LEAST_ROOM:
        raise StorageError(errno.ENOSPC, "the disk is full", str(folder), MORE_ROOM)
    seconds = SECONDS + SECONDS_PER_BYTE * size
    bounds = Bounds(most_for_a_file(), seconds, WAITING * seconds)
    target = (folder / f"{key}{converted_files.ENDING}").resolve()
    try:
        with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=folder) as scratch, replaced(target) as temporary:
            record = bounded(bounds, source.name, conversion.convert, source, Path(scratch).resolve(), temporary)
        converted_files.keep(target, record)
    except StorageError as error:
        target.unlink(missing_ok=True)
        raise StorageError(error.errno or errno.ENOSPC, str(error.strerror), str(folder), MORE_ROOM) from error
    if source.metadata is None and record.metadata is not None:
        # From now on it is asked for by its table.
        converted_files.also_as(target, _key(replace(source, metadata=source.beside)), record)
    return target, record


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*")) if path.is_dir() else path.stat().st_size
