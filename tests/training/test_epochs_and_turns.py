"""What training learnt for the sake of the baselines: epochs, plateaus, no steps at all, learning in turns."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from primeflow_core.errors import SettingError
from primeflow_core.models.baselines.closed_form import MeanConfig
from primeflow_core.models.baselines.linear import LinearConfig
from primeflow_core.models.checkpoint import WEIGHTS, read_weight_notes
from primeflow_core.models.predictor import Learning, Predictor
from primeflow_core.training.batches import CellSource, Partners
from primeflow_core.training.config import PLATEAU, TrainingConfig, in_steps
from primeflow_core.training.trainer import STATE, Trainer, train
from tests.tiny import VOCABULARY, cells

CPU = torch.device("cpu")
CONFIG = TrainingConfig(
    batch_size=16, learning_rate=1e-2, ema=0.0, warmup=0, decay="plateau", steps=40, validation_draws=1, log_every=1,
    validate_every=1, save_every=1,
)  # fmt: skip


class Halves(Predictor):
    """Two weights that learn in turns, the second one's loss moved by both."""

    def __init__(self, turns):
        super().__init__([f"G{i}" for i in range(11)], VOCABULARY)
        self.first, self.second = nn.Parameter(torch.zeros(11)), nn.Parameter(torch.zeros(11))
        self.turns = turns
        self.asked = []

    def fit_statistics(self, chunks):
        pass

    def loss(self, batch, generator):
        return (batch.x_1 - self.first - self.second).square().mean(dim=1)

    def learning(self, step, epoch):
        self.asked.append((step, epoch))
        return Learning(((self.first, self.second)[self.turns[step % len(self.turns)]],), self.loss)

    def predict(self, condition, cells, plan, on_progress=None):
        pytest.fail("a training asks for no cells")


def trainer(model, config=CONFIG, every=5, pairs=False):
    data = cells()
    rows = np.arange(len(data))
    partners = Partners(data, rows) if pairs else None
    parts = (rows[rows % every > 0], rows[rows % every == 0])
    chosen = [partners.among(part) if partners else part for part in parts]
    sources = [CellSource(data, part, VOCABULARY, CPU, partners) for part in chosen]
    return Trainer(model, *sources, config, 0)


def linear():
    torch.manual_seed(0)
    return LinearConfig().build([f"G{i}" for i in range(11)], VOCABULARY)


@pytest.mark.parametrize(
    ("config", "steps", "validate_every"),
    [
        ({}, 1000, 250),
        ({"epochs": 3}, 12, 250),
        ({"epochs": 3, "validate_every": 0}, 12, 4),
        ({"validate_every": 0}, 1000, 4),
        ({"epochs": 3, "validate_every": 0, "accumulation": 3}, 6, 2),
        ({"epochs": 1000, "validate_every": 7}, 1000, 7),
        ({"epochs": 2, "steps": 0}, 0, 250),
        ({"epochs": 2, "batch_size": 4000, "validate_every": 0}, 2, 1),
    ],
)
def test_epochs_are_turned_into_steps(config, steps, validate_every):
    turned = in_steps(TrainingConfig(**{"batch_size": 30, "steps": 1000, **config}), 100)
    assert (turned.steps, turned.validate_every) == (steps, validate_every)


def test_a_training_of_epochs_ends_with_them_and_validates_after_each(tmp_path):
    lines = []
    config = replace(CONFIG, steps=10**9, epochs=3, validate_every=0)
    progress = train(trainer(linear(), config, pairs=True), tmp_path, on_log=lines.append)
    # 48 perturbed training cells in batches of 16.
    assert progress.step == 9
    assert [line.step for line in lines if line.validation_loss is not None] == [3, 6, 9]
    assert {line.steps for line in lines} == {9}
    assert lines[-1].epoch == 3.0


def test_the_learning_rate_falls_to_a_fifth_at_every_plateau_and_not_for_other_decays():
    made, constant = trainer(linear(), pairs=True), trainer(linear(), replace(CONFIG, decay="constant"), pairs=True)
    rates = []
    for held in (made, constant):
        held.note(1.0)
        for _ in range(2 * (PLATEAU + 1)):
            assert not held.note(1.0)
            rates.append(held.learning_rate)
    rate = CONFIG.learning_rate
    expected = [rate] * PLATEAU + [rate / 5] * (PLATEAU + 1) + [rate / 25]
    np.testing.assert_allclose(rates[: len(expected)], expected)
    assert set(rates[len(expected) :]) == {rate}
    assert made.note(0.5)
    assert made.learning_rate == pytest.approx(rate / 25)
    assert made.progress.validations_since_best == 0


def test_the_plateaus_are_those_of_pytorch():
    """torch.optim.lr_scheduler.ReduceLROnPlateau, whose default also asks for a least improvement: here without."""
    made, weight = trainer(linear(), pairs=True), torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([weight], lr=CONFIG.learning_rate)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.2, patience=15, threshold=0.0)
    losses = np.round(np.random.default_rng(0).gamma(4.0, 1.0, 120), 2)
    for loss in losses:
        made.note(float(loss))
        scheduler.step(float(loss))
        assert made.learning_rate == pytest.approx(optimizer.param_groups[0]["lr"])
    assert made.progress.plateaus > 2


def test_a_training_killed_on_a_plateau_goes_on_there(tmp_path, monkeypatch):
    monkeypatch.setattr("primeflow_core.training.trainer.PLATEAU", 2)
    config = replace(CONFIG, learning_rate=3.0, steps=24, patience=100, optimizer="adam")
    train(trainer(linear(), config, pairs=True), tmp_path / "whole")
    stopped = trainer(linear(), config, pairs=True)
    train(stopped, tmp_path / "killed", asked_to_end=lambda: stopped.progress.step == 14)
    assert stopped.progress.plateaus > 0
    resumed = trainer(linear(), config, pairs=True)
    progress = train(resumed, tmp_path / "killed")
    assert progress.plateaus >= stopped.progress.plateaus
    whole, killed = (load_file(tmp_path / name / STATE) for name in ("whole", "killed"))
    assert whole.keys() == killed.keys()
    assert all(torch.equal(whole[name], killed[name]) for name in whole)


def test_only_the_weights_whose_turn_it_is_change(tmp_path):
    model = Halves((0, 0, 1))
    made = trainer(model, replace(CONFIG, weight_decay=0.1))
    for step in range(6):
        before = model.first.detach().clone(), model.second.detach().clone()
        made.step()
        changed = [not torch.equal(a, b) for a, b in zip(before, (model.first, model.second), strict=True)]
        assert changed == ([True, False] if step % 3 < 2 else [False, True])
    assert [step for step, _ in model.asked] == list(range(6))
    assert [epoch for _, epoch in model.asked] == pytest.approx([step / 4 for step in range(6)])


def test_a_training_in_turns_resumes_before_all_weights_had_theirs(tmp_path):
    config = replace(CONFIG, steps=9)
    turns = (0, 0, 0, 0, 1)
    train(trainer(Halves(turns), config), tmp_path / "whole")
    stopped = trainer(Halves(turns), config)
    train(stopped, tmp_path / "killed", asked_to_end=lambda: stopped.progress.step == 3)
    train(trainer(Halves(turns), config), tmp_path / "killed")
    whole, killed = (load_file(tmp_path / name / STATE) for name in ("whole", "killed"))
    assert whole.keys() == killed.keys()
    assert all(torch.equal(whole[name], killed[name]) for name in whole)


def test_without_steps_the_statistics_are_the_model(tmp_path):
    made = trainer(MeanConfig().build([f"G{i}" for i in range(11)], VOCABULARY), TrainingConfig(steps=0))
    progress = train(made, tmp_path)
    expected = cells().dense()[np.arange(80) % 5 > 0].mean(axis=0)
    assert progress.step == 0
    np.testing.assert_allclose(load_file(tmp_path / WEIGHTS)["mean"], expected, rtol=1e-5)
    assert read_weight_notes(tmp_path) == {"step": "0", "validation_loss": "none"}
    assert not (tmp_path / STATE).exists()
    train(trainer(MeanConfig().build([f"G{i}" for i in range(11)], VOCABULARY), TrainingConfig(steps=0)), tmp_path)


def test_without_steps_a_model_that_learns_keeps_its_first_weights(tmp_path):
    model = linear()
    before = model.shift.weight.detach().clone()
    train(trainer(model, replace(CONFIG, steps=0), pairs=True), tmp_path)
    assert torch.equal(load_file(tmp_path / WEIGHTS)["shift.weight"], before)


def test_a_closed_form_refuses_steps_and_pairs_refuse_composed_cells():
    with pytest.raises(SettingError, match="closed form and learns nothing in 40 steps"):
        trainer(MeanConfig().build([f"G{i}" for i in range(11)], VOCABULARY))
    with pytest.raises(SettingError, match="composed=0"):
        trainer(linear(), replace(CONFIG, composed=0.5), pairs=True)


def test_a_gradient_is_clipped_to_its_length_or_not_at_all():
    norms = []
    for clip in (1e-3, 0.0):
        model = Halves((0,))
        made = trainer(model, replace(CONFIG, clip=clip))
        made.optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        norms.append(float(made.step()[1]))
        length = float(model.first.detach().norm()) / made.config.learning_rate
        assert length == pytest.approx(clip or norms[0], rel=1e-3)
    assert norms[0] == norms[1] > 1e-3


def test_adam_counts_the_weight_decay_as_gradient_and_adamw_does_not():
    """With a gradient of 0 AdamW shrinks a weight by rate x decay of itself, Adam by the rate."""
    found = {}
    for name in ("adam", "adamw"):
        model = Halves((1,))
        made = trainer(model, replace(CONFIG, optimizer=name, weight_decay=0.5))
        with torch.no_grad():
            model.second.fill_(2.0)
        model.loss = lambda batch, generator, model=model: 0.0 * (batch.x_1 * model.second).sum(dim=1)
        made.step()
        found[name] = float(model.second[0].detach())
    rate = CONFIG.learning_rate
    assert found["adam"] == pytest.approx(2.0 - rate)
    assert found["adamw"] == pytest.approx(2.0 * (1 - 0.5 * rate))


@pytest.mark.parametrize("wrong", [{"optimizer": "sgd"}, {"clip": -1.0}, {"epochs": -1}, {"weight_decay": -0.1}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        TrainingConfig(**wrong)


def test_a_last_batch_of_one_pair_works(tmp_path):
    made = trainer(linear(), replace(CONFIG, batch_size=47, steps=2), pairs=True)
    assert len(made.train_cells) % 47 == 1
    assert math.isfinite(train(made, tmp_path).best)
