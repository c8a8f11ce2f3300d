"""CPA: the adversary learns in its turn, and what it guesses from z_basal the encoder learns to hide."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from primeflow_core.errors import SettingError
from primeflow_core.models.baselines.adversary import Adversary
from primeflow_core.models.baselines.condition_parts import ConditionParts
from primeflow_core.models.baselines.cpa import CPAConfig
from primeflow_core.models.baselines.posterior import Posterior
from primeflow_core.models.sampling_plan import SamplingPlan
from primeflow_core.training.config import TrainingConfig
from primeflow_core.training.trainer import Trainer
from tests.variational import CONTEXTS, batch_of, built, screen, seeded, source_of, trained, vocabulary_of

TINY = CPAConfig(
    width=32, latent=4, dropout=0.0, kl_weight=0.001, adversary_width=32, adversary_weight=5.0, penalty=1.0,
    adversary_steps=5, warmup_epochs=2,
)  # fmt: skip
SHORT = TrainingConfig(batch_size=32, learning_rate=5e-3, warmup=0, ema=0.0, clip=1e9, steps=600)


def accuracy_on_z_basal(model, cells):
    """Of guesses whether each single perturbation is there, by an adversary that learns from scratch on other noise."""
    batch = batch_of(cells)
    with torch.no_grad():
        posterior = model.encoder(batch.x_1)
        learnt, asked = (posterior.sample(torch.randn(posterior.mean.shape, generator=seeded(i))) for i in (1, 2))
    torch.manual_seed(3)
    adversary = Adversary(model.config.latent, 32, 1, ConditionParts(vocabulary_of(cells)))
    optimizer = torch.optim.Adam(adversary.parameters(), lr=5e-3)
    for _ in range(300):
        optimizer.zero_grad()
        adversary.cross_entropy(learnt, batch.condition).mean().backward()
        optimizer.step()
    there = batch.condition[:, : len(model.vocabulary.perturbations)] > 0
    return ((adversary.perturbations(asked) > 0) == there).float().mean().item()


@pytest.fixture(scope="module")
def cells():
    return screen("none", "ABC", each=20)


@pytest.fixture(scope="module")
def hiding(cells):
    return trained(TINY, cells, SHORT)


@pytest.mark.slow
def test_the_adversary_makes_z_basal_tell_less_of_the_perturbation(hiding, cells):
    plain = trained(replace(TINY, adversary=False), cells, replace(SHORT, steps=300))
    assert accuracy_on_z_basal(plain, cells) > 0.95
    assert accuracy_on_z_basal(hiding, cells) < 0.85


@pytest.mark.slow
def test_perturbations_still_move_the_cells_that_hide_them(hiding, cells):
    plan = SamplingPlan(precision="float32")
    made = {c.label: hiding.predict(c, 40, plan).mean(axis=0) for c in cells.conditions}
    for first, label in enumerate("ABC"):
        shift = made[label] - made["control"]
        assert shift[2 * first : 2 * first + 2].min() > 1
        assert abs(np.delete(shift, (2 * first, 2 * first + 1))).max() < 0.7


def test_turns_after_the_warm_up():
    model = built(TINY, screen())
    adversary = {id(weight) for weight in model.adversary.parameters()}
    everything = {id(weight) for weight in model.parameters()}

    def learning(step, epoch):
        return {id(weight) for weight in model.learning(step, epoch).parameters}

    for step in range(6):
        assert learning(step, 1.99) == everything - adversary
        assert learning(step, 2.0) == (everything - adversary if step % 5 == 0 else adversary)


def test_without_an_adversary_everything_learns_from_the_loss():
    model = built(replace(TINY, adversary=False), screen())
    assert model.adversary is None
    learning = model.learning(7, 100.0)
    assert learning.loss == model.loss
    assert len(learning.parameters) == len(list(model.parameters()))


def test_training_changes_only_whose_turn_it_is():
    cells = screen()
    model = built(replace(TINY, warmup_epochs=0), cells)
    trainer = Trainer(model, source_of(cells), None, replace(SHORT, steps=3), 0)
    for step in range(3):
        before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
        trainer.step()
        moved = {
            name.startswith("adversary.") for name, weight in model.named_parameters() if (weight != before[name]).any()
        }
        assert moved == {step > 0}


def test_the_warm_up_leaves_the_adversary_out():
    cells = screen()
    model, batch = built(TINY, cells), batch_of(cells)
    alone = model.learning(0, 0.0).loss(batch, seeded())
    assert torch.equal(alone, model.loss(batch, seeded()))
    missed = model.loss(batch, seeded()) - model.learning(0, 2.0).loss(batch, seeded())
    with torch.no_grad():
        z = model.encoder(batch.x_1).sample(torch.randn(len(batch.x_1), TINY.latent, generator=seeded()))
        expected = TINY.adversary_weight * model.adversary.cross_entropy(z, batch.condition)
    torch.testing.assert_close(missed, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("contexts", CONTEXTS)
@pytest.mark.parametrize("step", [0, 1])
def test_losses_are_finite_and_reach_every_weight_of_the_turn(contexts, step):
    cells = screen(contexts)
    model = built(TINY, cells).train()
    assert len(model.covariates) == len(cells.conditions[0].covariates)
    learning = model.learning(step, 9.0)
    for rows in (None, [20]):
        losses = learning.loss(batch_of(cells, rows), seeded())
        assert losses.shape == (len(cells) if rows is None else 1,)
        gradients = torch.autograd.grad(losses.mean(), learning.parameters)
        assert all(gradient.isfinite().all() for gradient in gradients)
        if rows is None:
            assert all(gradient.abs().sum() > 0 for gradient in gradients)


def test_the_cross_entropy_and_its_penalty_by_hand():
    parts = ConditionParts(vocabulary_of(screen("one")))
    adversary = Adversary(3, 8, 0, parts)
    for weight in adversary.parameters():
        torch.nn.init.zeros_(weight)
    condition = batch_of(screen("one")).condition
    z = torch.randn(len(condition), 3, generator=seeded())
    expected = torch.full((len(condition),), 3 * math.log(2))  # two perturbations, there or not, and two cell types
    torch.testing.assert_close(adversary.cross_entropy(z, condition), expected)
    torch.testing.assert_close(adversary.penalised(z, condition, 2.0, 10.0), 2 * expected)


def test_the_penalty_is_the_mean_squared_slope_of_the_guesses_of_each_network():
    parts = ConditionParts(vocabulary_of(screen("two")))
    torch.manual_seed(0)
    adversary = Adversary(3, 8, 1, parts)
    condition = batch_of(screen("two"), [30]).condition
    z = torch.tensor([[0.3, -0.8, 0.5]])
    networks = (adversary.perturbations, *adversary.covariates)
    assert len(networks) == 3
    slopes = [torch.autograd.functional.jacobian(lambda point, net=net: net(point).sum(), z) for net in networks]
    expected = 4.0 * adversary.cross_entropy(z, condition) + 2.5 * sum(slope.square().mean() for slope in slopes)
    torch.testing.assert_close(adversary.penalised(z, condition, 4.0, 2.5), expected)


def test_an_adversary_whose_warm_up_outlasts_the_training_is_refused():
    cells = screen()
    trainer = partial(Trainer, built(TINY, cells), source_of(cells), None)
    an_epoch = len(cells) // SHORT.batch_size
    with pytest.raises(SettingError, match=r"2 epochs.*the adversary, whose warm-up \(warmup_epochs\) takes 2"):
        trainer(replace(SHORT, steps=2 * an_epoch), 0)
    assert trainer(replace(SHORT, steps=2 * an_epoch + 1), 0).epoch == 0
    assert Trainer(built(replace(TINY, adversary=False), cells), source_of(cells), None, replace(SHORT, steps=1), 0)


def test_the_divergence_is_that_of_two_normals():
    posterior = Posterior(torch.randn(5, 3, generator=seeded()), torch.rand(5, 3, generator=seeded(1)) + 0.1)
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(normal(posterior.mean, posterior.deviation), normal(0.0, 1.0))
    torch.testing.assert_close(posterior.divergence(), expected.sum(dim=1))


@pytest.mark.parametrize("wrong", [{"adversary_steps": 1}, {"latent": 0}, {"dropout": 1.0}, {"penalty": -1.0}])
def test_wrong_numbers_are_named(wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        CPAConfig(**wrong)
