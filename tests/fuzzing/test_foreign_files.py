"""Thousands of damaged files: each is read, or refused in the product's own words, in bounded time and memory.

Every file is made from a seed, so that one that fails can be made again: ``TARGETS[name].check(seed, folder)``.
"""

import json
import random
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import anndata
import psutil
import pytest
import scipy.sparse as sp

from primeflow_core.data.h5ad.reading import examine, values_of
from primeflow_core.data.h5ad.wishes import Wishes
from primeflow_core.data.h5ad.writing import as_anndata, write_anndata
from primeflow_core.data.repair import Repair
from primeflow_core.data.split_record import read_record
from primeflow_core.data.splits import read_split
from primeflow_core.errors import PrimeflowError
from primeflow_core.model_store.held_out_metrics import read_validation
from primeflow_core.model_store.local_models import read_library
from primeflow_core.models.checkpoint import read_manifest, read_preview
from primeflow_core.screening.candidates import listed, read_file
from primeflow_core.training.recipes.registry import recipe_given
from tests import tiny
from tests.fuzzing.mutations import changed_bytes, damage_store, damage_structure, damaged_bytes, damaged_text

MOST_SECONDS = 20.0
GIGABYTES = 0.5
MOST_GROWN = 2 * GIGABYTES * 1e9
"""Bytes by which this process and the child that reads may grow: twice the memory that a file may take here."""
SHIPPED = Path(__file__).resolve().parents[2] / "checkpoints" / "simulated-screen"
BLOCK = 20


@dataclass(frozen=True)
class Target:
    """A kind of file: how one is damaged, and what reads it."""

    damage: Callable[[random.Random, Path], Path]
    read: Callable[[Path], object]

    def check(self, seed: int, folder: Path) -> str:
        """What came of one file: read, or the message. Raises whatever is not an error of the product."""
        path = self.damage(random.Random(seed), folder)
        began = time.monotonic()
        try:
            self.read(path)
            said = "read"
        except PrimeflowError as error:
            said = str(error)
        assert time.monotonic() - began < MOST_SECONDS, f"seed {seed}: {time.monotonic() - began:.0f} s"
        assert said.strip()
        assert "Traceback" not in said
        return said


CELLS = tiny.cells(per_condition=6)


def healthy(folder: Path) -> Path:
    labels = [condition.label for condition in CELLS.condition_list(range(len(CELLS)))]
    path = folder / "healthy.h5ad"
    if not path.is_file():
        lines = {"cell_type": ["k562", "a549"] * (len(labels) // 2), "dose": ["1 uM"] * len(labels)}
        write_anndata(path, as_anndata(CELLS.values, CELLS.genes, labels, lines, {"kind": "made"}, names=CELLS.names))
    return path


def store(draw: random.Random, folder: Path) -> Path:
    """A Zarr store of version 2 or 3, sparse or dense, as a folder or packed as a zip."""
    version, dense = draw.choice((2, 3)), draw.random() < 0.3
    whole, path = folder / f"healthy-{version}-{dense}.zarr", folder / "damaged.zarr"
    if not whole.is_dir():
        adata = anndata.read_h5ad(healthy(folder))
        adata.X = adata.X if dense else sp.csr_matrix(adata.X)
        with anndata.settings.override(zarr_write_format=version):
            adata.write_zarr(whole)
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(whole, path)
    damage_store(path, draw)
    if draw.random() < 0.7:
        return path
    packed = Path(shutil.make_archive(str(path), "zip", folder, path.name))
    if draw.random() < 0.5:
        packed.write_bytes(changed_bytes(packed.read_bytes(), draw))
    return packed


def h5ad_bytes(draw: random.Random, folder: Path) -> Path:
    path = folder / "damaged.h5ad"
    damage = damaged_bytes if draw.random() < 0.2 else changed_bytes
    path.write_bytes(damage(healthy(folder).read_bytes(), draw))
    return path


def h5ad_structure(draw: random.Random, folder: Path) -> Path:
    path = folder / "damaged.h5ad"
    shutil.copyfile(healthy(folder), path)
    damage_structure(path, draw)
    return path


def read_h5ad(path: Path) -> None:
    found = examine(path, Wishes(), Repair())
    if found.inspection.ready:
        cells = values_of(path, found)
        assert cells.dense().shape == (len(cells), len(cells.genes))


def of_model(name: str, draw: random.Random, folder: Path) -> Path:
    """A folder of models in which one file of one model is damaged."""
    models = folder / "models"
    shutil.rmtree(models, ignore_errors=True)
    model = models / "mine"
    model.mkdir(parents=True)
    for file in ("config.json", "metrics.json", "preview.npz"):
        shutil.copyfile(SHIPPED / file, model / file)
    damage = damaged_bytes if name.endswith(".npz") else damaged_text
    (model / name).write_bytes(damage((SHIPPED / name).read_bytes(), draw))
    return models


def read_models(path: Path) -> None:
    """The page lists what it can, and reads the rest when it is asked for."""
    library = read_library(path)
    assert len(library.models) + len(library.problems) >= 1
    read_manifest(path / "mine")


def text_file(name: str, content: bytes, draw: random.Random, folder: Path) -> Path:
    path = folder / name
    path.write_bytes(damaged_text(content, draw))
    return path


def split_content() -> bytes:
    return "\n".join(
        ["cell,split", *(f"{name},{'test' if i % 3 else 'train'}" for i, name in enumerate(CELLS.names))]
    ).encode()


def record_file(draw: random.Random, folder: Path) -> Path:
    (folder / "s.reading.json").write_bytes(damaged_text(record_content(), draw))
    return folder / "s.csv"


def record_content() -> bytes:
    return json.dumps({"data": "d", "data_sha256": "0", "reading": CELLS.reading.to_json()}, indent=1).encode()


def recipe_content() -> bytes:
    recipe = recipe_given("unet-tiny")
    return json.dumps({"format": 1, "name": "mine", "summary": "s", "settings": recipe.settings()}, indent=1).encode()


def read_candidates(path: Path) -> None:
    manifest = read_manifest(SHIPPED)
    asked = read_file(path, ["cell_type"])
    listed(manifest, asked, [manifest.trained_on[0].covariates])


CANDIDATES = b'perturbation,cell_type\ngene_01+gene_02,sim-A\ngene_03,sim-B\ndrug_01@1,sim-A\n"gene_04",sim-A\n'
TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        "h5ad bytes": Target(h5ad_bytes, read_h5ad),
        "h5ad structure": Target(h5ad_structure, read_h5ad),
        "zarr": Target(store, read_h5ad),
        "config": Target(partial(of_model, "config.json"), read_models),
        "metrics": Target(partial(of_model, "metrics.json"), lambda path: read_validation(path / "mine")),
        "preview": Target(partial(of_model, "preview.npz"), lambda path: read_preview(path / "mine")),
        "split": Target(
            partial(text_file, "s.csv", split_content()), lambda path: read_split(path, CELLS, "leave-out")
        ),
        "split record": Target(record_file, read_record),
        "candidates": Target(partial(text_file, "c.csv", CANDIDATES), read_candidates),
        "recipe": Target(partial(text_file, "r.json", recipe_content()), lambda path: recipe_given(str(path))),
    }
)


class Watch:
    """The most memory that this process and its children take while it is open, looked at every 20 ms."""

    def __enter__(self) -> "Watch":
        self._over = threading.Event()
        self._began = self.peak = self._taken()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def grown(self) -> int:
        return self.peak - self._began

    def _look(self) -> None:
        while not self._over.wait(0.02):
            self.peak = max(self.peak, self._taken())

    @staticmethod
    def _taken() -> int:
        own = psutil.Process()
        taken = 0
        for process in (own, *own.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                taken += process.memory_info().rss
        return taken


@pytest.fixture(autouse=True)
def memory(monkeypatch, place):
    monkeypatch.setenv("PRIMEFLOW_MEMORY_GB", str(GIGABYTES))
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(place / "cache"))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("damaged")


@pytest.mark.parametrize("name", TARGETS)
def test_a_damaged_file_is_read_or_refused_in_plain_words(name, place):
    with Watch() as watch:
        for seed in range(24):
            TARGETS[name].check(seed, place)
    assert watch.grown < MOST_GROWN


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("block", range(17))
@pytest.mark.parametrize("name", TARGETS)
def test_thousands_of_damaged_files(name, block, place):
    with Watch() as watch:
        said = {TARGETS[name].check(1_000 + block * BLOCK + i, place) for i in range(BLOCK)}
    assert said
    assert watch.grown < MOST_GROWN
