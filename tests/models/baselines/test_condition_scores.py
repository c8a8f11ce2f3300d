"""The baselines beside a model on one condition: their figures, how many cells they make, what they refuse."""

from pathlib import Path

import numpy as np
import pytest

from primeflow_core.data.datasets import open_cells
from primeflow_core.errors import ConditionError, SettingError
from primeflow_core.evaluation.agreement import agreement, values
from primeflow_core.evaluation.measured_condition import MeasuredCondition, halved_controls
from primeflow_core.evaluation.principal_components import components
from primeflow_core.model_store.fitted_baselines import fitted_to_training
from primeflow_core.models.baselines.condition_scores import baselines_beside, sum_error, sum_mean
from primeflow_core.models.baselines.fit import fit_baselines
from primeflow_core.models.baselines.registry import baselines_beside_model
from primeflow_core.models.checkpoint import read_manifest
from tests import tiny

CELLS = tiny.cells(20)
HELD_OUT = tiny.condition("A", "B")
FITTED = fit_baselines(CELLS.subset(np.flatnonzero(CELLS.condition_of != 3)))


def truth() -> MeasuredCondition:
    floor, controls = halved_controls(CELLS.dense(CELLS.where(tiny.condition())))
    return MeasuredCondition(
        CELLS.dense(CELLS.where(HELD_OUT)), controls, floor, CELLS.genes, components(CELLS.dense(), 3)
    )


def test_the_three_baselines_are_judged_as_the_model_is():
    found = baselines_beside(FITTED, HELD_OUT, truth(), 15, seed=3, top=4)
    assert [(each.name, each.label, each.why) for each in found] == [
        (one.name, one.label, "") for one in baselines_beside_model()
    ]
    for each in found:
        made = FITTED[each.name].predict(HELD_OUT, 15, 3)
        expected = agreement(made, truth(), top=4)
        assert each.agreement == pytest.approx({name: bounded.value for name, bounded in expected.items()})
        assert values(made, truth(), top=4) == each.agreement


def test_no_baseline_repeats_a_cell():
    few = {name for name, fitted in FITTED.items() if fitted.distinct(HELD_OUT) <= 20}
    many, distinct = (
        [one for one in baselines_beside(FITTED, HELD_OUT, truth(), cells, seed=0) if one.name in few]
        for cells in (500, 20)
    )
    assert many == distinct
    assert {"no-change", "sum-of-singles"} <= few


def test_the_sum_comes_closer_than_no_change_where_effects_add_up():
    by_name = {each.name: each.agreement for each in baselines_beside(FITTED, HELD_OUT, truth(), 20, seed=0)}
    assert by_name["sum-of-singles"]["rmse_mean"] < by_name["no-change"]["rmse_mean"]


def test_a_baseline_that_cannot_predict_says_why_and_the_others_stay():
    without_b = fit_baselines(CELLS.subset(np.flatnonzero(CELLS.condition_of < 2)))
    found = {each.name: each for each in baselines_beside(without_b, HELD_OUT, truth(), 10, seed=0)}
    assert found["no-change"].agreement
    assert not found["sum-of-singles"].agreement
    assert "no training cells with B alone" in found["sum-of-singles"].why
    assert "B is in none of the training conditions" in found["ridge"].why
    with pytest.raises(ConditionError, match="B alone"):
        sum_mean(without_b, HELD_OUT)


def test_the_sum_expects_the_control_mean_moved_by_both_parts():
    control, a, b = (CELLS.dense(CELLS.where(c)).mean(axis=0, dtype=np.float64) for c in tiny.CONDITIONS[:3])
    np.testing.assert_allclose(sum_mean(FITTED, HELD_OUT), np.maximum(a + b - control, 0), rtol=1e-6)


def test_the_error_of_the_sum_is_that_of_three_means_controls_counted_once():
    error = [CELLS.dense(CELLS.where(c)).var(axis=0, ddof=1, dtype=np.float64) / 20 for c in tiny.CONDITIONS[:3]]
    np.testing.assert_allclose(sum_error(FITTED, HELD_OUT), np.sqrt(sum(error)), rtol=1e-6)


def test_the_error_of_a_single_that_was_measured_is_its_own():
    own = CELLS.dense(CELLS.where(tiny.condition("A")))
    np.testing.assert_allclose(sum_error(FITTED, tiny.condition("A")) ** 2, own.var(axis=0, ddof=1) / 20, rtol=1e-4)


def test_fewer_than_one_cell_is_the_callers_mistake():
    with pytest.raises(SettingError, match="ask for 1 or more"):
        baselines_beside(FITTED, HELD_OUT, truth(), 0, seed=0)


def test_baselines_learn_from_the_training_cells_of_the_model_alone():
    folder = Path(__file__).resolve().parents[3] / "checkpoints" / "simulated-screen"
    screen = open_cells("simulated-screen")
    fitted = fitted_to_training(screen, folder)
    learned = fitted["no-change"].measured.cells
    assert 0 < len(learned) < len(screen)
    held_out = set(read_manifest(folder).held_out)
    assert not held_out & set(learned.conditions)
