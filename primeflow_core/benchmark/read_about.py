"""Reading what a finished benchmark says of itself (tables.About), for whoever shows it."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from primeflow_core.benchmark.about import About
from primeflow_core.errors import DataError
from primeflow_core.wording import day_in_words

T = TypeVar("T")
TEXTS = ("title", "data", "split", "command", "part", "data_sha256", "made")


def read_about(path: Path) -> About:
    """Raises DataError that names the file and what is wrong with it."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(said, dict):
            raise DataError("it is no JSON object")
        return _about(said)
    except (OSError, ValueError, RecursionError, DataError) as error:
        reason = str(error).rstrip(".")
        raise DataError(
            f"{path} does not describe a benchmark: {reason}. Run `primeflow benchmark` again, or take the folder away."
        ) from error


def day_of(about: About) -> str:
    """For instance ``22 November 2026``."""
    return day_in_words(datetime.fromisoformat(about.made))


def _about(said: Mapping[str, Any]) -> About:
    texts = {name: _of(said, name, str) for name in TEXTS}
    datetime.fromisoformat(texts["made"])
    return About(
        **texts, simulated=_of(said, "simulated", bool), cells=_of(said, "cells", int),
        seeds=_all(said, "seeds", int), split_sha256=_all(said, "split_sha256", str),
        recipes={name: str(title) for name, title in _of(said, "recipes", dict).items()},
        versions=_of(said, "versions", dict), refused=_refused(_of(said, "refused", dict)),
        failed={str(name): str(why) for name, why in _of({"failed": {}, **said}, "failed", dict).items()},
    )  # fmt: skip


def _refused(said: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    if not all(isinstance(conditions, dict) for conditions in said.values()):
        raise DataError("refused must name conditions and reasons of each recipe")
    return {recipe: {str(label): str(why) for label, why in conditions.items()} for recipe, conditions in said.items()}


def _of(said: Mapping[str, Any], name: str, kind: type[T]) -> T:
    if name not in said:
        raise DataError(f"it has no {name}")
    value = said[name]
    # A truth value is a whole number for Python, and none for people.
    if type(value) is not kind:
        raise DataError(f"{name} is {value!r}, and must be {_words(kind)}")
    return value


def _all(said: Mapping[str, Any], name: str, kind: type[T]) -> tuple[T, ...]:
    values = _of(said, name, list)
    if not values or any(type(value) is not kind for value in values):
        raise DataError(f"{name} is {values!r}, and each of it must be {_words(kind)}")
    return tuple(values)


def _words(kind: type) -> str:
    return {str: "text", bool: "true or false", int: "a whole number", list: "a list", dict: "an object"}[kind]
