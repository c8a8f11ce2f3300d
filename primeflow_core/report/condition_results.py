"""Compares predictions of one model with what was measured; what a whole context shares is computed once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.errors import PrimeflowError
from primeflow_core.evaluation.typical_cells import PerturbedTraining
from primeflow_core.model_store.fitted_baselines import fitted_to_training
from primeflow_core.model_store.local_models import Model
from primeflow_core.model_store.training_cells import perturbed_training_of
from primeflow_core.models.baselines.condition_scores import BaselineAgreement
from primeflow_core.models.baselines.fit import FittedBaselines
from primeflow_core.models.checkpoint import read_preview
from primeflow_core.prediction.combination_effect import Interplay, Part
from primeflow_core.prediction.measured_comparison import (
    Background,
    Comparison,
    background,
    compared,
    other_predictions,
)
from primeflow_core.prediction.prediction_job import Prediction, PredictionRequest
from primeflow_core.prediction.projection import Map, PCAMap, enough_for_a_map
from primeflow_core.report.cell_map import DrawnMap, drawn_on
from primeflow_core.report.combination_parts import combination_effect, parts_of
from primeflow_core.report.condition_finding import ConditionResult
from primeflow_core.report.condition_trust import ConditionTrust, baselines_on, trust_beside
from primeflow_core.report.condition_view import ConditionView

Lookup = Callable[[PredictionRequest], Prediction | None]


@dataclass
class ConditionResults:
    """``cells``: those that the model was trained on, None where they are not on this machine. ``tell`` takes a
    sentence about what cannot be compared."""

    model: Model
    cells: Cells | None
    tell: Callable[[str], None]
    _backgrounds: dict[str, Background | None] = field(default_factory=dict, init=False)
    _maps: dict[str, Map] = field(default_factory=dict, init=False)

    def view(self, question: PredictionRequest) -> ConditionView:
        known = self._background(question.condition)
        cells = self.cells if known is not None else None
        return ConditionView(self.model, question, self.cells, cells, known)

    def missing_parts(self, question: PredictionRequest, predicted: Lookup) -> list[PredictionRequest]:
        """The parts of a combination that have to be predicted, because too few cells of them were measured."""
        view = self.view(question)
        if view.known is None or len(question.condition.perturbations) < 2:
            return []
        return parts_of(view, predicted)[1]

    def result(self, question: PredictionRequest, predicted: Lookup) -> ConditionResult | None:
        """None where nothing was predicted for the question."""
        prediction = predicted(question)
        if prediction is None:
            return None
        view = self.view(question)
        found = self._comparison(view, prediction)
        trust = None if found is None else self._trust(view, prediction, found)
        effect = self._effect(view, prediction, predicted)
        return ConditionResult(view, prediction, found, trust, effect, self._drawn(view, prediction))

    def _background(self, condition: Condition) -> Background | None:
        if self.cells is None:
            return None
        if condition.context not in self._backgrounds:
            genes, folder = self.model.manifest.genes, self.model.folder
            try:
                self._backgrounds[condition.context] = background(self.cells, genes, condition.control(), folder)
            except PrimeflowError as error:
                self.tell(str(error))
                self._backgrounds[condition.context] = None
        return self._backgrounds[condition.context]

    def _comparison(self, view: ConditionView, prediction: Prediction) -> Comparison | None:
        if view.known is None:
            return None
        try:
            others = other_predictions(view.condition, self._training, self._shipped)
            return compared(prediction.values, view.measured, view.known, view.model.manifest.genes, others)
        except PrimeflowError as error:
            self.tell(f"{view.condition.label}: {error}")
            return None

    def _trust(self, view: ConditionView, prediction: Prediction, found: Comparison) -> ConditionTrust | None:
        return trust_beside(found, self._baselines(view, prediction)) if found.agreement else None

    def _baselines(self, view: ConditionView, prediction: Prediction) -> Sequence[BaselineAgreement]:
        if self._fitted is None:
            return ()
        try:
            return baselines_on(view, self._fitted, len(prediction.values))
        except PrimeflowError as error:
            self.tell(str(error))
            return ()

    @cached_property
    def _shipped(self) -> Mapping[Condition, np.ndarray]:
        return read_preview(self.model.folder) if self.model.previewed else {}

    @cached_property
    def _training(self) -> PerturbedTraining | None:
        return None if self.cells is None else perturbed_training_of(self.cells, self.model.folder)

    @cached_property
    def _fitted(self) -> FittedBaselines | None:
        if self.cells is None:
            return None
        try:
            return fitted_to_training(self.cells, self.model.folder)
        except PrimeflowError as error:
            self.tell(str(error))
            return None

    def _effect(self, view: ConditionView, prediction: Prediction, predicted: Lookup) -> Interplay | None:
        if view.known is None or len(view.condition.perturbations) < 2:
            return None
        parts, missing = parts_of(view, predicted)
        return None if missing else self._beside_parts(view, view.known, prediction, parts)

    def _beside_parts(
        self, view: ConditionView, known: Background, prediction: Prediction, parts: Sequence[Part]
    ) -> Interplay | None:
        try:
            return combination_effect(view, known, prediction, parts)
        except PrimeflowError as error:
            self.tell(str(error))
            return None

    def _drawn(self, view: ConditionView, prediction: Prediction) -> DrawnMap | None:
        """On the principal components of the measured cells of the context; without any, of the predicted cells."""
        cells = prediction.values if view.known is None else view.known.context_cells
        if not enough_for_a_map(cells):
            return None
        fitted = PCAMap(cells) if view.known is None else self._map(view.condition.context, cells)
        return drawn_on(view, prediction, fitted, lambda role, values: fitted.place(values))

    def _map(self, context: str, cells: np.ndarray) -> Map:
        if context not in self._maps:
            self._maps[context] = PCAMap(cells)
        return self._maps[context]
