"""The baselines in closed form as models of one row: nothing of them is trained or searched."""

from primeflow_core.models.baselines.closed_form import (
    AdditiveConfig,
    BaselineConfig,
    MeanConfig,
    NoChangeConfig,
    RidgeConfig,
)
from primeflow_core.models.baselines.gaussian_predictor import GAUSSIAN
from primeflow_core.models.baselines.registry import baselines_with_recipe
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
OWN_ROW = tuple(recipe.name for parts in (NO_CHANGE, MEAN, ADDITIVE, RIDGE, GAUSSIAN) for recipe in parts.recipes)
"""Recipes whose models have a row of their own in config.json: earlier versions had no records, or it has numbers."""


def rows_of_baselines() -> tuple[RecipeRow, ...]:
    """A recipe for each baseline that can be a saved model and has no row of its own."""
    return tuple(
        RecipeRow(baseline.recipe, baseline.describe, {"baseline": BaselineConfig(baseline.name)}, CLOSED)
        for baseline in baselines_with_recipe()
        if baseline.recipe not in OWN_ROW
    )


ANY_BASELINE = ModelParts(BaselineConfig, rows_of_baselines())
