"""A question about one condition beside what was measured of it: what a page shows and a finding tells."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.figures.style import Role
from primeflow_core.model_store.local_models import Model
from primeflow_core.prediction.measured_comparison import Background
from primeflow_core.prediction.prediction_job import PredictionRequest
from primeflow_core.user_data.user_cells import Own, Purpose


@dataclass(frozen=True)
class ConditionView:
    """The question, its model, and what was measured. ``known`` None: nothing to compare with.

    ``trained_on``: the cells of the model's own data set. ``cells``: the cells that are shown and compared with; the
    same, unless the user's ``own`` cells are used instead.
    """

    model: Model
    question: PredictionRequest
    trained_on: Cells | None
    cells: Cells | None
    known: Background | None
    own: Own | None = None

    @property
    def condition(self) -> Condition:
        return self.question.condition

    @property
    def simulated(self) -> bool:
        """Whether the cells to compare with are simulated."""
        return self.own.simulated if self.own else self.model.manifest.simulated

    @cached_property
    def measured(self) -> np.ndarray:
        """(m, G) measured cells of the condition; m = 0 if there are none."""
        if self.cells is None:
            return np.zeros((0, len(self.model.manifest.genes)), dtype=np.float32)
        return self.cells.dense(self.cells.where(self.condition))

    def controls_of(self, role: Role) -> np.ndarray | None:
        """(k, G) control cells of the experiment that cells of ``role`` belong to; None if there are none."""
        if self.known is None:
            return None
        return self.known.training_controls if self.own and role is Role.PREDICTED else self.known.controls

    @property
    def without_truth(self) -> str:
        """Why there is nothing to compare with, in a sentence."""
        done = "simulated" if self.simulated else "measured"
        if self.known is None:
            return f"The {done} cells are not available here."
        if self.own and self.own.purpose is Purpose.CONTEXT:
            return f"Your cells are the ones you start from. To compare with them, choose them as {done} on Your cells."
        if self.own and not len(self.measured):
            return "This condition is not among your cells."
        if not len(self.measured):
            return f"This condition was never {done}."
        return f"This condition was {done} in only {len(self.measured)} cells. The comparison needs eight."
