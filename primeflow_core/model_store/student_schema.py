"""The schemas of a student's notes. Imported only to read them, see runtime/file_schema.py."""

from pydantic import ConfigDict

from primeflow_core.runtime.file_schema import FileSchema


class StudentSettings(FileSchema):
    """Only the settings that the card needs; other versions have others."""

    model_config = ConfigDict(extra="ignore")
    steps: int


class JudgedRow(FileSchema):
    """Unbiased energy distances, as ``distillation.verdict.Judged`` explains them."""

    conditions: str
    guidance: float
    teacher: float
    student: float
    spread: float
    controls: float


class JudgedRows(FileSchema):
    judged: tuple[JudgedRow, ...]


class StudentNotesFile(FileSchema):
    """The notes that the card needs, each a text."""

    model_config = ConfigDict(extra="ignore")
    command: str
    seed: str
    settings: str
    judged: str
