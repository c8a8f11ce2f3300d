"""What a page shows: a question, its model, and what was measured."""

import hashlib

import streamlit as st

import pages
from primeflow_core.errors import PrimeflowError
from primeflow_core.model_store.local_models import Model
from primeflow_core.prediction.prediction_job import PredictionRequest
from primeflow_core.prediction.projection import PCAMap
from primeflow_core.report.condition_view import ConditionView


class View(ConditionView):
    """A question and what was measured of it, with the names that links and caches of the pages give it."""

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
