"""Paired differences over conditions: closed forms, coverage, and when one prediction is called better."""

import numpy as np
import pytest
from scipy import stats

from primeflow_core.evaluation.paired import ConditionValues, MetricStanding, paired_difference


def against(first, second, *, larger=True, spread=float("nan"), weights=(None, None)):
    one, other = (ConditionValues(np.asarray(v, float), w) for v, w in zip((first, second), weights, strict=True))
    return paired_difference(one, other, larger_is_better=larger, spread=spread)


def test_of_means_the_interval_is_that_of_students_t():
    draw = np.random.default_rng(0)
    first, second = draw.normal(1.0, 1, 30), draw.normal(0.0, 1, 30)
    found = against(first, second)
    exact = stats.t.interval(0.95, 29, (first - second).mean(), stats.sem(first - second))
    assert found.gain == pytest.approx((first - second).mean())
    assert (found.low, found.high) == pytest.approx(exact, abs=0.08)
    assert found.standard_error == pytest.approx(stats.sem(first - second), rel=0.05)


@pytest.mark.parametrize("conditions", [3, 5, 20])
def test_the_interval_of_equal_models_covers_0_about_95_times_of_100(conditions):
    draw = np.random.default_rng(1)
    both = draw.normal(0, 1, (400, 2, conditions)) + draw.normal(0, 3, (400, 1, conditions))
    covered = [found.low <= 0 <= found.high for found in (against(*pair) for pair in both)]
    assert 0.92 <= np.mean(covered) <= 0.98


def test_a_model_that_is_better_in_every_condition_is_ahead_and_the_other_behind():
    base = np.array([0.2, 0.5, 0.9, 0.4])
    better = base - np.array([0.10, 0.12, 0.11, 0.09])
    assert against(better, base, larger=False).standing is MetricStanding.BETTER
    assert against(base, better, larger=False).standing is MetricStanding.WORSE
    assert against(base, better).standing is MetricStanding.BETTER


def test_ahead_needs_more_than_the_spread_over_trainings():
    base = np.array([0.2, 0.5, 0.9, 0.4])
    assert against(base + 0.1, base, spread=0.05).standing is MetricStanding.BETTER
    assert against(base + 0.1, base, spread=0.15).standing is MetricStanding.EVEN
    once = against(base + 0.1, base)
    assert once.trained_once
    assert once.standing is MetricStanding.BETTER


def test_one_condition_where_it_is_far_ahead_is_not_enough():
    found = against([5.0, 0.1, 0.2, 0.1], [0.0, 0.2, 0.1, 0.2])
    assert found.gain > 1
    assert found.standing is MetricStanding.EVEN


@pytest.mark.parametrize("conditions", [1, 2])
def test_with_fewer_than_three_conditions_nothing_can_be_told(conditions):
    found = against(np.ones(conditions), np.zeros(conditions))
    assert found.standing is MetricStanding.UNTOLD
    assert np.isnan([found.low, found.high]).all()


def test_no_condition_with_both_values_is_no_figure():
    assert against([np.nan, 1.0, np.nan], [1.0, np.nan, 1.0]).standing is MetricStanding.UNKNOWN
    assert against([1.0, 2.0, 3.0, np.nan], [0.0, 1.0, 2.0, 9.0]).conditions == 3


def test_differences_by_rounding_are_none():
    base = np.array([0.1, 0.2, 0.3, 0.4])
    assert against(base + 1e-12, base).standing is MetricStanding.EVEN


def test_a_ratio_of_sums_is_computed_anew_from_drawn_conditions():
    # N / D of each condition, with one condition of hardly any effect whose own ratio is far off.
    d = np.array([4.0, 8.0, 6.0, 5.0, 7.0, 0.1])
    n, other = 0.25 * d + [0.1, -0.1, 0.0, 0.1, -0.1, 0.5], 0.5 * d + [0.0, 0.1, -0.1, 0.0, 0.1, 0.0]
    found = against(n / d, other / d, larger=False, weights=(d, d))
    assert found.gain == pytest.approx((other.sum() - n.sum()) / d.sum())
    assert found.standing is MetricStanding.BETTER
    # By the plain mean of the ratios that one condition would decide.
    assert against(n / d, other / d, larger=False).standing is MetricStanding.EVEN
