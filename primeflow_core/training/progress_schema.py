"""The schema of the progress in a training's state. Imported only to read one, see runtime/file_schema.py."""

from typing import Annotated

from pydantic import ConfigDict, Field

from primeflow_core.runtime.file_schema import FileSchema

Count = Annotated[int, Field(ge=0)]


class ProgressEntry(FileSchema):
    """``TrainingProgress`` as a state stores it; ``best`` is null while no validation gave a number."""

    step: Count
    seconds: Annotated[float, Field(ge=0)]
    best: float | None
    best_step: Count
    validations_since_best: Count
    plateaus: Count = 0


class StepEntry(FileSchema):
    """A line of the log, whose other keys are not needed to resume."""

    model_config = ConfigDict(extra="ignore")
    step: int
