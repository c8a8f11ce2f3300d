"""HDF5 files that are written to a disk that may fill up meanwhile.

HDF5 ends its process with a segmentation fault where it cannot write what it holds as it closes a file. So it writes
through Python, to a file that takes everything: what has no room is dropped, and told once HDF5 has closed the file.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import h5py

from primeflow_core.runtime.atomic_files import naming


class HDF5Output(h5py.File):
    """An HDF5 file for writing. ``check`` ends the work early where something had no room already."""

    def __init__(self, room: "Room", mode: Literal["w", "r+"]) -> None:
        super().__init__(room, mode)
        self._room = room

    def check(self) -> None:
        """Raises OSError where a part of the file had no room."""
        if self._room.failure is not None:
            raise self._room.failure


@contextmanager
def output_file(path: Path, mode: Literal["w", "r+"] = "w") -> Iterator[HDF5Output]:
    """A file to write (``w``), or to change (``r+``). Raises StorageError where it had no room, whatever that led to.

    It holds nothing useful then, and is for the caller to delete.
    """
    with naming(path):
        room = Room(path, mode)
    try:
        with room, HDF5Output(room, mode) as file:
            yield file
    finally:
        if room.failure is not None:
            with naming(path):
                raise room.failure


class Room:
    """The file as HDF5 sees it: every write succeeds. ``failure``: the first that did not."""

    def __init__(self, path: Path, mode: Literal["w", "r+"]) -> None:
        self.failure: OSError | None = None
        self._file = path.open("w+b" if mode == "w" else "r+b", buffering=0)
        self._at = 0
        self._size = os.fstat(self._file.fileno()).st_size

    def __enter__(self) -> "Room":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def write(self, content: bytes | memoryview) -> int:
        left = memoryview(content).cast("B")
        length = len(left)
        try:
            if self.failure is None:
                self._file.seek(self._at)
            while self.failure is None and len(left):  # a disk that fills up takes a part first
                left = left[self._file.write(left) :]
        except OSError as error:
            self.failure = error
        self._at += length
        self._size = max(self._size, self._at)
        return length

    def read(self, size: int) -> bytes:
        content = bytearray(size)
        self.readinto(memoryview(content))
        return bytes(content)

    def readinto(self, buffer: memoryview) -> int:
        """What was written; zeros where it was dropped."""
        wanted = memoryview(buffer).cast("B")
        self._file.seek(self._at)
        found = 0
        while found < len(wanted) and (read := self._file.readinto(wanted[found:])):
            found += read
        wanted[found:] = bytes(len(wanted) - found)
        self._at += len(wanted)
        return len(wanted)

    def truncate(self, size: int | None = None) -> int:
        self._size = self._at if size is None else size
        try:
            if self.failure is None:
                self._file.truncate(self._size)
        except OSError as error:
            self.failure = error
        return self._size

    def flush(self) -> None:
        """Nothing is held back."""
