"""Downloads from servers that are slow, endless or hostile, and many downloads of one file at once."""

import gzip
import hashlib
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from primeflow_core.data import download, http_stream, unpacking
from primeflow_core.data.download import Remote, read_record
from primeflow_core.errors import DownloadError

CONTENT = b"not really cells, but bytes all the same " * 50_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
KNOWN = Remote("ours.h5ad", None, len(CONTENT), SHA256)
PACKED = Remote("ours.h5ad", None, None, None, packed=True)


@pytest.fixture
def server(monkeypatch):
    """``answer`` is given the handler of each request, and a clock that is stopped at the end of the test."""
    monkeypatch.setenv("no_proxy", "*")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            try:
                self.server.answer(self)
            except (BrokenPipeError, ConnectionResetError):
                self.server.hung_up.set()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.address = f"http://127.0.0.1:{running.server_port}/ours.h5ad"
        running.over, running.hung_up = threading.Event(), threading.Event()
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield running
        running.over.set()
        running.shutdown()


def send(handler, body, **headers):
    handler.send_response(200)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def drip(handler, piece):
    """``piece`` again and again, faster than the clock of a single read."""
    while not handler.server.over.wait(0.02):
        handler.wfile.write(piece)
        handler.wfile.flush()


def silent(handler):
    handler.server.over.wait()


def drips_its_body(handler):
    send(handler, b"", **{"Content-Length": str(len(CONTENT))})
    drip(handler, b"x")


def drips_its_chunks(handler):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    drip(handler, b"1\r\nx\r\n")


def drips_its_headers(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    drip(handler, b"x")


def stops_half_way(handler):
    send(handler, CONTENT[: len(CONTENT) // 2], **{"Content-Length": str(len(CONTENT))})
    handler.server.over.wait()


@pytest.mark.parametrize(
    "answer",
    [silent, drips_its_body, drips_its_chunks, drips_its_headers, stops_half_way],
    ids=lambda one: one.__name__,
)
def test_a_slow_server_is_given_up_and_nothing_is_left(server, tmp_path, monkeypatch, answer):
    monkeypatch.setattr(http_stream, "SECONDS", 0.4)
    server.answer = answer
    begun = time.monotonic()
    with pytest.raises(DownloadError, match=r"is too slow: it sent less than 64 kB within 0\.4 s|broke off"):
        download.download(KNOWN, server.address, tmp_path / "ours.h5ad")
    assert time.monotonic() - begun < 20
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_was_given_up_is_no_longer_listened_to(server, tmp_path, monkeypatch):
    monkeypatch.setattr(http_stream, "SECONDS", 0.4)
    server.answer = drips_its_body
    with pytest.raises(DownloadError, match="too slow"):
        download.download(KNOWN, server.address, tmp_path / "ours.h5ad")
    assert server.hung_up.wait(30)


def test_a_slow_server_that_keeps_the_least_rate_is_heard_to_the_end(server, tmp_path, monkeypatch):
    monkeypatch.setattr(http_stream, "SECONDS", 3.0)
    monkeypatch.setattr(http_stream, "LEAST", 1 << 17)

    def answer(handler):
        send(handler, b"", **{"Content-Length": str(len(CONTENT))})
        for first in range(0, len(CONTENT), 1 << 17):
            handler.wfile.write(CONTENT[first : first + (1 << 17)])
            handler.server.over.wait(0.25)

    server.answer = answer
    begun = time.monotonic()
    assert download.download(KNOWN, server.address, tmp_path / "ours.h5ad").sha256 == SHA256
    assert time.monotonic() - begun > 3


def test_an_endless_file_of_unknown_size_is_given_up(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "LARGEST", 1_000_000)

    def answer(handler):
        handler.send_response(200)
        handler.end_headers()
        while not handler.server.over.is_set():
            handler.wfile.write(CONTENT[:10_000])

    server.answer = answer
    with pytest.raises(DownloadError, match=r"sent more than the expected 1\.0 MB"):
        download.download(Remote("ours.csv", None), server.address, tmp_path / "ours.csv")
    assert list(tmp_path.iterdir()) == []


def bomb(size):
    """A gzip of ``size`` zeros, a thousandth as long."""
    return gzip.compress(bytes(size))


@pytest.mark.parametrize(
    ("size", "message", "most"),
    [(1_000_000, "unpacks to more than the expected 1,000,000 bytes", 2_100_000), (None, "is not a data set", 5e7)],
)
def test_a_gzip_bomb_is_stopped_while_it_is_unpacked(server, tmp_path, monkeypatch, size, message, most):
    largest = []
    feed = unpacking.Unpacker.feed

    def watched(self, packed):
        for piece in feed(self, packed):
            largest.append(self._unpacked)
            yield piece

    monkeypatch.setattr(unpacking.Unpacker, "feed", watched)
    packed = bomb(200_000_000)
    server.answer = lambda handler: send(handler, packed)
    with pytest.raises(DownloadError, match=message):
        download.download(Remote("ours.h5ad", None, size, None, packed=True), server.address, tmp_path / "ours.h5ad")
    assert max(largest, default=0) < most
    assert list(tmp_path.iterdir()) == []


def test_what_is_packed_once_more_on_the_way_is_a_bomb_too(server, tmp_path):
    packed = bomb(200_000_000)
    server.answer = lambda handler: send(handler, packed, **{"Content-Encoding": "gzip"})
    with pytest.raises(DownloadError, match="sent more than the expected"):
        download.download(KNOWN, server.address, tmp_path / "ours.h5ad")
    assert list(tmp_path.iterdir()) == []


def test_joined_gzips_are_all_unpacked(server, tmp_path):
    server.answer = lambda handler: send(handler, gzip.compress(CONTENT[:999]) + gzip.compress(CONTENT[999:]))
    download.download(PACKED, server.address, tmp_path / "ours.h5ad")
    assert (tmp_path / "ours.h5ad").read_bytes() == CONTENT


@pytest.mark.parametrize("packed", [b"", gzip.compress(CONTENT)[:-9], gzip.compress(CONTENT) + b"and more"])
def test_a_gzip_that_is_not_whole_is_refused(server, tmp_path, packed):
    server.answer = lambda handler: send(handler, packed)
    with pytest.raises(DownloadError, match="not a whole gzip"):
        download.download(PACKED, server.address, tmp_path / "ours.h5ad")
    assert list(tmp_path.iterdir()) == []


def redirected(server, *places):
    """Answers with each of ``places`` in turn."""
    left = list(places)

    def answer(handler):
        place = left.pop(0)
        handler.send_response(302)
        handler.send_header("Location", place)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    server.answer = answer


@pytest.mark.parametrize("place", ["file:///etc/hostname", "ftp://127.0.0.1/ours.h5ad", "gopher://127.0.0.1/"])
def test_a_redirect_is_followed_to_the_web_only_however_late_it_comes(server, tmp_path, place):
    redirected(server, "/second", "/third", place)
    with pytest.raises(DownloadError, match="not http or https") as refusal:
        download.download(KNOWN, server.address, tmp_path / "ours.h5ad")
    assert place.split(":")[0] in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_a_circle_of_redirects_ends(server, tmp_path):
    redirected(server, *["/again"] * 100)
    with pytest.raises(DownloadError, match="could not be reached"):
        download.download(KNOWN, server.address, tmp_path / "ours.h5ad")


@pytest.mark.parametrize("remote", [KNOWN, Remote("ours.h5ad", None)], ids=["known", "unknown"])
def test_twenty_threads_bring_one_file_at_once(server, tmp_path, remote):
    together = threading.Barrier(20)

    def answer(handler):
        together.wait(60)
        send(handler, CONTENT)

    server.answer = answer
    target = tmp_path / "ours.h5ad"
    with ThreadPoolExecutor(20) as pool:
        records = list(pool.map(lambda _: download.download(remote, server.address, target), range(20)))
    assert {record.sha256 for record in records} == {SHA256}
    assert target.read_bytes() == CONTENT
    assert read_record(target).sha256 == SHA256
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ours.h5ad", "ours.h5ad.record.json"]


_FETCHED = """
import sys
from pathlib import Path
from primeflow_core.data.download import Remote, download
print(download(Remote("ours.h5ad", None, int(sys.argv[2]), sys.argv[3]), sys.argv[1], Path(sys.argv[4])).sha256)
"""


def test_several_processes_bring_one_file_at_once(server, tmp_path):
    together = threading.Barrier(4)

    def answer(handler):
        together.wait(120)
        send(handler, CONTENT)

    server.answer = answer
    arguments = [server.address, str(len(CONTENT)), SHA256, str(tmp_path / "ours.h5ad")]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _FETCHED, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    ended = [process.communicate(timeout=240) for process in started]
    assert ended == [(f"{SHA256}\n", "")] * 4
    assert (tmp_path / "ours.h5ad").read_bytes() == CONTENT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ours.h5ad", "ours.h5ad.record.json"]
