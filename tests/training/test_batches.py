"""The order of an epoch: every cell once, by condition where asked, the same for a seed."""

import numpy as np
import pytest

from primeflow_core.training.batches import shuffled

CONDITION_OF = np.random.default_rng(0).permutation(np.repeat([0, 1, 2, 5], [40, 17, 1, 90]))


def order(cells_per_condition: int, seed: int = 0) -> np.ndarray:
    return shuffled(CONDITION_OF, cells_per_condition, np.random.default_rng(seed))


@pytest.mark.parametrize("cells_per_condition", [0, 1, 16, 1000])
def test_every_cell_comes_once_and_the_seed_decides(cells_per_condition):
    found = order(cells_per_condition)
    assert sorted(found) == list(range(148))
    assert np.array_equal(found, order(cells_per_condition))
    assert not np.array_equal(found, order(cells_per_condition, seed=1))


def test_without_a_number_of_cells_it_is_a_plain_permutation():
    assert np.array_equal(order(0), np.random.default_rng(0).permutation(148))


def test_conditions_come_in_runs_of_the_given_length():
    found = CONDITION_OF[order(16)]
    borders = np.flatnonzero(np.diff(found)) + 1
    for run in np.split(found, borders):
        # Two runs of one condition may come one after the other.
        assert len(run) % 16 in (0, {0: 40, 1: 17, 2: 1, 5: 90}[run[0]] % 16)
    assert len(borders) <= 3 + 2 + 1 + 6
