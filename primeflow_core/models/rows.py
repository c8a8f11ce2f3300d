"""The rows that a model's config.json holds, by their types: a network's, a flow's, a baseline's."""

from primeflow_core.models.baselines.architecture import Architecture
from primeflow_core.models.flow.field_config import FieldConfig
from primeflow_core.models.flow.objective import FlowConfig

TRAINING, FLOW = "training", "flow"


Row = FieldConfig | FlowConfig | Architecture
