"""Files that were converted to .h5ad, kept in the cache; the oldest go first when they grow too large together."""

import json
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from primeflow_core.data.cache import cache_folder
from primeflow_core.data.h5ad.issues import Problem, Severity
from primeflow_core.errors import DataError
from primeflow_core.runtime.atomic_files import write_json
from primeflow_core.runtime.json_text import read_json

MOST_KEPT = 10_000_000_000
ENDING = ".h5ad"
SCRATCH = "unpacking-"
FORGOTTEN_AFTER = 24 * 3600.0


def converted_folder() -> Path:
    return cache_folder() / "converted"


@dataclass(frozen=True)
class ConversionRecord:
    """What is known of a converted file. ``metadata``: the sha256 of the table of its cells."""

    format: str
    modality: str | None
    metadata: str | None
    notes: tuple[Problem, ...]

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @staticmethod
    def from_json(plain: object) -> "ConversionRecord":
        """Raises TypeError, KeyError or ValueError for anything but what ``to_json`` gives."""
        if not isinstance(plain, dict):
            raise TypeError("not an object")
        notes = tuple(Problem(**{**note, "severity": Severity(note["severity"])}) for note in plain["notes"])
        return ConversionRecord(plain["format"], plain["modality"], plain["metadata"], notes)


def kept(key: str) -> tuple[Path, ConversionRecord] | None:
    """The converted file of this key, which counts as new again; None where it is not there whole."""
    path = converted_folder() / f"{key}{ENDING}"
    try:
        record = ConversionRecord.from_json(read_json(_record(path)))
        os.utime(path)
    except (DataError, OSError, KeyError, TypeError, ValueError):  # it is made again
        return None
    return path, record


def keep(path: Path, record: ConversionRecord, most: int | None = None) -> None:
    """Say what is known of a file that was just converted, and let the oldest go beyond ``most`` bytes."""
    write_json(_record(path), json.loads(json.dumps(record.to_json())))
    most = MOST_KEPT if most is None else most
    states = {file: file.stat() for file in path.parent.glob(f"*{ENDING}")}
    total = sum(state.st_size for state in states.values())
    for file in sorted(states, key=lambda file: states[file].st_mtime_ns):
        if total > most and file != path:
            file.unlink(missing_ok=True)
            _record(file).unlink(missing_ok=True)
            total -= states[file].st_size


def also_as(path: Path, key: str, record: ConversionRecord) -> None:
    """Give a converted file a second key. Where the disk has no links, it will be converted again."""
    second = path.with_name(f"{key}{ENDING}")
    with suppress(OSError):
        second.hardlink_to(path)
        write_json(_record(second), json.loads(json.dumps(record.to_json())))


def forget_unpacked(scratch: Sequence[Path]) -> None:
    """Delete what a killed process left unpacked a day ago."""
    for folder in scratch:
        if folder.is_dir() and time.time() - folder.stat().st_mtime > FORGOTTEN_AFTER:
            shutil.rmtree(folder, ignore_errors=True)


def _record(path: Path) -> Path:
    return path.with_suffix(".json")
