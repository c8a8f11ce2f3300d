"""Schemas of JSON files, and one plain sentence about the first thing that does not fit.

pydantic checks strictly: text is not a number, true is not 1, NaN is nothing, an unknown key is an error; whole numbers
are numbers. It was chosen over attrs with cattrs. Both were measured with a description of a model, five runs each:
.10 to .12 s of processor time to import and to build the classes, against .034 to .043 s. But cattrs converts "3" to 3
unless told otherwise for each type, and knows nothing of NaN and of the place of an error. Import this module inside
the function that reads a file, so that no `--help` pays for it.
"""

import json
from dataclasses import MISSING, Field, fields
from functools import cache
from typing import Any, Self, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic_core import ErrorDetails

from primeflow_core.errors import DataError
from primeflow_core.runtime.json_text import parse_json, shortened

WORDS = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "list_type": "a list [ ]",
    "tuple_type": "a list [ ]",
    "dict_type": "an object { }",
    "model_type": "an object { }",
    "string_too_short": "a text that is not empty",
    "too_short": "a list that is not empty",
}


class FileSchema(BaseModel):
    """A file, or an object in one; keys are attributes. Subclass it, or make one of a dataclass with ``schema_of``."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)

    @classmethod
    def read(cls, text: str | bytes, where: str = "") -> Self:
        """Raises DataError, without the name of the file, that names the key, what it is and what it must be.

        ``where``: the key under which ``text`` stands in its file.
        """
        parse_json(text)
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise DataError(_sentence(error.errors(include_url=False)[0], where)) from error


@cache
def schema_of(kind: type, *, lacking: bool = False) -> type[FileSchema]:
    """The schema of a flat dataclass: its fields as keys; one with a default may be missing, as in older files.

    ``lacking``: null stands for a number that there is not, NaN in the dataclass.
    """
    hints = get_type_hints(kind)
    if lacking:
        hints = {name: float | None if hint is float else hint for name, hint in hints.items()}
    keys: dict[str, Any] = {field.name: (hints[field.name], _default(field)) for field in fields(kind)}
    return create_model(kind.__name__, __base__=FileSchema, **keys)


def _default(field: "Field[Any]") -> Any:
    if field.default is not MISSING:
        return field.default
    return ... if field.default_factory is MISSING else field.default_factory()


def values(found: FileSchema) -> dict[str, Any]:
    """The values of an object by key, for the dataclass that its schema was made from."""
    return {name: getattr(found, name) for name in type(found).model_fields}


def _sentence(error: ErrorDetails, under: str) -> str:
    where = place((under, *error["loc"]) if under else error["loc"])
    if error["type"] == "missing":
        return f"the key {where} is missing" if isinstance(error["loc"][-1], str) else f"{where} is missing"
    if error["type"] == "extra_forbidden":
        return f"it has the key {where}, which this version of PRiMeFlow does not know"
    if error["type"] == "json_invalid":
        return f"it is not JSON of this program: {error['ctx']['error']}"
    return f"{where} is {shortened(error['input'])}; it must be {_expected(error)}"


def _expected(error: ErrorDetails) -> str:
    if error["type"] in WORDS:
        return WORDS[error["type"]]
    context = error.get("ctx", {})
    if error["type"] == "literal_error":
        return f"one of {context['expected']}"
    if error["type"] == "too_long":
        return f"a list of {context['max_length']} at most, and not of {context['actual_length']}"
    return str(context.get("error") or error["msg"].removeprefix("Input should be "))


def place(keys: "tuple[int | str, ...]") -> str:
    """For instance ``vocabulary.highest_dose[0]``."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")
    return text or "the whole file"


def settings_of(kind: type, given: Any, where: str) -> dict[str, Any]:
    """What plain data give for the fields of a flat dataclass, checked; those left out are not in it.

    ``where``: the key under which they stand in their file. Raises DataError.
    """
    found = schema_of(kind).read(json.dumps(given), where)
    return {name: getattr(found, name) for name in found.model_fields_set}
