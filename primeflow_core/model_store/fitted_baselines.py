"""The baselines fitted to the cells that a model was trained on."""

from pathlib import Path

from primeflow_core.data.cells import Cells
from primeflow_core.data.split_file import TRAIN
from primeflow_core.data.splits import read_split
from primeflow_core.models.baselines.fit import FittedBaselines, fit_baselines
from primeflow_core.models.checkpoint import SPLIT


def fitted_to_training(cells: Cells, folder: Path) -> FittedBaselines:
    """All baselines, fitted to the cells that the model in ``folder`` was trained on. Raises DataError."""
    split = read_split(folder / SPLIT, cells, unlisted="leave-out")
    return fit_baselines(cells.subset(split.indices(cells, TRAIN)))
