"""What JSON must hold that says how a file is read. Imported only to read one, see runtime/file_schema.py."""

from typing import Literal

from primeflow_core.data.layout import Layout
from primeflow_core.data.repair import Repair
from primeflow_core.runtime.file_schema import FileSchema, schema_of


class ReadingFile(FileSchema):
    format: Literal[1]
    layout: schema_of(Layout)  # type: ignore[valid-type]
    repair: schema_of(Repair)  # type: ignore[valid-type]
    scale: str = ""


class SplitRecordFile(FileSchema):
    data: str
    data_sha256: str
    reading: ReadingFile
    command: tuple[str, ...] = ()
