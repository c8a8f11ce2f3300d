"""Where candidates stand: their ranks, how sure each rank is, and which candidates can be told apart.

Replicates of two candidates are paired, so a difference is judged by the replicates of the difference. All are moved
so that their median stands at the value, as in evaluation.bootstrap.interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from primeflow_core.evaluation.bootstrap import COVERAGE
from primeflow_core.screening.goal import Goal

ENDS = ((1 - COVERAGE) / 2, (1 + COVERAGE) / 2)
FIRST_BLOCK, BLOCK = 8, 4096


@dataclass(frozen=True)
class Placing:
    """``best_first``: (N,) places of the candidates as they were given; all else is in that order.

    ``ranked``: how many have a score; they come first, and their ranks are 1 to ``ranked``. ``rank_low``,
    ``rank_high``: (ranked,) what holds 95 % of a candidate's ranks over the replicates, and its rank. ``tier``:
    (ranked,) from 1. ``low``, ``high``: (N,) interval of the score, NaN where there is none.
    """

    best_first: np.ndarray
    ranked: int
    rank_low: np.ndarray
    rank_high: np.ndarray
    tier: np.ndarray
    low: np.ndarray
    high: np.ndarray


def goodness(scores: np.ndarray, goal: Goal) -> np.ndarray:
    """Scores of any shape, turned so that more is better."""
    if goal.record.both_ways:
        return np.abs(scores)
    return scores if goal.record.larger_is_better else -scores


def placed(scores: np.ndarray, replicates: np.ndarray, names: Sequence[str], goal: Goal) -> Placing:
    """Candidates with ``scores`` (N,) and their paired ``replicates`` (N, B; NaN where none); equal scores are ordered
    by name.

    Going down the ranking, a candidate opens a new tier when the interval of the difference between the tier's first
    and it no longer holds 0.
    """
    value = goodness(scores, goal)
    by_name = np.unique(np.asarray(names, dtype=object), return_inverse=True)[1] if len(names) else np.zeros(0, int)
    best_first = np.lexsort((by_name, -value))
    ranked = int(np.isfinite(scores).sum())
    low, high = _intervals(scores[best_first], replicates, best_first, goal)
    kept = best_first[:ranked]
    value, drawn = value[kept], goodness(replicates[kept], goal)
    tier = _tiers(value, drawn)
    rank_low, rank_high = _rank_ends(moved(value, drawn))
    return Placing(best_first, ranked, rank_low, rank_high, tier, low, high)


def quantiles(values: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """(N, B) to (shares, N), of the numbers in each row, interpolated linearly; NaN where a row has none."""
    found = np.full((len(shares), len(values)), np.nan)
    if not values.shape[1]:
        return found
    for first in range(0, len(values), BLOCK):
        ordered = np.sort(values[first : first + BLOCK], axis=1).astype(np.float64)
        last = np.isfinite(ordered).sum(axis=1) - 1
        for i, share in enumerate(shares):
            place = share * np.maximum(last, 0)
            below = np.floor(place).astype(int)
            ends = [
                np.take_along_axis(ordered, at[:, None], axis=1)[:, 0] for at in (below, np.minimum(below + 1, last))
            ]
            between = ends[0] + (ends[1] - ends[0]) * (place - below)
            found[i, first : first + BLOCK] = np.where(last >= 0, between, np.nan)
    return found


def moved(value: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """(n, B) replicates, where more is better, their median at ``value`` (n,).

    One without a number is worst; a row without any stays at its value.
    """
    middle = quantiles(drawn, (0.5,))[0]
    by = np.where(np.isfinite(middle), value - middle, 0.0).astype(drawn.dtype)
    found = drawn + by[:, None]
    found[~np.isfinite(middle)] = value[~np.isfinite(middle), None]
    return np.nan_to_num(found, nan=-np.inf, copy=False)


def _intervals(
    scores: np.ndarray, replicates: np.ndarray, best_first: np.ndarray, goal: Goal
) -> tuple[np.ndarray, np.ndarray]:
    low, middle, high = quantiles(replicates, (ENDS[0], 0.5, ENDS[1]))[:, best_first]
    least, most = goal.record.least, goal.record.most
    return np.maximum(scores + low - middle, least), np.minimum(scores + high - middle, most)


def _tiers(value: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """(n,) best first. A tier is left at its end, so that the work grows with n and not with its square."""
    tiers = np.zeros(len(value), dtype=np.int64)
    first, tier = 0, 1
    while first < len(value):
        end = _end_of_tier(value, drawn, first)
        tiers[first:end] = tier
        first, tier = end, tier + 1
    return tiers


def _end_of_tier(value: np.ndarray, drawn: np.ndarray, first: int) -> int:
    start, size = first + 1, FIRST_BLOCK
    while start < len(value):
        block = slice(start, start + size)
        low, middle = quantiles(drawn[first] - drawn[block], (ENDS[0], 0.5))
        apart = value[first] - value[block] + low - middle > 0
        if apart.any():
            return start + int(np.argmax(apart))
        start, size = start + size, min(2 * size, BLOCK)
    return len(value)


def _rank_ends(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, B) replicates, best first, to the lowest and highest of 95 % of each one's ranks, each (n,)."""
    rank = np.arange(1, len(drawn) + 1)
    replicates = drawn.shape[1]
    if not replicates:
        return rank, rank
    ranks = np.empty(drawn.shape, dtype=np.int32)
    for i in range(replicates):
        ranks[np.argsort(-drawn[:, i], kind="stable"), i] = rank
    ranks.sort(axis=1)
    low, high = (ranks[:, place] for place in _outermost(replicates))
    return np.minimum(low, rank), np.maximum(high, rank)


def _outermost(replicates: int) -> tuple[int, int]:
    """Places, in order, of the ends of 95 % of the replicates; between two the outer one is taken."""
    low, high = (share * (replicates - 1) for share in ENDS)
    return int(np.floor(low)), int(np.ceil(high))
