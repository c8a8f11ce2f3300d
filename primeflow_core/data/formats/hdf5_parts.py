"""What the groups of an HDF5 file are called, to tell formats apart."""

from pathlib import Path

import h5py

from primeflow_core.data.h5ad.storage import DAMAGE

SIGNATURE = b"\x89HDF"


def is_hdf5(path: Path) -> bool:
    """By its first bytes, or after a block of text, as MuData writes it."""
    if not path.is_file():
        return False
    with path.open("rb") as opened_file:
        return opened_file.read(4) == SIGNATURE or bool(h5py.is_hdf5(path))


def groups(path: Path) -> dict[str, bool]:
    """The names at the root of an HDF5 file, and whether each is a group; empty for what cannot be opened.

    What cannot be opened is left to the reader of .h5ad files, which says why.
    """
    if not is_hdf5(path):
        return {}
    try:
        with h5py.File(path, "r") as file:
            return {name: isinstance(file.get(name), h5py.Group) for name in file}
    except DAMAGE:
        return {}
