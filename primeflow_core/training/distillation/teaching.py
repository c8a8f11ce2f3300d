"""Distillation: a student of one evaluation learns from its teacher's cells, and from measured and composed ones.

Two losses. Of cells that the teacher made, from noise that is known, the squared error to each (as in knowledge
distillation, Luhman & Luhman 2021); alone it would blur what the student cannot follow. Of the cells of a condition
together the energy score 2 E|x - y| - E|x - x'| - E|y - y'|, a proper score that is least where both come from one
distribution (Gneiting & Raftery 2007). The latter needs no pairs, so measured and composed cells can teach too, which
takes away what the teacher itself gets wrong.
"""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.errors import SettingError
from primeflow_core.models.flow.gaussian import GaussianVelocity
from primeflow_core.models.flow.primeflow import PRiMeFlow
from primeflow_core.models.flow.student import Student
from primeflow_core.models.flow.unet import UNetField
from primeflow_core.models.precision import AUTO, products
from primeflow_core.models.space import to_expression
from primeflow_core.training.distillation.lessons import KnownCells, Lesson, TeachersCells

STEPS = 1
"""Tells the draws of the steps from those of the questions, which count from (seed, 0)."""


@dataclass(frozen=True)
class DistillationConfig:
    """Numbers of the distillation. A step takes ``groups`` lessons of ``cells`` cells, each of one condition.

    ``known``: the share of lessons from measured or composed cells, ``composed`` those among them about conditions
    never measured. ``questions``: how many conditions and guidance weights the teacher answers, with ``answers`` cells
    each. ``pairing`` is the weight of the squared error relative to the energy score.
    """

    steps: int = 1200
    groups: int = 4
    cells: int = 32
    questions: int = 400
    answers: int = 48
    known: float = 0.3
    composed: float = 0.4
    pairing: float = 10.0
    learning_rate: float = 5e-4
    warmup: int = 50
    clip: float = 1.0
    ema: float = 0.995

    def __post_init__(self) -> None:
        for name in ("steps", "groups", "questions"):
            if getattr(self, name) < 1:
                raise SettingError(f"{name} is {getattr(self, name)}; it must be 1 or more.")
        if not 2 <= self.cells <= self.answers:
            raise SettingError(f"cells is {self.cells}; it must be at least 2 and at most answers ({self.answers}).")


OnStep = Callable[[str, int, int], None]
"""Hears what is being done, how much of it, and of how much."""


def distill(
    predictor: PRiMeFlow,
    training: Cells,
    trained_on: Sequence[Condition],
    zeros: str,
    config: DistillationConfig,
    seed: int,
    on_step: OnStep,
) -> Student:
    """A student of ``predictor``, which stays as it is; ``training`` are the cells that it was trained on.

    ``zeros``: how values become exact zeros, as in ``SamplingPlan``. The same seed gives the same student on the same
    machine. Raises SettingError for a model without a Gaussian part or U-Net, DataError without training cells.
    """
    if predictor.gaussian is None:
        raise SettingError(
            "A student starts from the Gaussian part of the velocity, and this model was trained without (factors=0)."
        )
    if not isinstance(predictor.field, UNetField):
        raise SettingError(
            "A student is a U-Net that starts from its teacher's weights. The velocity field of this model is not a "
            "U-Net."
        )
    teacher = TeachersCells(predictor, trained_on, seed, config.answers)
    known = KnownCells(predictor, training, config.composed, seed)
    teacher.make(config.questions, lambda made: on_step("the teacher's cells", made, config.questions))
    student = Student(predictor.field.config, len(predictor.genes), predictor.vocabulary.size)
    student.start_as(predictor.field)
    # Without dropout: what it is to learn has no noise.
    student = student.to(predictor.device).eval()
    averaged = copy.deepcopy(student)
    optimizer = torch.optim.AdamW(student.parameters(), lr=config.learning_rate, weight_decay=0.0, fused=True)
    for step in range(config.steps):
        draw = np.random.default_rng([seed, STEPS, step])
        lessons = [(known if draw.random() < config.known else teacher).lesson(config.cells, draw)
                   for _ in range(config.groups)]  # fmt: skip
        optimizer.param_groups[0]["lr"] = config.learning_rate * _rate(step, config)
        with products(AUTO, predictor.device):
            losses = loss(student, predictor.gaussian, lessons, predictor.smallest, zeros, config.pairing)
        losses.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), config.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        _average(averaged, student, min(config.ema, (1 + step) / (10 + step)))
        on_step("the student", step + 1, config.steps)
    return averaged


def loss(
    student: Student,
    gaussian: GaussianVelocity,
    lessons: Sequence[Lesson],
    smallest: Tensor,
    zeros: str,
    pairing: float,
) -> Tensor:
    """Mean over ``lessons`` of the energy score and, of paired ones, ``pairing`` times the squared error."""
    device = smallest.device
    x_0 = torch.cat([lesson.x_0 for lesson in lessons]).to(device)
    condition = torch.cat([lesson.condition.expand(len(lesson.x_0), -1) for lesson in lessons]).to(device)
    guidance = torch.cat([x_0.new_full((len(lesson.x_0),), lesson.guidance) for lesson in lessons])
    made = student(gaussian, x_0, condition, guidance)
    total = made.new_zeros(())
    with torch.autocast(device.type, enabled=False):
        for lesson, x_1 in zip(lessons, made.split([len(lesson.x_0) for lesson in lessons]), strict=True):
            target = lesson.x_1.to(device)
            # Zeros are cut off in what is scored, but the gradient passes as if they were not.
            cut = x_1 + (to_expression(x_1, smallest, zeros) - x_1).detach()
            total = total + energy_score(cut, to_expression(target, smallest, zeros), lesson.paired)
            if lesson.paired:
                total = total + pairing * (x_1 - target).square().mean()
    return total / len(lessons)


def energy_score(made: Tensor, cells: Tensor, paired: bool) -> Tensor:
    """2 E|x - y| - E|x - x'| - E|y - y'|, unbiased, of (n, G) and (m, G); ``paired`` rows are not independent."""
    across = _distances(made, cells)
    between = _off_diagonal(across) if paired else across.mean()
    return 2 * between - _off_diagonal(_distances(made, made)) - _off_diagonal(_distances(cells, cells))


def _distances(x: Tensor, y: Tensor) -> Tensor:
    # The root has no gradient at 0, where a cell meets itself.
    return (x.unsqueeze(1) - y.unsqueeze(0)).square().sum(dim=-1).add(1e-6).sqrt()


def _off_diagonal(square: Tensor) -> Tensor:
    n = len(square)
    return (square.sum() - square.diagonal().sum()) / (n * (n - 1))


def _rate(step: int, config: DistillationConfig) -> float:
    warm = min(1.0, (step + 1) / config.warmup)
    return warm * 0.5 * (1 + math.cos(math.pi * step / config.steps))


@torch.no_grad()
def _average(averaged: Student, student: Student, decay: float) -> None:
    torch._foreach_lerp_(list(averaged.parameters()), list(student.parameters()), 1 - decay)
