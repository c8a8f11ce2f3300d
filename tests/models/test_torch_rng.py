"""PyTorch's one stream: what is drawn hangs on the seed, the stream is put back, unused devices are left alone."""

import pytest
import torch

from primeflow_core.models.torch_rng import drawing


def test_the_same_seed_draws_the_same_as_torch_itself():
    with drawing(7):
        drawn = torch.rand(3)
    torch.manual_seed(7)
    assert torch.equal(drawn, torch.rand(3))


def test_the_stream_goes_on_as_if_nothing_had_been_drawn():
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    with drawing(2):
        torch.rand(5)
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize(("in_use", "seeded"), [(False, []), (True, [5])])
def test_only_devices_in_use_are_seeded(monkeypatch, in_use, seeded):
    told: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: in_use)
    monkeypatch.setattr(torch.cuda, "manual_seed_all", told.append)
    with drawing(5):
        torch.rand(1)
    assert told == seeded
