"""Finds a data file again by its content: where it was, in the cache, or beside the model that learned from it."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from primeflow_core.data.cache import cache_folder
from primeflow_core.data.content_hash import content_sha256
from primeflow_core.errors import DataError
from primeflow_core.runtime.atomic_files import write_json
from primeflow_core.runtime.json_text import parse_json, read_text

log = logging.getLogger(__name__)


def remember(path: Path, sha256: str) -> None:
    """Keep in the cache where the file with this content is. Where the cache cannot be written, it is not kept."""
    try:
        write_json(_record(sha256), {"path": str(path.resolve())})
    except OSError as error:
        log.info("It is not remembered that %s is the file %s: %s", path, sha256, error)


def find(sha256: str, name: str, folders: Iterable[Path] = ()) -> Path | None:
    """The file with this content: where it was last, in the cache, or called ``name`` in one of ``folders``."""
    return next(
        (path for path in _places(sha256, name, folders) if path.exists() and content_sha256(path) == sha256), None
    )


def _places(sha256: str, name: str, folders: Iterable[Path]) -> Iterator[Path]:
    known = where_it_was(sha256)
    if known is not None:
        yield known
    cache = cache_folder()
    yield cache / "uploads" / f"{sha256}.h5ad"
    for folder in (cache, *folders):
        yield folder / Path(name).name


def where_it_was(sha256: str) -> Path | None:
    """The path that was remembered; None where there is none, or its record is damaged."""
    place = _record(sha256)
    if not place.is_file():
        return None
    try:
        found = parse_json(read_text(place))
    except DataError:  # only a hint is lost: the file is looked for elsewhere
        return None
    path = found.get("path") if isinstance(found, dict) else None
    return Path(path) if isinstance(path, str) and "\0" not in path else None


def _record(sha256: str) -> Path:
    return cache_folder() / "known-files" / f"{sha256}.json"
