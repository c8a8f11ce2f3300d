"""Reads the description of a finished benchmark (about.About)."""

from datetime import datetime
from pathlib import Path

from primeflow_core.benchmark.about import About
from primeflow_core.errors import DataError
from primeflow_core.runtime.json_text import read_text, shortened
from primeflow_core.wording import day_in_words


def read_about(path: Path) -> About:
    """Raises DataError that names the file and what is wrong with it."""
    from primeflow_core.runtime.file_schema import schema_of, values

    try:
        about = About(**values(schema_of(About).read(read_text(path))))
        _check(about)
    except DataError as error:
        raise DataError(
            f"{path} does not describe a benchmark: {error}. Run `primeflow benchmark` again, or remove the folder."
        ) from error
    return about


def day_of(about: About) -> str:
    """For instance ``22 November 2026``."""
    return day_in_words(datetime.fromisoformat(about.made))


def _check(about: About) -> None:
    for name, listed in (("seeds", about.seeds), ("split_sha256", about.split_sha256)):
        if not listed:
            raise DataError(f"{name} is [], and must be a list that is not empty")
    try:
        datetime.fromisoformat(about.made)
    except ValueError as error:
        raise DataError(f"made is {shortened(about.made)}, and must be a date and time") from error
