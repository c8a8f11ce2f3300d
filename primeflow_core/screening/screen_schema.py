"""The schema of the text in a ranking's parquet file. Imported only to read one, see runtime/file_schema.py."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from primeflow_core.runtime.file_schema import FileSchema, schema_of
from primeflow_core.screening.order_schema import GoalEntry, QuestionEntry
from primeflow_core.screening.trust import Checked
from primeflow_core.screening.trust_row import TrustRow


def _entry(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str | None):
        raise ValueError("a number, a text or null")
    return value


class AboutEntry(FileSchema):
    """The origin of a ranking. It has the numbers of conditions in place of the conditions themselves."""

    kind: str
    model: str
    model_created: str
    recipe: str
    data: str
    data_sha256: str
    training_seed: int
    simulated: bool
    sentence: str
    unit: str
    covariates: tuple[str, ...]
    controls: Literal["measured", "predicted"]
    refused: tuple[tuple[str, str], ...]
    candidates: int
    checked: int
    order: QuestionEntry
    fingerprint: str
    rule: str
    versions: dict[str, str]
    read_from: str | None = None
    caution: str = ""
    unfinished: tuple[int, int] | None = None


class TrustEntry(FileSchema):
    what: str
    simulated: bool
    refused: tuple[str, ...]
    goal: GoalEntry
    rows: Annotated[tuple[schema_of(TrustRow, lacking=True), ...], Field(min_length=1)]  # type: ignore[valid-type]
    checked: tuple[schema_of(Checked, lacking=True), ...]  # type: ignore[valid-type]


class NextEntry(FileSchema):
    columns: tuple[str, ...]
    rows: tuple[tuple[Annotated[Any, AfterValidator(_entry)], ...], ...]


class ScreenFile(FileSchema):
    """The JSON text in the metadata of a ranking's parquet."""

    format: int
    about: AboutEntry
    trust: TrustEntry | None
    next: NextEntry
    genes: tuple[str, ...]
