"""Builds a model from its rows: numbers by name, as config.json stores them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from primeflow_core.data.conditions import Vocabulary
from primeflow_core.errors import CheckpointError, PrimeflowError
from primeflow_core.models.baselines.architecture import Architecture
from primeflow_core.models.flow.field_config import FieldConfig
from primeflow_core.models.flow.objective import FlowConfig
from primeflow_core.models.flow.primeflow import PRiMeFlow
from primeflow_core.models.kinds.kind import Family, ModelKind
from primeflow_core.models.kinds.registry import kinds_of
from primeflow_core.models.predictor import Predictor
from primeflow_core.models.rows import FLOW, TRAINING, Row


def _class_of(kind: ModelKind, expected: type[Any]) -> type[Any]:
    """Raises TypeError where a kind's family says another class than its parts."""
    config = kind.parts().config
    if not issubclass(config, expected):
        raise TypeError(f"The row {kind.row} of a {kind.family.name} has the class {config.__name__}.")
    return config


FIELDS: MappingProxyType[str, type[FieldConfig]] = MappingProxyType(
    {kind.row: _class_of(kind, FieldConfig) for kind in kinds_of(Family.FLOW)}
)
"""The velocity fields. Each of them needs a row ``flow`` too."""
ARCHITECTURES: MappingProxyType[str, type[Architecture]] = MappingProxyType(
    {kind.row: _class_of(kind, Architecture) for kind in kinds_of(Family.BASELINE, Family.CLOSED_FORM)}
)
"""Models of one row."""


def rows_of(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Row]:
    """The rows of a model from the plain numbers of a config.json. Raises CheckpointError for what no row has."""
    kinds: dict[str, type[Row]] = {FLOW: FlowConfig, **FIELDS, **ARCHITECTURES}
    found = {name: numbers for name, numbers in settings.items() if name != TRAINING}
    if strange := sorted(set(found) - set(kinds)):
        raise CheckpointError(f"The model has the row {strange[0]!r}, and this version knows {', '.join(kinds)}.")
    return {name: _row(name, kinds[name], numbers) for name, numbers in found.items()}


def _row(name: str, kind: type[Row], numbers: Mapping[str, Any]) -> Row:
    from primeflow_core.runtime.file_schema import settings_of

    try:
        return kind(**settings_of(kind, numbers, name))
    except PrimeflowError as error:
        raise CheckpointError(f"The model's row {name} cannot be used: {error}") from error


def built(genes: Sequence[str], vocabulary: Vocabulary, rows: Mapping[str, Row]) -> Predictor:
    """The model with fresh weights. Raises CheckpointError where the rows make none."""
    flow, *others = (rows.get(FLOW), *(row for name, row in rows.items() if name != FLOW))
    if len(others) == 1:
        (row,) = others
        if isinstance(flow, FlowConfig) and isinstance(row, FieldConfig):
            return PRiMeFlow(genes, vocabulary, row, flow)
        if flow is None and isinstance(row, Architecture):
            return row.build(genes, vocabulary)
    raise CheckpointError(f"The rows {', '.join(rows) or 'that are not there'} do not describe a model.")
