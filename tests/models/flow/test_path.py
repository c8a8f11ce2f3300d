"""Paths: ends, velocities and width."""

import pytest
import torch

from primeflow_core.models.flow.path import PATHS, PathSample, between, widened


def ends() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(5, 7, generator=generator, dtype=torch.float64), torch.rand(5, 7, dtype=torch.float64)


@pytest.mark.parametrize("name", PATHS)
def test_a_path_leads_from_the_source_to_the_cell(name):
    x_0, x_1 = ends()
    torch.testing.assert_close(between(name, x_0, x_1, torch.zeros(5, dtype=torch.float64)).x_t, x_0)
    torch.testing.assert_close(between(name, x_0, x_1, torch.ones(5, dtype=torch.float64)).x_t, x_1)


@pytest.mark.parametrize("name", PATHS)
def test_the_target_is_the_derivative_of_the_path(name):
    x_0, x_1 = ends()
    t = torch.linspace(0.1, 0.9, 5, dtype=torch.float64)
    ahead, behind = (between(name, x_0, x_1, t + h).x_t for h in (1e-5, -1e-5))
    torch.testing.assert_close(between(name, x_0, x_1, t).dx_t, (ahead - behind) / 2e-5, rtol=1e-7, atol=1e-8)


def test_the_linear_path_by_hand():
    sample = between("linear", torch.tensor([[1.0]]), torch.tensor([[5.0]]), torch.tensor([0.25]))
    assert sample == PathSample(torch.tensor([[2.0]]), torch.tensor([[4.0]]))


def test_width_moves_the_point_but_not_the_target():
    sample = PathSample(torch.zeros(2000, 5), torch.ones(2000, 5))
    wide = widened(sample, 0.1, torch.Generator().manual_seed(0))
    assert wide.x_t.std().item() == pytest.approx(0.1, rel=0.05)
    assert wide.dx_t is sample.dx_t
    assert widened(sample, 0.0, None) is sample
