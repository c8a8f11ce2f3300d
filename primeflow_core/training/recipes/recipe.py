"""The row that names a model and its training."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from primeflow_core.errors import SettingError
from primeflow_core.models.rows import TRAINING, Row
from primeflow_core.training.config import TrainingConfig


@dataclass(frozen=True)
class Recipe:
    """A model and its training, all of it numbers: ``rows`` of the model by the names that models.py knows.

    ``formerly``: a name that it had in earlier versions, under which it is still found.
    """

    name: str
    summary: str
    rows: Mapping[str, Row]
    training: TrainingConfig
    formerly: str = field(default="", compare=False)

    def settings(self) -> dict[str, dict[str, Any]]:
        """The rows as plain numbers, for config.json."""
        return {name: asdict(row) for name, row in (*self.rows.items(), (TRAINING, self.training))}

    def values(self) -> dict[str, Any]:
        """Each setting by its own name, which no two rows of a recipe share."""
        rows = (*self.rows.values(), self.training)
        return {entry.name: getattr(row, entry.name) for row in rows for entry in fields(row)}

    def with_values(self, values: Mapping[str, Any]) -> "Recipe":
        """The recipe with some settings changed. All settings of a row are changed at once, because a row is checked as
        a whole.

        Raises SettingError for a setting that no row has, and for values that do not go together.
        """
        known = self.values()
        if strange := [key for key in values if key not in known]:
            raise SettingError(f"{strange[0]!r} is not a setting of {self.name}. Its settings: {', '.join(known)}.")
        rows: dict[str, Row] = {name: replace(row, **_of(row, values)) for name, row in self.rows.items()}
        return replace(self, rows=rows, training=replace(self.training, **_of(self.training, values)))


def _of(row: Row | TrainingConfig, values: Mapping[str, Any]) -> dict[str, Any]:
    return {entry.name: values[entry.name] for entry in fields(row) if entry.name in values}
