"""The goal synergy: combinations that do more than the sum of their parts.

The score is the size of the combination's log2 change as a share of that sum.
"""

from typing import TYPE_CHECKING

from primeflow_core.screening.goals.record import GoalRecord, ScoringContext

if TYPE_CHECKING:
    import numpy as np

    from primeflow_core.screening.subject import Subject


def score(context: ScoringContext, subject: "Subject") -> "np.ndarray":
    """(1 + B + S,) shares of the sum."""
    return context.magnitudes(subject)


SYNERGY = GoalRecord(
    name="synergy",
    choice="Do more than the sum of their parts",
    summary="combinations that do more than the sum of their parts",
    question="Which combinations do more than the sum of their parts?",
    unit="size, as a share of the sum of its parts",
    score=score,
    least=0.0,
    log_scale=False,
    unscored="the sum of their parts is no larger than its noise",
    combinations_only=True,
    share_of_sum=True,
    aliases=("interaction",),
)
