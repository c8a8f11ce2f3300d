"""How a student was trained and how it compares with its teacher, read from the notes in its file of weights."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from primeflow_core.errors import CheckpointError, DataError
from primeflow_core.models.checkpoint import STUDENT_WEIGHTS, read_student_notes

if TYPE_CHECKING:
    from primeflow_core.model_store.student_schema import JudgedRow


@dataclass(frozen=True)
class StudentNotes:
    """``command``: the one that trained it, in ``steps`` steps. ``judged``: one row for each kind of conditions and
    guidance weight."""

    command: str
    seed: str
    steps: int
    judged: tuple["JudgedRow", ...]


def read_student(folder: Path) -> StudentNotes | None:
    """None for a model without a student. Raises CheckpointError that names the file and what is wrong in it."""
    notes = read_student_notes(folder)
    if not notes:
        return None
    try:
        return _read(notes)
    except DataError as error:
        raise CheckpointError(
            f"The notes in {folder / STUDENT_WEIGHTS} cannot be read: {error}. Run `primeflow distill` again, or "
            "delete that file."
        ) from error


def _read(notes: dict[str, str]) -> StudentNotes:
    from primeflow_core.model_store.student_schema import JudgedRows, StudentNotesFile, StudentSettings

    said = StudentNotesFile.read(json.dumps(notes))
    settings = StudentSettings.read(said.settings, "settings")
    judged = JudgedRows.read(f'{{"judged": {said.judged}}}').judged
    return StudentNotes(said.command, said.seed, settings.steps, judged)
