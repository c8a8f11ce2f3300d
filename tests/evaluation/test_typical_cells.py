"""Typical perturbed cells: closed forms of mean and variance, draws, other groups, and where there are none."""

from dataclasses import replace

import numpy as np
import pytest

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, Perturbation
from primeflow_core.evaluation.typical_cells import PerturbedTraining


def condition(label, group="k"):
    parts = () if label == "control" else tuple(Perturbation(name) for name in sorted(label.split("+")))
    return Condition(parts, (("line", group),))


def training(counts, seed=0):
    """Cells of each (label, group), so many of each; their values are far above 0."""
    draw = np.random.default_rng(seed)
    of = np.repeat(np.arange(len(counts)), list(counts.values()))
    values = draw.gamma(20.0, 0.5, (len(of), 4)) + draw.gamma(2.0, 1.0, (len(counts), 4))[of]
    conditions = tuple(condition(*name) for name in counts)
    names = np.array([f"c{i}" for i in range(len(of))])
    return Cells(values.astype(np.float32), tuple("abcd"), names, conditions, of)


HERE = training({("control", "k"): 30, ("A", "k"): 10, ("B", "k"): 40, ("C", "k"): 20})


def cells_of(data, label, group="k"):
    return data.dense(data.where(condition(label, group))).astype(np.float64)


def test_every_condition_has_the_same_weight_whatever_its_number_of_cells():
    found = PerturbedTraining(HERE).typical(("A", "B"), ("k",))
    each = [cells_of(HERE, label) for label in "ABC"]
    mean = np.mean([cells.mean(0) for cells in each], axis=0)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-5)
    np.testing.assert_allclose(
        found.variance, np.mean([((cells - mean) ** 2).mean(0) for cells in each], axis=0), rtol=1e-4
    )
    assert found.number == round(9 / (1 / 10 + 1 / 40 + 1 / 20))
    assert not found.elsewhere


def test_cells_of_the_condition_itself_are_omitted():
    found = PerturbedTraining(HERE).typical(("B",), ("k",))
    np.testing.assert_allclose(found.mean, (cells_of(HERE, "A").mean(0) + cells_of(HERE, "C").mean(0)) / 2, rtol=1e-5)
    own = {tuple(row) for row in HERE.dense(HERE.where(condition("B")))}
    assert not own & {tuple(row) for row in found.draw(30, 0)}


def test_draws_are_measured_cells_of_each_condition_alike_and_the_same_for_a_seed():
    found = PerturbedTraining(HERE).typical(("Z",), ("k",))
    drawn = found.draw(30, 5)
    np.testing.assert_array_equal(drawn, found.draw(30, 5))
    assert not np.array_equal(drawn, found.draw(30, 6))
    for label in "ABC":
        known = {tuple(row) for row in HERE.dense(HERE.where(condition(label)))}
        assert sum(tuple(row) in known for row in drawn) == 10
    assert len(np.unique(drawn, axis=0)) == 30


def test_a_group_without_perturbed_cells_gets_those_of_other_groups_moved_to_its_controls():
    data = training({("control", "k"): 30, ("control", "m"): 50, ("A", "m"): 10, ("B", "m"): 25, ("C", "bare"): 9})
    found = PerturbedTraining(data).typical(("A",), ("k",))
    shift = np.mean([cells_of(data, label, "m").mean(0) for label in "AB"], axis=0) - cells_of(
        data, "control", "m"
    ).mean(0)
    np.testing.assert_allclose(found.mean, cells_of(data, "control").mean(0) + shift, rtol=1e-5)
    assert found.elsewhere
    np.testing.assert_allclose(found.draw(4000, 0).mean(0), found.mean, rtol=0.02)


@pytest.mark.parametrize(
    "counts",
    [
        {("control", "k"): 30},
        {("control", "k"): 30, ("A", "k"): 10},
        {("A", "m"): 10, ("control", "m"): 10},
        {("control", "k"): 30, ("A", "m"): 10},
    ],
    ids=["no perturbed cells", "its own cells only", "no controls in the group", "no controls in the other group"],
)
def test_where_there_is_nothing_to_take_there_are_none(counts):
    assert PerturbedTraining(training(counts)).typical(("A",), ("k",)) is None


def test_moved_cells_are_not_below_0():
    data = training({("control", "k"): 5, ("control", "m"): 5, ("A", "m"): 5})
    level = np.array([0, 99, 1])[data.condition_of]
    lowered = replace(data, values=np.where(level[:, None] == 1, data.values, level[:, None]).astype(np.float32))
    found = PerturbedTraining(lowered).typical(("A",), ("k",))
    assert found.draw(5, 0).min() == 0
    assert found.mean.min() == 0
