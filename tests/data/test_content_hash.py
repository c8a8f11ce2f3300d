"""A large file or folder is read once for its sha256, and again as soon as anything in it changes."""

import os
import time

import anndata
import pytest

from primeflow_core.data import content_hash
from primeflow_core.data.content_hash import content_sha256
from primeflow_core.data.formats.local_file import as_h5ad
from primeflow_core.data.h5ad.reading import read_cells
from primeflow_core.data.h5ad.writing import sha256_of
from tests.data.formats.written import h5mu, zarr_store


@pytest.fixture(autouse=True)
def hashed(tmp_path, monkeypatch):
    """The paths that were read for their sha256; everything counts as large, and as settled."""
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(content_hash, "LEAST_BYTES", 0)
    monkeypatch.setattr(content_hash, "SETTLED", -1)
    paths = []

    def counted(path):
        paths.append(path)
        return sha256_of(path)

    monkeypatch.setattr(content_hash, "sha256_of", counted)
    return paths


@pytest.fixture
def store(tmp_path):
    place = tmp_path / "store"
    (place / "a").mkdir(parents=True)
    for name in ("a/1", "a/2", "b"):
        (place / name).write_text(name)
    return place


def test_it_is_the_sha256_and_read_once(store, hashed):
    for path in (store, store / "b"):
        assert content_sha256(path) == content_sha256(path) == sha256_of(path)
    assert hashed == [store, store / "b"]


def changed_in_secret(path):
    """Of the same length, and with the times of before, as copying tools set them."""
    before = path.stat()
    path.write_text(path.read_text().swapcase()[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    "change",
    [
        lambda store: (store / "a/1").write_text("other"),
        lambda store: changed_in_secret(store / "a/1"),
        lambda store: (store / "a/1").rename(store / "a/3"),
        lambda store: (store / "b").unlink(),
        lambda store: (store / "c").write_text(""),
        lambda store: os.replace(store / "a/2", store / "a/1"),
    ],
)
def test_a_change_is_noticed(store, hashed, change):
    before = content_sha256(store)
    time.sleep(0.02)  # the clock of a disk ticks some hundred times a second
    change(store)
    assert content_sha256(store) == sha256_of(store) != before
    assert len(hashed) == 2


def test_what_changed_a_moment_ago_is_not_remembered(store, hashed, monkeypatch):
    monkeypatch.setattr(content_hash, "SETTLED", 2_000_000_000)
    assert content_sha256(store) == content_sha256(store)
    assert len(hashed) == 2


def test_what_changes_while_it_is_read_is_not_remembered(store, tmp_path, monkeypatch):
    def slow(path):
        found = sha256_of(path)
        (store / "late").touch()
        return found

    monkeypatch.setattr(content_hash, "sha256_of", slow)
    content_sha256(store)
    assert not list((tmp_path / "cache").rglob("*.json"))
    monkeypatch.setattr(content_hash, "sha256_of", sha256_of)
    assert content_sha256(store) == sha256_of(store)
    assert list((tmp_path / "cache").rglob("*.json"))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"state": 1}', b'{"state": "x", "sha256": "y"}', b"\xff"])
def test_a_damaged_record_is_made_again(store, hashed, content, tmp_path):
    content_sha256(store)
    (record,) = (tmp_path / "cache" / "content-hashes").iterdir()
    record.write_bytes(content)
    assert content_sha256(store) == sha256_of(store)
    assert content_sha256(store) == sha256_of(store)
    assert len(hashed) == 2


def test_a_cache_that_cannot_be_written_stops_nothing(store, hashed, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert content_sha256(store) == content_sha256(store) == sha256_of(store)


@pytest.mark.parametrize("written", [lambda folder: zarr_store(folder, 3), h5mu])
def test_a_converted_source_is_read_once_for_many_commands(tmp_path, hashed, written):
    path = written(tmp_path)
    first = as_h5ad(path)
    cells = read_cells(path)
    assert cells.sha256 == first.sha256 == as_h5ad(path).sha256 == sha256_of(path)
    assert hashed.count(path) == 1
    adata = anndata.read_h5ad(first.h5ad)[::-1].copy()
    adata.write_zarr(path) if path.is_dir() else path.write_bytes(path.read_bytes() + b"\0")
    assert as_h5ad(path).h5ad != first.h5ad
