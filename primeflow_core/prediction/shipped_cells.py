"""Cells that came with a model: as many as a question asks for first, so that they are its answer at once."""

from collections.abc import Mapping

import numpy as np

from primeflow_core.data.conditions import Condition
from primeflow_core.models.sampling_plan import SamplingPlan
from primeflow_core.prediction.prediction_job import Prediction, PredictionRequest

USUAL_CELLS = 200
Shipped = Mapping[Condition, np.ndarray]
"""Predicted cells (n, G) by condition."""


def usual_cells(shipped: Shipped) -> int:
    """The number of cells to start with: as many as were shipped, so that the shipped cells are the answer."""
    return max((len(cells) for cells in shipped.values()), default=USUAL_CELLS)


def shipped_answer(question: PredictionRequest, shipped: Shipped, usual: SamplingPlan) -> Prediction | None:
    """The shipped cells where they are what is asked for; ``usual``: the model's plan, by which they were made."""
    cells = shipped.get(question.condition)
    if cells is None or question.plan != usual or question.cells != len(cells):
        return None
    return Prediction(cells, len(cells), question.plan)
