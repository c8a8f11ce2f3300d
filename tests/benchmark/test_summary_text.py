"""What is said of a benchmark: closed cases, above all those in which PRiMeFlow does not win."""

import numpy as np
import pandas as pd
import pytest

from primeflow_core.benchmark.difference_table import difference_table
from primeflow_core.benchmark.leaderboard import BASELINE, CEILING, FLOOR, leaderboard
from primeflow_core.benchmark.metric_table import metric_table
from primeflow_core.benchmark.standings import Standings, standings
from primeflow_core.benchmark.summary_text import (
    NOT_KNOWN,
    champion,
    closed_form_duels,
    duels,
    mean_places,
    verdict,
)
from primeflow_core.evaluation.paired import MetricStanding
from tests.shipped_benchmarks import SCORES, calibrated, rows

NAN = float("nan")
METRICS = ("cosine_logfc", "mmd_gex")


def standing(found=None) -> Standings:
    found = rows() if found is None else found
    return standings(leaderboard(found), found)


def told(found=None, metrics=METRICS):
    return verdict(standing(found), metrics)


def scored(**changes):
    """The usual scores with others for some: unet=(mmd, cosine)."""
    names = {"unet": ("unet-tiny", 1.0), "additive": ("additive", 1.0), "ridge": ("ridge", 1.0)}
    return rows(SCORES | {names[name]: values for name, values in changes.items()})


def said_of(start, found=None):
    return next(line for line in told(found) if line.startswith(start))


def test_the_best_by_each_metric_and_where_primeflow_stands():
    first, among, *_ = told()
    assert first == "Best mean of 6 models and guidance weights: CPA by cosine (0.690); PRiMeFlow by MMD GEX (0.110)."
    assert among == "PRiMeFlow has the best mean on 1 of 2 metrics."


def test_each_baseline_is_met_by_every_metric():
    # Seeds lie .01 apart: sd .01 each, so the spread of a difference is .01414. Conditions do not differ.
    assert said_of("Against the sum") == (
        "Against the sum of single effects, PRiMeFlow is better on MMD GEX (by 0.100); worse on cosine (by 0.100)."
    )
    assert (
        said_of("Against Ridge") == "Against Ridge, PRiMeFlow is better on cosine (by 0.0500) and MMD GEX (by 0.200)."
    )
    assert told()[-1].startswith("A model is called better than another where the 95 % interval")


def test_a_network_that_is_better_than_every_closed_form_earns_its_cost():
    assert said_of("PRiMeFlow is better", scored(unet=(0.1, 0.8))) == (
        "PRiMeFlow is better than the best model without training on cosine (Sum of single effects, by 0.200) and "
        "MMD GEX (Sum of single effects, by 0.100)."
    )


def test_where_a_network_does_not_earn_its_cost_is_said():
    assert said_of("PRiMeFlow is better") == (
        "PRiMeFlow is better than the best model without training on MMD GEX (Sum of single effects, by 0.100). It "
        "does not earn its cost on cosine (Sum of single effects, worse by 0.100)."
    )
    assert said_of("PRiMeFlow does not earn", scored(unet=(0.2, 0.2))) == (
        "PRiMeFlow does not earn its cost here: it is better than the best model without training on none of 2 "
        "metrics: cosine (Sum of single effects, worse by 0.400) and MMD GEX (Sum of single effects, not told apart)."
    )


def test_without_a_closed_form_its_cost_is_not_judged():
    alone = {entry: values for entry, values in SCORES.items() if entry[0] in ("unet-tiny", "cpa")}
    assert not any("cost" in line for line in told(rows(alone)))


@pytest.mark.parametrize("conditions", [("A+B",), ("A+B", "A+C")])
def test_few_conditions_cannot_tell(conditions):
    found = rows(conditions=conditions)
    said = told(found)
    assert any(line.startswith("Whether PRiMeFlow earns its cost cannot be told") for line in said)
    assert "Against Ridge, PRiMeFlow is not told apart on cosine and MMD GEX." in said
    assert f"With {len(conditions)} condition" in said[-1]
    assert "no model is called better than another" in said[-1]
    assert standing(found).leaders(METRICS) == {"cosine_logfc": frozenset(), "mmd_gex": frozenset()}


def test_it_is_said_when_primeflow_loses_everywhere():
    said = told(scored(unet=(0.45, 0.2)))
    assert "PRiMeFlow has the best mean on none of 2 metrics." in said
    assert "Against the sum of single effects, PRiMeFlow is worse on cosine (by 0.400) and MMD GEX (by 0.250)." in said


def test_it_is_said_when_primeflow_is_below_the_floor():
    said = told(scored(unet=(0.9, 0.2)))
    assert "PRiMeFlow is worse than control cells offered as the prediction (the floor) on MMD GEX." in said
    assert not any("floor" in line for line in told())


def test_within_the_spread_over_trainings_nothing_is_claimed():
    said = told(scored(unet=(0.195, 0.605)))
    assert any(line.endswith("PRiMeFlow is not told apart on cosine and MMD GEX.") for line in said)


def test_a_lead_that_one_condition_makes_is_not_claimed():
    found = rows()
    lucky = (found["model"] == "unet-tiny") & (found["condition"] == "A+B")
    others = (found["model"] == "unet-tiny") & ~lucky
    found["mmd_gex"] += -0.5 * lucky + 0.15 * others
    assert standing(found).against(4, 1, "mmd_gex").gain > 0.1
    assert "not told apart on MMD GEX" in said_of("Against the sum", found)


def test_near_the_best_is_said_but_not_as_best():
    said = told(scored(unet=(0.155, 0.2)))
    assert (
        said[1] == "PRiMeFlow has the best mean on none of 2 metrics, and is not told apart from the best on MMD GEX."
    )


def test_a_missing_figure_is_no_victory():
    found = rows()
    found.loc[found["model"] == "additive", "mmd_gex"] = NAN
    assert said_of("Against the sum", found).endswith("worse on cosine (by 0.100); without a value for MMD GEX.")
    found.loc[found["model"] == "unet-tiny", "mmd_gex"] = NAN
    first, among, *_ = told(found)
    assert "Ridge by MMD GEX (0.310)" in first
    assert "none of 2 metrics" in among
    assert "without a value for MMD GEX" in said_of("Against Ridge", found)


def test_who_is_exactly_as_good_is_named_too():
    said = told(scored(unet=(0.2, 0.7), additive=(0.1, 0.6)))
    assert "CPA and PRiMeFlow by cosine (0.690); Sum of single effects by MMD GEX (0.110)" in said[0]
    assert said[1].startswith("PRiMeFlow has the best mean on 1 of 2 metrics")


def test_one_model_alone_is_no_contest():
    assert told(rows({("additive", 1.0): (0.2, 0.6)}))[0].startswith("The only model, Sum of single effects by cosine")


def test_within_the_spread_of_the_floor_is_not_below_it():
    assert not any("floor" in line for line in told(scored(unet=(0.505, 0.2))))
    assert any("floor" in line for line in told(scored(unet=(0.505, 0.2)).query("seed == 1")))


def test_no_figure_at_all_is_said():
    found = rows().assign(mmd_gex=NAN, cosine_logfc=NAN)
    assert told(found)[0] == "No model has a value for any metric that can tell."


def test_one_training_has_no_spread_so_the_interval_alone_decides():
    said = told(rows(seeds=(4,)))
    assert said[-1].endswith("Each model was trained once, so how much trainings differ is not known.")
    assert (
        "Against the sum of single effects, PRiMeFlow is better on MMD GEX (by 0.100); worse on cosine (by 0.100)."
        in said
    )


def test_a_metric_that_cannot_tell_takes_no_part():
    found = calibrated(rows(), silent=("cosine_logfc",))
    first, among, cost, score, *_ = told(found)
    assert first == "Best mean of 6 models and guidance weights: PRiMeFlow by MMD GEX (0.110)."
    assert among == "PRiMeFlow has the best mean on 1 of 1 metric."
    assert cost == (
        "PRiMeFlow is better than the best model without training on MMD GEX (Sum of single effects, by 0.100)."
    )
    assert score.endswith("is 1, PRiMeFlow is at 1.19 on MMD GEX.")
    silent = next(line for line in told(found) if "Not used" in line)
    assert silent.startswith("Not used in these sentences: cosine (in 2 of 3, by 0.5 standard errors). In so many")
    assert standing(found).leaders(METRICS) == {"mmd_gex": frozenset([4])}
    assert [duel.metric for duel in duels(standing(found), METRICS)] == ["mmd_gex"] * 2
    table = metric_table(standing(found), METRICS)
    assert table["Takes part"].tolist() == ["no, cannot tell", "yes"]
    assert table["Repeat is better in"].tolist() == ["2 of 3", "3 of 3"]
    assert mean_places(standing(found).table, ["mmd_gex"]).iloc[4] == 1


def test_where_no_metric_can_tell_nothing_is_claimed():
    said = told(calibrated(rows(), silent=METRICS))
    assert said[0] == "No model has a value for any metric that can tell."
    assert not any("best mean" in line or "cost" in line or "Against" in line for line in said)
    assert "cosine (in 2 of 3, by 0.5 standard errors) and MMD GEX" in said[1]


def test_a_benchmark_of_an_earlier_version_says_that_it_was_not_measured():
    assert NOT_KNOWN in told()
    assert metric_table(standing(), METRICS).empty
    assert not any("_calibrated" in name for name in leaderboard(rows()))
    assert BASELINE not in set(leaderboard(rows())["model"])


def test_calibrated_scores_stand_in_the_leaderboard():
    table = leaderboard(calibrated(rows())).set_index(["model", "guidance"])
    # u = .11, b = .4, r = .15 and .16 in turn: (.11 - .4) / (.1567 - .4)
    assert table.loc[("unet-tiny", 1.0), "mmd_gex_calibrated"] == pytest.approx(1.192, abs=1e-3)
    assert table.loc[("unet-tiny", 1.0), "mmd_gex_calibrated_sd"] == pytest.approx(0.01 / 0.24333, abs=1e-4)
    # The value with disjoint controls is .1 lower: (.39 - .2) / .40667
    assert table.loc[("unet-tiny", 1.0), "cosine_logfc_calibrated"] == pytest.approx(0.467, abs=1e-3)
    assert table.loc[("unet-tiny", 1.0), "mmd_gex_wrong"] == pytest.approx(0.4)
    bounds = leaderboard(calibrated(rows())).set_index("model")
    assert bounds.loc[BASELINE, "mmd_gex"] == pytest.approx(0.4)
    assert {FLOOR, CEILING, BASELINE} <= set(bounds.index)


def test_differences_are_given_with_interval_and_spread():
    table = difference_table(standing(), METRICS)
    assert len(table) == 4
    row = table[(table["Metric"] == "MMD GEX") & (table["Against"] == "Ridge")].iloc[0]
    assert (row["Better by"], row["95 % interval over conditions"]) == ("0.2000", "0.2000 to 0.2000")
    assert (row["Spread over trainings"], row["So it is"]) == ("0.0141", "better")
    assert set(difference_table(standing(rows(seeds=(1,))), METRICS)["Spread over trainings"]) == {"one training"}
    few = difference_table(standing(rows(conditions=("A+B",))), METRICS)
    assert set(few["95 % interval over conditions"]) == {"too few"}
    assert set(few["So it is"]) == {MetricStanding.UNTOLD.value}


def test_primeflow_stands_with_weight_1_though_another_scores_better():
    found = rows(SCORES | {("unet-tiny", 3.0): (0.01, 0.9), ("unet-small", 1.0): (0.02, 0.9)})
    models = standing(found).table
    assert tuple(models.loc[champion(models), ["model", "guidance"]]) == ("unet-tiny", 1.0)
    assert [one.difference.gain for one in duels(standing(found), ["mmd_gex"])] == pytest.approx([0.1, 0.2])
    assert [one.baseline for one in closed_form_duels(standing(found), ["mmd_gex"])] == ["Sum of single effects"]
    assert "PRiMeFlow (unet-tiny) has the best mean on none" in told(found)[1]


def test_without_primeflow_or_baselines_less_is_said():
    without = {entry: values for entry, values in SCORES.items() if entry[0] not in ("unet-tiny", "ridge")}
    assert "PRiMeFlow is not among these models." in told(rows(without))
    assert "Each model was trained once" in told(rows(without, seeds=(4,)))[-1]
    alone = {entry: values for entry, values in SCORES.items() if entry[0] in ("unet-tiny", "cpa")}
    assert not any(line.startswith("Against") for line in told(rows(alone)))


def test_places_are_means_over_metrics_with_ties_shared_and_gaps_last():
    models = pd.DataFrame({"cosine_logfc": [0.5, 0.5, np.nan], "mmd_gex": [0.3, 0.1, 0.2]})
    np.testing.assert_allclose(mean_places(models), [(1.5 + 3) / 2, (1.5 + 1) / 2, (3 + 2) / 2])
