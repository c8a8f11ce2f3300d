"""What is stored beside a split file: which file it was made of, how that was read, and how the split was made.

``split.csv`` has ``split.reading.json`` beside it. A split file of other origin has none.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from primeflow_core.data.reading import Reading
from primeflow_core.errors import DataError
from primeflow_core.runtime.atomic_files import replaced, write_json
from primeflow_core.runtime.json_text import read_text

if TYPE_CHECKING:
    from primeflow_core.data.splits import Split


@dataclass(frozen=True)
class SplitRecord:
    """``data`` is the name of the file or data set, ``data_sha256`` its content, ``command`` what made the split."""

    data: str
    data_sha256: str
    reading: Reading
    command: Sequence[str] = ()

    def write_with(self, split: "Split", path: Path) -> None:
        """Write ``split`` to ``path`` and this beside it, or neither: each would be read wrongly with an older one."""
        with replaced(path) as temporary:
            temporary.write_bytes(split.stored(packed=path.suffix == ".gz"))
            self.write(path)

    def write(self, split: Path) -> None:
        """Write it beside the split file ``split``."""
        write_json(place_of(split), {**asdict(self), "command": list(self.command), "reading": self.reading.to_json()})


def place_of(split: Path) -> Path:
    return split.with_name(split.name.removesuffix(".gz").removesuffix(".csv") + ".reading.json")


def read_record(split: Path) -> SplitRecord | None:
    """The record beside a split file, None where there is none. Raises DataError, which names the file."""
    from primeflow_core.data.reading_schema import SplitRecordFile

    place = place_of(split)
    if not place.is_file():
        return None
    try:
        found = SplitRecordFile.read(read_text(place))
        return SplitRecord(found.data, found.data_sha256, Reading.from_file(found.reading), found.command)
    except DataError as error:
        reason = str(error).rstrip(".")
        raise DataError(
            f"{place}, which says how the data of {split.name} are read, cannot be read: {reason}. Make the split "
            "again, or delete this file and say how the data are read."
        ) from error
