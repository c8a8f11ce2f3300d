"""Maps: closed forms, the same map every time, and what cannot be mapped."""

import numpy as np
import pytest

from primeflow_core.errors import DataError
from primeflow_core.prediction.projection import MOST_CELLS, PCAMap, UMAPMap


def cells(n: int = 200, genes: int = 12, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    scale = np.linspace(3.0, 0.1, genes)
    return (rng.normal(size=(n, genes)) * scale).astype(np.float32)


def test_points_on_a_line_lie_on_the_first_axis():
    line = np.outer(np.linspace(-1, 1, 50), [0.6, 0.8, 0.0])
    placed = PCAMap(line).place(line)
    assert placed[:, 0] == pytest.approx(np.linspace(-1, 1, 50), abs=1e-6)
    assert placed[:, 1] == pytest.approx(0, abs=1e-6)


def test_components_are_orthonormal_and_point_to_their_largest_loading():
    fitted = PCAMap(cells())
    assert fitted.components @ fitted.components.T == pytest.approx(np.eye(len(fitted.components)), abs=1e-9)
    largest = np.abs(fitted.components).argmax(axis=1)
    assert (fitted.components[np.arange(len(largest)), largest] > 0).all()


def test_mirrored_cells_give_the_same_axes():
    values = cells()
    centred = values - values.mean(axis=0)
    assert PCAMap(centred).components == pytest.approx(PCAMap(-centred).components, abs=1e-6)


def test_explained_variance_is_what_numpy_finds():
    values = cells().astype(np.float64)
    variances = np.sort(np.linalg.eigvalsh(np.cov(values.T)))[::-1]
    fitted = PCAMap(values)
    assert fitted.explained == pytest.approx(tuple(variances[:2] / variances.sum()))
    assert fitted.axes[0] == f"PC 1 ({fitted.explained[0]:.0%} of variance)"


def test_cells_are_placed_one_by_one():
    values = cells()
    fitted = PCAMap(values)
    assert fitted.place(values[3:5]) == pytest.approx(fitted.place(values)[3:5], abs=1e-5)
    assert fitted.place(values[:0]).shape == (0, 2)
    assert fitted.place(values).dtype == np.float32


def test_the_extent_holds_most_of_what_it_was_fitted_on_and_no_outlier():
    values = np.concatenate([cells(), 100 * cells(1, seed=9)])
    fitted = PCAMap(values)
    placed = fitted.place(values)
    for axis, (low, high) in enumerate(fitted.extent):
        assert np.mean((placed[:, axis] >= low) & (placed[:, axis] <= high)) > 0.95
    low, high = fitted.extent[0]
    assert not low <= placed[-1, 0] <= high


def test_many_cells_are_drawn_by_seed():
    values = cells(MOST_CELLS + 500, 4)
    assert np.array_equal(PCAMap(values, seed=1).components, PCAMap(values, seed=1).components)
    assert not np.array_equal(PCAMap(values, seed=1).centre, PCAMap(values, seed=2).centre)


def test_equal_cells_have_a_map_without_spread():
    fitted = PCAMap(np.ones((10, 3)))
    assert fitted.place(np.ones((2, 3))) == pytest.approx(np.zeros((2, 2)))
    assert fitted.explained == (0.0, 0.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((4, 10)), "needs 5 cells and 2 genes at least; there are 4 and 10"),
        (np.zeros((10, 1)), "there are 10 and 1"),
        (np.full((10, 3), np.nan), "needs finite values"),
    ],
)
def test_what_cannot_be_mapped_is_said(values, message):
    with pytest.raises(DataError, match=message):
        PCAMap(values)


@pytest.mark.long
def test_umap_keeps_groups_apart_and_is_the_same_each_time():
    values = np.concatenate([cells(40, seed=1), cells(40, seed=2) + 20])
    first, second = UMAPMap(values, seed=3), UMAPMap(values, seed=3)
    placed = first.place(np.concatenate([cells(5, seed=4), cells(5, seed=5) + 20]))
    assert np.array_equal(placed, second.place(np.concatenate([cells(5, seed=4), cells(5, seed=5) + 20])))
    assert np.linalg.norm(placed[:5].mean(0) - placed[5:].mean(0)) > 3
    assert first.place(values[:0]).shape == (0, 2)
