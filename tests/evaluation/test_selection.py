"""Selections on a map: outlines of several shapes, and the genes that set a group apart."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from primeflow_core.errors import DataError, SettingError
from primeflow_core.evaluation.differential import differential_expression
from primeflow_core.evaluation.selection import group_difference, inside

SQUARE = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]])
HOOK = np.array([[0, 0], [3, 0], [3, 3], [2, 3], [2, 1], [0, 1]], dtype=float)
GENES = ["a", "b", "c"]


def expression(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2.0, 0.5, (n, 3))


@pytest.mark.parametrize("outline", [SQUARE, SQUARE[::-1], np.vstack([SQUARE, SQUARE[:1]])])
def test_cells_within_an_outline(outline):
    points = np.array([[1.0, 1.0], [0.1, 1.9], [2.1, 1.0], [-1.0, -1.0]], dtype=np.float32)
    assert inside(points, outline).tolist() == [True, True, False, False]


def test_the_notch_of_an_outline_is_outside():
    assert inside(np.array([[1.0, 2.0], [2.5, 2.0], [1.0, 0.5]]), HOOK).tolist() == [False, True, True]


def test_no_cells_make_an_empty_mask():
    assert inside(np.zeros((0, 2)), SQUARE).shape == (0,)


@pytest.mark.parametrize("outline", [np.zeros((0, 2)), SQUARE[:2], SQUARE[[0, 1, 1, 0]], np.zeros((4, 3))])
def test_an_outline_without_area_is_refused(outline):
    with pytest.raises(SettingError, match=r"The outline encloses nothing\. Draw a line around the cells"):
        inside(np.zeros((3, 2)), outline)


def test_a_group_is_compared_as_differential_expression_does():
    group, other = expression(20), expression(30, seed=1)
    group[:, 0] += 1.0
    found = group_difference(sp.csr_matrix(group), sp.csr_matrix(other), GENES)
    assert list(found.columns) == [
        "gene", "log2_fold_change", "t", "p", "p_adjusted", "percent_expressing", "percent_expressing_other"
    ]  # fmt: skip
    assert found["gene"].tolist()[0] == "a"
    assert found["p"].is_monotonic_increasing
    expected = differential_expression(group, other, GENES)
    pd.testing.assert_frame_equal(found, expected.set_axis(found.columns, axis=1))


def test_exchanging_the_groups_turns_the_sign():
    group, other = expression(20), expression(30, seed=1)
    one, back = (group_difference(*pair, GENES).set_index("gene") for pair in ((group, other), (other, group)))
    np.testing.assert_allclose(one["t"], -back.loc[one.index, "t"], rtol=1e-6)
    np.testing.assert_allclose(one["percent_expressing"], back.loc[one.index, "percent_expressing_other"])


@pytest.mark.parametrize(
    ("group", "other", "message"),
    [
        (expression(1), expression(5), "The selection holds 1 of the cells; comparing genes needs 2 at least. Draw"),
        (expression(5), expression(0), "What it is compared with holds 0 of the cells"),
    ],
)
def test_too_few_cells_are_named(group, other, message):
    with pytest.raises(DataError, match=message):
        group_difference(group, other, GENES)
