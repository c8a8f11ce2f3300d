"""Atomic file writing: a reader never sees half a file, even after a kill at any moment."""

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from primeflow_core.errors import SettingError

PARTIAL = ".partial"


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it is flushed to disk and takes its place.

    Where ``path`` is a link, what it points at is replaced. What goes wrong is an OSError that names the file. Threads
    and processes that write the same file at once each have a temporary path of their own.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        temporary.touch()
        mode = temporary.stat().st_mode
        yield temporary
        # Some libraries make files that only their owner reads.
        temporary.chmod(mode)
        # Windows flushes only what is open for writing.
        with temporary.open("r+b") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except OSError as error:
        # Libraries that fill a disk do not say where.
        if error.filename is None:
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


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
