"""The pairs of the simulated screen in four folds, and for each a model that never saw its pairs.

Every fold holds out one pair of each two pathways that cross: eight pairs, two of each class of interaction. In the
other contexts single perturbations are for validation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.data.simulated_biology import (
    INTERACTIONS,
    PAIRS_OF_PATHWAYS,
    UP,
    Planned,
    SimulationConfig,
    context_name,
    made_world,
)
from primeflow_core.data.split_file import TEST, VAL
from primeflow_core.data.splits import Split, held_out_split
from primeflow_core.models import checkpoint
from primeflow_core.training.recipes.registry import adjusted, recipe_named
from primeflow_core.training.run import Source, prepare
from primeflow_core.training.trainer import train

SCREEN = "simulated-screen"
CONFIG = SimulationConfig()
FOLDS = CONFIG.pairs // PAIRS_OF_PATHWAYS
RECIPE, STEPS = "unet-tiny", 5_000
VALIDATED = 4


@dataclass(frozen=True)
class Model:
    """``held_out``: pairs of known class that the model in ``folder`` was not trained on."""

    folder: Path
    held_out: tuple[Condition, ...]


def classes() -> dict[Condition, str]:
    """The class of interaction of every pair; pairs of one crossing follow each other."""
    return {_condition(one): one.interaction for one in _plan() if one.interaction in INTERACTIONS}


def held_out(fold: int) -> tuple[Condition, ...]:
    return tuple(classes())[fold::FOLDS]


def trained(cells: Cells, fold: int, work: Path, settings: Sequence[str] = ()) -> Model:
    """The model of a fold, trained in ``work``; what was finished, or killed, there is taken up again.

    ``settings`` of the recipe as ``key=value``.
    """
    folder, recipe = work / f"fold-{fold}", adjusted(recipe_named(RECIPE), [f"steps={STEPS}", *settings])
    source = Source(cells, _split(cells, fold), SCREEN, simulated=True)
    command = ["benchmarks.interactions"]
    train(prepare(source, recipe, folder, seed=0, device="cpu", resume=True, command=command), folder)
    return Model(folder, held_out(fold))


def model_in(folder: Path) -> Model:
    """A model of the simulated screen that was trained elsewhere."""
    known = classes()
    return Model(folder, tuple(pair for pair in checkpoint.read_manifest(folder).held_out if pair in known))


def _split(cells: Cells, fold: int) -> Split:
    part = dict.fromkeys(held_out(fold), TEST)
    for context in range(1, CONFIG.contexts):
        switches = [one for one in _plan() if one.context == context and one.kind == UP]
        part |= dict.fromkeys(map(_condition, switches[:VALIDATED]), VAL)
    return held_out_split(cells, part, seed=CONFIG.seed)


def _plan() -> tuple[Planned, ...]:
    return made_world(CONFIG, np.random.Generator(np.random.PCG64(CONFIG.seed))).plan


def _condition(one: Planned) -> Condition:
    return Condition(one.parts, (("cell_type", context_name(one.context)),))
