"""Training: it learns, keeps the best weights, and a resumed run is the run that was never stopped."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from primeflow_core.errors import CheckpointError, SettingError
from primeflow_core.models.checkpoint import WEIGHTS
from primeflow_core.training.batches import CellSource
from primeflow_core.training.config import TrainingConfig
from primeflow_core.training.trainer import LOG, STATE, Trainer, train
from tests.tiny import RECIPE, VOCABULARY, cells, model

CPU = torch.device("cpu")


def trainer(config=RECIPE.training, seed=0, validation=True):
    data = cells()
    torch.manual_seed(seed)
    everything = np.arange(len(data))
    held_out = CellSource(data, everything[::5], VOCABULARY, CPU) if validation else None
    return Trainer(model(), CellSource(data, everything[everything % 5 > 0], VOCABULARY, CPU), held_out, config, seed)


class KilledError(Exception):
    pass


def killed_at(step):
    def on_log(line):
        if line.step >= step:
            raise KilledError

    return on_log


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.slow
def test_the_loss_falls_and_the_best_weights_are_kept(tmp_path):
    lines = []
    config = replace(RECIPE.training, steps=300, validate_every=50, log_every=50)
    progress = train(trainer(config), tmp_path, on_log=lines.append)
    validated = [line.validation_loss for line in lines]
    assert validated[-1] < 0.8 * validated[0]
    assert progress.best == min(validated)
    assert (tmp_path / WEIGHTS).exists()
    assert [json.loads(text)["step"] for text in (tmp_path / LOG).read_text().splitlines()] == [
        50,
        100,
        150,
        200,
        250,
        300,
    ]


@pytest.mark.slow
def test_a_killed_and_resumed_training_ends_with_the_same_weights(tmp_path):
    config = replace(RECIPE.training, save_every=8, log_every=1, accumulation=2)
    train(trainer(config), tmp_path / "whole")
    for stop in (3, 13, 27):
        with pytest.raises(KilledError):
            train(trainer(config), tmp_path / "killed", on_log=killed_at(stop))
    train(trainer(config), tmp_path / "killed")
    assert equal(load_file(tmp_path / "whole" / WEIGHTS), load_file(tmp_path / "killed" / WEIGHTS))
    assert equal(load_file(tmp_path / "whole" / STATE), load_file(tmp_path / "killed" / STATE))
    steps = [json.loads(text)["step"] for text in (tmp_path / "killed" / LOG).read_text().splitlines()]
    assert steps == list(range(1, 41))


def test_another_seed_gives_other_weights(tmp_path):
    for seed in (0, 1):
        train(trainer(replace(RECIPE.training, steps=3), seed), tmp_path / str(seed))
    assert not equal(load_file(tmp_path / "0" / WEIGHTS), load_file(tmp_path / "1" / WEIGHTS))


@pytest.mark.slow
def test_ending_early_takes_nothing_from_the_patience(tmp_path):
    config = replace(RECIPE.training, learning_rate=1e-12, warmup=0, validate_every=4, patience=3, steps=500)

    def going_on():
        held = trainer(config)
        held.config = replace(config, ema=0.0)
        return held

    for early in (6, 10, 14):
        held = going_on()
        ended = train(held, tmp_path / "ended", asked_to_end=lambda of=held, at=early: of.progress.step >= at)
        assert ended.step == early
    assert train(going_on(), tmp_path / "ended").step == train(going_on(), tmp_path / "whole").step == 16


@pytest.mark.slow
def test_patience_ends_a_training_that_no_longer_improves(tmp_path):
    config = replace(RECIPE.training, learning_rate=1e-12, warmup=0, validate_every=2, patience=3, steps=500)
    held = trainer(config)
    held.config = replace(config, ema=0.0)
    progress = train(held, tmp_path)
    assert progress.step < 500
    assert progress.validations_since_best == 3


def test_minutes_end_a_training_with_its_state_saved(tmp_path):
    progress = train(trainer(replace(RECIPE.training, steps=10**6)), tmp_path, minutes=0.01)
    assert 0 < progress.step < 10**6
    resumed = trainer(replace(RECIPE.training, steps=10**6))
    resumed.restore(tmp_path)
    assert resumed.progress == progress


def test_without_validation_cells_the_last_weights_are_kept(tmp_path):
    made = trainer(replace(RECIPE.training, steps=20), validation=False)
    progress = train(made, tmp_path)
    assert math.isinf(progress.best)
    assert equal(load_file(tmp_path / WEIGHTS), dict(made.averaged.state_dict()))


def test_every_training_cell_is_seen_once_an_epoch_and_a_last_batch_of_one_works(tmp_path):
    made = trainer(replace(RECIPE.training, batch_size=9, steps=8, accumulation=1))
    assert len(made.train_cells) % 9 == 1
    rows = np.concatenate([made._batch_rows(position) for position in range(8)])
    assert sorted(rows) == list(range(64))
    assert train(made, tmp_path).step == 8


def test_a_damaged_state_is_named(tmp_path):
    train(trainer(replace(RECIPE.training, steps=2)), tmp_path)
    (tmp_path / STATE).write_bytes((tmp_path / STATE).read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"state\.safetensors does not fit"):
        train(trainer(), tmp_path)


def test_a_log_line_cut_short_by_a_kill_is_dropped(tmp_path):
    config = replace(RECIPE.training, steps=4, log_every=1)
    train(trainer(config), tmp_path)
    with (tmp_path / LOG).open("a") as stream:
        stream.write('{"step": 5, "lo')
    train(trainer(replace(config, steps=6)), tmp_path)
    assert [json.loads(text)["step"] for text in (tmp_path / LOG).read_text().splitlines()] == [1, 2, 3, 4, 5, 6]


def test_accumulated_batches_equal_one_large_batch():
    large, small = (
        trainer(replace(RECIPE.training, batch_size=size, accumulation=n)) for size, n in ((32, 1), (16, 2))
    )
    rows = [made._batch_rows(0) for made in (large, small)]
    assert np.array_equal(np.concatenate([rows[1], small._batch_rows(1)]), rows[0])


def test_the_learning_rate_warms_up_and_falls_as_a_cosine_when_told(tmp_path):
    training = trainer(replace(RECIPE.training, learning_rate=1e-3, warmup=10, steps=100, decay="cosine"))
    rates = []
    for step in range(101):
        training.progress.step = step
        rates.append(training.learning_rate)
    assert rates[0] == pytest.approx(1e-4)
    assert max(rates) == max(rates[9:12])
    assert rates[50] == pytest.approx(5e-4)
    assert rates[100] == pytest.approx(0, abs=1e-12)
    constant = trainer(replace(RECIPE.training, learning_rate=1e-3, warmup=10, steps=100))
    constant.progress.step = 90
    assert constant.learning_rate == 1e-3


def test_half_precision_products_train_too_and_keep_the_weights_in_full(tmp_path):
    full, half = (trainer(replace(RECIPE.training, precision=name)) for name in ("float32", "bfloat16"))
    losses = [[training.step()[0] for _ in range(5)][-1] for training in (full, half)]
    assert losses[0] == pytest.approx(losses[1].item(), rel=0.02)
    assert losses[0] != losses[1]
    assert {weight.dtype for weight in half.predictor.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    "wrong",
    [
        {"precision": "half"},
        {"decay": "linear"},
        {"batch_size": 0},
        {"patience": 0},
        {"learning_rate": 0.0},
        {"ema": 1.0},
    ],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        TrainingConfig(**wrong)
