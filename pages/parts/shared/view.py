"""What a page shows: a question, its model, and what was measured."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import streamlit as st

import pages
from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.errors import PrimeflowError
from primeflow_core.figures.style import Role
from primeflow_core.model_store.local_models import Model
from primeflow_core.prediction.measured_comparison import Background
from primeflow_core.prediction.prediction_job import PredictionRequest
from primeflow_core.prediction.projection import PCAMap
from primeflow_core.user_data.user_cells import Own, Purpose


@dataclass(frozen=True)
class View:
    """What the page shows: the question, its model, and what was measured. ``known`` None: nothing to compare with.

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

    @property
    def place_key(self) -> tuple[str, ...]:
        """Names the map: the cells and their context."""
        return (str(self.model.folder), self.cells.sha256 if self.cells else "", self.condition.context)

    def mark_of(self, map_name: str) -> str:
        """The name of a map in links, so that a group of cells is not used on another map."""
        said = "|".join((self.model.key, self.cells.sha256 if self.cells else "", self.condition.context))
        return f"{map_name}-{hashlib.sha256(said.encode()).hexdigest()[:6]}"

    @property
    def pca(self) -> PCAMap | None:
        return None if self.known is None else pages.pca_map(self.place_key, self.known.context_cells)


def look_up(model: Model, question: PredictionRequest) -> View:
    """The measured side of a question. If it is not available, the page says why, and predictions still work."""
    trained_on, known, own = None, None, pages.own_in_use(model, question.condition.covariates)
    try:
        trained_on = pages.cells_of(model)
        cells = pages.own_cells_of(own, model) if own else trained_on
        if cells is not None:
            known = pages.background_of(model, cells, question.condition)
        if own and known is not None and trained_on is not None:
            known = pages.beside_training(known, model, trained_on, question.condition)
    except PrimeflowError as error:
        st.error(pages.plain(str(error)), icon=":material/error:")
        return View(model, question, trained_on, None, None)
    return View(model, question, trained_on, cells, known, own)
