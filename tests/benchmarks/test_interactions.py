"""The proof on held-out pairs: folds that hold out every pair once, and the AUROC."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from benchmarks.folds import FOLDS, classes, held_out
from benchmarks.interactions import DESCRIBED, auroc, auroc_interval, pooled, separations
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.rank_agreement import GoalScores


def test_every_pair_is_held_out_once_and_every_fold_has_all_classes():
    folds = [held_out(fold) for fold in range(FOLDS)]
    assert sorted(pair.label for fold in folds for pair in fold) == sorted(pair.label for pair in classes())
    for fold in folds:
        assert Counter(classes()[pair] for pair in fold) == dict.fromkeys(set(classes().values()), 2)


@pytest.mark.parametrize(
    ("positive", "negative", "expected"),
    [([3.0, 4.0], [1.0, 2.0], 1.0), ([1.0], [2.0], 0.0), ([1.0, 1.0], [1.0], 0.5), ([1.0, 3.0], [2.0, 2.5], 0.5)],
)
def test_auroc_is_the_chance_of_the_right_order(positive: list, negative: list, expected: float):
    assert auroc(np.array(positive), np.array(negative)) == expected


def test_the_interval_of_an_auroc_holds_it_and_is_a_point_where_the_classes_lie_apart():
    low, high = auroc_interval(np.array([1.0, 3.0, 5.0]), np.array([0.0, 2.0, 4.0]))
    assert 0 <= low < auroc(np.array([1.0, 3.0, 5.0]), np.array([0.0, 2.0, 4.0])) < high <= 1
    assert auroc_interval(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == (1.0, 1.0)


@pytest.mark.slow
def test_suppression_scores_low_and_a_pair_without_a_score_is_left_out():
    pairs = pd.DataFrame({"class": ["synergistic", "additive", "suppressive", "suppressive"]})
    for name in DESCRIBED:
        pairs[name], pairs[f"{name}: kind"] = [1.3, 1.0, 0.6, np.nan], ["synergistic", "additive", "unclear", "unclear"]
    row = separations(pairs)[0]
    assert row["pairs"] == 3
    # One pair a class: a coin puts them in this order every other time.
    assert row["synergistic against additive"] == "1.00 (1.00 to 1.00), p = 0.5"
    assert row["suppressive against additive"] == "1.00 (1.00 to 1.00), p = 0.5"
    assert row["right class"] == "2 of 4"


def test_scores_of_several_models_are_ranked_together():
    goal = Goal("effect")
    lots = [{"measured": GoalScores(goal, np.array([one]), np.full((1, 3), one))} for one in (1.0, 2.0)]
    found = pooled(goal, lots)["measured"]
    assert found.value.tolist() == [1.0, 2.0]
    assert found.drawn.shape == (2, 3)
