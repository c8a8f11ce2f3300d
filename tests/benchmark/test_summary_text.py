"""What is said of a benchmark: closed cases, above all those in which PRiMeFlow does not win."""

import numpy as np
import pandas as pd
import pytest

from primeflow_core.benchmark.leaderboard import CEILING, FLOOR, Figure, leaderboard
from primeflow_core.benchmark.summary_text import Duel, MetricStanding, champion, duels, mean_places, verdict
from tests.shipped_benchmarks import SCORES, rows

NAN = float("nan")
TIMES = "times as much as trainings differ"


def table(found=None):
    whole = leaderboard(rows() if found is None else found)
    bound = whole["model"].isin([FLOOR, CEILING])
    return whole[~bound].reset_index(drop=True), whole[bound].reset_index(drop=True)


def told(found=None, metrics=("cosine_logfc", "mmd_gex")):
    return verdict(*table(found), metrics)


def scored(**changes):
    """The usual scores with others for some: unet=(mmd, cosine)."""
    names = {"unet": ("unet-tiny", 1.0), "additive": ("additive", 1.0), "ridge": ("ridge", 1.0)}
    return rows(SCORES | {names[name]: values for name, values in changes.items()})


def duel(own, other, metric="mmd_gex"):
    return Duel(metric, "Ridge", Figure(*own), Figure(*other))


@pytest.mark.parametrize(
    ("own", "other", "metric", "outcome", "spreads"),
    [
        ((0.1, 0.03), (0.2, 0.04), "mmd_gex", MetricStanding.BETTER, 2.0),
        ((0.1, 0.03), (0.2, 0.04), "cosine_logfc", MetricStanding.WORSE, -2.0),
        ((0.1, 0.03), (0.14, 0.04), "mmd_gex", MetricStanding.EVEN, 0.8),
        ((0.1, 0.03), (0.06, 0.04), "mmd_gex", MetricStanding.EVEN, -0.8),
        ((0.1, NAN), (0.2, 0.04), "mmd_gex", MetricStanding.EVEN, None),
        ((0.1, NAN), (0.2, NAN), "mmd_gex", MetricStanding.BETTER, None),
        ((0.1, 0.0), (0.2, 0.0), "mmd_gex", MetricStanding.BETTER, None),
        ((0.1, 0.0), (0.1, 0.0), "mmd_gex", MetricStanding.EVEN, None),
        ((NAN, NAN), (0.1, 0.1), "mmd_gex", MetricStanding.UNKNOWN, None),
        ((0.1, 0.1), (NAN, NAN), "cosine_logfc", MetricStanding.UNKNOWN, None),
    ],
)
def test_a_difference_counts_in_spreads(own, other, metric, outcome, spreads):
    found = duel(own, other, metric)
    assert found.outcome is outcome
    assert found.spreads == (None if spreads is None else pytest.approx(spreads))


def test_the_best_by_each_metric_and_where_primeflow_stands():
    first, among, *_ = told()
    assert first == "Best of 6 models and guidance weights: CPA by cosine (0.690); PRiMeFlow by MMD GEX (0.110)."
    assert among == "PRiMeFlow is best on 1 of 2 metrics."


def test_each_baseline_is_met_by_every_metric():
    # Seeds lie .01 apart: sd .01 each, so a spread is .01414.
    _, _, additive, ridge, spread = told()
    assert additive == (
        f"Against the sum of single effects, PRiMeFlow is better on MMD GEX (by 7.1 {TIMES}); worse on cosine (7.1)."
    )
    assert ridge == f"Against Ridge, PRiMeFlow is better on cosine (by 3.5 {TIMES}) and MMD GEX (14.1)."
    assert spread.startswith("How much trainings differ is the standard deviation")


def test_it_is_said_when_primeflow_loses_everywhere():
    said = told(scored(unet=(0.45, 0.2)))
    assert "PRiMeFlow is best on none of the 2 metrics." in said
    assert (
        f"Against the sum of single effects, PRiMeFlow is worse on cosine (by 28.3 {TIMES}) and MMD GEX (17.7)." in said
    )


def test_it_is_said_when_primeflow_is_below_the_floor():
    said = told(scored(unet=(0.9, 0.2)))
    assert "PRiMeFlow is worse than control cells offered as the prediction (the floor) on MMD GEX." in said
    assert not any("floor" in line for line in told())


def test_within_a_spread_nothing_is_claimed():
    said = told(scored(unet=(0.195, 0.605)))
    assert any(line.endswith("PRiMeFlow is not told apart on cosine and MMD GEX.") for line in said)


def test_near_the_best_is_said_but_not_as_best():
    said = told(scored(unet=(0.155, 0.2)))
    assert (
        said[1]
        == "PRiMeFlow is best on none of the 2 metrics, and within one standard deviation of the best on MMD GEX."
    )


def test_a_missing_figure_is_no_victory():
    found = rows()
    found.loc[found["model"] == "additive", "mmd_gex"] = NAN
    assert told(found)[2].endswith(
        "PRiMeFlow is worse on cosine (by 7.1 times as much as trainings differ); without a value for MMD GEX."
    )
    found.loc[found["model"] == "unet-tiny", "mmd_gex"] = NAN
    first, among, _, ridge, *_ = told(found)
    assert "Ridge by MMD GEX (0.310)" in first
    assert "none of the 2 metrics" in among
    assert "without a value for MMD GEX" in ridge


def test_who_is_exactly_as_good_is_named_too():
    said = told(scored(unet=(0.2, 0.7), additive=(0.1, 0.6)))
    assert "CPA and PRiMeFlow by cosine (0.690); Sum of single effects by MMD GEX (0.110)" in said[0]
    assert said[1].startswith("PRiMeFlow is best on 1 of 2 metrics")


def test_one_model_alone_is_no_contest():
    assert told(rows({("additive", 1.0): (0.2, 0.6)}))[0].startswith("The only model, Sum of single effects by cosine")


def test_within_a_spread_of_the_floor_is_not_below_it():
    assert not any("floor" in line for line in told(scored(unet=(0.505, 0.2))))
    assert any("floor" in line for line in told(scored(unet=(0.505, 0.2)).query("seed == 1")))


def test_no_figure_at_all_is_said():
    found = rows().assign(mmd_gex=NAN, cosine_logfc=NAN)
    assert told(found)[0] == "No model has a value for any metric."


def test_one_training_has_no_spread():
    said = told(rows(seeds=(4,)))
    assert said[-1].startswith("Each model was trained once.")
    assert said[2] == "Against the sum of single effects, PRiMeFlow is better on MMD GEX; worse on cosine."


def test_models_that_do_not_differ_between_trainings_have_no_spreads_to_count_in():
    found = rows()
    found["mmd_gex"] = found.groupby(["model", "guidance"])["mmd_gex"].transform("mean")
    assert told(found)[3] == f"Against Ridge, PRiMeFlow is better on cosine (by 3.5 {TIMES}) and MMD GEX."


def test_primeflow_stands_with_weight_1_though_another_scores_better():
    found = rows(SCORES | {("unet-tiny", 3.0): (0.01, 0.9), ("unet-small", 1.0): (0.02, 0.9)})
    models, _ = table(found)
    assert tuple(models.loc[champion(models), ["model", "guidance"]]) == ("unet-tiny", 1.0)
    assert [one.own.mean for one in duels(models, ["mmd_gex"])] == pytest.approx([0.11, 0.11])
    assert "PRiMeFlow (unet-tiny) is best on none" in told(found)[1]


def test_without_primeflow_or_baselines_less_is_said():
    without = {entry: values for entry, values in SCORES.items() if entry[0] not in ("unet-tiny", "ridge")}
    assert told(rows(without))[-2] == "PRiMeFlow is not among these models."
    assert told(rows(without, seeds=(4,)))[-1].startswith("Each model was trained once.")
    alone = {entry: values for entry, values in SCORES.items() if entry[0] in ("unet-tiny", "cpa")}
    assert not any(line.startswith("Against") for line in told(rows(alone)))


def test_places_are_means_over_metrics_with_ties_shared_and_gaps_last():
    models = pd.DataFrame({"cosine_logfc": [0.5, 0.5, np.nan], "mmd_gex": [0.3, 0.1, 0.2]})
    np.testing.assert_allclose(mean_places(models), [(1.5 + 3) / 2, (1.5 + 1) / 2, (3 + 2) / 2])
