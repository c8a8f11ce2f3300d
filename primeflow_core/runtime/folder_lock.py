"""One command at a time in a folder of results."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from primeflow_core.errors import SettingError


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Raises SettingError where another process is in here with the same ``folder``, which must be there."""
    lock = locked(folder)
    try:
        yield
    finally:
        let_go(lock)


def locked(folder: Path) -> int | None:
    """An open descriptor that holds the lock on ``folder``: it ends with the process, however that ends.

    None on a file system without locks. Raises SettingError where another process holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise SettingError(
            f"Another process works in {folder}. Wait for it to finish, stop it, or choose another --out."
        ) from error
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def let_go(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)
