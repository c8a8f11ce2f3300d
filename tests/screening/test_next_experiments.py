"""The list of what to measure next: promising, uncertain, different."""

import numpy as np
import pytest

from primeflow_core.model_store.available_conditions import Standing
from primeflow_core.screening.next_experiments import LOOKED_AT, columns, next_experiments
from primeflow_core.screening.ranking import ranked
from tests import screens

NONE = np.zeros((0, 0))


def table_of(scores, *, names=None, noise=0.0, measured=(), sums=None, goal=screens.EFFECT):
    names = names or [f"P{i:03}+Q{i:03}" for i in range(len(scores))]
    asked = screens.order(names, goal=goal)
    rows = screens.table_of(asked, scores, screens.noise(len(names), 1.0) * np.reshape(noise, (-1, 1)), sums=sums)
    return ranked(rows, asked, lambda c: Standing.HELD_OUT if c.label in measured else Standing.PARTS_SEEN)


def test_without_difference_in_all_else_the_best_come_first():
    found = next_experiments(table_of([1.0, 3.0, 2.0]), NONE, 2, screens.EFFECT)
    assert found["perturbation"].tolist() == ["P001+Q001", "P002+Q002"]
    assert tuple(found) == columns(["cell_type"])
    assert found["place"].tolist() == [1, 2]
    assert found["promising"].tolist() == [1.0, 0.5]


def test_what_was_measured_is_left_out():
    table = table_of([1.0, 3.0, 2.0], measured=["P001+Q001"])
    assert next_experiments(table, NONE, 9, screens.EFFECT)["perturbation"].tolist() == ["P002+Q002", "P000+Q000"]
    everything = table_of([1.0], measured=["P000+Q000"])
    assert next_experiments(everything, NONE, 3, screens.EFFECT).empty


def test_of_two_alike_the_more_uncertain_comes_first():
    table = table_of([3.0, 3.0, 1.0, 0.5], noise=[0.1, 0.2, 0.0, 0.0])
    assert next_experiments(table, NONE, 1, screens.EFFECT)["perturbation"][0] == "P001+Q001"


def test_disagreement_with_the_sum_counts_as_uncertainty_and_is_said():
    found = next_experiments(table_of([3.0, 3.0, 1.0], sums=[3.0, 1.0, 1.0]), NONE, 1, screens.EFFECT)
    assert found["perturbation"][0] == "P001+Q001"
    assert "the sum of single effects says 1, the model 3" in found["why"][0]


def test_without_a_sum_the_interval_decides_alone():
    found = next_experiments(table_of([3.0, 2.0], noise=[0.1, 0.2], sums=[np.nan] * 2), NONE, 2, screens.EFFECT)
    assert found["uncertain"].tolist() == [0, 1]
    assert "interval goes from" in found["why"][0]


def test_a_twin_of_what_is_chosen_gives_way_to_another():
    table = table_of([3.0, 2.9, 2.8, 0.1, 0.0])
    changes = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 0.0]])
    found = next_experiments(table, changes.astype(np.float16), 3, screens.EFFECT)
    assert found["perturbation"].tolist() == ["P000+Q000", "P002+Q002", "P003+Q003"]
    assert found["different"].tolist() == pytest.approx([1, 1, 0.5], abs=1e-3)
    assert "cosine of its changes with those above 0.00 at most" in found["why"][1]
    assert "cosine of its changes with those above 0.71 at most" in found["why"][2]


def test_the_same_candidate_twice_is_no_second_experiment_but_fills_the_list():
    found = next_experiments(table_of([3.0, 2.0]), np.ones((2, 3), np.float16), 2, screens.EFFECT)
    assert found["different"].tolist() == [1, 0]


def test_without_changes_a_shared_perturbation_is_what_makes_two_alike():
    rest = [f"R{i}+S{i}" for i in range(5)]
    table = table_of([3.0, 2.9, 2.8, *np.zeros(5)], names=["A+B", "A+C", "D+E", *rest])
    found = next_experiments(table, NONE, 3, screens.EFFECT)
    assert found["perturbation"].tolist() == ["A+B", "D+E", "A+C"]
    assert found["different"].tolist() == [1, 1, 0.5]
    assert found["why"][1].endswith("shares no perturbation with those above.")
    assert found["why"][2].endswith("shares a perturbation with one above.")


def test_less_is_more_promising_where_the_goal_has_it_so():
    found = next_experiments(table_of([3.0, 1.0], goal=screens.SUPPRESSION), NONE, 1, screens.SUPPRESSION)
    assert found["score"].tolist() == [1.0]


def test_what_has_no_score_is_not_asked_for():
    found = next_experiments(table_of([np.nan, 1.0]), NONE, 5, screens.EFFECT)
    assert found["perturbation"].tolist() == ["P001+Q001"]
    assert found["promising"].tolist() == [1.0]


def test_only_the_best_few_hundred_are_looked_at():
    scores = np.arange(LOOKED_AT + 50.0)
    found = next_experiments(table_of(scores), NONE, 1_000, screens.EFFECT)
    assert len(found) == LOOKED_AT
    assert found["score"].min() == 50


def test_the_least_promising_and_the_only_one_are_said_as_such():
    both = next_experiments(table_of([3.0, 2.0]), NONE, 2, screens.EFFECT)["why"]
    assert both[0].startswith("May be better than 100 % of the others")
    assert both[1].startswith("Least promising of those considered;")
    assert next_experiments(table_of([3.0]), NONE, 2, screens.EFFECT)["why"][0].startswith(
        "The only remaining candidate"
    )
