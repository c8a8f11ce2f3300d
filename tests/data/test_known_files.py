"""A data file is found again by its content."""

import pytest

from primeflow_core.data import known_files
from primeflow_core.data.h5ad.writing import sha256_of


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "données 1" / "screen.h5ad"
    path.parent.mkdir()
    path.write_bytes(b"cells")
    return path


def test_a_file_is_found_where_it_was(data):
    assert known_files.find(sha256_of(data), "screen.h5ad") is None
    known_files.remember(data, sha256_of(data))
    assert known_files.find(sha256_of(data), "other.h5ad") == data


def test_a_file_that_moved_or_changed_is_looked_for_elsewhere(data, tmp_path):
    sha256 = sha256_of(data)
    known_files.remember(data, sha256)
    data.write_bytes(b"other cells")
    assert known_files.find(sha256, "screen.h5ad") is None
    beside = tmp_path / "model" / "screen.h5ad"
    beside.parent.mkdir()
    beside.write_bytes(b"cells")
    assert known_files.find(sha256, "screen.h5ad", (tmp_path, beside.parent)) == beside


def test_uploads_and_files_of_the_cache_are_found(data, cache):
    sha256 = sha256_of(data)
    upload = cache / "uploads" / f"{sha256}.h5ad"
    upload.parent.mkdir(parents=True)
    data.rename(upload)
    assert known_files.find(sha256, "screen.h5ad") == upload


def test_the_name_of_a_manifest_is_never_a_path(data, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    assert known_files.find(sha256_of(data), f"../{data.parent.name}/screen.h5ad", (folder,)) is None


@pytest.mark.parametrize("record", [b"", b"{", b"[1]", b'{"path": 3}', b'{"path": "a\\u0000b"}', b"\xff"])
def test_a_damaged_record_only_loses_the_hint(data, cache, record):
    sha256 = sha256_of(data)
    place = cache / "known-files" / f"{sha256}.json"
    place.parent.mkdir(parents=True)
    place.write_bytes(record)
    assert known_files.where_it_was(sha256) is None
    assert known_files.find(sha256, "screen.h5ad", (data.parent,)) == data
    known_files.remember(data, sha256)
    assert known_files.where_it_was(sha256) == data


def test_a_cache_that_cannot_be_written_stops_nothing(data, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path / "file"))
    known_files.remember(data, sha256_of(data))
    assert known_files.where_it_was(sha256_of(data)) is None
