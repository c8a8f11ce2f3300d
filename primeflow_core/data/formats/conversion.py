"""Conversion of a file to an .h5ad: what is done in a child process, since a foreign file can make a library spin.

The layers that a file is packed in are taken off first, then its format is found, and a table of its cells is joined.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from primeflow_core.data.formats import cell_table
from primeflow_core.data.formats.compression import DAMAGE, is_packed, unpack
from primeflow_core.data.formats.converted_files import ConversionRecord
from primeflow_core.data.formats.file_format import FileFormat, FormatSource
from primeflow_core.data.formats.file_names import stem_of
from primeflow_core.data.formats.hdf5_parts import is_hdf5
from primeflow_core.data.formats.refusals import refusal
from primeflow_core.data.formats.registry import FORMATS
from primeflow_core.data.h5ad.issues import Problem, Severity
from primeflow_core.data.h5ad.storage import anndata_damage, first_line
from primeflow_core.data.h5ad.writing import sha256_of
from primeflow_core.errors import DataError, PrimeflowError

MOST_LAYERS = 3
"""A table in a tar in a gzip."""


def format_of(path: Path) -> FileFormat | None:
    return next((one for one in FORMATS if one.recognises(path)), None)


def recognised(path: Path, name: str) -> str | None:
    """The name of the format of a file or folder, None where it has none. Raises DataError for what is never read."""
    if said := refusal(path, name):
        raise DataError(said)
    found = format_of(path)
    return None if found is None else found.name


def convert(source: FormatSource, scratch: Path, target: Path) -> ConversionRecord:
    """Write ``source`` as an .h5ad to ``target``, unpacking it in ``scratch`` where it is packed. Raises DataError."""
    known, plain = format_of(source.path), source.path
    if known is None:
        known, plain = _unpacked(source.path, source.name, scratch)
    return _written(known, replace(source, path=plain), target)


def table_beside(path: Path, name: str) -> Path | None:
    """A table that describes the cells of a file or folder, which its owner calls ``name``."""
    folders = [path, path.parent] if path.is_dir() else [path.parent]
    found = [table for folder in folders for table in cell_table.tables_beside(folder, stem_of(name))]
    return next((table for table in found if table != path), None)


def _unpacked(path: Path, called: str, scratch: Path) -> tuple[FileFormat, Path]:
    """What is in a packed file, perhaps packed once more. Raises DataError where it is of no format here."""
    name, inside = called, path
    for layer in range(MOST_LAYERS):
        folder = scratch / str(layer)
        folder.mkdir()
        inside = unpack(inside, name, folder)
        name = inside.name
        if said := refusal(inside, called):
            raise DataError(said)
        found = format_of(inside) or _format_in(inside)
        if found is not None:
            return found if isinstance(found, tuple) else (found, inside)
        if not is_packed(inside):
            break
    raise DataError(f"{called}, unpacked: {unknown(inside)}")


def _format_in(folder: Path) -> tuple[FileFormat, Path] | None:
    """The one data file of an unpacked folder that holds tables beside it."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    tables = {table for file in files for table in cell_table.tables_beside(folder, stem_of(file.name))}
    found = [(one, file) for file in files if file not in tables and (one := format_of(file)) is not None]
    return found[0] if len(found) == 1 else None


def _written(known: FileFormat, source: FormatSource, target: Path) -> ConversionRecord:
    beside = source.beside or table_beside(source.path, source.path.name)
    table = source.metadata or (beside if known.bare else None)
    with _naming_damage(f"{source.name} is not complete or damaged: it cannot be read as {known.label}"):
        done = known.convert(replace(source, metadata=table), target)
    if table is None:
        return ConversionRecord(known.name, done.modality, None, done.notes)
    try:
        with _naming_damage(f"{table.name} is damaged: it cannot be joined to {source.name}"):
            note = cell_table.join_into(target, table, source.name)
    except DataError as error:
        if source.metadata is not None or not cell_table.is_general(table):
            raise
        note = Problem(Severity.WARNING, "cell-table", _not_used(table, str(error), source.name))
        return ConversionRecord(known.name, done.modality, None, (*done.notes, note))
    outside = table in (source.metadata, source.beside)
    return ConversionRecord(known.name, done.modality, sha256_of(table) if outside else None, (*done.notes, note))


@contextmanager
def _naming_damage(said: str) -> Iterator[None]:
    """Turns whatever a library raises over a damaged file into a DataError: each codec and reader has its own."""
    damage: tuple[type[Exception], ...] = (*anndata_damage(), *DAMAGE)
    try:
        yield
    except PrimeflowError:
        raise
    except damage as error:
        raise DataError(f"{said} ({first_line(error)}). Copy or download all of it again.") from error


def _not_used(table: Path, why: str, name: str) -> str:
    return f"{table.name} lies beside the file and is not used: {why.removeprefix(f'{name}: ')}"


def unknown(path: Path) -> str:
    if path.is_dir():
        return f"{path.name} is a folder, and neither a .zarr store nor a 10x .mtx folder. Name a file in it."
    if is_hdf5(path):
        return f"{path.name} is HDF5 of a kind that is not known here."
    labels = ", ".join(dict.fromkeys(one.label for one in FORMATS))
    return f"{path.name} is in no format that is read here. Bring one of these: {labels}."
