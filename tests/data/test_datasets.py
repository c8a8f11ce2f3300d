import gzip
import hashlib
import json
import os
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from primeflow_core.data import datasets, download
from primeflow_core.data.datasets import DATASETS, cache_folder, dataset_named, fetch, local_path, open_cells
from primeflow_core.data.download import Remote, read_record
from primeflow_core.errors import DataError, DownloadError

CONTENT = b"not really cells, but bytes all the same " * 50_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, no mirror, no proxy."""
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PRIMEFLOW_MIRROR", raising=False)
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "cache"


@pytest.fixture
def server():
    """Serves ``answers``: path -> (status, headers, body); counts what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            status, headers, body = self.server.answers.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.answers, running.asked = {}, []
        running.address = f"http://127.0.0.1:{running.server_port}"
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def row(monkeypatch):
    """Puts one data set of our own into the table."""

    def put(**changes):
        dataset = replace(
            dataset_named("perturbench-devel"), **{"name": "ours", "file_name": "ours.h5ad", "address": None,
            "size": len(CONTENT), "sha256": SHA256, **changes},
        )  # fmt: skip
        monkeypatch.setattr(datasets, "DATASETS", (dataset,))
        return dataset

    return put


def names_in(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_the_table_is_consistent():
    assert len({dataset.name for dataset in DATASETS}) == len(DATASETS)
    assert len({dataset.file_name for dataset in DATASETS}) == len(DATASETS)
    for dataset in DATASETS:
        assert dataset.licence
        assert dataset.citation
        assert dataset.task in ("combo", "transfer")
        assert dataset.address is None or dataset.address.startswith("https://")
        assert dataset.packed == (dataset.address or "").endswith(".gz")
        assert dataset.sha256 is None or len(dataset.sha256) == 64
    assert [dataset.name for dataset in DATASETS if dataset.simulated] == ["simulated-screen"]


@pytest.mark.parametrize("asked", ["perturbench_devel", "PERTURBENCH-devel", "perturbench"])
def test_an_unknown_name_gets_the_nearest(asked):
    with pytest.raises(DataError, match="Did you mean perturbench-devel"):
        dataset_named(asked)


def test_the_cache_is_in_the_home_folder_unless_told(monkeypatch, tmp_path):
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("PRIMEFLOW_CACHE")
    assert cache_folder() == Path.home() / ".cache" / "primeflow"


def test_nothing_local_is_none_and_says_how_to_fetch(row):
    row()
    assert local_path("ours") is None
    with pytest.raises(
        DownloadError, match=r"ours is not on this machine yet\. Download it with: primeflow fetch ours"
    ):
        open_cells("ours")


def test_a_file_comes_from_its_address_once(row, server, cache):
    row(address=server.address + "/ours.h5ad")
    server.answers["/ours.h5ad"] = (200, {}, CONTENT)
    heard = []
    path = fetch("ours", lambda done, total: heard.append((done, total)))
    assert path == cache / "ours.h5ad" == local_path("ours")
    assert path.read_bytes() == CONTENT
    assert heard[-1] == (len(CONTENT), len(CONTENT))
    assert heard == sorted(heard)
    assert fetch("ours") == path
    assert server.asked == ["/ours.h5ad"]
    assert names_in(cache) == ["ours.h5ad", "ours.h5ad.record.json"]
    record = read_record(path)
    assert (record.size, record.sha256, record.address) == (len(CONTENT), SHA256, server.address + "/ours.h5ad")


def test_a_packed_file_is_unpacked_and_what_came_is_recorded(row, server, cache):
    packed = gzip.compress(CONTENT)
    row(address=server.address + "/ours.h5ad.gz", packed=True, size=None, sha256=None)
    server.answers["/ours.h5ad.gz"] = (200, {}, packed)
    assert fetch("ours").read_bytes() == CONTENT
    record = read_record(cache / "ours.h5ad")
    assert record.sha256 == SHA256
    assert record.sent_sha256 == hashlib.sha256(packed).hexdigest()


def test_an_address_that_later_sends_other_bytes_is_noticed(row, server, cache):
    row(address=server.address + "/ours.h5ad.gz", packed=True, size=None, sha256=None)
    server.answers["/ours.h5ad.gz"] = (200, {}, gzip.compress(CONTENT))
    fetch("ours").unlink()
    server.answers["/ours.h5ad.gz"] = (200, {}, gzip.compress(CONTENT + b"!"))
    with pytest.raises(DownloadError, match=r"sends another file than on .* delete ours\.h5ad\.record\.json"):
        fetch("ours")
    assert names_in(cache) == ["ours.h5ad.record.json"]


def test_companions_come_along(row, server, cache):
    companion = Remote("ours_split.csv", server.address + "/split.csv")
    row(address=server.address + "/ours.h5ad", companions=(companion,))
    server.answers = {"/ours.h5ad": (200, {}, CONTENT), "/split.csv": (200, {}, b"c0,train\n")}
    fetch("ours")
    assert (cache / "ours_split.csv").read_bytes() == b"c0,train\n"


FAULTS = {
    "not found": ((404, {}, b""), {}, "answered 404"),
    "server error": ((500, {}, b""), {}, "answered 500"),
    "other bytes": ((200, {}, CONTENT[::-1]), {}, "sent another file: sha256"),
    "too long": ((200, {}, CONTENT * 2), {}, r"more than the expected 2\.0 MB"),
    "broken off": ((200, {"Content-Length": str(len(CONTENT))}, CONTENT[:1000]), {}, "broke off"),
    "no gzip": ((200, {}, CONTENT), {"packed": True, "size": None, "sha256": None}, "not a whole gzip"),
    "gzip cut": (
        (200, {}, gzip.compress(CONTENT)[:-20]), {"packed": True, "size": None, "sha256": None}, "not a whole gzip"
    ),
    "to ftp": ((302, {"Location": "ftp://127.0.0.1/x"}, b""), {}, "leads to an address that is not http or https"),
    "to a file": ((302, {"Location": "file:///etc/host"}, b""), {}, "leads to an address that is not http or https"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named_and_leaves_nothing_behind(row, server, cache, name):
    answer, changes, message = FAULTS[name]
    row(address=server.address + "/ours.h5ad", **changes)
    server.answers["/ours.h5ad"] = answer
    with pytest.raises(DownloadError, match=message) as refusal:
        fetch("ours")
    assert "PRIMEFLOW_MIRROR to a folder that holds ours.h5ad" in str(refusal.value)
    assert names_in(cache) == []


def test_without_a_network_the_size_and_the_way_out_are_told(row):
    row(address="http://127.0.0.1:9/ours.h5ad")
    with pytest.raises(DownloadError, match=r"ours\.h5ad \(2\.0 MB\) could not be downloaded\. .*could not be reached"):
        fetch("ours")


def test_only_http_addresses_are_followed(tmp_path):
    (tmp_path / "secret").write_bytes(CONTENT)
    remote = Remote("ours.h5ad", None)
    with pytest.raises(DownloadError, match="is not an http or https address"):
        download.download(remote, f"file://{tmp_path}/secret", tmp_path / "out")


def test_a_mirror_folder_is_used_in_place_and_copied_on_fetch(row, server, cache, tmp_path, monkeypatch):
    row(address=server.address + "/ours.h5ad")
    folder = tmp_path / "mirror"
    folder.mkdir()
    (folder / "ours.h5ad").write_bytes(CONTENT)
    monkeypatch.setenv("PRIMEFLOW_MIRROR", str(folder))
    assert local_path("ours") == folder / "ours.h5ad"
    assert fetch("ours") == cache / "ours.h5ad"
    assert local_path("ours") == cache / "ours.h5ad"
    assert server.asked == []


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT[::-1]])
def test_a_wrong_file_in_the_mirror_is_named_and_not_used(row, server, cache, tmp_path, monkeypatch, content):
    row(address=server.address + "/ours.h5ad")
    (tmp_path / "ours.h5ad").write_bytes(content)
    monkeypatch.setenv("PRIMEFLOW_MIRROR", str(tmp_path))
    with pytest.raises(DownloadError, match=r"ours\.h5ad .*Copy it into the mirror again"):
        local_path("ours")
    with pytest.raises(DownloadError, match=r"Copy it into the mirror again\. .*answered 404"):
        fetch("ours")
    server.answers["/ours.h5ad"] = (200, {}, CONTENT)
    assert fetch("ours").read_bytes() == CONTENT


def test_a_mirror_address_is_asked_first(row, server, monkeypatch):
    row(address=server.address + "/public/ours.h5ad")
    server.answers = {"/mirror/ours.h5ad": (200, {}, CONTENT), "/public/ours.h5ad": (200, {}, CONTENT)}
    monkeypatch.setenv("PRIMEFLOW_MIRROR", server.address + "/mirror/")
    assert local_path("ours") is None
    fetch("ours")
    assert server.asked == ["/mirror/ours.h5ad"]


def test_a_mirror_without_the_file_falls_back_to_the_address(row, server, monkeypatch):
    row(address=server.address + "/public/ours.h5ad")
    server.answers = {"/public/ours.h5ad": (200, {}, CONTENT)}
    monkeypatch.setenv("PRIMEFLOW_MIRROR", server.address + "/mirror")
    assert fetch("ours").read_bytes() == CONTENT


def test_a_set_without_address_needs_a_mirror(row):
    row()
    with pytest.raises(DownloadError, match="It has no public address and no mirror is set"):
        fetch("ours")


@pytest.mark.parametrize("known", [True, False])
def test_a_damaged_file_in_the_cache_is_named_and_mended_by_fetch(row, server, cache, known):
    row(address=server.address + "/ours.h5ad", **({} if known else {"size": None, "sha256": None}))
    server.answers["/ours.h5ad"] = (200, {}, CONTENT)
    path = fetch("ours")
    path.write_bytes(b"X" + CONTENT[1:])
    with pytest.raises(DownloadError, match=r"ours\.h5ad is damaged: sha256 .*primeflow fetch"):
        local_path("ours")
    assert fetch("ours").read_bytes() == CONTENT
    assert local_path("ours") == path


def test_damage_that_keeps_size_and_time_is_found_by_fetch(row, server):
    row(address=server.address + "/ours.h5ad")
    server.answers["/ours.h5ad"] = (200, {}, CONTENT)
    path = fetch("ours")
    times = path.stat()
    path.write_bytes(b"X" + CONTENT[1:])
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert fetch("ours").read_bytes() == CONTENT


def test_a_file_put_into_the_cache_by_hand_is_checked_and_recorded(row, cache):
    row()
    cache.mkdir()
    (cache / "ours.h5ad").write_bytes(CONTENT)
    assert local_path("ours") == cache / "ours.h5ad"
    assert json.loads((cache / "ours.h5ad.record.json").read_text())["sha256"] == SHA256


def test_a_record_that_cannot_be_read_counts_as_none(row, cache):
    row()
    cache.mkdir()
    (cache / "ours.h5ad").write_bytes(CONTENT)
    (cache / "ours.h5ad.record.json").write_text('{"size": 3}')
    assert local_path("ours") == cache / "ours.h5ad"


@pytest.mark.slow
def test_the_simulated_screen_is_made_without_network(cache):
    assert local_path("simulated-screen") is None
    cells = open_cells("simulated-screen")
    assert len(cells) == 10_000
    assert cells.layout == dataset_named("simulated-screen").columns
    made = local_path("simulated-screen")
    first = made.read_bytes()
    made.unlink()
    assert fetch("simulated-screen").read_bytes() == first


def test_the_real_sets_open_from_the_mirror(mirror, monkeypatch):
    monkeypatch.setenv("PRIMEFLOW_MIRROR", str(mirror))
    assert len(open_cells("perturbench-devel")) == 5_961
    immune = open_cells("kang18-ifnb-pbmc")
    assert len(immune) == 1_556
    assert immune.layout.covariates == ("cluster_id",)
    tumours = open_cells("gbm-panobinostat")
    assert len(tumours) == 5_000
    assert {condition.context for condition in tumours.conditions} == {f"donor_{i}" for i in range(1, 6)}
