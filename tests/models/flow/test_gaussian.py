"""The Gaussian part of the velocity: it carries noise to the fitted Gaussian, along either path."""

import pytest
import torch

from primeflow_core.models.flow.gaussian import GaussianVelocity, additive_means, condition_means
from primeflow_core.models.flow.path import between
from primeflow_core.models.flow.solvers.adams_bashforth import adams_bashforth
from primeflow_core.models.flow.solvers.exponential import HalfSolved, exponential

CONDITION = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
EFFECTS = torch.tensor([[2.0, 0.0, 0.0, 0.0, 0.0], [0.0, -1.0, 0.0, 0.0, 1.0]])


def cells(each: int = 4000) -> tuple[torch.Tensor, torch.Tensor]:
    """Correlated Gaussian cells of four conditions with additive means."""
    draws = torch.Generator().manual_seed(0)
    factor = torch.randn(4 * each, 1, generator=draws) @ torch.tensor([[1.0, 1.0, 0.5, 0.0, 0.0]])
    own = torch.randn(4 * each, 5, generator=draws) * torch.tensor([0.3, 0.3, 0.3, 0.5, 0.2])
    condition = CONDITION.repeat_interleave(each, dim=0)
    return 3 + factor + own + condition @ EFFECTS, condition


def fitted(path: str = "linear", factors: int = 1) -> GaussianVelocity:
    x_1, condition = cells()
    made = GaussianVelocity(5, 2, factors, path)
    made.fit(lambda: zip(x_1.split(999), condition.split(999), strict=True))
    return made


@pytest.mark.parametrize("path", ["linear", "trigonometric"])
@pytest.mark.parametrize("row", range(4))
def test_noise_becomes_the_cells_of_the_condition(path, row):
    gaussian, count, steps = fitted(path), 4000, 200
    x_1, condition = cells()
    expected = x_1[(condition == CONDITION[row]).all(dim=1)]
    x_t = torch.randn(count, 5, generator=torch.Generator().manual_seed(1))
    asked, kept = CONDITION[row].expand(count, -1), torch.zeros(count, dtype=torch.bool)
    with torch.no_grad():
        for step in range(steps):
            at = torch.full((count,), (step + 0.5) / steps)
            x_t = x_t + gaussian(x_t, at, asked, kept)[0] / steps
    torch.testing.assert_close(x_t.mean(dim=0), expected.mean(dim=0), atol=0.1, rtol=0)
    torch.testing.assert_close(x_t.T.cov(), expected.T.cov(), atol=0.12, rtol=0)


def test_what_is_left_to_the_network_has_about_the_scale_that_is_told():
    gaussian = fitted()
    x_1, condition = cells()
    draws = torch.Generator().manual_seed(2)
    x_0, kept = torch.randn(x_1.shape, generator=draws), torch.zeros(len(x_1), dtype=torch.bool)
    for t in (0.0, 0.5, 0.95):
        at = torch.full((len(x_1),), t)
        sample = between("linear", x_0, x_1, at)
        velocity, scale = gaussian(sample.x_t, at, condition, kept)
        left = (sample.dx_t - velocity).std(dim=0)
        # Never more than told; less where other genes tell something about a gene.
        assert (left < 1.05 * scale[0]).all()
        assert (left[3:] > 0.9 * scale[0, 3:]).all()


def test_without_the_condition_no_effect_is_added():
    gaussian = fitted()
    x_t, t = torch.zeros(2, 5), torch.full((2,), 0.3)
    null = torch.tensor([False, True])
    with_effect, without = gaussian(x_t, t, CONDITION[[1, 1]], null)[0]
    assert without[0] < with_effect[0] - 1
    torch.testing.assert_close(gaussian(x_t, t, CONDITION[[0, 3]], ~null)[0][0], without)


def test_means_are_those_of_each_condition_however_the_cells_are_cut():
    x_1, condition = cells(each=7)
    shuffled = torch.randperm(28, generator=torch.Generator().manual_seed(3))
    distinct, means, count = condition_means(zip(x_1[shuffled].split(5), condition[shuffled].split(5), strict=True))
    assert count.tolist() == [7, 7, 7, 7]
    for row, mean in zip(distinct, means, strict=True):
        torch.testing.assert_close(mean, x_1[(condition == row).all(dim=1)].mean(dim=0))


def test_effects_of_many_cells_are_recovered_and_those_of_few_shrunk():
    means = 3 + CONDITION @ EFFECTS
    start, effects = additive_means(CONDITION, means, torch.full((4,), 1_000_000))
    torch.testing.assert_close(start, torch.full((5,), 3.0), atol=1e-3, rtol=0)
    torch.testing.assert_close(effects, EFFECTS, atol=1e-3, rtol=0)
    shrunk = additive_means(CONDITION, means, torch.full((4,), 5))[1]
    assert (shrunk.norm(dim=1) < 0.7 * EFFECTS.norm(dim=1)).all()


def test_silent_genes_and_a_single_cell_do_no_harm():
    gaussian = GaussianVelocity(3, 1, 64, "linear")
    gaussian.fit(lambda: [(torch.zeros(1, 3), torch.zeros(1, 1))])
    velocity, scale = gaussian(torch.ones(1, 3), torch.ones(1), torch.zeros(1, 1), torch.zeros(1, dtype=torch.bool))
    assert velocity.isfinite().all()
    assert (scale > 0).all()


def unreported(step: int, x_t: torch.Tensor) -> None:
    pass


@pytest.mark.parametrize("path", ["linear", "trigonometric"])
def test_one_exponential_step_solves_what_is_gaussian_alone(path):
    gaussian = fitted(path, factors=5)
    mean, x_0 = gaussian.mean_of(CONDITION[3:], 1.0), torch.randn(50, 5, generator=torch.Generator().manual_seed(5))
    asked, kept = CONDITION[3].expand(50, -1), torch.zeros(50, dtype=torch.bool)

    def velocity(x_t: torch.Tensor, t: float) -> torch.Tensor:
        return gaussian(x_t, torch.full((50,), t), asked, kept)[0]

    with torch.no_grad():
        one = gaussian.carried(x_0, mean, 0.0, 1.0)
        many = adams_bashforth(velocity, x_0, 2000, unreported)
    torch.testing.assert_close(one, many, atol=5e-3, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["linear", "trigonometric"])
def test_the_exponential_sampler_comes_to_the_solution_of_the_whole_velocity_in_fewer_steps(path):
    gaussian = fitted(path)
    mean, x_0 = gaussian.mean_of(CONDITION[1:2], 1.0), torch.randn(50, 5, generator=torch.Generator().manual_seed(6))
    asked, kept = CONDITION[1].expand(50, -1), torch.zeros(50, dtype=torch.bool)

    def remaining(x_t: torch.Tensor, t: float) -> torch.Tensor:
        return torch.sin(x_t + 3 * t) * 0.5

    def velocity(x_t: torch.Tensor, t: float) -> torch.Tensor:
        known, scale = gaussian(x_t, torch.full((50,), t), asked, kept)
        return known + scale * remaining(x_t, t)

    half = HalfSolved(lambda x_t, t, u: gaussian.carried(x_t, mean, t, u), gaussian.gain, remaining)
    with torch.no_grad():
        exact = adams_bashforth(velocity, x_0, 4000, unreported)
        errors = {steps: (exponential(half, x_0, steps, unreported) - exact).abs().mean() for steps in (6, 100)}
        plain = (adams_bashforth(velocity, x_0, 6, unreported) - exact).abs().mean()
    assert errors[100] < 0.004
    assert errors[6] < plain / 1.5
