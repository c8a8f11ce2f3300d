"""Model folders: what is saved is what is loaded, and what is broken is named."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from primeflow_core.data.layout import Layout
from primeflow_core.errors import CheckpointError, StorageError
from primeflow_core.models import checkpoint
from primeflow_core.models.checkpoint import Manifest
from primeflow_core.models.sampling_plan import SamplingPlan
from tests.full_disk import full_once
from tests.tiny import CONDITIONS, RECIPE, VOCABULARY, condition, model


def manifest() -> Manifest:
    return Manifest(
        name="tiny",
        created="2026-01-01T00:00:00+00:00",
        recipe="tiny",
        settings=RECIPE.settings(),
        genes=tuple(f"G{i}" for i in range(11)),
        vocabulary=VOCABULARY,
        layout=Layout(covariates=("cell_type",)),
        trained_on=CONDITIONS[:3],
        validated_on=(),
        tested_on=CONDITIONS[3:],
        dataset="made-up",
        data_sha256="0" * 64,
        simulated=True,
        sampling=SamplingPlan(steps=4),
        seed=7,
        first_view=condition("A", "B"),
        provenance={"versions": {"torch": "x"}},
    )


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    checkpoint.write_manifest(tmp_path, manifest())
    checkpoint.write_weights(tmp_path, model().state_dict(), {"step": "12"})
    return tmp_path


def test_a_manifest_survives_its_file(folder):
    read = checkpoint.read_manifest(folder)
    assert json.dumps(read.to_json(), sort_keys=True) == json.dumps(manifest().to_json(), sort_keys=True)
    assert (read.vocabulary, read.trained_on, read.layout) == (VOCABULARY, CONDITIONS[:3], manifest().layout)


def test_loaded_weights_make_the_same_cells(folder):
    torch.manual_seed(0)
    original = model()
    plan = SamplingPlan(steps=2)
    assert np.array_equal(
        checkpoint.load(folder).predict(condition("A"), 5, plan), original.predict(condition("A"), 5, plan)
    )


def test_half_precision_weights_load_as_float32(folder):
    tensors = {name: tensor.half() for name, tensor in model().state_dict().items()}
    checkpoint.write_weights(folder, tensors, {})
    assert all(p.dtype == torch.float32 for p in checkpoint.load(folder).parameters())


def test_notes_stand_with_the_weights(folder):
    assert checkpoint.read_weight_notes(folder)["step"] == "12"


def test_a_preview_survives_its_file_in_half_precision(folder):
    values = np.random.default_rng(0).random((6, 11)).astype(np.float32)
    checkpoint.write_preview(folder, {condition("A"): values, condition("B"): values[:2]})
    read = checkpoint.read_preview(folder)
    assert list(read) == [condition("A"), condition("B")]
    np.testing.assert_allclose(read[condition("A")], values, atol=1e-3)


def test_no_preview_is_no_error(folder):
    assert checkpoint.read_preview(folder) == {}


@pytest.mark.parametrize("writes", range(4))
def test_a_student_and_its_description_change_together_or_not_at_all(folder, writes):
    checkpoint.write_student(folder, model(), torch.nn.Linear(2, 2), {"made": "before"}, manifest())
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    left, told = iter(range(writes)), replace(manifest(), seed=8)
    with full_once(lambda: next(left, None) is None), pytest.raises(StorageError) as caught:
        checkpoint.write_student(folder, model(), torch.nn.Linear(2, 2), {"made": "after"}, told)
    assert caught.value.filename in (str(folder / "config.json"), str(folder / "student.safetensors"))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    checkpoint.write_student(folder, model(), torch.nn.Linear(2, 2), {"made": "after"}, told)
    assert checkpoint.read_manifest(folder).seed == 8
    assert checkpoint.read_student_notes(folder)["made"] == "after"
    assert {path.name for path in folder.iterdir()} == set(before)


def test_a_description_takes_its_place_after_the_student_it_names(folder, monkeypatch):
    order, replace_file = [], Path.replace

    def noted(self, target):
        order.append(Path(target).name)
        return replace_file(self, target)

    monkeypatch.setattr(Path, "replace", noted)
    checkpoint.write_student(folder, model(), torch.nn.Linear(2, 2), {}, manifest())
    assert [name for name in order if not name.startswith(".")] == ["student.safetensors", "config.json"]


def break_config(folder, **changes):
    data = json.loads((folder / "config.json").read_text())
    data.update(changes)
    (folder / "config.json").write_text(json.dumps({key: value for key, value in data.items() if value != "drop"}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "config.json").unlink(), r"is no model: it has no config\.json"),
        (lambda f: (f / "config.json").write_text("{"), "cannot be read as a model description"),
        (lambda f: (f / "config.json").write_text("[]"), "cannot be read as a model description"),
        (lambda f: break_config(f, genes="drop"), "genes"),
        (lambda f: break_config(f, colour="red"), "colour"),
        (lambda f: break_config(f, format=99), "format 99"),
        (lambda f: break_config(f, genes=["G1"]), "does not fit its config"),
        (lambda f: (f / "weights.safetensors").unlink(), r"has no weights\.safetensors yet"),
        (lambda f: (f / "weights.safetensors").write_bytes(b"\0" * 50), "does not fit"),
        (
            lambda f: (f / "weights.safetensors").write_bytes((f / "weights.safetensors").read_bytes()[:-9]),
            "does not fit",
        ),
    ],
)
def test_what_is_broken_is_named(folder, damage, message):
    damage(folder)
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(folder)


def test_unknown_settings_are_refused(folder):
    settings = RECIPE.settings()
    settings["field"]["depth"] = 3
    checkpoint.write_manifest(folder, replace(manifest(), settings=settings))
    with pytest.raises(CheckpointError, match="depth"):
        checkpoint.load(folder)


def test_a_damaged_preview_is_named(folder):
    (folder / "preview.npz").write_bytes(b"PK\3\4 nothing")
    with pytest.raises(CheckpointError, match=r"preview\.npz is damaged"):
        checkpoint.read_preview(folder)


@pytest.mark.parametrize("wrong", [np.zeros((3, 4)), np.zeros(11), np.full((2, 11), np.nan), np.zeros((0, 11))])
def test_a_preview_of_other_cells_is_named(folder, wrong):
    checkpoint.write_preview(folder, {condition("A"): wrong})
    with pytest.raises(CheckpointError, match=r"preview\.npz is damaged: A "):
        checkpoint.read_preview(folder)
