"""Gene responses: changes by hand, the test against SciPy's, order, counts and agreement."""

import numpy as np
import pytest
from scipy import stats

from primeflow_core.errors import DataError
from primeflow_core.evaluation.response import ComparedCells, adjusted_p, change, response

GENES = ("up", "down", "still", "never")


def cloud(rng: np.random.Generator, means: tuple[float, ...], cells: int = 60) -> ComparedCells:
    base = (1.0, 2.0, 1.0, 0.0)
    spread = np.array([0.2, 0.2, 0.2, 0.0])
    draw = lambda centre: np.maximum(rng.normal(centre, spread, (cells, 4)), 0)  # noqa: E731
    return ComparedCells(draw(means), draw(base))


def test_change_is_the_log2_ratio_of_means_with_pseudo_count():
    by_hand = ComparedCells(np.array([[0.4], [0.2]]), np.array([[0.0], [0.1]]))
    assert change(by_hand) == pytest.approx([np.log2(0.4) - np.log2(0.15)])


def test_p_values_are_welchs_after_benjamini_hochberg():
    both = cloud(np.random.default_rng(0), (1.1, 2.0, 1.0, 0.0))
    p = stats.ttest_ind(both.cells[:, :3], both.controls[:, :3], equal_var=False).pvalue
    assert adjusted_p(both) == pytest.approx(stats.false_discovery_control(np.append(p, 1.0)))


def test_expected_genes_come_first_and_are_counted():
    rng = np.random.default_rng(1)
    found = response(GENES, cloud(rng, (3.0, 0.5, 1.0, 0.0)), cloud(rng, (2.5, 0.6, 1.0, 0.0)))
    assert found.table["gene"].tolist()[:2] == ["down", "up"]
    assert (found.up, found.down, found.agreeing) == (1, 1, 2)
    assert found.table["agrees"].isna().tolist() == [False, False, True, True]
    assert found.most_changed(1)["gene"].tolist() == ["down"]


def test_an_experiment_that_moves_the_other_way_does_not_agree():
    rng = np.random.default_rng(2)
    found = response(GENES, cloud(rng, (3.0, 0.5, 1.0, 0.0)), cloud(rng, (0.3, 0.6, 1.0, 0.0)))
    assert found.agreeing == 1
    assert not found.table.set_index("gene").loc["up", "agrees"]


def test_without_measured_cells_there_is_nothing_to_agree_with():
    found = response(GENES, cloud(np.random.default_rng(3), (3.0, 0.5, 1.0, 0.0)), None)
    assert (found.measured, found.agreeing) == (False, 0)
    assert "measured_change" not in found.table


def test_controls_as_prediction_expect_nothing():
    rng = np.random.default_rng(4)
    found = response(GENES, cloud(rng, (1.0, 2.0, 1.0, 0.0)), None)
    assert (found.up, found.down) == (0, 0)


@pytest.mark.parametrize(
    ("cells", "controls", "message"),
    [
        (np.zeros((3, 2)), np.zeros((3, 4)), r"The cells have shape \(3, 2\); expected 4 genes"),
        (np.zeros((3, 4)), np.zeros((3, 5)), r"The control cells have shape \(3, 5\)"),
        (np.zeros((1, 4)), np.zeros((3, 4)), "There are 1 cells; comparing genes needs 2"),
    ],
)
def test_wrong_shapes_are_named(cells, controls, message):
    with pytest.raises(DataError, match=message):
        response(GENES, ComparedCells(cells, controls), None)
