"""All models by name, as rows; here the paper's two U-Nets (Appendix E) and two small ones for a CPU.

The captions that tie the paper's rows to data sets are lost, so they are named by size. The paper trains on
four GPUs; ``batch_size`` here is the sum over them.
"""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

from primeflow_core.errors import SettingError
from primeflow_core.models.flow.objective import FlowConfig
from primeflow_core.models.flow.unet import UNetConfig
from primeflow_core.models.kinds.kind import RecipeRow
from primeflow_core.models.kinds.registry import COMPOSED, all_kinds
from primeflow_core.training.config import TrainingConfig
from primeflow_core.training.recipes.flow import CPU_FLOW, CPU_TRAINING, FLOW_RECIPES, PLAIN_TRAINING
from primeflow_core.training.recipes.overrides import converted, key_and_text
from primeflow_core.training.recipes.recipe import Recipe
from primeflow_core.training.recipes.recipe_file import RECIPE_ENDING, read_recipe

PAPER_TRAINING = TrainingConfig(
    batch_size=216, accumulation=4, learning_rate=5e-5, weight_decay=0.0, steps=200_000, save_every=1000
)
SMALL = UNetConfig(
    channels=64, channel_mult=(1, 2, 2), attention_at=(4,), dropout=0.0, gene_features=16, fold=8, readout="gene",
    dense=256,
)  # fmt: skip
PLAIN = UNetConfig(
    channels=16, channel_mult=(1, 2, 4), num_res_blocks=1, attention_at=(4,), heads=4, dropout=0.0, gene_features=16
)
"""Each gene has its own position, as in the paper; narrower and less deep."""

PRIMEFLOW = (
    Recipe(
        "unet-a",
        "the paper's larger U-Net, 209 M parameters in the trunk; needs a GPU",
        {"field": UNetConfig(channel_mult=(1, 2, 2, 4, 4)), "flow": FlowConfig()},
        PAPER_TRAINING,
    ),
    Recipe(
        "unet-b",
        "the paper's smaller U-Net, 151 M parameters in the trunk; needs a GPU",
        {"field": UNetConfig(channel_mult=(1, 1, 2, 2, 4)), "flow": FlowConfig()},
        replace(PAPER_TRAINING, batch_size=400),
    ),
    Recipe(
        "primeflow-tiny",
        "the paper's method and nothing else, at a size for a CPU",
        {"field": PLAIN, "flow": FlowConfig()},
        PLAIN_TRAINING,
    ),
    Recipe(
        "primeflow-plus-small",
        "8 genes a position, 5 M parameters at 500 genes; for a CPU and a few thousand cells",
        {"field": SMALL, "flow": CPU_FLOW},
        CPU_TRAINING,
        formerly="unet-small",
    ),
    Recipe(
        "primeflow-plus-tiny",
        "16 genes a position, 4 M parameters at 500 genes; twice as fast as primeflow-plus-small",
        {"field": replace(SMALL, fold=16, num_res_blocks=1), "flow": CPU_FLOW},
        CPU_TRAINING,
        formerly="unet-tiny",
    ),
    *FLOW_RECIPES,
)


def recipe_of(row: RecipeRow) -> Recipe:
    """Raises SettingError for numbers that no training can have."""
    return Recipe(row.name, row.summary, row.rows, TrainingConfig(**row.training))


def _of_kinds(large: bool) -> tuple[Recipe, ...]:
    """The recipes that the records of models of one row hold, in the order of the records."""
    return tuple(recipe_of(row) for kind in all_kinds() for row in kind.parts().recipes if row.large == large)


SMALL_BASELINES, BEST_BASELINES = _of_kinds(large=False), _of_kinds(large=True)
HELPED = ("primeflow-mlp-tiny", "fm-tiny", "decoder-only", "cpa", "sams-vae", "biolord")
SHARE = 0.25


def _composed(recipe: Recipe) -> Recipe:
    """With the same composed training cells as PRiMeFlow-plus has."""
    return replace(
        recipe,
        name=recipe.name + COMPOSED,
        summary=f"{recipe.name} with composed training cells",
        training=replace(recipe.training, composed=SHARE),
    )


WITH_COMPOSED_CELLS = tuple(_composed(recipe) for recipe in (*PRIMEFLOW, *SMALL_BASELINES) if recipe.name in HELPED)
GROUPS = (
    ("PRiMeFlow, its ablations, and small rows of them for a CPU", PRIMEFLOW),
    ("Baselines, for a CPU", SMALL_BASELINES),
    ("The same with composed training cells", WITH_COMPOSED_CELLS),
    ("Baselines with PerturBench's best parameters, for a GPU", BEST_BASELINES),
)
RECIPES: tuple[Recipe, ...] = tuple(recipe for _, group in GROUPS for recipe in group)
FLOWS_FOR_A_CPU = (
    "primeflow-tiny", "primeflow-plus-tiny", "primeflow-mlp-tiny", "primeflow-mlp-plus-tiny", "fm-tiny", "fm-ot-tiny"
)  # fmt: skip
SMALL_RECIPES = (
    *(recipe for recipe in PRIMEFLOW if recipe.name in FLOWS_FOR_A_CPU), *SMALL_BASELINES
)  # fmt: skip
"""One recipe of each model, to be compared on a CPU."""


def recipe_named(name: str) -> Recipe:
    """A recipe by its name or its former one. Raises SettingError that lists the names there are."""
    for recipe in RECIPES:
        if name and name in (recipe.name, recipe.formerly):
            return recipe
    raise SettingError(f"There is no recipe {name!r}. Recipes: {', '.join(recipe.name for recipe in RECIPES)}.")


def present_name(name: str) -> str:
    """The name that a recipe has now; ``name`` itself where there is no such recipe."""
    return next((recipe.name for recipe in RECIPES if name and recipe.formerly == name), name)


def recipe_given(text: str) -> Recipe:
    """A recipe by its name, or from the file at ``text``, which `tune` writes and which ends with .json.

    Raises SettingError for an unknown name and a file that is no recipe, or that has the name of another recipe.
    """
    if not text.endswith(RECIPE_ENDING):
        return recipe_named(text)
    recipe = read_recipe(Path(text))
    if any(known.name == recipe.name and known.settings() != recipe.settings() for known in RECIPES):
        raise SettingError(
            f"{text} has the name {recipe.name!r} and other settings than that recipe. Rename it inside."
        )
    return recipe


def changed(recipe: Recipe, assignments: Sequence[str]) -> Recipe:
    """Like ``adjusted``, but models in closed form keep their training settings: they have no training steps."""
    if recipe.training.steps:
        return adjusted(recipe, assignments)
    of_training = {field.name for field in fields(TrainingConfig)}
    return adjusted(recipe, [text for text in assignments if key_and_text(text)[0] not in of_training])


def adjusted(recipe: Recipe, assignments: Sequence[str]) -> Recipe:
    """``recipe`` with ``key=value`` texts applied, e.g. ``batch_size=32`` or ``channel_mult=[1,2]``."""
    for key, text in map(key_and_text, assignments):
        # What no row has is told of by with_values.
        value = converted(key, text, recipe.values().get(key, text))
        recipe = recipe.with_values({key: value})
    return recipe
