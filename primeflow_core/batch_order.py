"""The order in which an epoch shows the training cells, each of them once."""

import numpy as np


def shuffled(condition_of: np.ndarray, cells_per_condition: int, draw: np.random.Generator) -> np.ndarray:
    """Rows of cells with the conditions ``condition_of`` (N,), in random order.

    ``cells_per_condition``: in runs of so many random cells of one condition, the last run of each with what is left;
    0: without regard to conditions. Optimal transport within conditions needs several of one in a batch.
    """
    if not cells_per_condition:
        return draw.permutation(len(condition_of))
    runs = [
        run
        for number in np.unique(condition_of)
        for run in _runs(draw.permutation(np.flatnonzero(condition_of == number)), cells_per_condition)
    ]
    return np.concatenate([runs[i] for i in draw.permutation(len(runs))])


def _runs(rows: np.ndarray, most: int) -> list[np.ndarray]:
    return [rows[first : first + most] for first in range(0, len(rows), most)]
