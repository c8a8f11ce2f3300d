"""The baselines in closed form as models of one row: nothing of them is trained or searched."""

from primeflow_core.models.baselines.closed_form import AdditiveConfig, MeanConfig, NoChangeConfig, RidgeConfig
from primeflow_core.models.kinds.kind import ModelParts, RecipeRow
from primeflow_core.models.kinds.training_settings import CLOSED

NO_CHANGE = ModelParts(
    NoChangeConfig,
    (
        RecipeRow(
            "no-change", "control cells, as if perturbations did nothing", {"no_change": NoChangeConfig()}, CLOSED
        ),
    ),
)
MEAN = ModelParts(
    MeanConfig,
    (RecipeRow("mean", "the mean of all training cells, whatever the condition", {"mean": MeanConfig()}, CLOSED),),
)
ADDITIVE = ModelParts(
    AdditiveConfig,
    (
        RecipeRow(
            "additive", "control cells, moved by the sum of the parts alone", {"additive": AdditiveConfig()}, CLOSED
        ),
    ),
)
RIDGE = ModelParts(
    RidgeConfig,
    (RecipeRow("ridge", "control cells, moved by a ridge regression of all shifts", {"ridge": RidgeConfig()}, CLOSED),),
)
