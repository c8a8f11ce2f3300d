"""The perturbed cells that a model was trained on."""

from pathlib import Path

from primeflow_core.data.cells import Cells
from primeflow_core.data.splits import read_split
from primeflow_core.evaluation.held_out_reference import perturbed_training
from primeflow_core.evaluation.typical_cells import PerturbedTraining
from primeflow_core.models.checkpoint import SPLIT


def perturbed_training_of(cells: Cells, folder: Path) -> PerturbedTraining:
    """Of the model in ``folder``; ``cells`` are those of its data set. Raises DataError."""
    return perturbed_training(cells, read_split(folder / SPLIT, cells, unlisted="leave-out"))
