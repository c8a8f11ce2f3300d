"""Bringing one file over http(s): streamed, unpacked, checked, and in place only when complete."""

import hashlib
import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from primeflow_core.errors import DownloadError
from primeflow_core.runtime.atomic_files import replaced, write_json
from primeflow_core.runtime.provenance import now

CHUNK = 1 << 20
TIMEOUT = 60.0
_GZIP = 31

OnProgress = Callable[[int, int | None], None]
"""Told the bytes brought so far and, where known, how many there are in all."""


@dataclass(frozen=True)
class Remote:
    """A file to bring; None where the size or checksum of what is stored is not known; ``packed``: sent as a gzip."""

    file_name: str
    address: str | None
    size: int | None = None
    sha256: str | None = None
    packed: bool = False


@dataclass(frozen=True)
class Record:
    """What came at the first download, kept beside the file; ``sent_sha256`` is of the bytes as sent."""

    address: str
    size: int
    sha256: str
    sent_sha256: str
    modified: int
    fetched: str


def record_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.record.json")


def read_record(path: Path) -> Record | None:
    """The record beside ``path``; None where there is none or it cannot be understood."""
    try:
        return Record(**json.loads(record_path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_record(path: Path, *, address: str, sha256: str, sent_sha256: str) -> Record:
    state = path.stat()
    record = Record(address, state.st_size, sha256, sent_sha256, state.st_mtime_ns, now())
    write_json(record_path(path), asdict(record))
    return record


def megabytes(size: int | None) -> str:
    return "size unknown" if size is None else f"{size / 1e6:,.1f} MB"


def download(remote: Remote, address: str, target: Path, on_progress: OnProgress | None = None) -> Record:
    """Bring ``remote`` from ``address`` to ``target``. Raises DownloadError, and then leaves nothing behind.

    Where the checksum is not known, the first download records it and later ones must send the same bytes.
    """
    if urllib.parse.urlsplit(address).scheme not in ("http", "https"):
        raise DownloadError(f"{address!r} is no http or https address.")
    before = read_record(target)
    with replaced(target) as temporary:
        try:
            stored, sent = _stream(address, temporary, remote, on_progress)
        except urllib.error.HTTPError as error:
            raise DownloadError(f"{address} answered {error.code} {error.reason}.") from error
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            reason = getattr(error, "reason", None) or error or type(error).__name__
            raise DownloadError(f"{address} could not be reached or broke off ({reason}).") from error
        except zlib.error as error:
            raise DownloadError(f"{address} sent something that is no gzip.") from error
        _check_same(remote, address, stored, sent, before)
    return write_record(target, address=address, sha256=stored, sent_sha256=sent)


def _check_same(remote: Remote, address: str, stored: str, sent: str, before: Record | None) -> None:
    if remote.sha256 is not None and stored != remote.sha256:
        raise DownloadError(f"{address} sent another file: sha256 {stored[:12]}…, expected {remote.sha256[:12]}….")
    if remote.sha256 is None and before is not None and before.address == address and sent != before.sent_sha256:
        raise DownloadError(
            f"{address} sends another file than on {before.fetched[:10]}: sha256 {sent[:12]}…, then "
            f"{before.sent_sha256[:12]}…. If that is meant, delete {remote.file_name}.record.json in the cache."
        )


def _opener() -> urllib.request.OpenerDirector:
    """Knows http and https only, so that no redirect leads to a local file."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def _stream(address: str, target: Path, remote: Remote, on_progress: OnProgress | None) -> tuple[str, str]:
    """Write what is sent, unpacked; return the sha256 of what is stored and of what was sent."""
    stored, sent = hashlib.sha256(), hashlib.sha256()
    unpacker = zlib.decompressobj(_GZIP) if remote.packed else None
    request = urllib.request.Request(address, headers={"User-Agent": "primeflow"})
    with _opener().open(request, timeout=TIMEOUT) as answer, target.open("wb") as written:
        for chunk in _chunks(answer, remote, on_progress):
            sent.update(chunk)
            plain = unpacker.decompress(chunk) if unpacker else chunk
            stored.update(plain)
            written.write(plain)
        rest = unpacker.flush() if unpacker else b""
        stored.update(rest)
        written.write(rest)
    if unpacker and not unpacker.eof:
        raise zlib.error("incomplete")
    return stored.hexdigest(), sent.hexdigest()


def _chunks(answer: http.client.HTTPResponse, remote: Remote, on_progress: OnProgress | None) -> Iterator[bytes]:
    """What is sent, piece by piece; raises OSError where it is shorter than announced or longer than it can be."""
    announced = answer.headers.get("Content-Length", "")
    total = int(announced) if announced.isdigit() else (None if remote.packed else remote.size)
    done = 0
    while chunk := answer.read(CHUNK):
        done += len(chunk)
        if remote.size is not None and not remote.packed and done > remote.size:
            raise OSError(f"more than the expected {megabytes(remote.size)}")
        yield chunk
        if on_progress is not None:
            on_progress(done, total)
    if total is not None and done < total:
        raise OSError(f"{done:,} of {total:,} bytes")
