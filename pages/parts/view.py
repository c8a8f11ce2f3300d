"""What a page shows: a question, its model, and what was measured."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import streamlit as st

import pages
from primeflow_core.cells import Cells
from primeflow_core.comparison import Background
from primeflow_core.conditions import Condition
from primeflow_core.errors import PrimeflowError
from primeflow_core.library import Model
from primeflow_core.own_cells import Own
from primeflow_core.prediction import Question
from primeflow_core.projection import PCAMap


@dataclass(frozen=True)
class View:
    """What the page shows: the question, its model, and what was measured; ``known`` None: nothing to compare with.

    ``trained_on``: the cells of the model's own data set. ``cells``: those that are shown and compared with, the same
    ones unless somebody's ``own`` cells take their place.
    """

    model: Model
    question: Question
    trained_on: Cells | None
    cells: Cells | None
    known: Background | None
    own: Own | None = None

    @property
    def condition(self) -> Condition:
        return self.question.condition

    @property
    def simulated(self) -> bool:
        return self.model.manifest.simulated

    @cached_property
    def measured(self) -> np.ndarray:
        """(m, G) measured cells of the condition; m = 0 where there are none."""
        if self.cells is None:
            return np.zeros((0, len(self.model.manifest.genes)), dtype=np.float32)
        return self.cells.dense(self.cells.where(self.condition))

    @property
    def place_key(self) -> tuple[str, ...]:
        """Names the map: the cells and their context."""
        return (str(self.model.folder), self.cells.sha256 if self.cells else "", self.condition.context)

    @property
    def pca(self) -> PCAMap | None:
        return None if self.known is None else pages.pca_map(self.place_key, self.known.context_cells)


def look_up(model: Model, question: Question) -> View:
    """The measured side of a question; where it cannot be had the reason is shown and predictions still work."""
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
