"""Reads what a web server sends, piece by piece, within a time limit that the server cannot extend.

pooch speaks http in a thread of its own; whoever reads the pieces waits at most ``SECONDS`` for ``LEAST`` bytes. So a
server that is silent, and one that sends a byte a second for ever, are both given up, whatever they are sending.
"""

import threading
import time
from collections.abc import Iterator
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Any

from primeflow_core.errors import DownloadError

if TYPE_CHECKING:
    import requests

SECONDS = 60.0
"""Longest time for the connection, all redirects and the first ``LEAST`` bytes, and then for each ``LEAST`` more."""
LEAST = 1 << 16
_AHEAD = 16
"""Pieces that wait for their reader."""


class HttpStream:
    """What ``address`` sends, unchanged; iterate once, then ``close``.

    ``announced``: how many bytes the server says there are, known with the first piece; None where it does not say.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.announced: int | None = None
        self._queue: Queue[bytes | Exception | None] = Queue(_AHEAD)
        self._closed = threading.Event()
        self._response: requests.Response | None = None
        threading.Thread(target=self._receive, name="download", daemon=True).start()

    def __iter__(self) -> Iterator[bytes]:
        """Raises DownloadError where the server is too slow, and whatever requests raises."""
        deadline, received = time.monotonic() + SECONDS, 0
        while (piece := self._next(deadline)) is not None:
            received += len(piece)
            if received >= LEAST:
                deadline, received = time.monotonic() + SECONDS, 0
            yield piece

    def _next(self, deadline: float) -> bytes | None:
        try:
            piece = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty as error:
            raise DownloadError(
                f"{self.address} is too slow: it sent less than {LEAST // 1024} kB within {SECONDS:g} s."
            ) from error
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self) -> None:
        """Stop receiving; the thread ends with what it waits for."""
        self._closed.set()
        if self._response is not None and not self._response.raw.closed:
            _unblock(self._response.raw)

    def _receive(self) -> None:
        from pooch import HTTPDownloader

        # Without "identity" a server may pack what it sends once more.
        headers = {"User-Agent": "primeflow", "Accept-Encoding": "identity"}
        ask = HTTPDownloader(chunk_size=LEAST, timeout=SECONDS, headers=headers, hooks={"response": self._answered})
        try:
            ask(self.address, self, None)
        except Exception as error:  # noqa: BLE001  # raised again where the pieces are read
            self._put(error)
        else:
            self._put(None)
        finally:
            if self._response is not None:
                self._response.close()

    def _answered(self, response: "requests.Response", **_: Any) -> None:
        """Called by requests for every answer, redirects too, before its content is read."""
        self._response = response
        length = response.headers.get("Content-Length", "")
        packed = response.headers.get("Content-Encoding", "identity") != "identity"
        self.announced = int(length) if length.isdigit() and not packed else None

    def write(self, piece: bytes) -> None:
        """Called by pooch, which takes this stream for the file it writes."""
        self._put(piece)
        if self._closed.is_set():
            raise ConnectionAbortedError

    def flush(self) -> None:
        """Called by pooch; pieces are handed over at once."""

    def _put(self, piece: bytes | Exception | None) -> None:
        while not self._closed.is_set():
            try:
                return self._queue.put(piece, timeout=1.0)
            except Full:
                continue
        return None


def _unblock(raw: Any) -> None:
    """Let a thread that waits for more of ``raw`` (urllib3) find its end."""
    try:
        raw.shutdown()
    except (ValueError, RuntimeError, OSError):
        # The answer ended, or its connection was lost, in the same moment: nobody waits any more.
        return
