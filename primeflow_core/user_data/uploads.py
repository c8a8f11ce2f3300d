"""Files that people bring: uploads, kept under their sha256 in the cache, and those of one configured folder.

A name that somebody gives is only ever shown. A file is checked before it is kept, and the oldest go first when
all of them together grow too large.
"""

import hashlib
import io
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from primeflow_core.data.cache import cache_folder
from primeflow_core.data.content_hash import content_sha256
from primeflow_core.data.formats.file_names import is_data_name
from primeflow_core.data.formats.local_file import as_h5ad
from primeflow_core.data.h5ad import survey
from primeflow_core.errors import DataError
from primeflow_core.runtime.atomic_files import replaced
from primeflow_core.runtime.memory import most_for_a_file

MOST_BYTES = 500_000_000
MOST_BYTES_KEPT = 2_000_000_000
MOST_BYTES_UNPACKED = 4_000_000_000
MOST_LISTED = 200
_ENDING = ".h5ad"
_WRITING = threading.Lock()


@dataclass(frozen=True)
class BroughtFile:
    """A user's file: its path, the sha256 of its content, and the name that its owner gave it."""

    path: Path
    sha256: str
    name: str


def upload_folder() -> Path:
    return cache_folder() / "uploads"


def keep(content: io.BytesIO, name: str, most_kept: int = MOST_BYTES_KEPT) -> BroughtFile:
    """Store an upload and let the oldest others go beyond ``most_kept`` bytes.

    Raises DataError for what is too large, no AnnData file, or cannot be written; nothing is kept of it.
    """
    name = shown_name(name)
    check_size(content.getbuffer().nbytes, name)
    sha256 = hashlib.sha256(content.getbuffer()).hexdigest()
    path = upload_folder() / f"{sha256}{_ENDING}"
    try:
        with _WRITING:
            if path.is_file():
                os.utime(path)
            else:
                _write(content, path, name)
            _let_oldest_go(path, most_kept)
    except OSError as error:
        raise DataError(
            f"{name} cannot be kept in {path.parent} ({error.strerror or error}). Free space there or let this app "
            "write into it, or choose another folder by PRIMEFLOW_CACHE."
        ) from error
    return BroughtFile(path, sha256, name)


def _write(content: io.BytesIO, path: Path, name: str) -> None:
    with replaced(path) as temporary:
        temporary.write_bytes(content.getbuffer())
        check(temporary, name)


def check(path: Path, name: str) -> None:
    """Raises DataError, in terms of ``name``, unless the file is in a known format and fits into memory."""
    with speaking_of(path, name):
        local = as_h5ad(path)
        with local.named():
            survey.check(local.h5ad, min(MOST_BYTES_UNPACKED, most_for_a_file()))


def matrices_of(path: Path) -> tuple[str, ...]:
    """Where a file has values. Raises DataError where it cannot be read."""
    local = as_h5ad(path)
    with local.named():
        return survey.matrices(local.h5ad)


def check_size(size: int, name: str) -> None:
    """Raises DataError above ``MOST_BYTES``."""
    if size > MOST_BYTES:
        raise DataError(
            f"{name} is too large to upload: {_gigabytes(size)}, {_gigabytes(MOST_BYTES)} is the most. Keep fewer "
            f"cells, or write it packed: adata.write_h5ad('small{_ENDING}', compression='gzip')."
        )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def shown_name(name: str) -> str:
    """The last part of a name that came with an upload, without what cannot be printed, at most 80 characters."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(character for character in last if character.isprintable())[-80:].strip() or f"cells{_ENDING}"


def _let_oldest_go(newest: Path, most: int) -> None:
    states = {file: file.stat() for file in newest.parent.glob(f"*{_ENDING}")}
    total = sum(state.st_size for state in states.values())
    for file in sorted(states, key=lambda file: states[file].st_mtime_ns):
        if total > most and file != newest:
            file.unlink(missing_ok=True)
            total -= states[file].st_size


def forget(sha256: str) -> None:
    """Delete an upload; nothing happens where there is none."""
    path = _upload(sha256)
    if path is not None:
        path.unlink(missing_ok=True)


def file_of_sha(sha256: str, name: str = "") -> Path | None:
    """The upload of this content, else the file ``name`` of the data folder while its content is this one."""
    path = _upload(sha256)
    if path is not None:
        return path
    if name not in data_files():
        return None
    listed = data_file(name).path
    return listed if content_sha256(listed) == sha256 else None


def _upload(sha256: str) -> Path | None:
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        return None
    path = upload_folder() / f"{sha256}{_ENDING}"
    return path if path.is_file() else None


def data_folder() -> Path | None:
    """``PRIMEFLOW_DATA``: a folder whose data files can be chosen without an upload; None where there is none."""
    chosen = os.environ.get("PRIMEFLOW_DATA", "")
    folder = Path(chosen).expanduser().resolve() if chosen else None
    return folder if folder is not None and folder.is_dir() else None


def data_files() -> tuple[str, ...]:
    """The data files below the data folder, by their path in it, sorted; links that lead out of it are left out."""
    folder = data_folder()
    if folder is None:
        return ()
    inside = (file for file in sorted(folder.rglob("*")) if file.resolve().is_relative_to(folder))
    return tuple(file.relative_to(folder).as_posix() for file in inside if is_data_name(file, folder))[:MOST_LISTED]


def data_file(name: str) -> BroughtFile:
    """One of ``data_files``. Raises DataError for any other name, and for what is not an AnnData file."""
    folder = data_folder()
    if folder is None or name not in data_files():
        raise DataError(f"There is no {name} in the data folder of this app. Choose one of the list.")
    path = (folder / name).resolve()
    check(path, name)
    return BroughtFile(path, content_sha256(path), name)


@contextmanager
def speaking_of(path: Path, name: str) -> Iterator[None]:
    """Errors raised inside call the file by ``name``, not by where it is stored."""
    try:
        yield
    except DataError as error:
        called = {str(path): name, path.name: name, path.stem: Path(name).stem}
        # In one pass, the longest first: a name that was put in is not looked at again.
        known = "|".join(re.escape(text) for text in sorted(called, key=len, reverse=True))
        raise DataError(re.sub(known, lambda found: called[found[0]], str(error))) from error
