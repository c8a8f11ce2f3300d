"""What files are packed in: gzip, bzip2, xz, zip and tar. Nothing unpacks to more than ``MOST_UNPACKED`` bytes."""

import bz2
import gzip
import lzma
import shutil
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from primeflow_core.errors import DataError
from primeflow_core.runtime.atomic_files import storage_error

MOST_UNPACKED = 8_000_000_000
MOST_FILES = 200_000
PIECE = 1 << 20
STREAMS: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
ZIP = b"PK\x03\x04"
DAMAGE = (
    OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError, struct.error, RuntimeError,
    ValueError, IndexError, ArithmeticError,
)  # fmt: skip
"""What reading a damaged archive raises."""
SPREADSHEET, ARRAYS = "xl/workbook.xml", ".npy"


def is_packed(path: Path) -> bool:
    return path.is_file() and (_opener(path) is not None or _head(path).startswith(ZIP) or _is_tar(path))


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(8)


def _opener(path: Path) -> Callable[..., Any] | None:
    head = _head(path)
    return next((opener for signature, opener in STREAMS.items() if head.startswith(signature)), None)


def _is_tar(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(257)
        return file.read(5) == b"ustar"


def unpack(path: Path, name: str, folder: Path, most: int | None = None) -> Path:
    """Unpack one layer into ``folder``, and return the file or folder that was in it.

    Raises DataError for what is damaged, or larger inside than ``most`` (None: ``MOST_UNPACKED``).
    """
    room = min(MOST_UNPACKED if most is None else most, shutil.disk_usage(folder).free // 2)
    opener = _opener(path)
    inside = folder / (name.rsplit(".", 1)[0] if opener is not None and "." in name else f"{name}.inside")
    try:
        if opener is not None:
            with opener(path, "rb") as packed, inside.open("wb") as plain:
                _copy(packed, plain, room, name)
            return inside
        inside.mkdir()
        if _is_tar(path):
            _unpack_tar(path, inside, room, name)
        else:
            _unpack_zip(path, inside, room, name)
    except DAMAGE as error:
        if isinstance(error, OSError) and (full := storage_error(error, folder)) is not None:
            raise full from error
        raise DataError(f"{name} is cut short or damaged: it cannot be unpacked ({error}). Copy it again.") from error
    return _content(inside)


def _copy(packed: IO[bytes], plain: IO[bytes], room: int, name: str) -> int:
    size = 0
    while piece := packed.read(PIECE):
        size += len(piece)
        if size > room:
            raise DataError(
                f"{name} unpacks to more than {room / 1e9:.1f} GB, which is the most here. Keep fewer cells."
            )
        plain.write(piece)
    return size


def _unpack_zip(path: Path, folder: Path, room: int, name: str) -> None:
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        _check_members(name, [member.filename for member in members])
        for member in members:
            place = _place(folder, member.filename, name)
            with archive.open(member) as packed, place.open("wb") as plain:
                room -= _copy(packed, plain, room, name)


def _unpack_tar(path: Path, folder: Path, room: int, name: str) -> None:
    with tarfile.open(path) as archive:
        members = [member for member in archive if member.isfile()]  # links and devices are left out
        _check_members(name, [member.name for member in members])
        for member in members:
            packed = archive.extractfile(member)
            assert packed is not None
            with packed, _place(folder, member.name, name).open("wb") as plain:
                room -= _copy(packed, plain, room, name)


def _check_members(name: str, members: list[str]) -> None:
    if SPREADSHEET in members:
        raise DataError(f"{name} is a spreadsheet. Save it as csv, with the names of cells and genes, and bring that.")
    if members and all(member.endswith(ARRAYS) for member in members):
        raise DataError(
            f"{name} holds NumPy arrays (.npz), which say nothing of cells and genes. In Python, put them into an "
            "AnnData: anndata.AnnData(X, obs=cells, var=genes).write_h5ad('cells.h5ad')."
        )
    if len(members) > MOST_FILES:
        raise DataError(f"{name} holds {len(members):,} files; {MOST_FILES:,} is the most.")


def _place(folder: Path, member: str, name: str) -> Path:
    place = folder / member
    if not place.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{name} holds a file that would be written elsewhere ({member}). Pack it again.")
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def _content(folder: Path) -> Path:
    """The only entry of an archive, else the folder; what macOS and others add is not counted."""
    entries = [
        entry for entry in sorted(folder.iterdir()) if not entry.name.startswith((".DS_Store", "__MACOSX", "._"))
    ]
    return (
        _content(entries[0])
        if len(entries) == 1 and entries[0].is_dir()
        else (entries[0] if len(entries) == 1 else folder)
    )


@contextmanager
def unpacked_text(path: Path) -> Iterator[Path]:
    """A file of text as it is, or unpacked for as long as it is used."""
    if _opener(path) is None:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="primeflow-") as folder:
        yield unpack(path, path.name, Path(folder))
