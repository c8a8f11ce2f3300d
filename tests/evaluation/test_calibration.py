"""The calibrated score and what a metric can tell: closed forms, and metrics of pure noise."""

import numpy as np
import pandas as pd
import pytest

from primeflow_core.evaluation.calibration import Calibration, calibrated, calibrations, with_calibration
from primeflow_core.evaluation.mean_row import with_mean
from primeflow_core.evaluation.metrics.registry import METRICS, metric_named


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_the_baseline_is_0_and_the_replicate_1_of_every_metric(metric):
    b, r = (0.2, 0.6) if metric.larger_is_better else (0.6, 0.2)
    scores = [calibrated(u, b, r, larger_is_better=metric.larger_is_better) for u in (b, r, (b + r) / 2)]
    assert scores == pytest.approx([0, 1, 0.5])


def test_beyond_the_ends_nothing_is_clipped_and_words_say_so():
    def words(u):
        return Calibration(metric_named("mmd_gex"), u, 0.6, 0.2, 1.0, 5.0, 4)

    assert words(0.1).score == pytest.approx(1.25)
    assert words(0.1).score_in_words.startswith("1.25: closer than a repeat of the experiment")
    assert words(0.7).score == pytest.approx(-0.25)
    assert words(0.7).score_in_words.startswith("-0.25: further away than typical perturbed cells")
    assert words(np.nan).score_in_words == "no calibrated score"


def test_a_replicate_that_is_no_better_than_the_baseline_leaves_nothing_between():
    assert calibrated(0.3, 0.2, 0.4, larger_is_better=False) is None
    assert calibrated(0.3, 0.2, 0.2, larger_is_better=True) is None
    assert calibrated(0.3, np.nan, 0.2, larger_is_better=False) is None


def table(baseline, replicate, value=None, sd=0.1):
    """Of one metric, in so many conditions."""
    rows = pd.DataFrame({"mmd_gex_baseline": baseline, "mmd_gex_replicate": replicate})
    rows.insert(0, "mmd_gex", rows["mmd_gex_replicate"] if value is None else value)
    rows.insert(0, "condition", [f"c{i}" for i in range(len(rows))])
    return rows.assign(mmd_gex_replicate_sd=sd)


def test_a_metric_of_pure_noise_cannot_tell():
    draw = np.random.default_rng(0)
    told = [calibrations(table(*draw.normal(0, 1, (2, 12))))["mmd_gex"].can_tell for _ in range(200)]
    assert np.mean(told) < 0.08


def test_a_clear_difference_tells_and_is_counted_in_standard_errors():
    gains = np.array([0.3, 0.5, 0.4, 0.6])
    found = calibrations(table(0.2 + gains, np.full(4, 0.2)))["mmd_gex"]
    assert found.standard_errors == pytest.approx(gains.mean() / (gains.std(ddof=1) / 2), rel=0.15)
    assert (found.won, found.conditions, found.can_tell) == (4, 4, True)
    assert found.told.startswith("A repeat of the experiment is better than typical perturbed cells in 4 of 4 cond")


def test_one_very_strong_condition_is_not_enough_though_every_one_is_won():
    found = calibrations(table(np.array([0.1] * 11 + [9.0]), np.zeros(12)))["mmd_gex"]
    assert found.standard_errors < 2
    assert not found.can_tell
    assert "in 12 of 12 conditions" in found.told


def test_a_replicate_far_worse_than_the_baseline_tells_nothing():
    found = calibrations(table(np.full(4, 0.1), np.array([0.6, 0.7, 0.65, 0.6])))["mmd_gex"]
    assert found.standard_errors < -2
    assert not found.can_tell
    assert found.score is None
    assert "in 0 of 4 conditions" in found.told
    assert "worse by" in found.told


@pytest.mark.parametrize(("sd", "tells"), [(0.1, True), (0.2, False)])
def test_with_one_condition_chance_is_judged_by_the_halvings(sd, tells):
    found = calibrations(table([0.5], [0.2], sd=sd))["mmd_gex"]
    assert found.standard_errors == pytest.approx(0.3 / sd)
    assert found.can_tell is tells


def test_one_condition_without_the_spread_over_halvings_is_not_judged():
    found = calibrations(table([0.5], [0.2], sd=np.nan))["mmd_gex"]
    assert not found.can_tell
    assert "too few cells" in found.told


def test_rows_of_an_earlier_version_have_no_calibration():
    assert calibrations(pd.DataFrame({"condition": ["c"], "mmd_gex": [0.1], "mmd_gex_floor": [0.3]})) == {}
    assert calibrations(table([np.nan], [0.2])) == {}


def test_the_value_with_disjoint_controls_is_the_one_that_is_calibrated():
    rows = pd.DataFrame(
        {"condition": ["a", "b"], "cosine_logfc": [0.9, 0.9], "cosine_logfc_disjoint": [0.3, 0.5],
         "cosine_logfc_baseline": [0.2, 0.2], "cosine_logfc_replicate": [0.6, 0.6], "cosine_logfc_replicate_sd": 0.1}
    )  # fmt: skip
    assert calibrations(rows)["cosine_logfc"].score == pytest.approx(0.5)


def test_a_table_gets_the_score_of_each_condition_and_of_their_means():
    found = with_calibration(with_mean(table([0.6, 0.8, 0.7], [0.2, 0.2, 0.2], [0.4, 0.8, 0.2]), []))
    assert found["mmd_gex_calibrated"].tolist() == pytest.approx([0.5, 0.0, 1.0, (0.7 - 1.4 / 3) / 0.5])
    assert found["mmd_gex_replicate_wins"].tolist() == [1, 1, 1, 1]
    assert found["mmd_gex_standard_errors"].iloc[0] == pytest.approx(4)
    assert "rmse_mean_calibrated" not in found
