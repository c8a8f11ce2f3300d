"""The models on this machine, shipped and one's own, and the cells of each, for front ends that let people choose."""

import os
from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from primeflow_core.data.datasets import DATASETS, Dataset, cache_folder, local_path
from primeflow_core.errors import DownloadError, PrimeflowError
from primeflow_core.model_store.held_out_metrics import NOT_EVALUATED, read_validation
from primeflow_core.models import checkpoint
from primeflow_core.models.checkpoint import Manifest, read_manifest, version_of
from primeflow_core.wording import day_in_words


@dataclass(frozen=True)
class Model:
    """A model folder, what it says of itself, and the version of its weights.

    ``own``: somebody trained it here. ``validation`` is one line on how it did on what was held out. ``key``: its name
    in the library.
    """

    folder: Path
    manifest: Manifest
    version: int
    own: bool = False
    validation: str = NOT_EVALUATED
    key: str = ""

    @property
    def title(self) -> str:
        """For a list to choose from, for instance ``Simulated screen (simulated cells)``."""
        name = " ".join(self.manifest.name.replace("-", " ").replace("_", " ").split())
        cells = f"{'simulated' if self.manifest.simulated else 'real'} cells"
        return f"{name[:1].upper()}{name[1:]} ({cells}{', yours' if self.own else ''})"

    @property
    def made(self) -> str:
        """Recipe and date, for instance ``unet-small of 21 November 2026``."""
        return f"{self.manifest.recipe} of {day_in_words(datetime.fromisoformat(self.manifest.created))}"

    @property
    def dataset(self) -> Dataset | None:
        """The named data set that it was trained on; None for a file of somebody's own."""
        return next((dataset for dataset in DATASETS if dataset.name == self.manifest.dataset), None)

    @property
    def own_file_sha(self) -> str:
        """sha256 of the file of somebody's own that it was trained on; empty for a named data set."""
        return self.manifest.data_sha256 if self.dataset is None else ""

    @property
    def has_cells(self) -> bool:
        """Whether its cells are on this machine, or can be made here."""
        dataset = self.dataset
        if dataset is None:
            return False
        try:
            return dataset.simulated or local_path(dataset.name) is not None
        except DownloadError:
            return False


@dataclass(frozen=True)
class Library:
    """Models by names that fit into an address, shipped ones first, and a sentence for each unreadable folder.

    A name is that of the folder; with ``-yours`` where a shipped model has the same.
    """

    models: dict[str, Model]
    problems: tuple[str, ...]

    @property
    def first(self) -> str | None:
        """What to open on: real cells where they are here, else simulated ones, else whatever there is."""
        real = [name for name, model in self.models.items() if not model.manifest.simulated and model.has_cells]
        simulated = [name for name, model in self.models.items() if model.manifest.simulated]
        return next(iter([*real, *simulated, *self.models]), None)

    @property
    def to_download(self) -> tuple[Dataset, ...]:
        """Public data sets of the models that are not on this machine."""
        missing = (model.dataset for model in self.models.values() if not model.has_cells)
        return tuple(dict.fromkeys(dataset for dataset in missing if dataset is not None and dataset.address))


def models_folder() -> Path:
    """Where models that are trained here are kept: ``PRIMEFLOW_MODELS``, or ``models`` in the cache."""
    chosen = os.environ.get("PRIMEFLOW_MODELS", "")
    return Path(chosen).expanduser() if chosen else cache_folder() / "models"


def read_library(shipped: Path, *own: Path) -> Library:
    """Every folder in these places that has a model description; those without weights or preview are listed too."""
    models: dict[str, Model] = {}
    problems: list[str] = []
    for place in dict.fromkeys((shipped, *own)):
        for folder in _described_folders(place):
            try:
                model = _read(folder, own=place != shipped)
            except PrimeflowError as error:
                problems.append(str(error))
            else:
                name = _name(folder, models)
                models[name] = replace(model, key=name)
    return Library(models, tuple(problems))


def _described_folders(place: Path) -> Iterator[Path]:
    return (config.parent for config in sorted(place.glob(f"*/{checkpoint.CONFIG}")))


def _read(folder: Path, *, own: bool) -> Model:
    found = read_validation(folder)
    return Model(folder, read_manifest(folder), version_of(folder), own, found.line if found else NOT_EVALUATED)


def _name(folder: Path, taken: Container[str]) -> str:
    name = folder.name
    while name in taken:
        name += "-yours"
    return name
