"""Spaces of the flow: principal components against scikit-learn's, and the way back."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from primeflow_core.models import space
from primeflow_core.models.space import COMPONENTS, GENES, SPACES, ComponentSpace


def cells(count: int = 200, genes: int = 30) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    factors = torch.randn(count, 6, generator=generator) * torch.tensor([8.0, 6, 5, 4, 3, 2])
    return (
        1 + factors @ torch.randn(6, genes, generator=generator) + 0.1 * torch.randn(count, genes, generator=generator)
    )


def fitted(components: int = 4, values: torch.Tensor | None = None, size: int = 64) -> ComponentSpace:
    values = cells() if values is None else values
    made = ComponentSpace(values.shape[1], components)
    made.fit(lambda: values.split(size))
    return made


@pytest.mark.parametrize("whole", [2000, 10], ids=["exact", "iterated"])
def test_components_are_those_of_scikit_learn(whole, monkeypatch):
    monkeypatch.setattr(space, "WHOLE", whole)
    monkeypatch.setattr(space, "SPARE", 4)
    values = cells()
    made, known = fitted(), PCA(4, svd_solver="full").fit(values.double().numpy())
    np.testing.assert_allclose(made.centre, known.mean_, atol=1e-5)
    # Each axis up to its sign.
    cosines = np.abs((made.axes.T.numpy() * known.components_).sum(axis=1))
    np.testing.assert_allclose(cosines, 1, atol=1e-5)


def test_axes_are_orthonormal_with_their_largest_loading_positive():
    axes = fitted().axes
    torch.testing.assert_close(axes.T @ axes, torch.eye(4), atol=1e-5, rtol=0)
    assert (axes.gather(0, axes.abs().argmax(dim=0, keepdim=True)) > 0).all()


def test_the_order_and_size_of_chunks_change_nothing():
    values = cells()
    torch.testing.assert_close(fitted().axes, fitted(size=7, values=values.flip(0)).axes, atol=1e-5, rtol=0)


def test_all_components_bring_cells_back_exactly():
    values = cells(genes=8)
    made = fitted(components=50, values=values)
    assert made.dimensions == 8
    torch.testing.assert_close(made.outside(made.inside(values)), values, atol=1e-3, rtol=1e-4)


def test_few_components_bring_back_what_they_hold():
    values = cells()
    made = fitted(components=6)
    off = (made.outside(made.inside(values)) - values).square().mean().sqrt()
    assert off < 0.11


@pytest.mark.parametrize("count", [1, 3])
def test_fewer_cells_than_components_give_finite_orthonormal_axes(count):
    made = fitted(components=5, values=cells(count))
    assert made.axes.isfinite().all()
    torch.testing.assert_close(made.axes.T @ made.axes, torch.eye(5), atol=1e-5, rtol=0)


def test_half_precision_products_leave_the_projection_in_full():
    made, values = fitted(), cells()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(made.inside(values), made.inside(values.clone()))
        inside = made.inside(values)
    assert torch.equal(inside, made.inside(values))


def test_genes_are_left_as_they_are_and_need_no_weights():
    made = SPACES[GENES](30, 4)
    assert made.dimensions == 30
    assert made.inside(cells()).equal(cells())
    assert not made.state_dict()


def test_components_are_kept_with_the_weights():
    made, other = fitted(), SPACES[COMPONENTS](30, 4)
    other.load_state_dict(made.state_dict())
    assert torch.equal(other.inside(cells()), made.inside(cells()))
