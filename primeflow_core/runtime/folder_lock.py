"""One command at a time in a folder of results.

The lock is one of the operating system on a hidden file in the folder. It ends with the process that holds it, however
that ends, on Linux, macOS and Windows.
"""

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from primeflow_core.errors import SettingError

if TYPE_CHECKING:
    from filelock import BaseFileLock

LOCK = ".lock"
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Raises SettingError where another process is in here with the same ``folder``, which is made where it is not."""
    lock = locked(folder)
    try:
        yield
    finally:
        let_go(lock)


def locked(folder: Path) -> "BaseFileLock | None":
    """The lock on ``folder``, held until ``let_go`` or the end of the process.

    None on a file system without locks. Raises SettingError where another process holds it, and OSError.
    """
    from filelock import FileLock, Timeout

    # Held by whoever has it, in whatever thread it is let go; a file as a makeshift lock would outlive a killed holder.
    lock = FileLock(folder / LOCK, timeout=0, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise SettingError(
            f"Another process works in {folder}. Wait for it to finish, stop it, or choose another --out."
        ) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return None
    return lock


def let_go(lock: "BaseFileLock | None") -> None:
    """Free the folder, and take the file of the lock away."""
    if lock is None:
        return
    if sys.platform != "win32":
        # While it is held: whoever opened the file meanwhile notices that it is gone, and does not take it for a lock.
        with suppress(OSError):
            Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()
