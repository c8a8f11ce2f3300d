"""The schema of a screen's order.json. Imported only to read one, see runtime/file_schema.py."""

from typing import Annotated

from pydantic import Field

from primeflow_core.data.condition_schema import ConditionEntry
from primeflow_core.models.sampling_plan import SamplingPlan
from primeflow_core.runtime.file_schema import FileSchema, schema_of


class GoalEntry(FileSchema):
    """``Goal`` says which kinds there are, and what each needs."""

    kind: str
    raised: tuple[str, ...]
    lowered: tuple[str, ...]
    target: ConditionEntry | None


class QuestionEntry(FileSchema):
    """A screen without its conditions."""

    model: str
    weights: str
    reference: str
    goal: GoalEntry
    cells: int
    seeds: tuple[int, ...]
    plan: schema_of(SamplingPlan)  # type: ignore[valid-type]
    resamples: Annotated[int, Field(ge=1)]


class OrderFile(QuestionEntry):
    """order.json; ``ScreenOrder`` says which numbers are possible."""

    candidates: tuple[ConditionEntry, ...]
    checked: tuple[ConditionEntry, ...]
