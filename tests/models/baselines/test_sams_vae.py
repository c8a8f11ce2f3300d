"""SAMS-VAE: divergences in closed form, gradients through the mask, and a mask that becomes sparse."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch.distributions import Bernoulli, kl_divergence

from primeflow_core.errors import SettingError
from primeflow_core.models.baselines.effects import EffectDraw, SparseEffects, bernoulli_divergence, straight_through
from primeflow_core.models.baselines.posterior import Posterior
from primeflow_core.models.baselines.sams_vae import SamsVaeConfig
from primeflow_core.models.sampling_plan import SamplingPlan
from primeflow_core.training.config import TrainingConfig
from tests.variational import CONTEXTS, batch_of, built, screen, seeded, trained

TINY = SamsVaeConfig(width=32, latent=16, dropout=0.0, mask_prior=0.05)
SHORT = TrainingConfig(batch_size=32, learning_rate=1e-2, warmup=0, ema=0.0, clip=1e9, steps=600)


@pytest.mark.slow
def test_the_mask_becomes_sparse_and_keeps_what_perturbations_move():
    cells = screen("none", "ABC", each=20)
    model = trained(TINY, cells, SHORT)
    fresh = built(TINY, cells)
    assert model.effects.mask.median() < 0.7 * fresh.effects.mask.median()
    on = model.effects.logits > 0
    assert on.any(dim=1).all(), "every perturbation moves something"
    assert on.float().mean() < 0.3
    made = {c.label: model.predict(c, 100, SamplingPlan(precision="float32")).mean(axis=0) for c in cells.conditions}
    for first, label in enumerate("ABC"):
        shift = made[label] - made["control"]
        assert shift[2 * first : 2 * first + 2].min() > 1
    assert (made["A+B"] - made["control"])[:4].min() > 0.7


@pytest.mark.slow
def test_a_larger_prior_leaves_more_of_the_mask():
    cells = screen("none", "ABC", each=10)
    short = replace(SHORT, steps=150)
    few, many = (trained(replace(TINY, mask_prior=prior), cells, short).effects.mask.mean() for prior in (0.01, 0.9))
    assert few < built(TINY, cells).effects.mask.mean() < many


def test_the_divergence_of_the_mask_is_that_of_two_bernoullis():
    logits = torch.tensor([-4.0, -0.3, 0.0, 1.2, 5.0])
    for prior in (0.0115, 0.114, 0.5):
        expected = kl_divergence(Bernoulli(logits=logits), Bernoulli(torch.tensor(prior)))
        torch.testing.assert_close(bernoulli_divergence(logits, prior), expected)
    assert bernoulli_divergence(torch.tensor([-200.0, 200.0]), 0.1).isfinite().all()


def test_the_mask_is_0_or_1_as_often_as_its_logits_say_and_lets_the_gradient_through():
    logits = torch.tensor([-2.0, 0.0, 1.5], requires_grad=True)
    drawn = straight_through(logits.expand(1000, 3), 1.0, torch.rand(1000, 3, generator=seeded()))
    assert set(drawn.detach().round(decimals=5).unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(drawn.detach().mean(dim=0), logits.detach().sigmoid(), atol=0.04, rtol=0)
    drawn.sum().backward()
    assert (logits.grad > 0).all()


def test_the_divergence_of_effects_is_that_of_mask_and_effect():
    torch.manual_seed(0)
    effects = SparseEffects(3, 8, 4, 1, prior=0.1, temperature=1.0)
    t = torch.tensor([2, 0, 2])
    drawn = effects.drawn(t, effects.chance(3, seeded()))
    generator = seeded()
    mask = straight_through(effects.logits[t], 1.0, torch.rand(3, 4, generator=generator))
    posterior = effects.net(torch.cat([mask, torch.eye(3)[t]], dim=1))
    noise = torch.randn(3, 4, generator=generator)
    torch.testing.assert_close(drawn.shift, mask * (posterior.mean + posterior.deviation * noise))
    expected = bernoulli_divergence(effects.logits[t], 0.1).sum(dim=1) + posterior.divergence()
    torch.testing.assert_close(drawn.divergence, expected)


def test_the_divergence_of_a_perturbation_counts_once_for_all_its_training_cells():
    cells = screen("one")
    model, batch = built(TINY, cells).eval(), batch_of(cells)
    assert model.cells_of.tolist() == [64, 64]
    once = SimpleNamespace(drawn=lambda t, chance: EffectDraw(torch.zeros(len(t), TINY.latent), t + 1.0))
    del model.effects
    model.effects = once
    share = model._moved(batch.condition, torch.empty(0))[1]
    torch.testing.assert_close(share.sum(), torch.tensor(1.0 + 2.0))
    assert (share[(batch.condition[:, :2] == 0).all(dim=1)] == 0).all()


@pytest.mark.parametrize("contexts", CONTEXTS)
@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("covariates", [True, False])
def test_the_loss_is_finite_and_reaches_every_weight(contexts, sparse, covariates):
    cells = screen(contexts)
    model = built(replace(TINY, sparse=sparse, covariates=covariates), cells).train()
    for rows in (None, [20]):
        losses = model.loss(batch_of(cells, rows), seeded())
        assert losses.shape == (len(cells) if rows is None else 1,)
        gradients = torch.autograd.grad(losses.mean(), tuple(model.parameters()))
        assert all(gradient.isfinite().all() for gradient in gradients)
        if rows is None:
            assert all(gradient.abs().sum() > 0 for gradient in gradients)


def test_control_is_moved_by_nothing_and_a_combination_by_the_sum():
    cells = screen("none")
    model = built(replace(TINY, sparse=False), cells)
    z_p, _ = model._moved(torch.from_numpy(model.vocabulary.encode(cells.conditions)), torch.empty(4, 0))
    a, b = model.effects.drawn(torch.arange(2), torch.empty(2, 0)).shift
    torch.testing.assert_close(z_p, torch.stack([0 * a, a, b, a + b]))


def test_the_second_form_has_no_mask_and_nothing_random_in_effects():
    model = built(replace(TINY, sparse=False, dropout=0.6), screen()).train()
    t = torch.arange(2)
    a, b = (model.effects.drawn(t, model.effects.chance(2, seeded(i))) for i in range(2))
    assert torch.equal(a.shift, b.shift)
    assert (a.divergence == 0).all()
    assert torch.equal(a.shift, model.eval().effects.drawn(t, torch.empty(2, 0)).shift)


def test_dropout_is_of_the_decoder_alone():
    model = built(replace(TINY, dropout=0.6), screen())
    rates = {name: part.p for name, part in model.named_modules() if isinstance(part, torch.nn.Dropout)}
    assert {rate for name, rate in rates.items() if name.startswith("decoder.")} == {0.6}
    assert {rate for name, rate in rates.items() if not name.startswith("decoder.")} == {0.0}


def test_predicted_cells_draw_their_masks_as_those_that_were_learnt_from():
    cells = screen("none")
    model = built(replace(TINY, latent=1), cells)
    torch.nn.init.constant_(model.effects.logits, -1.0)
    condition = model.encoded(cells.conditions[-1])
    model._decoded = lambda z, condition: z
    model._basal = lambda *given: Posterior(torch.zeros(len(given[0]), 1), torch.zeros(len(given[0]), 1))
    drawn = model.drawn(condition, 4000, seeded())
    moved = model.made(drawn, condition.expand(4000, -1))
    neither = 1 - torch.sigmoid(torch.tensor(-1.0))
    torch.testing.assert_close((moved == 0).float().mean(), neither**2, atol=0.03, rtol=0)
    halves = [model.made(half, condition.expand(2000, -1)) for half in drawn.split(2000)]
    torch.testing.assert_close(torch.cat(halves), moved)


def test_cells_from_the_prior_need_no_controls():
    cells = screen("none")
    perturbed = cells.subset([i for i, c in enumerate(cells.condition_list(range(len(cells)))) if not c.is_control])
    model = built(replace(TINY, sparse=False, basal="prior"), perturbed)
    assert model.pool is None
    assert model.predict(cells.conditions[1], 5, SamplingPlan()).shape == (5, len(cells.genes))


@pytest.mark.parametrize(
    "wrong", [{"mask_prior": 0.0}, {"mask_prior": 1.0}, {"temperature": 0.0}, {"basal": "cells"}, {"width": 0}]
)
def test_wrong_numbers_are_named(wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        SamsVaeConfig(**wrong)
