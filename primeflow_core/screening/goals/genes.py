"""The goal genes: mean log2 change of genes to raise and, counted negative, of genes to lower.

Genes that a candidate targets itself do not count in its score.
"""

from typing import TYPE_CHECKING

from primeflow_core.screening.goals.record import GoalRecord, Need, ScoringContext

if TYPE_CHECKING:
    import numpy as np

    from primeflow_core.screening.subject import Subject


def score(context: ScoringContext, subject: "Subject") -> "np.ndarray":
    """(1 + B + S,) mean changes."""
    return context.change_of_wanted(subject)


GENES = GoalRecord(
    name="genes",
    choice="Raise and lower genes",
    summary="genes up and down",
    question="Which candidates {wanted}?",
    unit="mean log2 change, wanted direction",
    score=score,
    need=Need.GENE_LISTS,
    unscored="they target every gene of the lists themselves",
)
