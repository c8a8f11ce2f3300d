"""The schema of a model's config.json. Imported only to read one, see runtime/file_schema.py."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from primeflow_core.data.cells import Layout
from primeflow_core.data.condition_schema import ConditionEntry
from primeflow_core.data.conditions import Vocabulary
from primeflow_core.models.sampling_plan import SamplingPlan
from primeflow_core.runtime.file_schema import FileSchema, schema_of
from primeflow_core.runtime.json_text import shortened

Text = Annotated[str, Field(min_length=1)]


def _moment(text: str) -> str:
    """Raises ValueError in words that follow "it must be"."""
    try:
        datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError("a date and time, such as 2026-11-21T12:00:06+00:00") from error
    return text


def _setting(value: Any) -> Any:
    if not isinstance(value, bool | int | float | str) and not _is_whole_numbers(value):
        raise ValueError("a number, a text, true, false or a list of whole numbers")
    return value


def _is_whole_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(type(entry) is int for entry in value)


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != len(names):
        raise ValueError("a list in which nothing is repeated")
    return names


Moment = Annotated[str, AfterValidator(_moment)]
Setting = Annotated[Any, AfterValidator(_setting)]
Names = Annotated[tuple[Text, ...], AfterValidator(_distinct)]
Dose = Annotated[float, Field(ge=0)]


class VocabularyEntry(FileSchema):
    perturbations: Names
    highest_dose: tuple[Dose | None, ...]
    covariates: tuple[tuple[Text, Names], ...]

    @model_validator(mode="after")
    def _has_a_dose_for_each(self) -> "VocabularyEntry":
        if len(self.highest_dose) != len(self.perturbations):
            raise ValueError(
                f"of {len(self.perturbations)} perturbations and as many highest doses, and not of "
                f"{len(self.highest_dose)}"
            )
        return self

    def vocabulary(self) -> Vocabulary:
        return Vocabulary(self.perturbations, self.highest_dose, self.covariates)


class ReadingEntry(FileSchema):
    """The choices of ``data.reading.Repair``; in older files only some of them are there."""

    model_config = ConfigDict(extra="allow")
    matrix: str | None = None
    normalise: bool | None = None
    total: Annotated[float, Field(gt=0)] | None = None
    gene_column: str | None = None
    distinct: bool | None = None
    untreated: bool | None = None


class ProvenanceEntry(FileSchema):
    """The origin of a model. It may have other keys; the keys that are read have these types."""

    model_config = ConfigDict(extra="allow")
    versions: Annotated[dict[str, str], Field(default_factory=dict)]
    command: tuple[str, ...] = ()
    reading: ReadingEntry | None = None
    split: str | None = None
    cells_held_out: dict[str, tuple[ConditionEntry, ...]] | None = None


class FieldRow(FileSchema):
    """The keys of a velocity field that are read before torch is loaded. The whole row is checked when the model is
    built."""

    model_config = ConfigDict(extra="allow")
    fold: Annotated[int, Field(ge=1)] = 1
    channels: Annotated[int, Field(ge=1)] = 1
    num_res_blocks: Annotated[int, Field(ge=1)] = 1


class FlowRow(FileSchema):
    """The keys of a flow that are read before torch is loaded."""

    model_config = ConfigDict(extra="allow")
    prob_unconditional: float = 0.0
    source: str = ""
    coupling: str = ""
    space: str = ""


class SettingRows(FileSchema):
    """The rows of the model and of its training, as numbers."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, dict[str, Setting]]
    field: FieldRow | None = None
    flow: FlowRow | None = None
    training: dict[str, Setting] | None = None


class ConfigFile(FileSchema):
    format: int
    name: Text
    created: Moment
    recipe: str
    settings: SettingRows
    genes: Annotated[tuple[str, ...], Field(min_length=1)]
    vocabulary: VocabularyEntry
    layout: schema_of(Layout)  # type: ignore[valid-type]
    trained_on: tuple[ConditionEntry, ...]
    validated_on: tuple[ConditionEntry, ...]
    tested_on: tuple[ConditionEntry, ...]
    dataset: str
    data_sha256: str
    simulated: bool
    sampling: schema_of(SamplingPlan)  # type: ignore[valid-type]
    seed: int
    first_view: ConditionEntry | None
    provenance: ProvenanceEntry

    @model_validator(mode="after")
    def _has_the_same_columns_everywhere(self) -> "ConfigFile":
        columns = sorted(column for column, _ in self.vocabulary.covariates)
        first = () if self.first_view is None else (self.first_view,)
        for entry in (*self.trained_on, *self.validated_on, *self.tested_on, *first):
            if sorted(column for column, _ in entry.covariates) != columns:
                raise ValueError(
                    f"about conditions of the covariates {', '.join(columns) or '(none)'}, and not of "
                    f"{shortened(entry.covariates)}"
                )
        return self
