"""The models by name, as rows: the paper's two U-Nets (Appendix E) and two small ones for a CPU.

The captions that tie the paper's rows to data sets are lost, so they are named by size. The paper trains on
four GPUs; ``batch_size`` here is the sum over them.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from primeflow_core.assignments import converted, key_and_text
from primeflow_core.errors import SettingError
from primeflow_core.objective import FlowConfig
from primeflow_core.training import TrainingConfig
from primeflow_core.velocity.unet import UNetConfig


@dataclass(frozen=True)
class Recipe:
    """A model and its training, all of it numbers."""

    name: str
    summary: str
    field: UNetConfig
    flow: FlowConfig
    training: TrainingConfig

    def settings(self) -> dict[str, dict[str, Any]]:
        """The rows as plain numbers, for config.json."""
        return {"field": asdict(self.field), "flow": asdict(self.flow), "training": asdict(self.training)}


PAPER_TRAINING = TrainingConfig(
    batch_size=216, accumulation=4, learning_rate=5e-5, weight_decay=0.0, steps=200_000, save_every=1000
)
CPU_TRAINING = TrainingConfig(
    batch_size=64, precision="auto", learning_rate=2e-3, decay="cosine", composed=0.25, steps=3000, patience=1000
)
CPU_FLOW = FlowConfig(factors=64)
SMALL = UNetConfig(
    channels=64, channel_mult=(1, 2, 2), attention_at=(4,), dropout=0.0, gene_features=16, fold=8, readout="gene",
    dense=256,
)  # fmt: skip

RECIPES = (
    Recipe(
        "unet-a",
        "the paper's larger U-Net, 209 M parameters in the trunk; needs a GPU",
        UNetConfig(channel_mult=(1, 2, 2, 4, 4)),
        FlowConfig(),
        PAPER_TRAINING,
    ),
    Recipe(
        "unet-b",
        "the paper's smaller U-Net, 151 M parameters in the trunk; needs a GPU",
        UNetConfig(channel_mult=(1, 1, 2, 2, 4)),
        FlowConfig(),
        replace(PAPER_TRAINING, batch_size=400),
    ),
    Recipe(
        "unet-small",
        "8 genes a position, 5 M parameters at 500 genes; for a CPU and a few thousand cells",
        SMALL,
        CPU_FLOW,
        CPU_TRAINING,
    ),
    Recipe(
        "unet-tiny",
        "16 genes a position, 4 M parameters at 500 genes; twice as fast as unet-small",
        replace(SMALL, fold=16, num_res_blocks=1),
        CPU_FLOW,
        CPU_TRAINING,
    ),
)


def recipe_named(name: str) -> Recipe:
    """Raises SettingError that lists the names there are."""
    for recipe in RECIPES:
        if recipe.name == name:
            return recipe
    raise SettingError(f"There is no recipe {name!r}. Recipes: {', '.join(recipe.name for recipe in RECIPES)}.")


def adjusted(recipe: Recipe, assignments: Sequence[str]) -> Recipe:
    """``recipe`` with ``key=value`` texts applied, e.g. ``batch_size=32`` or ``channel_mult=[1,2]``."""
    for assignment in assignments:
        recipe = _with(recipe, *key_and_text(assignment))
    return recipe


def _with(recipe: Recipe, key: str, text: str) -> Recipe:
    for row in ("field", "flow", "training"):
        config = getattr(recipe, row)
        if key in {entry.name for entry in fields(config)}:
            value = converted(key, text, getattr(config, key))
            return replace(recipe, **{row: replace(config, **{key: value})})
    known = [entry.name for row in (UNetConfig, FlowConfig, TrainingConfig) for entry in fields(row)]
    raise SettingError(f"{key!r} is no setting of a recipe. Settings: {', '.join(known)}.")
