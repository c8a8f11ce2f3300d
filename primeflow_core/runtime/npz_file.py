"""Arrays from an .npz file that somebody else may have written or damaged: sizes are checked before they are read."""

import math
import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from primeflow_core.errors import DataError

MOST_BYTES = 1 << 30
ENDING = ".npy"
DAMAGE = (
    OSError, EOFError, KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError, SyntaxError,
    OverflowError, zipfile.BadZipFile, zlib.error, tokenize.TokenError,
)  # fmt: skip
"""What zipfile and NumPy raise for a damaged file."""


def read_arrays(path: Path, most: int = MOST_BYTES) -> dict[str, np.ndarray]:
    """The arrays of a file by name. Raises DataError, without the name of the file, for anything but plain arrays of
    ``most`` bytes in all."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
            if unpacked > most:
                raise DataError(f"it unpacks to {unpacked / 1e9:.1f} GB, and {most / 1e9:.1f} GB is the most")
            return {entry.filename.removesuffix(ENDING): _array(archive, entry) for entry in archive.infolist()}
    except DAMAGE as error:
        raise DataError(str(error) or type(error).__name__) from error


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(entry) as stream:
        if npy.read_magic(stream) == (1, 0):
            shape, _, kind = npy.read_array_header_1_0(stream)
        else:
            shape, _, kind = npy.read_array_header_2_0(stream)
        described = math.prod(shape) * kind.itemsize
        stored = entry.file_size - stream.tell()
    if kind.hasobject or described != stored:
        raise DataError(f"{entry.filename} describes {described:,} bytes of {kind} and has {stored:,}")
    with archive.open(entry) as stream:
        found: np.ndarray = npy.read_array(stream, allow_pickle=False)
    return found
