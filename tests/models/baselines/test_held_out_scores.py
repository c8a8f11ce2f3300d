"""The baselines on held-out conditions: what they are fitted to, what they are scored against, what they refuse."""

import numpy as np
import pytest

from primeflow_core.data.split_file import LEFT_OUT, TEST, TRAIN
from primeflow_core.data.splits import Split
from primeflow_core.errors import DataError
from primeflow_core.evaluation.distances import energy_distance, mmd
from primeflow_core.evaluation.held_out_reference import training_profiles, truth
from primeflow_core.models.baselines import registry
from primeflow_core.models.baselines.fit import fit_baselines
from primeflow_core.models.baselines.held_out_scores import baseline_table
from primeflow_core.models.baselines.registry import all_baselines
from tests import tiny

NAMES = tuple(baseline.name for baseline in registry.BASELINES)

CELLS = tiny.cells(20)


def split(held_out="A+B"):
    """The held-out condition and every second control to test, the rest to training."""
    labels = np.array([condition.label for condition in CELLS.condition_list(range(len(CELLS)))])
    second = (np.arange(len(CELLS)) % 2 == 1) & (labels == "control")
    return Split(CELLS.names, np.where((labels == held_out) | second, TEST, TRAIN))


def test_baselines_are_fitted_to_training_cells_and_scored_against_the_held_out_ones():
    asked = tiny.condition("A", "B")
    found = baseline_table(CELLS, split(), TEST, [asked], 15, seed=1, pcs=3, top_genes=4)
    assert found.refused == ()
    assert list(dict.fromkeys(found.scores["baseline"])) == list(NAMES)
    training = CELLS.subset(split().indices(CELLS, TRAIN))
    measured = CELLS.dense(CELLS.where(asked))
    of_condition = found.scores[found.scores["condition"] == "A+B"].set_index("baseline")
    for name, baseline in fit_baselines(training).items():
        made = baseline.predict(asked, int(of_condition.loc[name, "cells"]), 1)
        assert of_condition.loc[name, "mmd_gex"] == pytest.approx(mmd(made, measured))
        assert of_condition.loc[name, "energy_distance"] == pytest.approx(energy_distance(made, measured))


def test_no_baseline_makes_more_cells_than_it_can_without_repeating_one():
    found = baseline_table(CELLS, split(), TEST, [tiny.condition("A", "B")], 500, pcs=3, top_genes=4)
    cells = found.scores[found.scores["condition"] == "A+B"].set_index("baseline")["cells"]
    # 10 training controls; 20 cells of each single.
    assert cells["sum-of-singles"] == 10
    assert cells["mix-of-singles"] == 40


def test_what_a_baseline_cannot_predict_is_listed_and_the_others_stay():
    found = baseline_table(CELLS, split("B"), TEST, [tiny.condition("B")], 15, pcs=3, top_genes=4)
    of_singles = {"sum-of-singles", "sum-of-singles-cells", "mix-of-singles"}
    assert {name for name, _, _ in found.refused} == of_singles
    assert all("B" in why for _, _, why in found.refused)
    assert set(found.scores["baseline"]) == {one.name for one in all_baselines()} - of_singles


def test_without_training_controls_every_baseline_refuses_and_the_table_is_empty():
    labels = np.array([condition.label for condition in CELLS.condition_list(range(len(CELLS)))])
    no_controls = Split(CELLS.names, np.where(np.isin(labels, ["control", "A+B"]), TEST, TRAIN))
    found = baseline_table(CELLS, no_controls, TEST, [tiny.condition("A", "B")], 5)
    assert {name for name, _, _ in found.refused} >= {"no-change", "sum-of-singles", "ridge"}
    assert "sum-of-singles" not in set(found.scores.get("baseline", []))


def test_the_truth_of_a_part_holds_its_cells_only_and_the_floor_is_made_of_training_controls():
    held_out = truth(CELLS, split(), TEST)
    assert sorted(set(held_out.reference.labels)) == ["A+B", "control"]
    assert {group: cells.shape for group, cells in held_out.floor_controls.items()} == {("k562",): (10, 11)}
    used = set(held_out.reference.names)
    training = split().indices(CELLS, TRAIN)
    assert not used & set(CELLS.names[training])
    with pytest.raises(DataError, match="no condition in common"):
        held_out.pair({tiny.condition("A"): CELLS.dense()[:3]}, "mine")


def test_training_profiles_are_means_of_means_without_left_out_cells():
    parts = split()
    parts.parts[CELLS.where(tiny.condition("A"))[0]] = LEFT_OUT
    found = training_profiles(CELLS, parts)
    training = CELLS.subset(parts.indices(CELLS, TRAIN))
    expected = np.mean([training.dense(training.where(c)).mean(axis=0) for c in training.conditions], axis=0)
    np.testing.assert_allclose(found["k562",], expected, rtol=1e-5)
