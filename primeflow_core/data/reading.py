"""How a file is read, as one value: found or given once, and used again wherever the same or a similar file is read."""

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from primeflow_core.data.layout import Layout
from primeflow_core.data.repair import Repair

if TYPE_CHECKING:
    from primeflow_core.data.reading_schema import ReadingFile

FORMAT = 1


@dataclass(frozen=True)
class Reading:
    """Columns and labels (``layout``), what is done to the values (``repair``), and the scale they were found in."""

    layout: Layout = field(default_factory=Layout)
    repair: Repair = field(default_factory=Repair)
    scale: str = ""

    @staticmethod
    def from_json(plain: Any) -> "Reading":
        """Raises DataError, without a file name, for anything but what ``to_json`` gives."""
        from primeflow_core.data.reading_schema import ReadingFile

        return Reading.from_file(ReadingFile.read(json.dumps(plain)))

    @staticmethod
    def from_file(found: "ReadingFile") -> "Reading":
        from primeflow_core.runtime.file_schema import values

        return Reading(Layout(**values(found.layout)), Repair(**values(found.repair)), found.scale)

    def to_json(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self)}
