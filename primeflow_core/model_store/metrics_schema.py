"""The schema of a model's metrics.json. Imported only to read one, see runtime/file_schema.py."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, model_validator

from primeflow_core.evaluation.calibration import CALIBRATED, MEASURED_ENDS, STANDARD_ERRORS, WINS
from primeflow_core.evaluation.metrics.registry import metric_names
from primeflow_core.runtime.file_schema import FileSchema


def _figure(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str | None):
        raise ValueError("a number, a text or null")
    return value


Figure = Annotated[Any, AfterValidator(_figure)]
ENDS = ("", "_floor", "_ceiling", "_wrong", *MEASURED_ENDS, CALIBRATED, WINS, STANDARD_ERRORS)
NUMBERS = tuple(f"{name}{end}" for name in metric_names() for end in ENDS)


class ScoreRow(FileSchema):
    """The scores of one condition, or their mean. Each covariate is a column."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Figure]
    condition: str
    rival: str = ""

    @model_validator(mode="after")
    def _scores_are_numbers(self) -> Self:
        for name in NUMBERS:
            if isinstance(self.__pydantic_extra__.get(name), str):
                raise ValueError(f"a row in which {name} is a number or null")
        return self

    def number(self, name: str) -> float | None:
        """The number in the column ``name`` of a metric. Raises ValueError, worded for a sentence, if it is missing."""
        extra = self.__pydantic_extra__
        if name not in extra:
            raise ValueError(f"the key {name} is missing in the row of {self.condition}")
        return None if extra[name] is None else float(extra[name])


Rows = tuple[ScoreRow, ...]


class RefusedRow(FileSchema):
    rival: str
    condition: str
    context: str
    why: str


class RivalRows(FileSchema):
    """Rows by the part of the split. ``refused``: the conditions that could not be predicted, and why."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Rows]
    refused: tuple[RefusedRow, ...] = ()


class MetricsFile(FileSchema):
    """``scored`` has rows by the part of the split. Files of older versions have fewer fields."""

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
