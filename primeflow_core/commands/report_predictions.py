"""The predictions of a report: cells that came with the model where they are what is asked for, else made now."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from primeflow_core.commands.terminal import ProgressLine
from primeflow_core.models import checkpoint
from primeflow_core.models.checkpoint import Manifest
from primeflow_core.models.sampling_plan import SamplingPlan, SamplingProgress
from primeflow_core.prediction.prediction_job import Prediction, PredictionRequest
from primeflow_core.prediction.shipped_cells import shipped_answer, usual_cells

if TYPE_CHECKING:
    from primeflow_core.models.predictor import Predictor


class Predictions:
    """Predicted cells by request; the model is loaded only where cells have to be made."""

    def __init__(self, folder: Path, manifest: Manifest, device: str) -> None:
        self._folder, self._device, self._usual = folder, device, manifest.sampling
        self._shipped = checkpoint.read_preview(folder)
        self._made: dict[PredictionRequest, Prediction] = {}

    @property
    def usual_cells(self) -> int:
        return usual_cells(self._shipped)

    def of(self, question: PredictionRequest) -> Prediction | None:
        """None for cells that have to be made first."""
        return shipped_answer(question, self._shipped, self._usual) or self._made.get(question)

    def make(self, questions: Sequence[PredictionRequest]) -> None:
        """Predict what is not there yet, with one line of progress. Raises PrimeflowError."""
        missing = [question for question in dict.fromkeys(questions) if self.of(question) is None]
        if not missing:
            return
        predictor = checkpoint.load(self._folder, self._device)
        plans = [predictor.settled(question.plan) for question in missing]
        sizes = [question.cells * plan.steps for question, plan in zip(missing, plans, strict=True)]
        bar = ProgressLine("cells × solver steps", sum(sizes))
        for i, (question, plan) in enumerate(zip(missing, plans, strict=True)):
            values = _made(predictor, question, plan, bar, sum(sizes[:i]))
            self._made[question] = Prediction(values, question.cells, plan)
        bar.close()


def _made(
    predictor: "Predictor", question: PredictionRequest, plan: SamplingPlan, bar: ProgressLine, before: int
) -> np.ndarray:
    """(n, G) cells of one condition; ``before``: what the line of progress stands at."""

    def watch(progress: SamplingProgress) -> None:
        done = progress.first * progress.steps + len(progress.state) * progress.step
        bar.at(before + done, question.condition.label)

    return predictor.predict(question.condition, question.cells, plan, watch)
