"""A data file and a split file, read together wherever something is trained on them: here, or in another process."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from primeflow_core.data.content_hash import content_sha256
from primeflow_core.data.data_file import DataFile
from primeflow_core.data.reading_request import ReadingRequest, Report, chosen_reading, read_requested, reading_choice
from primeflow_core.data.splits import read_split
from primeflow_core.training.run import Source


@dataclass(frozen=True)
class SourceFile:
    """``unlisted``: where cells go that the split does not name, ``train`` or ``leave-out``; None: an error."""

    file: DataFile
    split: Path
    reading: ReadingRequest = field(default_factory=ReadingRequest)
    unlisted: str | None = None

    def read(self, report: Report) -> Source:
        """The cells with their split. Raises DataError."""
        cells = read_requested(self.file, self.reading, self.split, report)
        split = read_split(self.split, cells, unlisted=self.unlisted)
        return Source(cells, split, self.file.name, self.file.simulated_as(cells.reading.repair))

    def read_unheard(self) -> Source:
        """As ``read``, in a process whose output nobody reads."""
        return self.read(lambda _: None)

    @property
    def simulated(self) -> bool:
        """Whether the file says that its cells are simulated."""
        return self.file.simulated_as(reading_choice(self.file, self.reading, self.split, lambda _: None).repair)

    @property
    def data_sha256(self) -> str:
        return content_sha256(self.file.path)

    @property
    def split_sha256(self) -> str:
        return hashlib.sha256(self.split.read_bytes()).hexdigest()

    def chosen(self, report: Report) -> dict[str, object]:
        """How the file is read, as far as it is not as usual."""
        return chosen_reading(self.file, self.reading, self.split, report)
