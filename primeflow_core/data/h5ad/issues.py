"""Problems of a file: errors that must be fixed, warnings, and notes."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Problem:
    """Something to know or to fix; ``code`` is a fixed word for programs, ``remedy`` what the user can do."""

    severity: Severity
    code: str
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.text} {self.remedy}".strip()


def error(code: str, text: str, remedy: str = "") -> Problem:
    return Problem(Severity.ERROR, code, text, remedy)
