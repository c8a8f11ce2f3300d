"""A combination beside its parts."""

import numpy as np
import pytest

from primeflow_core.data.conditions import Condition, Perturbation
from primeflow_core.data.datasets import open_cells
from primeflow_core.evaluation.interaction import InteractionKind
from primeflow_core.prediction.combination_effect import (
    CombinationCells,
    Part,
    PartFrom,
    interplay,
    measured_parts,
    measured_side,
)

GENES = [f"g{i}" for i in range(40)]
A, B = (Condition((Perturbation(name),)) for name in "AB")


def cells(shift: np.ndarray, seed: int, n: int = 200) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.maximum(rng.normal(1.0 + shift, 0.1, (n, len(GENES))), 0).astype(np.float32)


@pytest.fixture(scope="module")
def side() -> CombinationCells:
    first, second = np.zeros(40), np.zeros(40)
    first[:10], second[10:20] = 0.8, 0.6
    parts = (Part(A, cells(first, 1), PartFrom.MEASURED), Part(B, cells(second, 2), PartFrom.PREDICTED))
    return CombinationCells(cells(first + second, 3), parts, cells(np.zeros(40), 4))


def test_disjoint_effects_that_add_up_are_additive(side):
    found = interplay(side, None, GENES)
    assert found.predicted.kind is InteractionKind.ADDITIVE
    assert found.measured is None
    assert "measured_change" not in found.changes


def test_both_sides_stand_in_one_table(side):
    found = interplay(side, side, GENES)
    assert list(found.changes) == ["gene", "sum_change", "predicted_change", "measured_change"]
    assert found.measured == found.predicted
    genes, across, upwards = found.scatter
    assert genes == GENES
    assert np.allclose(across, upwards, atol=0.1)


def test_genes_furthest_from_the_sum_come_first(side):
    table = interplay(side, None, GENES).furthest_first
    distance = (table["predicted_change"] - table["sum_change"]).abs()
    assert distance.is_monotonic_decreasing
    assert sorted(table["gene"]) == sorted(GENES)


def test_the_same_seed_gives_the_same_interval(side):
    assert interplay(side, None, GENES, seed=3).predicted == interplay(side, None, GENES, seed=3).predicted


def test_parts_are_measured_only_where_they_were_alone_in_this_context():
    screen = open_cells("simulated-screen")
    pair = next(c for c in screen.conditions if len(c.perturbations) == 2)
    assert set(measured_parts(pair, screen)) <= set(pair.parts)
    elsewhere = Condition(pair.perturbations, (("cell_type", "nowhere"),))
    assert measured_parts(elsewhere, screen) == {}
    assert measured_parts(pair, None) == {}


def test_a_measured_side_needs_the_combination_and_every_part():
    screen = open_cells("simulated-screen")
    whole = next(c for c in screen.conditions if len(c.perturbations) == 2 and len(measured_parts(c, screen)) == 2)
    controls = screen.dense(screen.where(whole.control()))
    found = measured_side(whole, screen, controls)
    assert found is not None
    assert len(found.cells) == len(screen.where(whole))
    lacking = Condition((*whole.perturbations[:1], Perturbation("unknown")), whole.covariates)
    assert measured_side(lacking, screen, controls) is None
    assert measured_side(whole, None, controls) is None
