"""The goal target: unbiased energy distance to measured cells of the target state."""

from typing import TYPE_CHECKING

from primeflow_core.screening.goals.record import GoalRecord, Need, ScoringContext

if TYPE_CHECKING:
    import numpy as np

    from primeflow_core.screening.subject import Subject


def score(context: ScoringContext, subject: "Subject") -> "np.ndarray":
    """(1 + B + S,) distances."""
    return context.target.distances(subject)


TARGET = GoalRecord(
    name="target",
    choice="Come nearest to a measured state",
    summary="distance to a target state",
    question="Which candidates bring the cells nearest to {target}?",
    unit="energy distance to the target",
    score=score,
    need=Need.TARGET,
    larger_is_better=False,
    way="Nearest cells",
    way_means="distance between predicted cells and those of the state",
)
