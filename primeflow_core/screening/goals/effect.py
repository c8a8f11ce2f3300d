"""The goal effect: size of the log2 change against control, free of noise."""

from typing import TYPE_CHECKING

from primeflow_core.screening.goals.record import GoalRecord, ScoringContext

if TYPE_CHECKING:
    import numpy as np

    from primeflow_core.screening.subject import Subject


def score(context: ScoringContext, subject: "Subject") -> "np.ndarray":
    """(1 + B + S,) sizes."""
    from primeflow_core.screening.effect_products import sizes

    return sizes(subject.cells, subject.controls)


EFFECT = GoalRecord(
    name="effect",
    choice="Change the cells most",
    summary="size of the change",
    question="Which candidates change the cells most?",
    unit="overall size of the response",
    score=score,
    least=0.0,
)
