"""A model and cells so small that every test can afford them."""

import numpy as np

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, Perturbation, Vocabulary
from primeflow_core.models.flow.objective import FlowConfig
from primeflow_core.models.flow.primeflow import PRiMeFlow
from primeflow_core.models.flow.unet import UNetConfig
from primeflow_core.training.config import TrainingConfig
from primeflow_core.training.recipes.registry import Recipe

CONTEXT = (("cell_type", "k562"),)
FIELD = UNetConfig(
    channels=16,
    channel_mult=(1, 2),
    num_res_blocks=1,
    attention_at=(2,),
    heads=2,
    gene_features=8,
    fold=2,
    readout="gene",
)
RECIPE = Recipe(
    "tiny",
    "",
    {"field": FIELD, "flow": FlowConfig()},
    TrainingConfig(batch_size=16, learning_rate=1e-3, steps=40, validate_every=10),
)


def condition(*names: str) -> Condition:
    return Condition(tuple(Perturbation(name) for name in sorted(names)), CONTEXT)


CONDITIONS = (condition(), condition("A"), condition("B"), condition("A", "B"))
VOCABULARY = Vocabulary.from_conditions(CONDITIONS)


def cells(per_condition: int = 20, genes: int = 11, seed: int = 0) -> Cells:
    """Non-negative cells, half of them zeros, whose conditions differ in mean."""
    rng = np.random.default_rng(seed)
    condition_of = np.repeat(np.arange(len(CONDITIONS)), per_condition)
    values = rng.gamma(2.0, 0.5, (len(condition_of), genes)) + condition_of[:, None] * 0.3
    values *= rng.random(values.shape) < 0.5
    return Cells(
        values.astype(np.float32),
        tuple(f"G{i}" for i in range(genes)),
        np.array([f"cell{i}" for i in range(len(condition_of))]),
        CONDITIONS,
        condition_of,
    )


def model(genes: int = 11, factors: int = 0) -> PRiMeFlow:
    return PRiMeFlow(tuple(f"G{i}" for i in range(genes)), VOCABULARY, FIELD, FlowConfig(factors=factors))
