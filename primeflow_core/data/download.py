"""Downloading one file over http(s) with pooch: streamed, unpacked, checked, and in place only when complete."""

import hashlib
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from primeflow_core.data.http_stream import HttpStream
from primeflow_core.data.unpacking import Unpacker
from primeflow_core.errors import DataError, DownloadError
from primeflow_core.runtime.atomic_files import PARTIAL, replaced, storage_error, write_json
from primeflow_core.runtime.json_text import read_text
from primeflow_core.runtime.provenance import now

if TYPE_CHECKING:
    import requests

LARGEST = 1 << 37
"""No file of unknown size may be larger: 128 GiB."""

OnProgress = Callable[[int, int | None], None]
"""Called with the bytes downloaded so far and, if known, the total."""


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
    """Facts of the first download, stored beside the file; ``sent_sha256`` is of the bytes as sent."""

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
    if not record_path(path).is_file():
        return None
    from primeflow_core.runtime.file_schema import schema_of, values

    try:
        return Record(**values(schema_of(Record).read(read_text(record_path(path)))))
    except DataError:
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

    Where the checksum is not known, the first download records it and later ones must send the same bytes. Several
    downloads of one file at once do not disturb each other: each is put in place whole.
    """
    if not _is_web(address):
        raise DownloadError(f"{address!r} is not an http or https address.")
    before = read_record(target)
    arrival = _Arrival(remote, on_progress)
    with replaced(target) as temporary, _room_beside(temporary) as room:
        Path(_retrieved(remote, address, room, arrival, target)).replace(temporary)
        _check_same(remote, address, arrival.sent.hexdigest(), before)
    return write_record(
        target, address=address, sha256=arrival.stored.hexdigest(), sent_sha256=arrival.sent.hexdigest()
    )


@dataclass
class _Arrival:
    """The downloader that pooch calls to fill its temporary file; keeps the sha256 of what was sent and stored."""

    remote: Remote
    on_progress: OnProgress | None
    sent: Any = field(default_factory=hashlib.sha256)
    stored: Any = field(default_factory=hashlib.sha256)

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        """Raises DownloadError, OSError, zlib.error, and whatever requests raises."""
        stream = HttpStream(url)
        try:
            with Path(output_file).open("wb") as written:
                for piece in self._plain(self._counted(stream)):
                    self.stored.update(piece)
                    written.write(piece)
        finally:
            stream.close()

    def _plain(self, sent: Iterator[bytes]) -> Iterator[bytes]:
        if not self.remote.packed:
            yield from sent
            return
        unpacker = Unpacker(self.remote.size)
        for piece in sent:
            yield from unpacker.feed(piece)
        yield unpacker.end()

    def _counted(self, stream: HttpStream) -> Iterator[bytes]:
        """The bytes that are sent. Raises DownloadError if there are more than expected."""
        size = None if self.remote.packed else self.remote.size
        most = LARGEST if size is None else size
        done = 0
        for piece in stream:
            done += len(piece)
            if done > most:
                raise DownloadError(f"{stream.address} sent more than the expected {megabytes(most)}.")
            self.sent.update(piece)
            yield piece
            if self.on_progress is not None:
                self.on_progress(done, stream.announced or size)


def _is_web(address: str) -> bool:
    return urlsplit(address).scheme in ("http", "https")


def _room_beside(temporary: Path) -> "TemporaryDirectory[str]":
    """A folder for pooch's own temporary file, of a name that says that it can be deleted."""
    return TemporaryDirectory(prefix=temporary.name, suffix=PARTIAL, dir=temporary.parent)


def _retrieved(remote: Remote, address: str, room: str, arrival: "_Arrival", target: Path) -> str:
    """Let pooch bring the file into ``room``; what goes wrong on the way is a DownloadError or StorageError."""
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")
    known = None if remote.sha256 is None else f"sha256:{remote.sha256}"
    try:
        return pooch.retrieve(address, known, fname=remote.file_name, path=room, downloader=arrival)
    except requests.HTTPError as error:
        raise DownloadError(f"{address} answered {_status(error.response)}.") from error
    except requests.exceptions.InvalidSchema as error:
        raise DownloadError(f"{address} leads to an address that is not http or https ({error}).") from error
    except (requests.RequestException, OSError, UnicodeError) as error:
        if isinstance(error, OSError) and (full := storage_error(error, target)) is not None:
            raise full from error
        raise DownloadError(
            f"{address} could not be reached or broke off ({error or type(error).__name__})."
        ) from error
    except zlib.error as error:
        raise DownloadError(f"{address} sent something that is not a whole gzip.") from error
    except ValueError as error:
        raise DownloadError(
            f"{address} sent another file: sha256 {arrival.stored.hexdigest()[:12]}…, expected "
            f"{(remote.sha256 or '')[:12]}…."
        ) from error


def _status(response: "requests.Response | None") -> str:
    return "with an error" if response is None else f"{response.status_code} {response.reason}"


def _check_same(remote: Remote, address: str, sent: str, before: Record | None) -> None:
    """Without a known checksum: the bytes of the first download."""
    if remote.sha256 is None and before is not None and before.address == address and sent != before.sent_sha256:
        raise DownloadError(
            f"{address} sends another file than on {before.fetched[:10]}: sha256 {sent[:12]}…, then "
            f"{before.sent_sha256[:12]}…. If that is meant, delete {remote.file_name}.record.json in the cache."
        )
