"""A combination against the sum of its parts: measured cells of each part if there are any, else predicted ones."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from primeflow_core.prediction.combination_effect import (
    CombinationCells,
    Interplay,
    Part,
    PartFrom,
    interplay,
    measured_parts,
    measured_side,
)
from primeflow_core.prediction.measured_comparison import Background
from primeflow_core.prediction.prediction_job import Prediction, PredictionRequest
from primeflow_core.report.condition_view import ConditionView


def parts_of(
    view: ConditionView, predicted: Callable[[PredictionRequest], Prediction | None]
) -> tuple[list[Part], list[PredictionRequest]]:
    """Each part alone: measured cells if there are any, else predicted ones. And the questions still to be answered."""
    measured = measured_parts(view.condition, view.trained_on)
    found, missing = [], []
    for place, part in enumerate(view.condition.parts):
        if part in measured:
            found.append(Part(part, measured[part], PartFrom.MEASURED))
            continue
        # Its own noise: the noise of the combination would make the two effects look alike.
        plan = replace(view.question.plan, seed=view.question.plan.seed + 1 + place)
        question = replace(view.question, condition=part, plan=plan)
        prediction = predicted(question)
        if prediction is None or not prediction.is_whole:
            missing.append(question)
        else:
            found.append(Part(part, prediction.values, PartFrom.PREDICTED))
    return found, missing


def combination_effect(
    view: ConditionView, known: Background, prediction: Prediction, parts: Sequence[Part]
) -> Interplay:
    """The combination, predicted and measured, beside the sum of its parts. Raises DataError for too few cells."""
    # Beside the user's own cells, the prediction keeps the controls of its own experiment.
    controls = known.training_controls if view.own else known.controls
    predicted = CombinationCells(prediction.values, tuple(parts), controls)
    measured = measured_side(view.condition, view.cells, known.controls)
    return interplay(predicted, measured, view.model.manifest.genes)
