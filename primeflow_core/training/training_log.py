"""The log of a training: one JSON object for each line."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

from primeflow_core.errors import DataError
from primeflow_core.runtime.atomic_files import naming, write_text


def append_line(path: Path, line: Mapping[str, float | None]) -> None:
    """A number that is not finite becomes null, because JSON has no NaN."""
    finite = {name: value if value is None or math.isfinite(value) else None for name, value in line.items()}
    with naming(path), path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(finite) + "\n")


def trim_log(path: Path, step: int) -> None:
    """Drop the lines after ``step``, which will be written again, and lines that cannot be read.

    A kill can cut the last line short. The log only informs, so a damaged line does not stop the training.
    """
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    write_text(path, "".join(f"{text}\n" for text in lines if (found := _step_of(text)) is not None and found <= step))


def _step_of(line: str) -> int | None:
    """The step of a line of the log; None for a damaged line."""
    from primeflow_core.training.progress_schema import StepEntry

    try:
        return StepEntry.read(line).step
    except DataError:
        return None
