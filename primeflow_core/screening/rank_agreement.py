"""The agreement of two rankings: Spearman's correlation and hits among the best k.

With c the chance of a condition to stand among the best k when ties are broken at random, the hits are the sum of
c_one c_other: whole numbers without ties, k^2 / n for a side that gives all the same score.
"""

from dataclasses import dataclass

import numpy as np

from primeflow_core.evaluation.bootstrap import interval
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.rank_uncertainty import ENDS, goodness, moved, quantiles


@dataclass(frozen=True)
class GoalScores:
    """Scores (n,) of the same conditions by one goal, and their replicates (n, B; B = 0: none)."""

    goal: Goal
    value: np.ndarray
    drawn: np.ndarray

    @property
    def turned(self) -> np.ndarray:
        """(n,) the larger, the better; with their sign where scores count either way."""
        return _turned(self.value, self.goal)

    def of(self, kept: np.ndarray) -> "GoalScores":
        """The scores of some of the conditions, by a mask (n,)."""
        return GoalScores(self.goal, self.value[kept], self.drawn[kept])

    def resampled(self, picks: np.ndarray) -> np.ndarray:
        """``turned`` scores of the conditions picked (P, n), each row with one replicate of them."""
        value = self.turned
        if not np.isfinite(self.drawn).any():
            unmoved: np.ndarray = value[picks]
            return unmoved
        of_replicates = moved(value, _turned(self.drawn, self.goal)).T
        turn = np.arange(len(picks)) % len(of_replicates)
        found: np.ndarray = of_replicates[turn[:, None], picks]
        return found


@dataclass(frozen=True)
class RankAgreement:
    """``spearman``: -1 to 1, NaN where a side gives all the same score; where scores count either way it is that of the
    signed ones, for a wrong sign is no agreement. ``hits``: of ``best``, how many of the one side's best the other has
    among its best too.

    ``p``: how often chance alone has at least so many whole hits. The intervals hold 95 % of the replicates, and the
    value: ``hits_low`` and ``hits_high`` are shares of ``best``. ``drawn``: (B,) replicates of ``spearman``.
    """

    conditions: int
    best: int
    spearman: float
    low: float
    high: float
    hits: float
    hits_low: float
    hits_high: float
    p: float
    drawn: np.ndarray


def rank_agreement(measured: GoalScores, predicted: GoalScores, picks: np.ndarray) -> RankAgreement:
    """Over bootstrap samples of conditions, ``picks`` (B, n), each with one replicate of either side's scores.

    The interval of the correlation is moved as every interval over cells (evaluation.bootstrap); that of the hits, a
    few whole numbers, stays where it is and is widened to hold the value.
    """
    n, goal = len(measured.value), measured.goal
    best = best_of(n)
    value = float(spearman(measured.turned, predicted.turned))
    hits = float(top_hits(_size(measured.turned, goal), _size(predicted.turned, goal), best))
    one, other = (side.resampled(picks) for side in (measured, predicted))
    drawn = spearman(one, other)
    low, high = interval(value, drawn)
    drawn_hits = top_hits(_size(one, goal), _size(other, goal), best)
    hits_low, hits_high = _holding(hits / best, drawn_hits / best)
    return RankAgreement(
        conditions=n,
        best=best,
        spearman=value,
        low=max(low, -1.0),
        high=min(high, 1.0),
        hits=hits,
        hits_low=hits_low,
        hits_high=hits_high,
        p=_chance_of(hits, n, best),
        drawn=drawn,
    )


def best_of(conditions: int) -> int:
    """The number of conditions that count as the best: a quarter, and at least one."""
    return max(1, round(conditions / 4))


def spearman(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(..., n) to (...): correlation of ranks, ties at their average; NaN where a side is the same throughout."""
    from scipy.stats import rankdata

    a, b = (rankdata(side, axis=-1) for side in (one, other))
    a, b = (ranks - ranks.mean(axis=-1, keepdims=True) for ranks in (a, b))
    size = np.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1))
    found: np.ndarray = np.where(size > 0, (a * b).sum(axis=-1) / np.where(size > 0, size, 1.0), np.nan)
    return found


def top_hits(one: np.ndarray, other: np.ndarray, best: int) -> np.ndarray:
    """(..., n) to (...): how many of the ``best`` of one side are among those of the other, ties broken at random."""
    hits: np.ndarray = (_chance_of_top(one, best) * _chance_of_top(other, best)).sum(axis=-1)
    return hits


def _holding(value: float, drawn: np.ndarray) -> tuple[float, float]:
    """The interval that holds 95 % of the replicates, extended to hold the value; (NaN, NaN) without either."""
    low, high = quantiles(drawn[None], ENDS)[:, 0]
    if not np.isfinite(value) or not np.isfinite(low):
        return float("nan"), float("nan")
    return float(min(low, value)), float(max(high, value))


def _chance_of_top(values: np.ndarray, best: int) -> np.ndarray:
    last_in = -np.partition(-values, best - 1, axis=-1)[..., best - 1 : best]
    above, tied = values > last_in, values == last_in
    left = best - above.sum(axis=-1, keepdims=True)
    chance: np.ndarray = above + tied * left / tied.sum(axis=-1, keepdims=True)
    return chance


def _chance_of(hits: float, conditions: int, best: int) -> float:
    """P(X >= hits), X the common ones of two random sets of ``best`` (hypergeometric)."""
    from scipy.stats import hypergeom

    return float(hypergeom.sf(np.floor(hits + 1e-9) - 1, conditions, best, best))


def _turned(scores: np.ndarray, goal: Goal) -> np.ndarray:
    return scores if goal.record.both_ways else goodness(scores, goal)


def _size(turned: np.ndarray, goal: Goal) -> np.ndarray:
    """What counts; a replicate without a number stays the worst."""
    return np.where(np.isneginf(turned), turned, np.abs(turned)) if goal.record.both_ways else turned
