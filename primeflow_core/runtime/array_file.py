"""Reads .npz files that somebody else may have damaged or swollen: what a file says of itself is checked first."""

import zlib
from pathlib import Path
from tokenize import TokenError
from zipfile import BadZipFile, ZipFile

import numpy as np

from primeflow_core.errors import DataError

MOST_BYTES = 1 << 30
"""Unpacked, all arrays of a file together; the preview of a model of 20,000 genes has a fifth of it."""
DAMAGE = (
    OSError, EOFError, KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError, SyntaxError,
    OverflowError, BadZipFile, zlib.error, TokenError,
)  # fmt: skip
"""What zipfile and NumPy raise for a damaged file; a flipped bit that says "encrypted" is a RuntimeError."""


def read_arrays(path: Path, most: int | None = None) -> dict[str, np.ndarray]:
    """The arrays by name, of ``most`` bytes in all (None: ``MOST_BYTES``).

    Raises DataError, without the name of the file, for damage, objects and what is too large.
    """
    most = MOST_BYTES if most is None else most
    try:
        with ZipFile(path) as packed:
            if sum(entry.file_size for entry in packed.infolist()) > most:
                raise DataError(f"it is larger than {most >> 30} GiB when it is unpacked")
            return {name.removesuffix(".npy"): _array(packed, name) for name in packed.namelist()}
    except DAMAGE as error:
        raise DataError(
            f"it is not an .npz file of this program ({str(error)[:120] or type(error).__name__})"
        ) from error


def _array(packed: ZipFile, name: str) -> np.ndarray:
    """Raises ValueError where an array says that it is larger than what is there."""
    with packed.open(name) as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
        there = packed.getinfo(name).file_size - stream.tell()
    if dtype.hasobject or int(np.prod(shape, dtype=object)) * dtype.itemsize != there:
        raise ValueError(f"{name} is not an array of {there:,} bytes")
    with packed.open(name) as stream:
        return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))
