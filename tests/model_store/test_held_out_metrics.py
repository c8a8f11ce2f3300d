"""metrics.json: shipped ones are read; what is amiss is named with the file, and the model can still be used."""

import json
from pathlib import Path

import pytest

from primeflow_core.errors import CheckpointError
from primeflow_core.model_store.held_out_metrics import read_validation
from primeflow_core.model_store.local_models import read_library
from primeflow_core.models.checkpoint import METRICS, write_manifest
from tests.models.test_checkpoint import manifest

SHIPPED = sorted((Path(__file__).parents[2] / "checkpoints").glob("*/metrics.json"))
PLAIN = json.loads(SHIPPED[0].read_text(encoding="utf-8"))


def with_mean(**changes):
    """The shipped figures with the mean row of the test part changed; None takes a key away."""
    rows = PLAIN["scored"]["test"]
    mean = {key: value for key, value in {**rows[-1], **changes}.items() if value != "drop"}
    return json.dumps({**PLAIN, "scored": {"test": [*rows[:-1], mean]}})


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.parent.name)
def test_shipped_metrics_are_read(file):
    found = read_validation(file.parent)
    assert found is not None
    assert set(found.baselines) >= {"no-change"}


CALIBRATED = {
    "energy_distance_wrong": 1.1, "energy_distance_baseline": 0.5, "energy_distance_replicate": 0.02,
    "energy_distance_replicate_sd": 0.1, "energy_distance_calibrated": 0.98, "energy_distance_replicate_wins": 1.0,
    "energy_distance_standard_errors": 4.5,
}  # fmt: skip


def read_with(folder, **changes):
    write_manifest(folder / "mine", manifest())
    (folder / "mine" / METRICS).write_text(with_mean(energy_distance=0.03, **changes))
    return read_validation(folder / "mine")


def test_metrics_of_an_earlier_version_have_no_calibration(tmp_path):
    found = read_with(tmp_path, energy_distance_wrong="drop").figures["energy_distance"]
    assert (found.wrong, found.calibration, found.silent, found.score) == (None, None, False, None)


def test_the_calibrated_score_and_what_a_metric_can_tell_are_read(tmp_path):
    found = read_with(tmp_path, **CALIBRATED)
    distance = found.figures["energy_distance"]
    assert (distance.wrong, distance.baseline) == (1.1, 0.5)
    assert distance.score == pytest.approx(0.47 / 0.48)
    assert distance.calibration.can_tell
    assert "the prediction is better than control cells" in found.line


def test_a_headline_that_cannot_tell_claims_nothing(tmp_path):
    found = read_with(tmp_path, **CALIBRATED | {"energy_distance_standard_errors": 1.2})
    assert found.figures["energy_distance"].silent
    assert "the energy distance cannot tell a second experiment from typical perturbed cells: 0.03" in found.line
    assert "better" not in found.line


@pytest.mark.parametrize("missing", ["energy_distance_baseline", "energy_distance_replicate"])
def test_without_a_baseline_or_a_replicate_there_is_no_calibration(tmp_path, missing):
    assert read_with(tmp_path, **CALIBRATED | {missing: None}).figures["energy_distance"].calibration is None


AMISS = {
    "no text": "", "a list": "[]", "no scores": "{}", "rows are numbers": '{"scored": {"test": [1]}}',
    "no mean": '{"scored": {"test": [{"condition": "A"}]}}', "nested": '{"scored": ' + "[" * 200_000,
    "unknown": json.dumps({**PLAIN, "colour": "red"}), "lacks a measure": with_mean(energy_distance="drop"),
    "a text": with_mean(mmd_gex="low"), "NaN": with_mean(mmd_gex=float("nan")), "true": with_mean(mmd_gex=True),
    "a calibrated text": with_mean(energy_distance_baseline="low"),
    "half a calibration": with_mean(energy_distance_baseline=0.5, energy_distance_replicate="drop"),
    "held out": json.dumps({**PLAIN, "held_out": "genes"}),
}  # fmt: skip


@pytest.mark.parametrize("text", AMISS.values(), ids=AMISS)
def test_metrics_that_cannot_be_read_are_named_and_the_model_is_listed(tmp_path, text):
    write_manifest(tmp_path / "mine", manifest())
    (tmp_path / "mine" / METRICS).write_text(text)
    with pytest.raises(CheckpointError, match=r"metrics\.json cannot be read as the metrics of a model: "):
        read_validation(tmp_path / "mine")
    library = read_library(tmp_path)
    assert library.models["mine"].validation == "not evaluated"
    assert [METRICS in problem for problem in library.problems] == [True]
