"""Numbers of a configuration given as texts, ``key=value``."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, TypeVar

from primeflow_core.errors import DataError, SettingError
from primeflow_core.runtime.json_text import parse_json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = TypeVar("Config", bound="DataclassInstance")


def key_and_text(assignment: str) -> tuple[str, str]:
    """Raises SettingError for what is not ``key=value``."""
    key, sign, text = assignment.partition("=")
    if not sign:
        raise SettingError(f"{assignment!r} is not a setting; write it as key=value.")
    return key.strip(), text.strip()


def converted(key: str, text: str, current: object) -> object:
    """``text`` as the type that the setting ``key`` has now. Raises SettingError where it is none of that type."""
    try:
        if isinstance(current, str):
            return text
        value = parse_json(text)
        if isinstance(current, tuple):
            return tuple(int(entry) for entry in value)
        if isinstance(current, int) and value != int(value):
            raise ValueError
        return type(current)(value)  # type: ignore[call-arg]
    except (DataError, TypeError, ValueError, OverflowError) as error:
        shape = "a list like [1,2,2]" if isinstance(current, tuple) else f"a number like {current}"
        raise SettingError(f"{key}={text} cannot be used: {key} is {shape}.") from error


def assigned(config: Config, assignments: Sequence[str]) -> Config:
    """``config`` with the assignments applied. Raises SettingError that lists the settings for an unknown key."""
    known = [entry.name for entry in fields(config)]
    given = {}
    for key, text in map(key_and_text, assignments):
        if key not in known:
            raise SettingError(f"{key!r} is not a setting. Settings: {', '.join(known)}.")
        given[key] = converted(key, text, getattr(config, key))
    return replace(config, **given)
