"""Filters that pack the values of an HDF5 file: those that this machine lacks, and the package that has them."""

import importlib
from pathlib import Path

import h5py

NAMES = {
    307: "bzip2", 32000: "lzf", 32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32013: "zfp", 32015: "zstd",
    32017: "sz", 32018: "fcidecomp", 32024: "sz3", 32026: "blosc2",
}  # fmt: skip
"""As registered with the HDF Group."""
PACKAGE = "hdf5plugin"
FIRST_REGISTERED = 256
"""Filters below are HDF5's own."""


def missing_filter(item: h5py.Group | h5py.Dataset) -> str | None:
    """The filter that a data set needs and that is not here, in words; None where it can be unpacked.

    The package that has most filters is loaded where it is installed.
    """
    lacking = next((number for number in _numbers(item) if not _is_here(number)), None)
    return None if lacking is None else _named(lacking)


def packed_with(path: Path) -> str:
    """The registered filters that pack data sets of a file, in words; empty where HDF5's own do."""
    numbers: dict[int, None] = {}
    with h5py.File(path, "r") as file:
        file.visititems(lambda _, item: numbers.update(dict.fromkeys(_numbers(item))))
    return ", ".join(_named(number) for number in numbers if number >= FIRST_REGISTERED)


def _numbers(item: h5py.Group | h5py.Dataset) -> list[int]:
    if not isinstance(item, h5py.Dataset):
        return []
    created = item.id.get_create_plist()
    return [created.get_filter(at)[0] for at in range(created.get_nfilters())]


def _named(number: int) -> str:
    return f"{NAMES.get(number, 'a filter of its own')} (HDF5 filter {number})"


def _is_here(number: int) -> bool:
    return bool(h5py.h5z.filter_avail(number)) or (_package_is_here() and bool(h5py.h5z.filter_avail(number)))


def _package_is_here() -> bool:
    """Importing it makes its filters known to HDF5."""
    try:
        importlib.import_module(PACKAGE)
    except ImportError:
        return False
    return True
