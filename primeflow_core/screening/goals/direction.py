"""The goal direction: cosine of the log2 change with that of the target state."""

from typing import TYPE_CHECKING

from primeflow_core.screening.goals.record import GoalRecord, Need, ScoringContext

if TYPE_CHECKING:
    import numpy as np

    from primeflow_core.screening.subject import Subject


def score(context: ScoringContext, subject: "Subject") -> "np.ndarray":
    """(1 + B + S,) cosines."""
    return context.target.cosines(subject)


DIRECTION = GoalRecord(
    name="direction",
    choice="Move in the direction of a measured state",
    summary="direction of a target state",
    question="Which candidates move the cells in the direction of {target}?",
    unit="cosine with the target's change",
    score=score,
    need=Need.TARGET,
    least=-1.0,
    most=1.0,
    log_scale=False,
    unscored="no gene changes",
    control_refused=(
        "Unperturbed cells do not differ from control cells, so no direction leads to them. Choose a perturbed "
        "state, or the goal target, which asks who comes nearest to unperturbed cells."
    ),
    listed_under="target",
    way="Same direction",
    way_means="whether genes change in the same proportions, however much",
)
