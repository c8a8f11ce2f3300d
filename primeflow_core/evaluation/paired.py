"""Whether one prediction is better than another by a metric, over the conditions that both were scored on.

The conditions are paired: the same ones for both. They are drawn again with replacement, and the summary over them (a
mean, or a ratio of sums) is computed anew each time. A plain bootstrap of few conditions is too sure (of five, its 95 %
interval covers 83 %). So both arms of the interval are stretched by sqrt(n / (n - 1)) and by Student's t with n - 1
degrees of freedom over the normal quantile: of a mean it is then the interval of Student's t.
"""

from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

import numpy as np

from primeflow_core.evaluation.bootstrap import COVERAGE

FEWEST_CONDITIONS = 3
"""With fewer, nothing is said about other conditions."""
SAMPLES = 2000
NORMAL = NormalDist().inv_cdf((1 + COVERAGE) / 2)
ROUNDING = 1e-9
"""Differences this small, as a share of the values, are rounding."""


class MetricStanding(StrEnum):
    """How one prediction stands against another by one metric."""

    BETTER = "better"
    WORSE = "worse"
    EVEN = "not told apart"
    UNTOLD = "cannot be told"
    UNKNOWN = "no figure"


@dataclass(frozen=True)
class ConditionValues:
    """A metric in C conditions, ``values`` (C,), and the weight of each in the summary; None: the same weight.

    A ratio of sums, sum N / sum D, is the mean of the ratios N / D with the weights D.
    """

    values: np.ndarray
    weights: np.ndarray | None = None

    def at(self, conditions: np.ndarray) -> "ConditionValues":
        """Of the chosen conditions; any indexing of (C,) arrays, such as (B, C) numbers of drawn conditions."""
        return ConditionValues(self.values[conditions], None if self.weights is None else self.weights[conditions])

    @property
    def known(self) -> np.ndarray:
        """(C,) mask of the conditions with a value."""
        found: np.ndarray = np.isfinite(self.values)
        return found if self.weights is None else found & np.isfinite(self.weights)

    @property
    def summary(self) -> np.ndarray:
        """Over the last axis, (C,) to () and (B, C) to (B,); NaN for no condition or weights that add up to 0."""
        weights = np.ones_like(self.values) if self.weights is None else self.weights
        total, sums = weights.sum(axis=-1), (weights * self.values).sum(axis=-1)
        return np.divide(sums, total, out=np.full(np.shape(total), np.nan), where=total != 0)


@dataclass(frozen=True)
class PairedDifference:
    """How much better the first of two is than the second, in the unit of the metric; below 0: worse.

    ``low``, ``high``: the 95 % interval over conditions; NaN for fewer than 3. ``spread``: the standard deviation of
    the difference over trainings; NaN where one of the two was trained once.
    """

    gain: float
    low: float
    high: float
    standard_error: float
    conditions: int
    spread: float = float("nan")

    @property
    def standing(self) -> MetricStanding:
        """Better or worse only where the interval over conditions excludes 0 and the difference is larger than the
        spread over trainings. Where the spread is not known, the interval alone decides."""
        if not np.isfinite(self.gain):
            return MetricStanding.UNKNOWN
        if self.conditions < FEWEST_CONDITIONS:
            return MetricStanding.UNTOLD
        if self.low <= 0 <= self.high or abs(self.gain) <= np.nan_to_num(self.spread):
            return MetricStanding.EVEN
        return MetricStanding.BETTER if self.gain > 0 else MetricStanding.WORSE

    @property
    def trained_once(self) -> bool:
        """How much trainings differ is not known."""
        return not np.isfinite(self.spread)


def paired_difference(
    first: ConditionValues,
    second: ConditionValues,
    *,
    larger_is_better: bool,
    spread: float = float("nan"),
    seed: int = 0,
) -> PairedDifference:
    """Of the same C conditions in the same order; a condition in which one of the two has no value is omitted."""
    both = np.flatnonzero(first.known & second.known)
    one, other, sign = first.at(both), second.at(both), 1.0 if larger_is_better else -1.0
    gain = sign * float(one.summary - other.summary)
    if abs(gain) <= ROUNDING * np.abs(np.concatenate([one.values, other.values])).max(initial=0.0):
        gain = 0.0
    below, above = _arms(sign * _drawn_again(one, other, seed) - gain)
    enough = len(both) >= FEWEST_CONDITIONS
    reach = _quantile(len(both) - 1) if enough else float("nan")
    return PairedDifference(
        gain, gain - reach * below, gain + reach * above, (below + above) / 2, len(both), spread
    )  # fmt: skip


def _drawn_again(one: ConditionValues, other: ConditionValues, seed: int) -> np.ndarray:
    """(B,) differences of the summaries over drawn conditions, spread as those of a population; none for fewer than
    two conditions."""
    n = len(one.values)
    if n < 2:
        return np.zeros(0)
    drawn = np.random.default_rng(seed).integers(n, size=(SAMPLES, n))
    differences = one.at(drawn).summary - other.at(drawn).summary
    middle = one.summary - other.summary
    return np.asarray(middle + (differences - middle) * np.sqrt(n / (n - 1)))


def _arms(around: np.ndarray) -> tuple[float, float]:
    """The standard errors below and above 0 of differences around it, from the ends of their 95 % interval.

    Not from their standard deviation: a ratio of sums explodes in a few draws of weak conditions only.
    """
    known = around[np.isfinite(around)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return float(-low / NORMAL), float(high / NORMAL)


def _quantile(degrees: int) -> float:
    from scipy.stats import t

    return float(t.ppf((1 + COVERAGE) / 2, degrees))
