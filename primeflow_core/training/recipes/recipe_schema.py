"""The schema of a recipe file. Imported only to read one, see runtime/file_schema.py."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator

from primeflow_core.runtime.file_schema import FileSchema

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""It becomes part of the names of folders."""


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError("letters, digits, - and _ alone, at most 64, and not start with a sign")
    return text


class RecipeFile(FileSchema):
    """``settings``: rows of a model and its training, which their own classes check."""

    format: int
    name: Annotated[str, AfterValidator(_name)]
    summary: str
    settings: dict[str, dict[str, Any]]
    provenance: dict[str, Any] | None = None
