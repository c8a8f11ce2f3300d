"""Couplings: the plan against exact cases, pairs within conditions, lower cost than independent ones."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from primeflow_core.models.flow.coupling import LEAST_ENTROPY, Transport, independent, optimal, plan

KEPT = Transport(entropy=0.05, tau=1.0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def clouds(count: int = 6, dimensions: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = seeded(5)
    return torch.randn(count, dimensions, generator=generator), 2 * torch.randn(count, dimensions, generator=generator)


def cost_of(x_0: torch.Tensor, x_1: torch.Tensor) -> torch.Tensor:
    return torch.cdist(x_0.double(), x_1.double()).square()


def test_the_balanced_limit_is_the_best_assignment():
    x_0, x_1 = torch.tensor([[0.0], [2.0], [5.0], [9.0]]), torch.tensor([[8.0], [1.0], [12.0], [4.0]])
    rows, columns = linear_sum_assignment(cost_of(x_0, x_1).numpy())
    expected = np.zeros((4, 4))
    expected[rows, columns] = 1 / 4
    np.testing.assert_allclose(plan(x_0, x_1, Transport(LEAST_ENTROPY, 1.0)).numpy(), expected, atol=1e-3)


@pytest.mark.parametrize("entropy", [0.02, 0.05, 0.2])
def test_a_plan_costs_at_most_its_entropy_more_than_the_best_assignment(entropy):
    x_0, x_1 = clouds(30)
    cost = cost_of(x_0, x_1)
    least = cost.numpy()[linear_sum_assignment(cost.numpy())].mean()
    excess = (plan(x_0, x_1, Transport(entropy, 1.0)) * cost).sum().item() - least
    assert -1e-6 < excess <= entropy * cost.mean() * math.log(30)


@pytest.mark.parametrize("entropy", [0.02, 0.05, 0.5])
def test_tau_1_keeps_all_of_the_mass(entropy):
    found = plan(*clouds(40, 10), Transport(entropy, 1.0))
    np.testing.assert_allclose(found.sum(dim=0), np.full(40, 1 / 40), rtol=1e-3)
    np.testing.assert_allclose(found.sum(dim=1), np.full(40, 1 / 40), rtol=1e-3)


@pytest.mark.parametrize("tau", [0.5, 0.9, 0.99])
def test_the_unbalanced_plan_satisfies_the_condition_of_its_minimum(tau):
    """The derivative of the objective is 0: C + eps log(P / ab) + rho log(P 1 / a) + rho log(P^T 1 / b)."""
    transport = Transport(0.3, tau)
    x_0, x_1 = clouds(8)
    found, cost = plan(x_0, x_1[:5], transport), cost_of(x_0, x_1[:5])
    rho = 0.3 * tau / (1 - tau)
    assert transport.relaxation == pytest.approx(rho)
    derivative = (
        cost / cost.mean()
        + 0.3 * (found * 40).log()
        + rho * (found.sum(dim=1, keepdim=True) * 8).log()
        + rho * (found.sum(dim=0, keepdim=True) * 5).log()
    )
    assert derivative.abs().max() < 1e-3
    assert found.sum() < 1


def test_less_tau_leaves_an_outlier_out():
    x_0, x_1 = torch.zeros(4, 2), torch.tensor([[0.0, 0.1], [0.1, 0.0], [0.0, 0.0], [9.0, 9.0]])
    assert math.isinf(KEPT.relaxation)
    assert plan(x_0, x_1, KEPT)[:, 3].sum() == pytest.approx(0.25, rel=1e-3)
    assert plan(x_0, x_1, Transport(0.05, 0.8))[:, 3].sum() < 0.01


def test_optimal_transport_costs_less_than_independent_pairs():
    x_0, x_1 = clouds(64, 5)
    condition = torch.zeros(64, 2)
    costs = []
    for coupling in (optimal, independent):
        pairs = coupling(x_0, x_1, condition, KEPT, seeded())
        costs.append((x_0[pairs.source] - x_1[pairs.cell]).square().sum(dim=1).mean().item())
    assert costs[0] < 0.7 * costs[1]


def test_pairs_stay_within_their_condition():
    x_0, x_1 = clouds(30)
    condition = torch.arange(30)[:, None].remainder(4) == torch.arange(4)
    pairs = optimal(x_0, x_1, condition.float(), KEPT, seeded())
    for rows in (pairs.source, pairs.cell):
        assert torch.equal(condition[rows], condition)


def test_pairs_are_drawn_as_often_as_the_plan_has_mass():
    x_0, x_1 = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.1], [0.9]])
    transport = Transport(1.0, 1.0)
    many = [tensor.repeat(300, 1) for tensor in (x_0, x_1)]
    pairs = optimal(*many, torch.zeros(600, 1), transport, seeded())
    share = ((many[0][pairs.source] < 0.5) & (many[1][pairs.cell] < 0.5)).float().mean().item()
    assert share == pytest.approx(plan(x_0, x_1, transport)[0, 0].item(), abs=0.05)


def test_the_same_generator_state_gives_the_same_pairs():
    x_0, x_1 = clouds(20)
    first, again, other = (optimal(x_0, x_1, torch.zeros(20, 1), KEPT, seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(first.source, again.source)
    assert torch.equal(first.cell, again.cell)
    assert not torch.equal(first.source, other.source)


def test_independent_pairs_draw_nothing():
    generator = seeded()
    before = generator.get_state()
    pairs = independent(*clouds(), torch.zeros(6, 1), KEPT, generator)
    assert pairs.source.tolist() == pairs.cell.tolist() == list(range(6))
    assert torch.equal(before, generator.get_state())


@pytest.mark.parametrize("apart", [0.0, 3.0])
def test_a_single_cell_is_paired_with_itself(apart):
    pairs = optimal(torch.zeros(1, 3), torch.full((1, 3), apart), torch.zeros(1, 2), KEPT, seeded())
    assert (pairs.source.tolist(), pairs.cell.tolist()) == ([0], [0])


@pytest.mark.parametrize(("tau", "mass"), [(1.0, 0.02), (0.9, 0.0)])
def test_far_outliers_do_not_break_the_plan(tau, mass):
    x_0, x_1 = clouds(50)
    x_1[0] += 1000
    found = plan(x_0, x_1, Transport(0.05, tau))
    assert found[:, 0].sum() == pytest.approx(mass, abs=1e-4)
    assert found[:, 1:].sum() > 0.1
