"""Reading JSON that somebody else may have written or damaged: one plain error for whatever is wrong with it."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from primeflow_core.errors import DataError

LONGEST = 40
MOST_BYTES = 1 << 26
"""64 MiB; the description of a model of 20,000 genes and as many conditions has a twentieth of it."""


def read_text(path: Path) -> str:
    """Raises DataError, without the name of the file, if it cannot be read, is too large or is not text."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f"{error.strerror or error}") from error
    if len(content) > MOST_BYTES:
        raise DataError(f"it is larger than {MOST_BYTES >> 20} MiB")
    return _decoded(content)


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError("it is not JSON: its bytes are not UTF-8 text") from error


def read_json(path: Path) -> Any:
    """Reads a file as ``parse_json``. Raises DataError, without the name of the file."""
    return parse_json(read_text(path))


def parse_json(text: str | bytes) -> Any:
    """The plain data of ``text``. Raises DataError for other text, for NaN and infinite numbers, for a key that stands
    twice in an object, and for lists in lists without end."""
    try:
        found = json.loads(_decoded(text) if isinstance(text, bytes) else text, object_pairs_hook=_object)
        _check_numbers("it", found)
    except RecursionError as error:
        raise DataError("it is not JSON of this program: its brackets are nested too deeply") from error
    except ValueError as error:
        raise DataError(f"it is not JSON: {error}") from error
    return found


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise DataError(f"the key {shortened(key)} is used twice in one object")
        _check_numbers(key, value)
        found[key] = value
    return found


def _check_numbers(key: str, value: Any) -> None:
    """Raises DataError for NaN and infinite numbers; objects in ``value`` were checked before."""
    if isinstance(value, float) and not math.isfinite(value):
        raise DataError(f"{key} is {shortened(value)}, and must be a finite number; null says that there is none")
    if isinstance(value, list):
        for entry in value:
            _check_numbers(key, entry)


def shortened(value: Any) -> str:
    """A value as written in a file, shortened if it is long."""
    text = json.dumps(value, default=str)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
