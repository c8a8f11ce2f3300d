"""A recipe as a file, which stands wherever a recipe's name does; `tune` writes its best row as one.

    {"format": 1, "name": ..., "summary": ..., "settings": {row: {setting: value}}, "provenance": {...}}

``settings`` are the rows as config.json of a model holds them; a missing setting has its usual value.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from primeflow_core.errors import PrimeflowError, SettingError
from primeflow_core.models.architectures import ARCHITECTURES, FIELDS, rows_of
from primeflow_core.models.flow.objective import FlowConfig
from primeflow_core.models.rows import FLOW, TRAINING, Row
from primeflow_core.runtime.atomic_files import write_json
from primeflow_core.runtime.json_text import read_text, shortened
from primeflow_core.training.config import TrainingConfig
from primeflow_core.training.recipes.recipe import Recipe

RECIPE_ENDING = ".json"
FORMAT = 1
KINDS: Mapping[str, type[Row | TrainingConfig]] = MappingProxyType(
    {FLOW: FlowConfig, **FIELDS, **ARCHITECTURES, TRAINING: TrainingConfig}
)
MOST = 2**53
"""The largest possible number. Larger numbers are not exact whole numbers."""


def write_recipe(path: Path, recipe: Recipe, provenance: Mapping[str, Any]) -> None:
    """``provenance``: plain data on where the numbers come from."""
    told = {"name": recipe.name, "summary": recipe.summary, "settings": recipe.settings()}
    write_json(path, {"format": FORMAT, **told, "provenance": dict(provenance)})


def read_recipe(path: Path) -> Recipe:
    """Raises SettingError that names the file, and the setting and value that are amiss."""
    try:
        return _recipe(read_text(path))
    except PrimeflowError as error:
        reason = str(error).rstrip(".")
        raise SettingError(
            f"{path} cannot be used as a recipe: {reason}. Give a recipe's name, or a file that `primeflow tune` wrote."
        ) from error


def _recipe(text: str) -> Recipe:
    from primeflow_core.training.recipes.recipe_schema import RecipeFile

    told = RecipeFile.read(text)
    if told.format != FORMAT:
        raise SettingError(f"format is {told.format}, and this version of PRiMeFlow reads format {FORMAT}.")
    _check_rows(told.settings)
    given = {name: _settings(name, row) for name, row in told.settings.items()}
    training = TrainingConfig(**given.pop(TRAINING, {}))
    return Recipe(told.name, told.summary, rows_of(given), training)


def _check_rows(settings: Mapping[str, Any]) -> None:
    if strange := [name for name in settings if name not in KINDS]:
        raise SettingError(f"it has the row {shortened(strange[0])}, and this version knows {', '.join(KINDS)}.")
    rows = sorted(set(settings) - {TRAINING})
    of_flow = len(rows) == 2 and FLOW in rows and bool(set(rows) & set(FIELDS))
    if not of_flow and not (len(rows) == 1 and rows[0] in ARCHITECTURES):
        raise SettingError(f"the rows {', '.join(rows) or '(none)'} do not describe a model.")


def _settings(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Checked, each of the type that its row has. Raises PrimeflowError."""
    from primeflow_core.runtime.file_schema import settings_of

    found = settings_of(KINDS[name], row, name)
    for key, value in found.items():
        if isinstance(value, int | float) and abs(value) >= MOST:
            raise SettingError(f"{name}.{key} is {shortened(row[key])}; it must be smaller than {MOST:,}.")
    return found
