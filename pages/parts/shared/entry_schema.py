"""The schema of an entry in a link to Compare. Imported only to read one, see primeflow_core/runtime/file_schema.py."""

import json
from typing import Any

from primeflow_core.errors import DataError
from primeflow_core.runtime.file_schema import FileSchema
from primeflow_core.runtime.json_text import shortened


class EntryText(FileSchema):
    """The values of ``Entry.to_json`` by name. ``perturbations``: names and doses, null without a dose."""

    model: str
    perturbations: tuple[tuple[str, float | None], ...]
    covariates: tuple[str, ...]
    weight: float
    cells: int
    seed: int
    outline: str = ""

    @staticmethod
    def of(said: Any) -> "EntryText":
        """Raises DataError that names the value and what it must be."""
        names = tuple(EntryText.model_fields)
        if not isinstance(said, list) or not len(names) - 1 <= len(said) <= len(names):
            raise DataError(f"it is {shortened(said)}; it must be a list of {', '.join(names)}")
        given = dict(zip(names, said, strict=False))
        if isinstance(parts := given["perturbations"], list):
            given["perturbations"] = [[part, None] if isinstance(part, str) else part for part in parts]
        return EntryText.read(json.dumps(given))
