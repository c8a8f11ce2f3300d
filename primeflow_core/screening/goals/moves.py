"""The goal moves: log2 change of one gene, up or down. A candidate that targets the gene itself has no score."""

from typing import TYPE_CHECKING

from primeflow_core.screening.goals.record import GoalRecord, Need, ScoringContext

if TYPE_CHECKING:
    import numpy as np

    from primeflow_core.screening.subject import Subject


def score(context: ScoringContext, subject: "Subject") -> "np.ndarray":
    """(1 + B + S,) changes."""
    return context.change_of_wanted(subject)


MOVES = GoalRecord(
    name="moves",
    choice="What moves my gene",
    summary="what moves a gene, up or down",
    question="What moves {gene}?",
    unit="log2 change of the gene",
    score=score,
    need=Need.ONE_GENE,
    both_ways=True,
    unscored="they target the gene itself",
    from_changes=True,
)
