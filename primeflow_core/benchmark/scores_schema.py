"""The schemas of the metadata in a benchmark's parquet files. Imported only to read one, see runtime/file_schema.py."""

from typing import Annotated

from pydantic import ConfigDict, Field

from primeflow_core.runtime.file_schema import FileSchema


class FingerprintEntry(FileSchema):
    """What scores and pictures were made from. Another version may have written other keys beside it."""

    model_config = ConfigDict(extra="ignore")
    fingerprint: str


class ScoresEntry(FileSchema):
    """The metadata of the scores of one entry; ``refused``: each condition that was not predicted, and why."""

    fingerprint: str
    seconds: Annotated[float, Field(ge=0)]
    parameters: Annotated[int, Field(ge=0)]
    refused: tuple[tuple[str, str], ...]
