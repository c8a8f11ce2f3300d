"""The models on a machine: what is listed, what the app opens on, what could be downloaded."""

from dataclasses import replace
from pathlib import Path

import pytest

from primeflow_core.checkpoint import CONFIG, WEIGHTS, write_manifest
from primeflow_core.library import read_library
from tests.test_catalogue import manifest


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
