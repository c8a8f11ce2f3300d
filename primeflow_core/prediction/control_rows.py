"""Chooses the control cells for each side of a comparison."""

from pathlib import Path

import numpy as np

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.data.split_file import TRAIN
from primeflow_core.data.splits import read_split
from primeflow_core.errors import DataError
from primeflow_core.evaluation.defaults import FEWEST
from primeflow_core.evaluation.measured_condition import halved_controls
from primeflow_core.models import checkpoint


def control_rows(
    cells: Cells, condition: Condition, trained: np.ndarray, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the controls of the condition's context: those ``trained`` on (N,), and others; else two halves.

    Raises DataError for fewer than 8.
    """
    rows = cells.where(condition.control())
    if len(rows) < 2 * FEWEST:
        raise DataError(
            f"{cells.source} has {len(rows)} control cells in {condition.context or 'all'}; "
            f"comparing needs {2 * FEWEST} at least."
        )
    training, others = rows[trained[rows]], rows[~trained[rows]]
    return (training, others) if min(len(training), len(others)) >= FEWEST else halved_controls(rows, seed)


def in_training(cells: Cells, folder: Path) -> np.ndarray:
    """(N,) whether each cell was in training; all False for cells that the model's split does not name."""
    try:
        split = read_split(folder / checkpoint.SPLIT, cells, unlisted="leave-out")
    except DataError:
        # The user's own cells are not those of the split, and none of them was trained on.
        return np.zeros(len(cells), dtype=bool)
    return split.part_of(cells) == TRAIN
