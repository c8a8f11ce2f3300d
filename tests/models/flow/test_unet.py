"""The U-Net field: sizes, shapes, gradients, padding, independence of the batch."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from primeflow_core.errors import SettingError
from primeflow_core.models.flow.embedding import sinusoids, time_frequencies, value_frequencies
from primeflow_core.models.flow.unet import UNetConfig, UNetField
from primeflow_core.training.recipes.registry import recipe_named
from tests.tiny import FIELD


def built(genes: int, config: UNetConfig = FIELD, channels: int = 3) -> UNetField:
    """A field in which no weight is zero: residual branches start at zero and would hide what reaches the output."""
    torch.manual_seed(0)
    field = UNetField(config, genes, channels).eval()
    with torch.no_grad():
        for parameter in field.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1)
    return field


def asked(genes: int, cells: int = 4) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x_t = torch.randn(cells, genes, generator=generator)
    t = torch.rand(cells, generator=generator)
    return x_t, t, torch.rand(cells, 3, generator=generator), torch.zeros(cells, dtype=torch.bool)


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "trunk"), [("unet-a", 208.8e6), ("unet-b", 150.8e6)])
@pytest.mark.parametrize("genes", [5666, 9216])
def test_paper_sizes_match_the_guided_diffusion_trunk_plus_embeddings(recipe, trunk, genes):
    with torch.device("meta"):
        field = UNetField(recipe_named(recipe).rows["field"], genes, 3)
    embeddings = parameters(field.tokens) + parameters(field.modulation.condition) + field.modulation.null.numel()
    assert parameters(field) - embeddings == pytest.approx(trunk, rel=0.001)
    assert field(*(entry.to("meta") for entry in asked(genes, cells=2))).shape == (2, genes)


@pytest.mark.parametrize("readout", ["position", "gene"])
@pytest.mark.parametrize("genes", range(1, 71))
def test_any_gene_count_gives_one_finite_velocity_a_gene(genes, readout):
    velocity = built(genes, replace(FIELD, readout=readout))(*asked(genes))
    assert velocity.shape == (4, genes)
    assert velocity.isfinite().all()


@pytest.mark.parametrize("genes", [5, 11, 13])
def test_padding_is_zeros_whatever_the_genes_hold(genes):
    field = built(genes)
    seen = []
    field.stem.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    field(*asked(genes))
    unfolded = seen[0].transpose(1, 2).reshape(4, field.padded, -1)
    assert unfolded[:, :genes].any(dim=-1).all()
    assert not unfolded[:, genes:].any()


@pytest.mark.parametrize("readout", ["position", "gene"])
@pytest.mark.parametrize("fold", [1, 2, 4])
def test_every_gene_can_move_its_own_velocity(fold, readout):
    genes = 13
    field = built(genes, replace(FIELD, fold=fold, readout=readout))
    x_t, t, condition, null = asked(genes, cells=1)
    jacobian = torch.autograd.functional.jacobian(lambda x: field(x, t, condition, null)[0], x_t)[:, 0]
    assert (jacobian.diagonal().abs() > 0).all()


@pytest.mark.parametrize("variant", [{}, {"gene_join": "concat"}, {"readout": "position"}, {"fold": 1}, {"dense": 8}])
def test_gradient_reaches_every_parameter(variant):
    field = built(11, replace(FIELD, **variant))
    x_t, t, condition, null = asked(11)
    null[0] = True
    field(x_t, t, condition, null).square().sum().backward()
    silent = [name for name, p in field.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []
    assert all(p.grad.isfinite().all() for p in field.parameters())


def test_a_cell_does_not_depend_on_the_others_of_its_batch():
    field = built(11)
    x_t, t, condition, null = asked(11)
    together = field(x_t, t, condition, null)
    alone = torch.cat([field(x_t[i : i + 1], t[i : i + 1], condition[i : i + 1], null[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("changed", ["t", "condition", "null"])
def test_the_field_reacts_to(changed):
    field = built(11)
    x_t, t, condition, null = asked(11)
    before = field(x_t, t, condition, null)
    t = t * 0.5 if changed == "t" else t
    condition = condition + 1 if changed == "condition" else condition
    null = ~null if changed == "null" else null
    assert not torch.allclose(before, field(x_t, t, condition, null), atol=1e-4)


def test_the_null_condition_ignores_the_condition():
    field = built(11)
    x_t, t, condition, null = asked(11)
    torch.testing.assert_close(field(x_t, t, condition, ~null), field(x_t, t, condition + 1, ~null))


def test_sinusoids_are_cosines_then_sines():
    frequencies = torch.tensor([1.0, 2.0])
    torch.testing.assert_close(
        sinusoids(torch.tensor([[0.5]]), frequencies),
        torch.tensor([[[0.87758, 0.54030, 0.47943, 0.84147]]]),
        atol=1e-4,
        rtol=0,
    )


def test_neighbouring_values_and_times_stay_apart():
    for frequencies, values in (
        (value_frequencies(16), torch.linspace(-4, 8, 500)),
        (time_frequencies(16), torch.linspace(0, 1, 101)),
    ):
        features = sinusoids(values, frequencies)
        distances = torch.cdist(features, features) + torch.eye(len(values)) * 9
        assert distances.min() > 0.01


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"channels": 12}, "channels"),
        ({"gene_join": "sum"}, "gene_join"),
        ({"heads": 3}, "heads"),
        ({"readout": "cell"}, "readout"),
        ({"fold": 0}, "fold"),
    ],
)
def test_impossible_sizes_are_refused(wrong, named):
    with pytest.raises(SettingError, match=named):
        replace(FIELD, **wrong)
