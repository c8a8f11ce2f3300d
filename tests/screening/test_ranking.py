"""The ranking of a screen: places, what can be told apart, candidates without a score."""

import numpy as np
import pandas as pd
import pytest

from primeflow_core.evaluation.bootstrap import interval
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.rank_uncertainty import placed, quantiles
from primeflow_core.screening.ranking import (
    best_first,
    by_predicted_parts,
    columns,
    contains_target,
    matrix,
    ranked,
    told_apart,
    without_score,
)
from tests import screens

NAMES = ("A+B", "A+C", "B+C", "C+D")


def table_of(scores, replicates=None, goal=screens.EFFECT, names=NAMES):
    asked = screens.order(names, goal=goal)
    return ranked(screens.table_of(asked, scores, replicates), asked, lambda condition: "each part seen alone")


def test_the_better_score_has_the_better_rank_and_columns_stand_in_their_order():
    table = table_of([1.0, 4.0, 3.0, 2.0])
    assert table["perturbation"].tolist() == ["A+C", "B+C", "C+D", "A+B"]
    assert table["rank"].tolist() == [1, 2, 3, 4]
    assert tuple(table) == columns(["cell_type"])
    assert table["standing"].unique().tolist() == ["each part seen alone"]
    assert table["seed_spread"].tolist() == pytest.approx([2**0.5] * 4)


@pytest.mark.parametrize(
    ("goal", "first"),
    [(screens.SUPPRESSION, "A+B"), (Goal("moves", ("g",)), "C+D"), (Goal("genes", ("g",)), "B+C")],
)
def test_better_is_less_or_larger_or_further_from_none_as_the_goal_has_it(goal, first):
    scores = [0.5, 1.0, 3.0, 2.0] if goal is screens.SUPPRESSION else [0.5, 1.0, 3.0, -4.0]
    assert table_of(scores, goal=goal)["perturbation"][0] == first


def test_equal_scores_are_ordered_by_name_and_are_one_tier():
    table = table_of([1.0] * 4, np.tile(screens.noise(1, 1.0), (4, 1)))
    assert table["perturbation"].tolist() == sorted(NAMES)
    assert table["tier"].tolist() == [1] * 4
    assert told_apart(table) == "None of the 4 can be told apart from rank 1."


def test_what_has_no_score_comes_last_without_a_rank():
    table = table_of([np.nan, 1.0, np.nan, 2.0], np.zeros((4, screens.RESAMPLES)))
    assert table["perturbation"].tolist() == ["C+D", "A+C", "A+B", "B+C"]
    assert table["rank"].tolist()[:2] == [1, 2]
    assert table.loc[2:, ["rank", "rank_low", "rank_high", "tier", "low", "high"]].isna().all(axis=None)


def test_what_has_no_score_is_counted_with_the_reason_of_its_goal():
    scores = [np.nan, 1.0, np.nan, 2.0]
    assert without_score(table_of(scores, goal=screens.SUPPRESSION), screens.SUPPRESSION) == (
        "2 of 4 candidates have no score, and so no rank: the sum of their parts is no larger than its noise."
    )
    assert without_score(table_of([1.0] * 4), screens.EFFECT) == ""


def test_without_any_score_nothing_is_ranked():
    table = table_of([np.nan] * 4)
    assert table["rank"].isna().all()
    assert told_apart(table) == ""


def test_paired_differences_tell_apart_what_intervals_alone_do_not():
    shared = np.tile(screens.noise(1, 5.0), (4, 1))
    table = table_of([4.0, 3.0, 2.0, 1.0], shared)
    assert table["tier"].tolist() == [1, 2, 3, 4]
    assert (table["rank_low"] == table["rank_high"]).all()
    assert table["low"][0] < table["high"][3]
    assert table_of([4.0, 3.0, 2.0, 1.0], screens.noise(4, 5.0))["tier"].tolist() == [1] * 4


def test_a_tier_ends_where_the_difference_from_its_first_no_longer_holds_0():
    """Noise of .1 each: differences have a standard deviation of .14, so .28 is the limit."""
    table = table_of([4.0, 3.9, 3.0, 2.95], screens.noise(4, 0.1))
    assert table["tier"].tolist() == [1, 1, 2, 2]
    assert table["rank_high"].tolist() == [2, 2, 4, 4]
    assert told_apart(table) == (
        "Rank 2 cannot be told apart from rank 1; rank 3 is below it. The 4 fall into 2 groups, each below the first "
        "of the group above it."
    )


def test_an_interval_is_that_of_the_bootstrap():
    around = screens.noise(4, 1.0) + 0.5
    table = table_of([4.0, 3.0, 2.0, 1.0], around)
    replicates = (np.array([4.0, 3.0, 2.0, 1.0])[:, None] + around).astype(np.float32)
    for row, score, drawn in zip(table.itertuples(), [4.0, 3.0, 2.0, 1.0], replicates, strict=True):
        assert (row.low, row.high) == pytest.approx(interval(score, drawn, (0.0, np.inf)), abs=1e-6)


def test_a_rank_lies_within_its_range():
    scores = np.random.default_rng(0).normal(size=50)
    found = placed(scores, scores[:, None] + screens.noise(50, 0.5), [f"{i:02}" for i in range(50)], screens.EFFECT)
    rank = np.arange(1, 51)
    assert (found.rank_low <= rank).all()
    assert (rank <= found.rank_high).all()
    assert (np.diff(found.tier) >= 0).all()


def test_the_order_of_the_rows_does_not_change_the_table():
    asked = screens.order(NAMES)
    rows = screens.table_of(asked, [1.0, 1.0, 3.0, 2.0], screens.noise(4, 0.5))
    tables = [ranked(rows.take(order), asked, lambda c: "") for order in ([0, 1, 2, 3], [3, 1, 0, 2])]
    pd.testing.assert_frame_equal(*tables)


def test_checked_conditions_are_left_out_and_rows_that_are_missing_do_not_matter():
    asked = screens.order(NAMES, checked=["X+Y", "B+C"])
    rows = screens.table_of(asked, [9.0, 3.0, 1.0, 2.0, 4.0], changes=np.arange(15.0).reshape(5, 3))
    table = ranked(rows, asked, lambda c: "")
    assert table["perturbation"].tolist() == ["C+D", "B+C", "A+C", "A+B"]
    assert matrix(rows.take(best_first(rows, asked)), "change")[:, 0].tolist() == [12, 3, 9, 6]
    assert ranked(rows.slice(0, 3), asked, lambda c: "")["perturbation"].tolist() == ["B+C", "A+B"]
    assert ranked(rows.slice(0, 1), asked, lambda c: "").empty


def test_a_replicate_without_a_number_is_the_worst_and_is_left_out_of_the_interval():
    around = screens.noise(2, 0.01)
    around[0, :10] = np.nan
    found = placed(np.array([2.0, 1.0]), np.array([[2.0], [1.0]]) + around, ["a", "b"], screens.EFFECT)
    assert found.rank_high.tolist() == [2, 2]
    assert found.low[0] == pytest.approx(2, abs=0.05)


def test_without_replicates_there_is_a_rank_and_nothing_is_told_apart():
    found = placed(np.array([1.0, 2.0]), np.zeros((2, 0)), ["a", "b"], screens.EFFECT)
    assert found.best_first.tolist() == [1, 0]
    assert found.tier.tolist() == [1, 1]
    assert np.isnan(found.low).all()


def test_quantiles_are_those_of_the_numbers_in_a_row():
    values = np.random.default_rng(1).normal(size=(40, 31))
    values[np.random.default_rng(2).random(values.shape) < 0.3] = np.nan
    values[3] = np.nan
    with pytest.warns(RuntimeWarning, match="All-NaN"):
        expected = np.nanquantile(values, [0.025, 0.5, 1.0], axis=1)
    np.testing.assert_allclose(quantiles(values, (0.025, 0.5, 1.0)), expected)


def test_one_candidate_is_a_candidate():
    said = without_score(table_of([np.nan], names=("A+B",), goal=screens.SUPPRESSION), screens.SUPPRESSION)
    assert said.startswith("1 of 1 candidate has no score")


def test_what_has_all_parts_of_the_target_contains_it():
    labels = ["A+B", "A+B+C", "A+C", "A@2+B"]
    goal = Goal("target", target=screens.condition("A+B"))
    assert contains_target(labels, goal).tolist() == [True, True, False, True]
    assert not contains_target(labels, Goal("target", target=screens.condition("D"))).any()
    assert not contains_target(labels, screens.EFFECT).any()


def test_unperturbed_cells_as_a_target_are_contained_in_nothing():
    control = Goal("target", target=screens.condition("A+B").control())
    assert not contains_target(["A", "A+B"], control).any()


def test_a_combination_with_a_score_and_no_measured_parts_was_scored_by_predicted_ones():
    table = table_of([1.0, 2.0, 3.0, np.nan], goal=screens.SUPPRESSION).assign(magnitude=[1.0, np.nan, 2.0, np.nan])
    assert by_predicted_parts(table, screens.SUPPRESSION).tolist() == [False, True, False, False]
    assert not by_predicted_parts(table, screens.EFFECT).any()
