"""What models are made of: rows of numbers by name, as config.json holds them, and the model that they describe."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from primeflow_core.data.conditions import Vocabulary
from primeflow_core.errors import CheckpointError, PrimeflowError
from primeflow_core.models.baselines.architecture import Architecture
from primeflow_core.models.baselines.biolord import BiolordConfig
from primeflow_core.models.baselines.closed_form import (
    AdditiveConfig,
    BaselineConfig,
    MeanConfig,
    NoChangeConfig,
    RidgeConfig,
)
from primeflow_core.models.baselines.cpa import CPAConfig
from primeflow_core.models.baselines.decoder_only import DecoderOnlyConfig
from primeflow_core.models.baselines.latent import LatentConfig
from primeflow_core.models.baselines.linear import LinearConfig
from primeflow_core.models.baselines.sams_vae import SamsVaeConfig
from primeflow_core.models.flow.mlp import MLPConfig
from primeflow_core.models.flow.objective import FlowConfig
from primeflow_core.models.flow.primeflow import FieldConfig, PRiMeFlow
from primeflow_core.models.flow.unet import UNetConfig
from primeflow_core.models.predictor import Predictor

TRAINING, FLOW = "training", "flow"
FIELDS: MappingProxyType[str, type[FieldConfig]] = MappingProxyType({"field": UNetConfig, "mlp": MLPConfig})
"""Velocity fields; beside each stands a row ``flow``."""
ARCHITECTURES: MappingProxyType[str, type[Architecture]] = MappingProxyType(
    {
        "no_change": NoChangeConfig,
        "mean": MeanConfig,
        "additive": AdditiveConfig,
        "ridge": RidgeConfig,
        "baseline": BaselineConfig,
        "linear": LinearConfig,
        "latent": LatentConfig,
        "decoder_only": DecoderOnlyConfig,
        "cpa": CPAConfig,
        "sams_vae": SamsVaeConfig,
        "biolord": BiolordConfig,
    }
)
"""Models of one row."""

Row = FieldConfig | FlowConfig | Architecture


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
    raise CheckpointError(f"The rows {', '.join(rows) or 'that are not there'} make no model.")
