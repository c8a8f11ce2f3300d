"""A model as a finding: its metrics where it was evaluated, how to make them where it was not."""

import shutil
from pathlib import Path

import pytest

from primeflow_core.errors import CheckpointError
from primeflow_core.model_store.local_models import Model
from primeflow_core.models.checkpoint import METRICS, read_manifest
from primeflow_core.report.finding import SIMULATED_DATA
from primeflow_core.report.html_report import html_report
from primeflow_core.report.model_finding import model_finding

SHIPPED = Path(__file__).resolve().parents[2] / "checkpoints"


def model(name: str, place: Path = SHIPPED) -> Model:
    return Model(place / name, read_manifest(place / name), 0, key=name)


def test_metrics_stand_between_floor_and_ceiling_beside_the_baselines():
    found = model_finding(model("perturbench-devel"), alone=False)
    assert found.title.startswith("perturbench-devel: on 5 held-out conditions, the prediction is better than control")
    assert not found.title.endswith("..")
    metrics, facts = found.tables
    assert list(metrics.frame)[:4] == ["Measure", "Model", "Floor", "Ceiling"]
    assert "Sum of single effects" in metrics.frame
    assert facts.frame.set_index("Fact").loc["Trained on", "This model"] == "perturbench-devel (measured cells)"
    assert found.labels == ("27 conditions in training, 7 held out",)
    assert found.methods.startswith("The metrics of perturbench-devel: Mean over 5 conditions that training never saw.")


def test_alone_it_says_how_the_model_was_trained():
    found = model_finding(model("simulated-screen"), alone=True)
    assert "It was trained on" in found.methods
    assert found.labels[0] == SIMULATED_DATA
    assert "It was trained on" in html_report("t", [found], "today")


def test_a_model_that_was_never_evaluated_says_how_to_do_it(tmp_path):
    shutil.copytree(SHIPPED / "perturbench-devel", tmp_path / "own")
    (tmp_path / "own" / METRICS).unlink()
    found = model_finding(model("own", tmp_path), alone=False)
    assert f"`primeflow card --model {tmp_path / 'own'}`" in found.title
    assert [table.name for table in found.tables] == ["The model"]
    assert found.methods == ""


def test_damaged_metrics_are_named(tmp_path):
    shutil.copytree(SHIPPED / "perturbench-devel", tmp_path / "own")
    (tmp_path / "own" / METRICS).write_text("{")
    with pytest.raises(CheckpointError, match="cannot be read as the metrics"):
        model_finding(model("own", tmp_path), alone=False)
