"""Unpacks a gzip file while it is downloaded, and stops when the content becomes larger than expected."""

import zlib
from collections.abc import Iterator

from primeflow_core.errors import DownloadError

_GZIP = 31
_PIECE = 1 << 20
LARGEST_RATIO = 100
"""Expression data shrink to a tenth at best; a gzip made to fill the disk shrinks to a thousandth."""
FREE_BYTES = 1 << 24
"""A short file may shrink further than ``LARGEST_RATIO``."""


class Unpacker:
    """Unpacks a gzip, or several joined; ``size``: of the content in bytes, None where it is not known."""

    def __init__(self, size: int | None) -> None:
        self._size, self._sent, self._unpacked = size, 0, 0
        self._member = zlib.decompressobj(_GZIP)

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """The content of ``packed`` in pieces of a megabyte.

        Raises DownloadError past the size, zlib.error for bytes that are not a gzip.
        """
        self._sent += len(packed)
        while packed:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP)
            piece = self._member.decompress(packed, _PIECE)
            self._unpacked += len(piece)
            self._check_size()
            yield piece
            packed = self._member.unused_data if self._member.eof else self._member.unconsumed_tail

    def end(self) -> bytes:
        """The rest of the content. Raises zlib.error if the gzip is cut short."""
        rest = self._member.flush()
        self._unpacked += len(rest)
        self._check_size()
        if not self._member.eof:
            raise zlib.error("incomplete")
        return rest

    def _check_size(self) -> None:
        if self._size is not None and self._unpacked > self._size:
            raise DownloadError(f"What is sent unpacks to more than the expected {self._size:,} bytes.")
        if self._size is None and self._unpacked > self._sent * LARGEST_RATIO + FREE_BYTES:
            raise DownloadError(
                f"What is sent is not a data set: {self._sent:,} bytes unpack to more than {self._unpacked:,}."
            )
