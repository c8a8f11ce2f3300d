"""A file of another format is converted while the disk fills up: one error that says so, and nothing half is left."""

import os
import resource
from pathlib import Path

import h5py
import numpy as np
import pytest

from primeflow_core.data.formats import converted_files, local_file
from primeflow_core.data.formats.hdf5_output import output_file
from primeflow_core.data.formats.local_file import as_h5ad, noted_table
from primeflow_core.data.h5ad.reading import read_cells
from primeflow_core.errors import StorageError
from primeflow_core.runtime.bounded_process import bounded
from tests.data.formats.written import WRITTEN, h5ad, screen, zarr_store
from tests.full_disk import WIDE, child_writes_at_most, files_of_at_most

CONVERTED = [name for name in WRITTEN if name != "h5ad"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path / "cache"))


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="this system cannot limit another process")
@pytest.mark.parametrize("name", CONVERTED)
def test_a_conversion_without_room_is_told_and_leaves_nothing(tmp_path, name):
    (tmp_path / "data").mkdir()
    path = WRITTEN[name](tmp_path / "data")
    for size in (0, 900, 2_500, 5_000):
        with child_writes_at_most(size) as child:
            with pytest.raises(
                StorageError, match=f"{tmp_path / 'cache' / 'converted'} could not be written: the file"
            ):
                as_h5ad(path)
            assert bounded(WIDE, "a", os.getpid) == child
        assert list((tmp_path / "cache" / "converted").iterdir()) == []
    assert len(read_cells(path).names) == screen().n_obs


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="this system cannot limit another process")
def test_a_table_that_is_joined_without_room_is_told(tmp_path):
    path, table = h5ad(tmp_path), tmp_path / "more.csv"
    note = [f"{at} {os.urandom(90).hex()}" for at in range(screen().n_obs)]
    screen().obs.assign(note=note).to_csv(table)
    metadata = noted_table(table)
    with child_writes_at_most(path.stat().st_size + 1_000), pytest.raises(StorageError, match="could not be written"):
        as_h5ad(path, metadata=metadata)
    assert list((tmp_path / "cache" / "converted").iterdir()) == []


def test_what_is_known_of_a_conversion_has_no_room(tmp_path, monkeypatch):
    def full(*_):
        raise StorageError(28, "the disk is full", "record.json", "Free space there.")

    store = zarr_store(tmp_path, 3)
    monkeypatch.setattr(converted_files, "write_json", full)
    with pytest.raises(StorageError, match="Free space there, or choose another folder by PRIMEFLOW_CACHE"):
        as_h5ad(store)
    assert list((tmp_path / "cache" / "converted").iterdir()) == []


def test_a_folder_without_room_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(local_file, "LEAST_ROOM", 10**18)
    with pytest.raises(StorageError, match="the disk is full"):
        as_h5ad(zarr_store(tmp_path, 3))


@pytest.mark.parametrize("size", [0, 700, 3_000, 20_000, 60_000])
def test_hdf5_that_has_no_room_raises_and_goes_on(tmp_path, size):
    """In this very process, which HDF5 would end."""
    path = tmp_path / "a.h5"
    told = pytest.raises(StorageError, match="the file is larger")
    with files_of_at_most(size), told as caught, output_file(path) as file:
        fill(file)
    assert caught.value.filename == str(path)
    with output_file(path) as file:
        fill(file)
    with h5py.File(path) as file:
        assert len(file["x"]) == 20_000
        assert file["z/99"][-1] == 98


def fill(file: h5py.File) -> None:
    values = file.create_dataset("x", (0,), np.float64, maxshape=(None,), chunks=(1_000,), compression="lzf")
    for start in range(0, 20_000, 1_500):
        stop = min(start + 1_500, 20_000)
        values.resize((stop,))
        values[start:] = np.random.default_rng(start).random(stop - start)
    for at in range(100):
        file[f"z/{at}"] = np.arange(at)


def test_what_is_wrong_with_the_source_stays_its_own_error(tmp_path):
    with pytest.raises(KeyError, match="not there"), output_file(tmp_path / "a.h5"):
        raise KeyError("not there")


def test_an_output_can_be_read_and_changed(tmp_path: Path):
    with output_file(tmp_path / "a.h5") as file:
        file["a"] = np.arange(5)
    with output_file(tmp_path / "a.h5", "r+") as file:
        assert file["a"][3] == 3
        del file["a"]
        file["b"] = np.arange(7)
    with h5py.File(tmp_path / "a.h5") as file:
        assert list(file) == ["b"]
