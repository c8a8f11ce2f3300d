"""Solvers against equations with closed forms, and the algebra of guidance."""

import math

import pytest
import torch

from primeflow_core.models.flow.guidance import guided
from primeflow_core.models.flow.solvers.registry import solver_named, solvers_that_need
from primeflow_core.models.flow.solvers.solver import Needs
from tests.tiny import model

SOLVERS = {solver.name: solver.solve for solver in solvers_that_need(Needs.VELOCITY)}


def solve(name, velocity, steps, x_0=None):
    start = torch.ones(1, 1, dtype=torch.float64) if x_0 is None else x_0
    return SOLVERS[name](velocity, start, steps, lambda step, x_t: None)


@pytest.mark.parametrize("name", SOLVERS)
def test_a_constant_velocity_is_followed_exactly(name):
    assert solve(name, lambda x, t: torch.full_like(x, 3.0), 4).item() == pytest.approx(4.0)


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize(
    ("velocity", "exact"),
    [(lambda x, t: -2 * x, math.exp(-2)), (lambda x, t: x * math.exp(-t), math.exp(1 - math.exp(-1)))],
    ids=["decay", "time-dependent"],
)
def test_error_falls_with_the_order_of_the_solver(name, velocity, exact):
    errors = [abs(solve(name, velocity, steps).item() - exact) for steps in (64, 128)]
    assert errors[1] < 1e-2
    assert math.log2(errors[0] / errors[1]) == pytest.approx(solver_named(name).order, abs=0.15)


@pytest.mark.parametrize("name", SOLVERS)
def test_the_field_is_never_asked_at_the_end(name):
    times = []
    solve(name, lambda x, t: times.append(t) or x, 5)
    assert times[0] == 0
    assert max(times) < 1


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("steps", [1, 3])
def test_every_step_is_reported_once(name, steps):
    seen = []
    last = SOLVERS[name](lambda x, t: x, torch.ones(2, 2), steps, lambda step, x_t: seen.append((step, x_t)))
    assert [step for step, _ in seen] == list(range(1, steps + 1))
    assert seen[-1][1] is last


def test_gaussian_to_gaussian_has_the_known_velocity():
    # For x_1 = m + s z and x_0 independent, E[x_1 - x_0 | x_t] is linear in x_t: the flow maps N(0, 1) to N(m, s^2).
    mean, deviation = 3.0, 0.5

    def velocity(x, t):
        variance = (1 - t) ** 2 + (t * deviation) ** 2
        return mean + (t * deviation**2 - (1 - t)) / variance * (x - t * mean)

    x_0 = torch.linspace(-2, 2, 9, dtype=torch.float64).unsqueeze(-1)
    torch.testing.assert_close(solve("midpoint", velocity, 400, x_0), mean + deviation * x_0, rtol=1e-4, atol=1e-4)


def velocities(weight):
    torch.manual_seed(0)
    field = model().field.eval()
    with torch.no_grad():
        for parameter in field.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
        x_t, one = torch.randn(3, 11), torch.tensor([[0.0, 1.0, 0.0]])
        condition = one.expand(3, -1)
        t = torch.full((3,), 0.3)
        yes = torch.zeros(3, dtype=torch.bool)
        return guided(field, one, weight)(x_t, 0.3), field(x_t, t, condition, yes), field(x_t, t, condition, ~yes)


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0, 3.0])
def test_guidance_extrapolates_from_null_to_conditional(weight):
    both, conditional, null = velocities(weight)
    assert not torch.allclose(conditional, null, atol=1e-3)
    torch.testing.assert_close(both, null + weight * (conditional - null), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("weight", "chosen"), [(1.0, 1), (0.0, 2)])
def test_weight_one_is_conditional_and_zero_is_null(weight, chosen):
    result = velocities(weight)
    torch.testing.assert_close(result[0], result[chosen], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(result[1], result[2], atol=1e-3)
