"""Biolord: any number of covariates, their penalty, noise to learn with only."""

import pytest
import torch

from primeflow_core.errors import SettingError
from primeflow_core.models.baselines.biolord import BiolordConfig
from primeflow_core.models.sampling_plan import SamplingPlan
from primeflow_core.training.config import TrainingConfig
from tests.variational import CONTEXTS, batch_of, built, screen, seeded, trained

TINY = BiolordConfig(width=32, latent=4, dropout=0.0, penalty_weight=2.0)
SHORT = TrainingConfig(batch_size=32, learning_rate=5e-3, warmup=0, ema=0.0, clip=1e9, steps=300)


@pytest.mark.parametrize("contexts", CONTEXTS)
def test_the_loss_is_finite_and_reaches_every_weight(contexts):
    cells = screen(contexts)
    model = built(TINY, cells).train()
    assert len(model.covariates) == len(cells.conditions[0].covariates)
    for rows in (None, [20]):
        losses = model.loss(batch_of(cells, rows), seeded())
        assert losses.shape == (len(cells) if rows is None else 1,)
        gradients = torch.autograd.grad(losses.mean(), tuple(model.parameters()))
        assert all(gradient.isfinite().all() for gradient in gradients)
        if rows is None:
            assert all(gradient.abs().sum() > 0 for gradient in gradients)


@pytest.mark.parametrize("contexts", CONTEXTS)
def test_the_loss_by_hand(contexts):
    cells = screen(contexts)
    model, batch = built(TINY, cells).eval(), batch_of(cells)
    noise = 0.1 * torch.randn(len(cells), TINY.latent, generator=seeded())
    with torch.no_grad():
        known = [
            net.weight.T[one_hot.argmax(dim=1)]
            for net, one_hot in zip(model.covariates, model._parts.split(batch.condition)[1], strict=True)
        ]
        moved = model.perturbations(batch.condition[:, :2])
        encoded = torch.cat([model.encoder(batch.x_1) + noise, moved, *known], dim=1)
        made = torch.nn.functional.softplus(model.decoder(encoded))
        expected = (made - batch.x_1).square().sum(dim=1)
        for embedding in known:
            expected = expected + 2.0 * embedding.square().sum(dim=1)
        torch.testing.assert_close(model.loss(batch, seeded()), expected)


@pytest.mark.slow
def test_perturbations_move_cells_more_where_the_encoder_is_kept_from_telling_them():
    cells = screen("one", each=30)
    model = trained(TINY, cells, SHORT)
    plan = SamplingPlan(precision="float32")
    for condition in cells.conditions[1:3]:
        shift = model.predict(condition, 30, plan).mean(axis=0) - model.predict(condition.control(), 30, plan).mean(
            axis=0
        )
        own = 2 * "AB".index(condition.label)
        assert shift[own : own + 2].min() > 0.5


def test_prediction_adds_no_noise():
    cells = screen("one")
    model = built(TINY, cells).eval()
    control = batch_of(cells, [0, 0])
    made = model.made(control.x_1, control.condition)
    assert torch.equal(made[0], made[1])


@pytest.mark.parametrize("wrong", [{"latent": 0}, {"noise": -0.1}, {"penalty_weight": -1.0}, {"dropout": -0.1}])
def test_wrong_numbers_are_named(wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        BiolordConfig(**wrong)
