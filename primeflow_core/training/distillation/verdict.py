"""Decides whether a student can replace its teacher. Both are sampled with two seeds and compared with reference cells.

Without guidance that is the measured cells. With more there is no truth: an exaggerated response was never measured,
and the student is to make the cells that its teacher makes; so it is compared with other cells of the teacher.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.data.split_file import TEST, TRAIN, VAL
from primeflow_core.data.splits import Split
from primeflow_core.evaluation.distances import energy_distance
from primeflow_core.models.flow.primeflow import PRiMeFlow
from primeflow_core.models.sampling_plan import STUDENT, SamplingPlan

SEEDS, OTHER = (0, 1), 2
CELLS = 200
MOST_CONDITIONS = 6
GUIDANCES = (1.0, 3.0)
ALLOWED_LOSS = 0.01
"""As a share of the energy distance from control cells to the reference cells."""


@dataclass(frozen=True)
class Judged:
    """Unbiased energy distances to measured cells or, with guidance, to the teacher's; means over conditions and seeds.

    ``spread``: between the teacher's seeds; ``controls``: the distance of control cells of the same context.
    """

    conditions: str
    guidance: float
    teacher: float
    student: float
    spread: float
    controls: float

    @property
    def good(self) -> bool:
        """Whether the student's distance exceeds the teacher's by no more than the teacher's seeds differ, or by no
        more than 1 % of the controls' distance."""
        return self.student - self.teacher <= max(self.spread, ALLOWED_LOSS * self.controls)

    def __str__(self) -> str:
        return (
            f"{self.conditions}, guidance weight {self.guidance:g}: energy distance to {self.beside} cells "
            f"{self.student:.4f}, the teacher's {self.teacher:.4f} (its two seeds differ by {self.spread:.4f}; control "
            f"cells {self.controls:.4f})"
        )

    @property
    def beside(self) -> str:
        return "measured" if self.guidance == 1 else "the teacher's other"


def judge(
    predictor: PRiMeFlow, cells: Cells, split: Split, plan: SamplingPlan, on_step: Callable[[str, int, int], None]
) -> tuple[Judged, ...]:
    """Compares the student of ``predictor`` with its teacher under ``plan``, on conditions seen in training and on
    held-out ones.

    Held-out conditions are those of validation, or of test if there are none. Conditions that the model cannot predict
    are omitted, and a kind without conditions has no row.
    """
    knows = predictor.vocabulary.knows
    kinds = {
        "seen in training": _measured(cells, split, (TRAIN,), knows),
        "held out": _measured(cells, split, (VAL, TEST), knows),
    }
    asked = [(name, truth, w) for name, truth in kinds.items() for w in GUIDANCES if truth]
    judged = []
    for number, (name, truth, guidance) in enumerate(asked):
        judged.append(_judged(predictor, name, truth, replace(plan, guidance=guidance)))
        on_step("comparing", number + 1, len(asked))
    return tuple(judged)


Truth = dict[Condition, tuple[np.ndarray, np.ndarray]]
"""Measured cells and control cells of each condition."""


def _measured(cells: Cells, split: Split, parts: Sequence[str], knows: Callable[[Condition], bool]) -> Truth:
    for part in parts:
        some = cells.subset(split.indices(cells, part))
        known = set(some.conditions)
        conditions = [c for c in some.conditions if not c.is_control and c.control() in known and knows(c)]
        if conditions:
            chosen = np.unique(np.linspace(0, len(conditions) - 1, MOST_CONDITIONS).astype(int))
            asked = [conditions[i] for i in chosen]
            return {c: (some.dense(some.where(c)), some.dense(some.where(c.control()))) for c in asked}
    return {}


def _judged(predictor: PRiMeFlow, name: str, truth: Truth, plan: SamplingPlan) -> Judged:
    beside = {
        condition: measured if plan.guidance == 1 else predictor.predict(condition, CELLS, replace(plan, seed=OTHER))
        for condition, (measured, _) in truth.items()
    }

    def apart(cells_of: Callable[[Condition], np.ndarray]) -> float:
        return float(np.mean([energy_distance(cells_of(condition), cells) for condition, cells in beside.items()]))

    def sampled(sampling: SamplingPlan) -> float:
        return apart(lambda condition: predictor.predict(condition, CELLS, sampling))

    taught = plan.by(STUDENT)
    teacher = [sampled(replace(plan, seed=seed)) for seed in SEEDS]
    student = [sampled(replace(taught, seed=seed)) for seed in SEEDS]
    return Judged(
        name,
        plan.guidance,
        float(np.mean(teacher)),
        float(np.mean(student)),
        float(np.ptp(teacher)),
        apart(lambda condition: truth[condition][1]),
    )
