"""Limits of the numbers in a row, checked when the row is made."""

from collections.abc import Sequence

from primeflow_core.errors import SettingError


def at_least(row: object, least: float, names: Sequence[str]) -> None:
    """Raises SettingError for one of ``names`` that is smaller in ``row``."""
    for name in names:
        if not getattr(row, name) >= least:
            raise SettingError(f"{name} is {getattr(row, name)}; it must be {least:g} or more.")


def dropout_within(row: object) -> None:
    """Raises SettingError where the row's ``dropout`` is no share below 1."""
    share = getattr(row, "dropout", 0.0)
    if not 0 <= share < 1:
        raise SettingError(f"dropout is {share}; it must be at least 0 and below 1.")
