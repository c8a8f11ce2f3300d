"""A recipe as a file, which stands wherever a recipe's name does; `tune` writes its best row as one.

    {"format": 1, "name": ..., "summary": ..., "settings": {row: {setting: value}}, "provenance": {...}}

``settings`` are the rows as config.json of a model holds them; a setting that is left out has its usual value.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from primeflow_core.errors import PrimeflowError, SettingError
from primeflow_core.models.architectures import ARCHITECTURES, FIELDS, FLOW, TRAINING, Row, rows_of
from primeflow_core.models.flow.objective import FlowConfig
from primeflow_core.runtime.atomic_files import write_json
from primeflow_core.training.config import TrainingConfig
from primeflow_core.training.recipes.recipe import Recipe

RECIPE_ENDING = ".json"
FORMAT = 1
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""It becomes part of the names of folders."""
KEYS = {"format": int, "name": str, "summary": str, "settings": dict}
SHAPES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", tuple: "whole numbers in [ ]"}
LONGEST = 40
MOST = 2**53
"""No setting is larger, and beyond it numbers are no longer whole."""


def write_recipe(path: Path, recipe: Recipe, provenance: Mapping[str, Any]) -> None:
    """``provenance``: plain data on where the numbers come from."""
    told = {"name": recipe.name, "summary": recipe.summary, "settings": recipe.settings()}
    write_json(path, {"format": FORMAT, **told, "provenance": dict(provenance)})


def read_recipe(path: Path) -> Recipe:
    """Raises SettingError that names the file, and the setting and value that are amiss."""
    try:
        return _recipe(_checked(_parsed(path)))
    except PrimeflowError as error:
        raise SettingError(f"{path} cannot be used as a recipe: {error}") from error


def _parsed(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(f"{error.strerror}. Give a recipe's name, or a file that `primeflow tune` wrote.") from error
    except (ValueError, RecursionError) as error:
        raise SettingError("it is no JSON. Copy it again, or make it with `primeflow tune`.") from error


def _checked(told: Any) -> dict[str, Any]:
    if not isinstance(told, dict):
        raise SettingError("it holds no object { }. Make it with `primeflow tune`.")
    for key, kind in KEYS.items():
        if not _is(kind, told.get(key)):
            raise SettingError(f"{key} is {_short(told.get(key))}. Make it with `primeflow tune`.")
    if told["format"] != FORMAT:
        raise SettingError(f"format is {_short(told['format'])}, and this version of PRiMeFlow reads format {FORMAT}.")
    if not NAME.fullmatch(told["name"]):
        raise SettingError(
            f"name is {_short(told['name'])}; it must be letters, digits, - and _ alone, at most 64, and not start "
            "with a sign."
        )
    return told


def _recipe(told: Mapping[str, Any]) -> Recipe:
    kinds: dict[str, type[Row | TrainingConfig]] = {
        FLOW: FlowConfig,
        **FIELDS,
        **ARCHITECTURES,
        TRAINING: TrainingConfig,
    }
    settings = told["settings"]
    if strange := [name for name in settings if name not in kinds]:
        raise SettingError(f"it has the row {_short(strange[0])}, and this version knows {', '.join(kinds)}.")
    _check_rows(settings)
    given = {name: _row(name, kinds[name], row) for name, row in settings.items()}
    training = TrainingConfig(**given.pop(TRAINING, {}))
    return Recipe(told["name"], told["summary"], rows_of(given), training)


def _check_rows(settings: Mapping[str, Any]) -> None:
    rows = sorted(set(settings) - {TRAINING})
    of_flow = len(rows) == 2 and FLOW in rows and bool(set(rows) & set(FIELDS))
    if not of_flow and not (len(rows) == 1 and rows[0] in ARCHITECTURES):
        raise SettingError(f"the rows {', '.join(rows) or '(none)'} make no model.")


def _row(name: str, kind: type[Row | TrainingConfig], given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise SettingError(f"the row {name} is {_short(given)}; it must be an object of settings.")
    usual = {entry.name: entry.default for entry in fields(kind)}
    found = {}
    for key, value in given.items():
        if key not in usual:
            raise SettingError(f"the row {name} has the setting {_short(key)}, which this version lacks.")
        found[key] = _value(f"{name}.{key}", value, type(usual[key]))
    return found


def _value(name: str, value: Any, kind: type) -> Any:
    fits = _is(kind, value)
    if kind is tuple:
        fits = isinstance(value, list) and all(_is(int, entry) for entry in value)
    if not fits:
        raise SettingError(f"{name} is {_short(value)}; it must be {SHAPES[kind]}.")
    return tuple(value) if kind is tuple else kind(value)


def _is(kind: type, value: Any) -> bool:
    """Whole numbers are numbers; true and false are neither."""
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    if kind in (int, float):
        # Not a number is smaller than nothing.
        return isinstance(value, int if kind is int else int | float) and abs(value) < MOST
    return isinstance(value, kind)


def _short(value: Any) -> str:
    """A value as it stands in the file, cut where it is long."""
    text = "missing" if value is None else json.dumps(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
