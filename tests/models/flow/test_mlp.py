"""The MLP field: the contract of every field, layers as the table says, impossible sizes."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from primeflow_core.errors import SettingError
from primeflow_core.models.flow.mlp import MLPConfig, MLPField

CONFIG = MLPConfig(16, 0.1, expression_layers=1, condition_layers=2, time_layers=3, decode_layers=4)


def built(outputs: int = 7, config: MLPConfig = CONFIG) -> MLPField:
    torch.manual_seed(0)
    return config.build(outputs, 3).eval()


def asked(outputs: int = 7, cells: int = 4) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x_t = torch.randn(cells, outputs, generator=generator)
    t = torch.rand(cells, generator=generator)
    return x_t, t, torch.rand(cells, 3, generator=generator), torch.zeros(cells, dtype=torch.bool)


@pytest.mark.parametrize("outputs", [1, 7, 64])
def test_one_finite_velocity_a_dimension(outputs):
    velocity = built(outputs)(*asked(outputs))
    assert velocity.shape == (4, outputs)
    assert velocity.isfinite().all()


def test_the_layers_are_those_of_the_table():
    field = built()
    for name, layers in (("expression", 1), ("condition", 2), ("time", 3), ("decode", 4)):
        linear = [part for part in getattr(field, name) if isinstance(part, nn.Linear)]
        assert [part.out_features for part in linear] == [16] * layers
        assert {part.p for part in getattr(field, name) if isinstance(part, nn.Dropout)} == {0.1}
    assert (field.velocity.in_features, field.velocity.out_features) == (16, 7)


def test_gradient_reaches_every_parameter():
    field = built()
    x_t, t, condition, null = asked()
    null[0] = True
    field(x_t, t, condition, null).square().sum().backward()
    assert [name for name, p in field.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert all(p.grad.isfinite().all() for p in field.parameters())


def test_a_cell_does_not_depend_on_the_others_of_its_batch():
    field = built()
    rows = asked()
    alone = torch.cat([field(*(entry[i : i + 1] for entry in rows)) for i in range(4)])
    torch.testing.assert_close(field(*rows), alone)


@pytest.mark.parametrize("changed", ["x_t", "t", "condition", "null"])
def test_the_field_reacts_to(changed):
    field = built()
    rows = dict(zip(("x_t", "t", "condition", "null"), asked(), strict=True))
    before = field(**rows)
    rows[changed] = ~rows[changed] if changed == "null" else rows[changed] * 0.5
    assert not torch.allclose(before, field(**rows), atol=1e-4)


def test_the_null_condition_ignores_the_condition():
    field = built()
    x_t, t, condition, null = asked()
    torch.testing.assert_close(field(x_t, t, condition, ~null), field(x_t, t, condition + 1, ~null))


def test_one_row_of_time_and_condition_serves_all_cells():
    field = built()
    x_t, t, condition, null = asked()
    one = field(x_t, t[:1], condition[:1], null[:1])
    torch.testing.assert_close(one, field(x_t, t[:1].expand(4), condition[:1].expand(4, -1), null))


def test_half_precision_stays_close_to_full():
    field, rows = built(), asked()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = field(*rows)
    torch.testing.assert_close(half.float(), field(*rows), atol=0.02, rtol=0.05)


@pytest.mark.parametrize("wrong", [{"hidden": 0}, {"time_layers": 0}, {"decode_layers": 0}, {"dropout": 1.0}])
def test_impossible_sizes_are_refused(wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        replace(CONFIG, **wrong)
