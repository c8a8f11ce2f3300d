"""Training cells of a student: cells that its teacher made from known noise, and measured or composed cells."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.errors import DataError
from primeflow_core.models.composed_cells.composer import Composer, composer
from primeflow_core.models.flow.primeflow import PRiMeFlow
from primeflow_core.models.sampling_plan import EXPONENTIAL, SamplingPlan
from primeflow_core.training.distillation.questions import GuidedCondition, question


@dataclass(frozen=True)
class Lesson:
    """Noise x_0 (n, G), one encoded condition (C,), its guidance weight, and cells x_1 (n, G) of it.

    ``paired``: each row of x_1 is what the teacher makes of that row of x_0; else x_1 are cells of the condition.
    """

    x_0: Tensor
    condition: Tensor
    guidance: float
    x_1: Tensor
    paired: bool


def noise(rows: int, genes: int, *key: int) -> Tensor:
    """(rows, genes) from N(0, 1), depending on ``key`` only."""
    state = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
    return torch.randn(rows, genes, generator=torch.Generator().manual_seed(int(state >> np.uint64(1))))


class TeachersCells:
    """Cells of random questions, made by the teacher once."""

    def __init__(self, predictor: PRiMeFlow, trained_on: Sequence[Condition], seed: int, cells: int) -> None:
        self.predictor, self.trained_on, self.seed, self.cells = predictor, trained_on, seed, cells
        self.made: list[tuple[GuidedCondition, Tensor]] = []

    def make(self, questions: int, on_made: Callable[[int], None]) -> None:
        for number in range(len(self.made), questions):
            asked = question(self.trained_on, np.random.default_rng([self.seed, number]))
            plan = SamplingPlan(guidance=asked.guidance).by(EXPONENTIAL)
            x_0 = self._noise(number).to(self.predictor.device)
            condition = self._encoded(asked).to(self.predictor.device)
            with torch.inference_mode():
                x_1 = self.predictor.solved(x_0, condition, plan, lambda step, x_t: None)
            self.made.append((asked, x_1.float().cpu().clone()))
            on_made(number + 1)

    def lesson(self, cells: int, draw: np.random.Generator) -> Lesson:
        number = int(draw.integers(len(self.made)))
        asked, x_1 = self.made[number]
        rows = torch.from_numpy(draw.permutation(self.cells)[:cells])
        return Lesson(self._noise(number)[rows], self._encoded(asked)[0], asked.guidance, x_1[rows], paired=True)

    def _noise(self, number: int) -> Tensor:
        return noise(self.cells, len(self.predictor.genes), self.seed, number)

    def _encoded(self, asked: GuidedCondition) -> Tensor:
        return torch.from_numpy(self.predictor.vocabulary.encode([asked.condition]))


class KnownCells:
    """Training cells of one condition at a time, or composed cells of a condition that was never measured."""

    def __init__(self, predictor: PRiMeFlow, training: Cells, composed: float, seed: int) -> None:
        """``composed``: the share of lessons about conditions never measured. Raises DataError without cells."""
        if not len(training):
            raise DataError("A student needs the training cells of its teacher, and the split leaves none.")
        self.predictor, self.training, self.composed = predictor, training, composed
        self.composer: Composer = composer(training, seed, scaled=predictor.interplay)

    def lesson(self, cells: int, draw: np.random.Generator) -> Lesson:
        if len(self.composer) and draw.random() < self.composed:
            condition, x_1 = self.composer.of_one(cells, draw)
        else:
            condition, x_1 = self._measured(cells, draw)
        encoded = torch.from_numpy(self.predictor.vocabulary.encode([condition]))[0]
        x_0 = noise(cells, len(self.predictor.genes), int(draw.integers(2**62)))
        return Lesson(x_0, encoded, 1.0, torch.from_numpy(x_1), paired=False)

    def _measured(self, cells: int, draw: np.random.Generator) -> tuple[Condition, np.ndarray]:
        condition = self.training.conditions[draw.integers(len(self.training.conditions))]
        rows = self.training.where(condition)
        chosen = draw.choice(rows, cells, replace=len(rows) < cells)
        return condition, self.training.dense(chosen)
