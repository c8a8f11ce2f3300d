"""A folder of models for the app: one tiny network, trained for a moment on the simulated screen."""

from dataclasses import replace
from pathlib import Path

from primeflow_core.data.datasets import open_cells
from primeflow_core.data.simulated_screen import default_split
from primeflow_core.models import checkpoint
from primeflow_core.models.flow.objective import FlowConfig
from primeflow_core.training.config import TrainingConfig
from primeflow_core.training.recipes.registry import Recipe
from primeflow_core.training.run import Source, prepare
from primeflow_core.training.trainer import train
from tests.tiny import FIELD

NAME = "tiny-screen"
SHIPPED = 60
RECIPE = Recipe(
    "tiny",
    "",
    {"field": replace(FIELD, fold=20), "flow": FlowConfig()},
    TrainingConfig(batch_size=64, learning_rate=2e-3, steps=30, warmup=5, ema=0.9, validate_every=1000),
)


def make_models(place: Path) -> Path:
    """``place`` with one model whose first view is shipped. Uses the cache of data sets."""
    cells = open_cells("simulated-screen")
    source = Source(cells, default_split(cells), "simulated-screen", True)
    folder = place / NAME
    train(prepare(source, RECIPE, folder, seed=0, device="cpu", resume=False, command=[]), folder)
    manifest = checkpoint.read_manifest(folder)
    assert manifest.first_view is not None
    shipped = checkpoint.load(folder).predict(manifest.first_view, SHIPPED, manifest.sampling)
    checkpoint.write_preview(folder, {manifest.first_view: shipped})
    return place
