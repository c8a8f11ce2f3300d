"""Atomic file writing: a reader never sees half a file, even after a kill at any moment."""

import errno
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from primeflow_core.errors import SettingError, StorageError

PARTIAL = ".partial"
_ROOM = "Free space there, or choose another place, and run it again."
_REASONS = {
    errno.ENOSPC: ("the disk is full", _ROOM),
    errno.EDQUOT: ("your quota of disk space is used up", _ROOM),
    errno.EFBIG: ("the file is larger than is allowed there", "Choose another place or a smaller file."),
    errno.EROFS: ("the disk is read-only", "Choose another place."),
    errno.EIO: ("the disk reports an error", "Check the disk, or choose another place."),
    errno.ENAMETOOLONG: ("the name is too long", "Choose a shorter one."),
}
_LONGEST_STEM = 180
"""Bytes of a file's name that its temporary name repeats: most disks take 255 for all of it."""


def storage_error(error: OSError, path: Path | None = None) -> StorageError | None:
    """``error`` as the product's own, about ``path`` or the file that it names; None where no disk is at fault."""
    if isinstance(error, StorageError):
        return error
    if error.errno not in _REASONS:
        return None
    reason, advice = _REASONS[error.errno]
    return StorageError(error.errno, reason, str(path or error.filename or "A file"), advice)


@contextmanager
def naming(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Make an OSError within name ``path``: a StorageError where the disk is at fault.

    An error that names a file other than ``path`` and ``temporary`` stays as it is, unless it can only come of writing.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, StorageError) and error.filename == str(temporary):
            raise StorageError(error.errno or 0, error.strerror or "", str(path), error.advice) from error
        ours = error.filename is None or str(error.filename) in (str(path), str(temporary))
        # Copying names the file that is read where the one that is written has no room.
        if ours or error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS):
            # Libraries that fill a disk do not say where.
            named = OSError(error.errno, error.strerror or str(error), str(path))
            raise storage_error(error, path) or named from error
        raise


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it is flushed to disk and takes its place.

    Where ``path`` is a link, what it points at is replaced. What goes wrong is an OSError that names the file: a
    StorageError where the disk is full, read-only or broken. Threads and processes that write the same file at once
    each have a temporary path of their own.
    """
    with replaced_together(path) as (temporary,):
        yield temporary


@contextmanager
def replaced_together(*paths: Path) -> Iterator[tuple[Path, ...]]:
    """As ``replaced``, for files that belong together: where one of them has no room, none takes its place.

    They take their places in this order. An error within that names no file is told of the last.
    """
    with ExitStack() as open_files:
        files = [open_files.enter_context(_Temporary(path.resolve())) for path in paths]
        yield tuple(file.temporary for file in files)
        for file in files:
            file.flush()
        for file in files:
            file.take_place()


class _Temporary:
    """A file beside ``path`` that may take its place, and is gone at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.temporary = _temporary(path)
        self._mode = 0

    def __enter__(self) -> "_Temporary":
        with naming(self._path, self.temporary):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self.temporary.touch()
            self._mode = self.temporary.stat().st_mode
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        with naming(self._path, self.temporary):
            self.temporary.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise error

    def flush(self) -> None:
        with naming(self._path, self.temporary):
            # Some libraries make files that only their owner reads.
            self.temporary.chmod(self._mode)
            # Windows flushes only what is open for writing.
            with self.temporary.open("r+b") as written:
                os.fsync(written.fileno())

    def take_place(self) -> None:
        with naming(self._path, self.temporary):
            self.temporary.replace(self._path)


def _temporary(path: Path) -> Path:
    stem = os.fsencode(path.name)[:_LONGEST_STEM].decode(errors="ignore")
    return path.with_name(f".{stem}.{os.getpid()}.{secrets.token_hex(4)}{PARTIAL}")


def write_text(path: Path, text: str) -> None:
    with replaced(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, data: Any) -> None:
    write_text(path, json.dumps(data, indent=1, sort_keys=True) + "\n")


def write_with(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill the temporary file, for libraries that take a path."""
    with replaced(path) as temporary:
        write(temporary)


def remove_partial(folder: Path) -> None:
    """Delete what a killed process left behind in ``folder``."""
    for leftover in folder.glob(f".*{PARTIAL}"):
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink(missing_ok=True)


def check_can_write(path: Path) -> None:
    """Make the folder of ``path``; raises SettingError early, before work is spent on what cannot be kept."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(f"{path.parent} cannot be made ({error.strerror}). Choose another place.") from error
    with naming(path):
        what = _hindrance(path)
    if what:
        raise SettingError(f"{str(path)!r} {what}. Choose another file name.")


def _hindrance(path: Path) -> str:
    if path.is_dir():
        return "is a folder"
    if path.exists() and not path.is_file():
        return "is not a regular file and would be overwritten"
    if path.exists() and not os.access(path, os.W_OK):
        return "may not be written to"
    if not os.access(path.resolve().parent, os.W_OK):
        return "lies in a folder that cannot be written to"
    return ""
