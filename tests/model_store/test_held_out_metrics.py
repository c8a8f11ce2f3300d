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


AMISS = {
    "no text": "", "a list": "[]", "no scores": "{}", "rows are numbers": '{"scored": {"test": [1]}}',
    "no mean": '{"scored": {"test": [{"condition": "A"}]}}', "nested": '{"scored": ' + "[" * 200_000,
    "unknown": json.dumps({**PLAIN, "colour": "red"}), "lacks a measure": with_mean(energy_distance="drop"),
    "a text": with_mean(mmd_gex="low"), "NaN": with_mean(mmd_gex=float("nan")), "true": with_mean(mmd_gex=True),
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
