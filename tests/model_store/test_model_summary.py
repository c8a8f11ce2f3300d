"""What a model folder says of its model, in rows for people."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from primeflow_core.evaluation.metric import Place
from primeflow_core.evaluation.metrics.registry import metrics_at
from primeflow_core.model_store.local_models import read_library
from primeflow_core.model_store.model_summary import facts_of, held_out_scores
from primeflow_core.models.checkpoint import METRICS

SHIPPED = Path(__file__).resolve().parents[2] / "checkpoints"


@pytest.fixture(scope="module")
def models():
    return read_library(SHIPPED).models


@pytest.mark.parametrize("name", ["perturbench-devel", "simulated-screen", "transfer-to-monocytes"])
def test_every_shipped_model_has_facts_and_scores(models, name):
    facts = dict(facts_of(models[name]))
    assert facts["Genes"].replace(",", "").isdigit()
    assert ("simulated" in facts["Trained on"]) == (name == "simulated-screen")
    scores = held_out_scores(models[name]).table
    shown = [metric.page_label for metric in metrics_at(Place.CARD)]
    assert {measure.split(" (")[0] for measure in scores["Measure"]} == set(shown)
    assert {"Model", "Floor", "Ceiling", "Sum of single effects"} <= set(scores)


def test_the_figures_are_those_of_the_card(models):
    scores = held_out_scores(models["perturbench-devel"]).table.set_index("Measure")
    distance = scores.loc["Energy distance (smaller is better)"]
    assert distance["Model"] == pytest.approx(0.023, abs=5e-4)
    assert distance["Sum of single effects"] == pytest.approx(0.011, abs=5e-4)


def test_a_model_without_an_evaluation_has_no_scores(models, tmp_path):
    assert held_out_scores(replace(models["simulated-screen"], folder=tmp_path)) is None
    (tmp_path / METRICS).write_text('{"scored": {}}')
    assert held_out_scores(replace(models["simulated-screen"], folder=tmp_path)) is None


def test_the_figures_say_what_they_are_means_over(models, tmp_path):
    model = models["simulated-screen"]
    told = held_out_scores(model).sentence
    assert re.fullmatch(r"Mean over \d+ conditions that training never saw\.", told)
    metrics = json.loads((model.folder / METRICS).read_text())
    (tmp_path / METRICS).write_text(json.dumps({**metrics, "held_out": "cells"}))
    told = held_out_scores(replace(model, folder=tmp_path)).sentence
    assert "that training saw: it tells whether the model fits them, not whether it predicts new ones" in told


def test_calibrated_scores_stand_beside_the_others_and_pale_metrics_are_named(models, tmp_path):
    model = models["simulated-screen"]
    metrics = json.loads((model.folder / METRICS).read_text())
    mean = metrics["scored"]["test"][-1]
    for name, errors in (("energy_distance", 5.0), ("deg_recall", 0.5)):
        worse, better = (0.9, 0.1) if name == "energy_distance" else (0.1, 0.9)
        mean |= {f"{name}_baseline": worse, f"{name}_replicate": better, f"{name}_replicate_wins": 0.5}
        mean |= {f"{name}_standard_errors": errors, f"{name}_calibrated": 0.5}
    (tmp_path / METRICS).write_text(json.dumps(metrics))
    found = held_out_scores(replace(model, folder=tmp_path))
    rows = found.table.set_index("Measure")
    assert rows.loc["Energy distance (smaller is better)", "Typical cells"] == 0.9
    assert rows.loc["Energy distance (smaller is better)", "Calibrated"] == pytest.approx(
        (0.9 - mean["energy_distance"]) / 0.8
    )
    assert rows["Wrong condition"].notna().all()
    assert found.silent == ("DEG recall (larger is better)",)
    assert "Cannot tell a good prediction from a typical one here: DEG recall." in found.sentence
