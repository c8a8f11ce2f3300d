"""AnnData files as stored on disk: opened with h5py, and checked before their contents are used.

Every failure is a DataError that says what the file looks like and what to do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp

from primeflow_core.data.h5ad.filters import PACKAGE, missing_filter, packed_with
from primeflow_core.data.repair import RAW, X
from primeflow_core.errors import DataError

BLOCK = 4_000_000
_SIGNATURES = (
    (b"\x1f\x8b", "a gzip"),
    (b"PK\x03\x04", "a zip or a spreadsheet"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"%PDF", "a PDF"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x03", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
)
_HDF5 = b"\x89HDF"
DAMAGE = (
    OSError, KeyError, ValueError, TypeError, IndexError, AttributeError, RuntimeError, ArithmeticError, AssertionError,
    SystemError,
)  # fmt: skip
"""What h5py and AnnData raise for a damaged file."""


def anndata_damage() -> tuple[type[Exception], ...]:
    """What AnnData's reader raises for a damaged file, and for a part of a kind that it does not know."""
    # Slow to import; AnnData gives the error no public name.
    from anndata._io.specs.registry import IORegistryError

    return (*DAMAGE, IORegistryError)


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open an AnnData file for reading; raises DataError unless it has X, obs and var."""
    check_contents(path)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DataError(_not_opened(path, str(error))) from error
    with file:
        with named_damage(path, "the file"):
            _check_is_anndata(file, path)
        yield file


def _not_opened(path: Path, reason: str) -> str:
    """Why HDF5 does not open a file."""
    if "unable to lock file" in reason:
        return (
            f"{path.name} is open for writing in another program. Close it there (in a notebook: adata.file.close() or "
            "restart it), then try again."
        )
    if "already open for write" in reason or "consistency flags" in reason:
        return (
            f"{path.name} was not closed by the program that wrote it. Write it again, or run: h5clear -s {path.name}"
        )
    return f"{path.name} is cut short or damaged ({path.stat().st_size:,} bytes). Copy or download it again."


@contextmanager
def named_damage(path: Path, part: str) -> Iterator[None]:
    """Turns whatever reading a damaged ``part`` raises into a DataError."""
    try:
        yield
    except DAMAGE as error:
        raise _damaged(path, part, error) from error


def check_contents(path: Path) -> None:
    """Raises DataError for what is no HDF5 file, from its first bytes."""
    if path.is_dir():
        raise DataError(f"{path} is a folder. Name an .h5ad file.")
    try:
        with path.open("rb") as opened_file:
            head = opened_file.read(4096)
    except FileNotFoundError:
        raise DataError(f"There is no file {path}. Check the name and the folder.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be opened ({error.strerror}).") from error
    if head.startswith(_HDF5) or h5py.is_hdf5(path):
        return
    hint = "Unpack it first: gunzip -k " + path.name if head.startswith(b"\x1f\x8b") else _write_hint(path)
    raise DataError(f"{path.name} is not a readable AnnData file (it looks like {_looks_like(head)}). {hint}")


def _write_hint(path: Path) -> str:
    return f"In Python: adata.write_h5ad('{path.stem}.h5ad')."


def _looks_like(head: bytes) -> str:
    if not head:
        return "an empty file"
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    text = head.decode("utf-8", errors="replace")
    if text.lstrip().lower().startswith(("<!doctype html", "<html")):
        return "a web page"
    if all(character.isprintable() or character.isspace() for character in text[:-4]):
        return "text, for instance a csv"
    return "something unknown"


def _check_is_anndata(file: h5py.File, path: Path) -> None:
    _check_links(file, path)
    _check_filters(file, path)
    missing = [name for name in ("obs", "var") if name not in file]
    if "matrix" in file and missing:
        raise DataError(
            f"{path.name} looks like a 10x or loom file, not AnnData. "
            f"In Python: scanpy.read_10x_h5('{path.name}').write_h5ad('{path.stem}.h5ad')."
        )
    if missing:
        held = ", ".join(sorted(file)[:12]) or "nothing"
        raise DataError(
            f"{path.name} is HDF5 but not AnnData: {', '.join(missing)} missing, it holds {held}. {_write_hint(path)}"
        )
    if isinstance(file["obs"], h5py.Dataset) or isinstance(file["var"], h5py.Dataset):
        raise DataError(
            f"{path.name} was written by an AnnData before 0.7. In Python: "
            f"anndata.read_h5ad('{path.name}').write_h5ad('{path.name}')."
        )


def _check_links(file: h5py.File, path: Path) -> None:
    """A link to another file, or values kept in one, would make an uploaded file read whatever it names."""
    try:
        foreign = file.visititems_links(_linked_elsewhere) or file.visititems(_kept_elsewhere)
    except (OSError, RuntimeError, KeyError) as error:
        raise DataError(f"{path.name} is damaged: its parts cannot be listed. Copy or download it again.") from error
    if foreign:
        raise DataError(f"{path.name} takes {foreign!r} from another file. Write it as one file. {_write_hint(path)}")


def _check_filters(file: h5py.File, path: Path) -> None:
    lacking = file.visititems(lambda _, item: missing_filter(item))
    if lacking:
        raise DataError(
            f"{path.name} is packed with {lacking}, which is not installed here. Install the package that reads it: "
            f"pip install {PACKAGE}. Or write the file again with compression='gzip'."
        )


def _linked_elsewhere(name: str, link: h5py.HardLink | h5py.SoftLink | h5py.ExternalLink) -> str | None:
    return name if isinstance(link, h5py.ExternalLink) else None


def _kept_elsewhere(name: str, item: h5py.Group | h5py.Dataset) -> str | None:
    return name if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual) else None


def _element(file: h5py.File, name: str, path: Path) -> Any:
    """One element, read by AnnData's own reader; any failure in it means that the file is damaged."""
    # Slow to import, and most commands leave reading to a child. AnnData gives the error no public name.
    from anndata._io.specs.registry import IORegistryError
    from anndata.io import read_elem

    try:
        return read_elem(file[name])
    except (IORegistryError, NotImplementedError) as error:
        raise DataError(
            f"{path.name} was written by a newer AnnData than the one here: {name} has a part of a kind that this one "
            f"does not know ({first_line(error)}). Update AnnData here (pip install --upgrade anndata), or leave out "
            f"that part, or turn it into plain text or numbers, and write the file again. {_write_hint(path)}"
        ) from error
    except DAMAGE as error:
        raise _damaged(path, name, error) from error


def _damaged(path: Path, part: str, error: Exception) -> DataError:
    if "filter returned failure" in str(error):
        packed = packed_with(path) or "a filter"
        return DataError(
            f"{path.name} is damaged: {part} is packed with {packed}, which cannot unpack what is there. Copy it "
            "again, or write it again where it can be read, with compression='gzip'."
        )
    return DataError(f"{path.name} is damaged: {part} cannot be read ({first_line(error)}). {_write_hint(path)}")


def first_line(error: Exception) -> str:
    """What a library says, or the kind of its error where it says nothing."""
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__


def read_table(file: h5py.File, name: str, path: Path) -> pd.DataFrame:
    """``obs`` or ``var``, with the names as text in the index."""
    table = _element(file, name, path)
    if not isinstance(table, pd.DataFrame):
        raise DataError(f"{path.name} is damaged: {name} is not a table. {_write_hint(path)}")
    for column in table.select_dtypes(object):
        table[column] = table[column].map(_decoded)
    table.index = pd.Index([str(_decoded(name)) for name in table.index], name=table.index.name)
    return table


def _decoded(value: object) -> object:
    """Text that was stored as bytes, as text."""
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value


def matrices(file: h5py.File) -> tuple[str, ...]:
    """Where the file has a matrix of numbers: X, raw/X, layers/NAME."""
    layers = file.get("layers")
    names = [f"layers/{name}" for name in layers] if isinstance(layers, h5py.Group) else []
    return tuple(name for name in (X, RAW, *names) if name in file and _dimensions(file[name]) is not None)


def shape(file: h5py.File, path: Path, matrix: str = X) -> tuple[int, int]:
    """Cells and genes of a matrix. Raises DataError where it is not a matrix of numbers, and names those that are."""
    found = _dimensions(file[matrix]) if matrix in file else None
    if found is not None:
        return found
    what = f"{matrix} of {path.name} is not a matrix of numbers" if matrix in file else f"{path.name} has no {matrix}"
    ways = " or ".join(way_to(name) for name in matrices(file))
    raise DataError(f"{what}. {f'Its values can be read with {ways}.' if ways else _write_hint(path)}")


def shown_matrix(matrix: str) -> str:
    """A matrix in words: X, raw, layer counts."""
    return {X: "X", RAW: "raw"}.get(matrix, f"layer {matrix.removeprefix('layers/')}")


def way_to(matrix: str) -> str:
    """The option with which a matrix is read."""
    if matrix == RAW:
        return "--raw"
    return "--layer X" if matrix == X else f"--layer {matrix.removeprefix('layers/')}"


def _dimensions(matrix: h5py.Group | h5py.Dataset) -> tuple[int, int] | None:
    """Cells and genes; None for anything but a matrix of numbers."""
    found = matrix.attrs.get("shape") if isinstance(matrix, h5py.Group) else matrix.shape
    numbers = _numbers(matrix)
    if found is None or len(found) != 2 or numbers is None or numbers.dtype.kind not in "fiub":
        return None
    return int(found[0]), int(found[1])


def _numbers(x: h5py.Group | h5py.Dataset) -> h5py.Dataset | None:
    """The stored numbers of a sparse or dense matrix."""
    if isinstance(x, h5py.Dataset):
        return x
    complete = all(isinstance(x.get(name), h5py.Dataset) for name in ("data", "indices", "indptr"))
    return x["data"] if complete else None


def read_values(file: h5py.File, path: Path, matrix: str = X) -> sp.csr_matrix:
    """A matrix as CSR float32 (N, G)."""
    if isinstance(file[matrix], h5py.Dataset):
        with named_damage(path, matrix):
            return _sparse(file[matrix])
    x = _element(file, matrix, path)
    _check_indices(x, path, matrix)
    values = sp.csr_matrix(x.tocsr(), dtype=np.float32)
    values.sum_duplicates()
    return values


def _sparse(dense: h5py.Dataset) -> sp.csr_matrix:
    """A block at a time, since most values are zero and a dense matrix of them may not fit into memory."""
    width = int(dense.shape[1])
    height = max(BLOCK // max(width, 1), 1)
    blocks = [
        sp.csr_matrix(dense[first : first + height], dtype=np.float32) for first in range(0, dense.shape[0], height)
    ]
    return sp.csr_matrix(sp.vstack(blocks, format="csr"))


def _check_indices(x: sp.csr_matrix | sp.csc_matrix, path: Path, matrix: str) -> None:
    """Indices outside the matrix would be followed into foreign memory."""
    try:
        x.check_format(full_check=True)
    except ValueError as error:
        raise DataError(
            f"{path.name} is damaged: {matrix} points outside the matrix ({error}). Write it again."
        ) from error
