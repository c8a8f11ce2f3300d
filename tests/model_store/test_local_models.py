"""The models on a machine: what is listed, what the app opens on, what could be downloaded."""

from dataclasses import replace
from pathlib import Path

import pytest

from primeflow_core.model_store.local_models import models_folder, read_library
from primeflow_core.models.checkpoint import CONFIG, METRICS, WEIGHTS, write_manifest
from primeflow_core.runtime.atomic_files import write_json
from tests.model_store.test_available_conditions import manifest


@pytest.fixture(autouse=True)
def _nothing_local(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PRIMEFLOW_MIRROR", raising=False)


def add(place: Path, name: str, dataset: str, *, simulated: bool) -> None:
    (place / name).mkdir(parents=True)
    write_manifest(place / name, replace(manifest(), name=name, dataset=dataset, simulated=simulated))


def both(place: Path) -> Path:
    add(place, "perturbench-devel", "perturbench-devel", simulated=False)
    add(place, "simulated-screen", "simulated-screen", simulated=True)
    return place


def test_without_the_real_cells_it_opens_on_simulated_ones_and_offers_a_download(tmp_path):
    library = read_library(both(tmp_path / "models"))
    assert library.first == "simulated-screen"
    assert [dataset.name for dataset in library.to_download] == ["perturbench-devel"]


def test_with_the_real_cells_it_opens_on_them(tmp_path, mirror, monkeypatch):
    monkeypatch.setenv("PRIMEFLOW_MIRROR", str(mirror))
    library = read_library(both(tmp_path / "models"))
    assert library.first == "perturbench-devel"
    assert library.to_download == ()


def test_damaged_cells_count_as_not_here(tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "perturbench-devel.h5ad").write_bytes(b"broken")
    assert read_library(both(tmp_path / "models")).first == "simulated-screen"


def test_a_model_of_own_cells_has_none_to_download(tmp_path):
    add(tmp_path, "mine", "my-cells.h5ad", simulated=False)
    library = read_library(tmp_path)
    assert (library.first, library.to_download) == ("mine", ())
    assert not library.models["mine"].has_cells


def test_titles_say_what_the_cells_are(tmp_path):
    models = read_library(both(tmp_path)).models
    assert models["perturbench-devel"].title == "Perturbench devel (real cells)"
    assert models["simulated-screen"].title == "Simulated screen (simulated cells)"
    assert models["simulated-screen"].made == "tiny of 21 November 2026"


def test_a_broken_description_is_a_sentence_and_hides_nothing_else(tmp_path):
    both(tmp_path)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / CONFIG).write_text("{")
    library = read_library(tmp_path)
    assert list(library.models) == ["perturbench-devel", "simulated-screen"]
    assert len(library.problems) == 1
    assert "cannot be read as a model description" in library.problems[0]


def test_no_models_at_all(tmp_path):
    assert read_library(tmp_path / "nowhere").first is None


def test_the_version_follows_the_weights(tmp_path):
    both(tmp_path)
    before = read_library(tmp_path).models["simulated-screen"].version
    (tmp_path / "simulated-screen" / WEIGHTS).write_bytes(b"x")
    assert read_library(tmp_path).models["simulated-screen"].version != before


def test_own_models_come_after_the_shipped_ones_and_say_whose_they_are(tmp_path):
    both(tmp_path / "shipped")
    add(tmp_path / "own", "a-screen", "my cells.h5ad", simulated=False)
    add(tmp_path / "own", "simulated-screen", "simulated-screen", simulated=True)
    models = read_library(tmp_path / "shipped", tmp_path / "own").models
    assert list(models) == ["perturbench-devel", "simulated-screen", "a-screen", "simulated-screen-yours"]
    assert [model.own for model in models.values()] == [False, False, True, True]
    assert models["a-screen"].title == "A screen (real cells, yours)"
    assert models["simulated-screen-yours"].folder == tmp_path / "own" / "simulated-screen"


def test_one_place_named_twice_is_read_once(tmp_path):
    assert not any(model.own for model in read_library(both(tmp_path), tmp_path).models.values())


def test_a_training_that_goes_on_is_not_listed(tmp_path):
    add(tmp_path / ".training" / "0123", "half-done", "my cells.h5ad", simulated=False)
    (tmp_path / "reserved").mkdir()
    library = read_library(tmp_path / "nowhere", tmp_path)
    assert (library.models, library.problems) == ({}, ())


def test_a_model_of_own_cells_names_their_content(tmp_path):
    add(tmp_path, "mine", "my-cells.h5ad", simulated=False)
    add(tmp_path, "theirs", "perturbench-devel", simulated=False)
    models = read_library(tmp_path).models
    assert (models["mine"].own_file_sha, models["theirs"].own_file_sha) == (manifest().data_sha256, "")


def test_the_validation_line_comes_from_the_metrics(tmp_path):
    add(tmp_path, "checked", "my-cells.h5ad", simulated=False)
    add(tmp_path, "unchecked", "my-cells.h5ad", simulated=False)
    names = ("energy_distance", "mmd_gex", "mmd_pca", "deg_recall", "cosine_logfc")
    mean = {f"{name}{end}": value for name in names for end, value in (("", 0.5), ("_floor", 1.0), ("_ceiling", None))}
    rows = [{"condition": "A"}, {"condition": "B"}, {"condition": "mean", **mean}]
    write_json(tmp_path / "checked" / METRICS, {"scored": {"test": rows}})
    models = read_library(tmp_path).models
    line = (
        "on 2 held-out conditions, the prediction is better than control cells: energy distance 0.50 (control cells "
        "1.00, a second experiment unknown)"
    )
    assert models["checked"].validation == line
    assert models["unchecked"].validation == "not evaluated"
    write_json(tmp_path / "checked" / METRICS, {"held_out": "cells", "scored": {"test": rows}})
    line = read_library(tmp_path).models["checked"].validation
    assert line.startswith("on held-out cells of 2 conditions seen in training, ")


@pytest.mark.parametrize("damaged", ["", "[]", "{}", '{"scored": {"test": []}}', '{"scored": {"test": [1]}}'])
def test_damaged_metrics_are_no_validation(tmp_path, damaged):
    add(tmp_path, "mine", "my-cells.h5ad", simulated=False)
    (tmp_path / "mine" / METRICS).write_text(damaged)
    assert read_library(tmp_path).models["mine"].validation == "not evaluated"


def test_own_models_are_kept_in_the_cache_unless_told_otherwise(tmp_path, monkeypatch):
    monkeypatch.delenv("PRIMEFLOW_MODELS", raising=False)
    assert models_folder() == tmp_path / "cache" / "models"
    monkeypatch.setenv("PRIMEFLOW_MODELS", str(tmp_path / "elsewhere"))
    assert models_folder() == tmp_path / "elsewhere"
