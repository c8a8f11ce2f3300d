"""Ranks: how well a prediction can be told apart from the predictions of the other conditions of its group."""

import numpy as np

# Scores closer than this differ by rounding only, for instance those of the same cells in another order.
RELATIVE, ABSOLUTE = 1e-6, 1e-7


def tie_average_ranks(scores: np.ndarray, *, larger_is_better: bool) -> np.ndarray:
    """(n, n) scores[i, j] of prediction i against reference j to (n,) ranks of each j's own prediction.

    (number better + (number equal - 1) / 2) / (n - 1): 0 best, about 0.5 by chance, 1 worst; NaN sorts last.
    Ties take their average, which stock code's random tie-breaking has in expectation. NaN where n is 1.
    """
    n = len(scores)
    if n < 2:
        return np.full(n, np.nan)
    worst = -np.inf if larger_is_better else np.inf
    filled = np.where(np.isnan(scores), worst, scores)
    own = np.diagonal(filled)
    equal = np.isclose(filled, own, rtol=RELATIVE, atol=ABSOLUTE)
    better = ((filled > own) if larger_is_better else (filled < own)) & ~equal
    return (better.sum(axis=0) + (equal.sum(axis=0) - 1) / 2) / (n - 1)
