"""What the metrics.json of a model must hold. Imported only to read one, see runtime/file_schema.py."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict

from primeflow_core.runtime.file_schema import FileSchema


def _figure(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str | None):
        raise ValueError("a number, a text or null")
    return value


Figure = Annotated[Any, AfterValidator(_figure)]


class ScoreRow(FileSchema):
    """The scores of one condition, or their mean; covariates are columns of their own."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Figure]
    condition: str
    rival: str = ""

    def number(self, name: str) -> float | None:
        """Raises ValueError, in words for a sentence, where there is none of that name."""
        extra = self.__pydantic_extra__
        if name not in extra:
            raise ValueError(f"the row of {self.condition} lacks {name}")
        value = extra[name]
        if isinstance(value, str):
            raise ValueError(f"{name} of {self.condition} is {value!r}; it must be a number or null")
        return None if value is None else float(value)


Rows = tuple[ScoreRow, ...]


class RefusedRow(FileSchema):
    rival: str
    condition: str
    context: str
    why: str


class RivalRows(FileSchema):
    """By the part of the split; what could not be predicted, and why."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Rows]
    refused: tuple[RefusedRow, ...] = ()


class MetricsFile(FileSchema):
    """Files of older versions lack some of it; ``scored`` holds rows by the part of the split."""

    scored: dict[str, Rows]
    held_out: Literal["conditions", "cells"] = "conditions"
    rivals: RivalRows | None = None
    command: tuple[str, ...] = ()
    created: str = ""
    versions: dict[str, str] | None = None
    data_sha256: str = ""
    cells_per_condition: int | None = None
    sampling: dict[str, Figure] | None = None
    zeros_tried_on_val: dict[str, Rows] | None = None
