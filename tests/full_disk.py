"""Full disks, as far as processes can be told so: files that may not grow."""

import errno
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from primeflow_core.runtime.bounded_child import Bounds
from primeflow_core.runtime.bounded_process import bounded

WIDE = Bounds(memory=500_000_000, processor=60, wall=120)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Every file that grows beyond ``size`` bytes fails with EFBIG, as one on a full disk does with ENOSPC."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def child_writes_at_most(size: int) -> Iterator[int]:
    """Every file that the child which converts makes larger fails with EFBIG, as on a full disk with ENOSPC."""
    child = bounded(WIDE, "a", os.getpid)
    before = resource.prlimit(child, resource.RLIMIT_FSIZE)
    resource.prlimit(child, resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield child
    finally:
        resource.prlimit(child, resource.RLIMIT_FSIZE, before)


@contextmanager
def full_once(is_full: Callable[[], bool]) -> Iterator[None]:
    """A disk on which this process cannot complete a file any more, once ``is_full``."""
    flush, full = os.fsync, False

    def fsync(descriptor: int) -> None:
        nonlocal full
        full = full or is_full()
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        yield
