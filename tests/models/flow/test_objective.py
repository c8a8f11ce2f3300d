"""The flow-matching loss: known values, condition dropout, reproducible draws."""

import pytest
import torch

from primeflow_core.errors import SettingError
from primeflow_core.models.flow.objective import FlowConfig, flow_matching_loss


def test_a_perfect_field_has_no_loss():
    x_1 = torch.full((64, 3), 2.0)

    def exact(x_t, t, condition, null):
        return (2.0 - x_t) / (1 - t).unsqueeze(-1)

    loss = flow_matching_loss(exact, x_1, torch.zeros(64, 1), FlowConfig(), torch.Generator().manual_seed(0))
    assert loss.shape == (64,)
    assert loss.max().item() == pytest.approx(0, abs=1e-5)


def test_a_field_of_zeros_pays_the_mean_square_of_the_target():
    x_1 = torch.full((20_000, 4), 2.0)

    def zero(x_t, t, condition, null):
        return torch.zeros_like(x_t)

    loss = flow_matching_loss(zero, x_1, torch.zeros(20_000, 1), FlowConfig(), torch.Generator().manual_seed(0))
    assert loss.mean().item() == pytest.approx(2.0**2 + 1, rel=0.02)


@pytest.mark.parametrize("probability", [0.0, 0.2, 0.9])
def test_the_condition_is_dropped_as_often_as_asked(probability):
    dropped = []

    def watching(x_t, t, condition, null):
        dropped.append(null)
        assert (t >= 0).all()
        assert (t < 1).all()
        return x_t

    flow_matching_loss(
        watching,
        torch.zeros(20_000, 1),
        torch.zeros(20_000, 1),
        FlowConfig(prob_unconditional=probability),
        torch.Generator().manual_seed(0),
    )
    assert dropped[0].float().mean().item() == pytest.approx(probability, abs=0.01)


def test_the_same_generator_state_gives_the_same_loss():
    def field(x_t, t, condition, null):
        return x_t * t.unsqueeze(-1)

    losses = [
        flow_matching_loss(field, torch.ones(8, 5), torch.zeros(8, 2), FlowConfig(sigma=0.1), seeded)
        for seeded in (
            torch.Generator().manual_seed(3),
            torch.Generator().manual_seed(3),
            torch.Generator().manual_seed(4),
        )
    ]
    assert torch.equal(losses[0], losses[1])
    assert not torch.equal(losses[0], losses[2])


@pytest.mark.parametrize("wrong", [{"path": "bent"}, {"sigma": -1.0}, {"prob_unconditional": 1.0}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        FlowConfig(**wrong)
