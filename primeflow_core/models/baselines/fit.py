"""All rivals, fitted at once to the same training cells."""

import numpy as np

from primeflow_core.data.cells import Cells
from primeflow_core.models.baselines.additive import SumOfSingles, SumOfSinglesCells
from primeflow_core.models.baselines.measured import TrainingMeans
from primeflow_core.models.baselines.mixture import MixOfSingles
from primeflow_core.models.baselines.no_change import NoChange
from primeflow_core.models.baselines.ridge import Ridge, RidgeCells
from primeflow_core.models.baselines.ridge_fit import RidgeFit, fit_ridge
from primeflow_core.models.baselines.rival import Rival

RIVALS: tuple[str, ...] = tuple(
    kind.name for kind in (NoChange, SumOfSingles, SumOfSinglesCells, MixOfSingles, Ridge, RidgeCells)
)


def fit_rivals(training: Cells) -> dict[str, Rival]:
    """Every rival by name, in the order of ``RIVALS``; ``training`` holds training cells only."""
    measured = TrainingMeans.of(training)
    ridge = ridge_of(measured)
    rivals: tuple[Rival, ...] = (
        NoChange(measured),
        SumOfSingles(measured),
        SumOfSinglesCells(measured),
        MixOfSingles(measured),
        Ridge(measured, ridge),
        RidgeCells(measured, ridge),
    )
    return {rival.name: rival for rival in rivals}


def ridge_of(measured: TrainingMeans) -> RidgeFit:
    conditions = measured.with_shift()
    shifts = np.array([measured.shift(c) for c in conditions]).reshape(len(conditions), len(measured.cells.genes))
    counts = np.array([measured.counts[measured.position[c]] for c in conditions])
    return fit_ridge(conditions, shifts, counts)
