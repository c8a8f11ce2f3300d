"""A damaged state of a training: the error names the file, the key and what to do. A damaged log stops nothing."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from primeflow_core.errors import CheckpointError
from primeflow_core.training.trainer import LOG, STATE, train
from tests.damaged_json import NESTED, Damage, check_refused, damages, whole_file_damages
from tests.tiny import RECIPE
from tests.training.test_trainer import trainer

CONFIG = replace(RECIPE.training, steps=2, log_every=1)
KEYS = ("step", "seconds", "best", "best_step", "validations_since_best", "plateaus")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A trainer, and the tensors and the progress of a state that it wrote."""
    folder = tmp_path_factory.mktemp("trained")
    made = trainer(CONFIG)
    train(made, folder)
    with safe_open(folder / STATE, "pt") as stored:
        progress = json.loads(stored.metadata()["progress"])
    return made, load_file(folder / STATE), progress


def check(trained, folder, damage, tensors, notes):
    (folder / STATE).parent.mkdir(exist_ok=True)
    save_file(tensors, folder / STATE, notes)
    check_refused(damage, lambda: trained[0].restore(folder), CheckpointError, str(folder / STATE), "Delete that file")


@pytest.mark.parametrize("key", KEYS)
def test_each_key_of_the_progress(trained, tmp_path, key):
    for damage in damages(trained[2], key, {"plateaus"}):
        check(trained, tmp_path, damage, {}, {"progress": damage.content.decode()})


def test_damaged_progress(trained, tmp_path):
    check(trained, tmp_path, Damage("no progress", "progress.step", b""), {}, None)
    for damage in whole_file_damages(trained[2]):
        if damage.how != "not UTF-8":  # the header of the file is text
            check(trained, tmp_path, damage, {}, {"progress": damage.content.decode()})


def tensors_with(tensors, name, value):
    changed = {key: tensor for key, tensor in tensors.items() if key != name}
    return changed if value is None else {**changed, name: value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("strange", torch.zeros(1)), ("strange.0", torch.zeros(1)), ("optimizer.x.step", torch.zeros(1)),
        ("optimizer.999.step", torch.zeros(1)), ("optimizer.0.speed", torch.zeros(1)),
        ("optimizer.0.exp_avg", torch.zeros(3, 3, 3)), ("optimizer.0.exp_avg", None),
    ],
)  # fmt: skip
def test_a_tensor_that_no_state_has(trained, tmp_path, name, value):
    tensors = tensors_with(trained[1], name, value)
    check(trained, tmp_path, Damage(name, name, b""), tensors, {"progress": json.dumps(trained[2])})


def test_missing_weights_are_named(trained, tmp_path):
    name = next(name for name in trained[1] if name.startswith("model."))
    tensors = tensors_with(trained[1], name, None)
    check(
        trained, tmp_path, Damage(name, name.removeprefix("model."), b""), tensors, {"progress": json.dumps(trained[2])}
    )


def test_a_training_without_validation_resumes_from_a_state_of_an_earlier_version(trained, tmp_path):
    """It has no best loss yet, which earlier versions wrote as Infinity."""
    for best in ("Infinity", "null"):
        text = json.dumps({**trained[2], "best": "HERE"}).replace('"HERE"', best)
        (tmp_path / STATE).parent.mkdir(exist_ok=True)
        save_file(trained[1], tmp_path / STATE, {"progress": text})
        trained[0].restore(tmp_path)
        assert trained[0].progress.best == float("inf")


def test_damaged_lines_of_the_log_are_dropped_and_the_training_goes_on(trained, tmp_path):
    damaged = ("", "[1]", "{}", '{"step": "1"}', '{"step": NaN}', '{"step": 1', NESTED, "\ufffd", "1", "null")
    kept = '{"step": 1, "loss": 0.5}\n'
    (tmp_path / LOG).parent.mkdir()
    save_file(trained[1], tmp_path / STATE, {"progress": json.dumps(trained[2])})
    text = kept + "".join(f"{line}\n" for line in damaged) + kept + '{"step": 3}\n'
    (tmp_path / LOG).write_bytes(text.encode() + b"\xff\n")
    train(trained[0], tmp_path)
    assert (tmp_path / LOG).read_text() == kept * 2
