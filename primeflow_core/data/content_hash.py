"""The sha256 of a large file or a folder, remembered in the cache as long as no file of it changes."""

import hashlib
import logging
import time
from dataclasses import dataclass
from pathlib import Path

from primeflow_core.data.cache import cache_folder
from primeflow_core.data.h5ad.writing import files_in, sha256_of
from primeflow_core.errors import DataError
from primeflow_core.runtime.atomic_files import write_json
from primeflow_core.runtime.json_text import parse_json, read_text

log = logging.getLogger(__name__)
LEAST_BYTES = 5_000_000
"""What is smaller is read again: that takes no longer than remembering it."""
BYTES_OF_A_FILE = 20_000
"""Opening a file takes as long as reading so many bytes."""
SETTLED = 2_000_000_000
"""Nanoseconds after its last change before a state is remembered: a disk may give two changes the same time."""


@dataclass(frozen=True)
class _State:
    """``digest`` of all that changes when a file does: names, sizes, numbers and times. ``latest``: ns of a change."""

    digest: str
    latest: int
    cost: int

    @staticmethod
    def of(path: Path) -> "_State":
        digest, latest, cost = hashlib.sha256(), 0, 0
        for name in files_in(path) if path.is_dir() else [""]:
            found = (path / name).stat()
            told = (name, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            digest.update(f"{told}\n".encode("utf-8", "surrogateescape"))
            latest = max(latest, found.st_mtime_ns, found.st_ctime_ns)
            cost += found.st_size + BYTES_OF_A_FILE
        return _State(digest.hexdigest(), latest, cost)


def content_sha256(path: Path) -> str:
    """As ``sha256_of``. A file is read again once its name, its size, or a time of a change is another one."""
    now, state = time.time_ns(), _State.of(path)
    if state.cost < LEAST_BYTES:
        return sha256_of(path)
    known = _remembered(path, state)
    if known is not None:
        return known
    found = sha256_of(path)
    if now - state.latest > SETTLED and _State.of(path) == state:
        _remember(path, state, found)
    return found


def _remembered(path: Path, state: _State) -> str | None:
    place = _record(path)
    if not place.is_file():
        return None
    try:
        found = parse_json(read_text(place))
    except DataError:  # it is made again
        return None
    if not isinstance(found, dict) or found.get("state") != state.digest:
        return None
    sha256 = found.get("sha256")
    return sha256 if isinstance(sha256, str) else None


def _remember(path: Path, state: _State, sha256: str) -> None:
    try:
        write_json(_record(path), {"state": state.digest, "sha256": sha256})
    except OSError as error:
        log.info("It is not remembered what %s holds: %s", path, error)


def _record(path: Path) -> Path:
    """One for each place, so that there are not more of them than files."""
    name = hashlib.sha256(str(path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()
    return cache_folder() / "content-hashes" / f"{name}.json"
