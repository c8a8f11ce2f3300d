"""The models on this machine, shipped and the user's own, and the cells of each, for lists to choose from."""

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
    """A model folder, its manifest, and the version of its weights.

    ``own``: a user trained it here. ``validation``: one line on its held-out metrics. ``previewed``: whether the cells
    that it ships with, if any, can be read. ``key``: its name in the library.
    """

    folder: Path
    manifest: Manifest
    version: int
    own: bool = False
    validation: str = NOT_EVALUATED
    previewed: bool = True
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
        """The named data set that it was trained on; None for a user's file."""
        return next((dataset for dataset in DATASETS if dataset.name == self.manifest.dataset), None)

    @property
    def own_file_sha(self) -> str:
        """sha256 of the user's file that it was trained on; empty for a named data set."""
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
    """Models by names that fit into an address, shipped ones first, and a sentence for each unreadable folder or file.

    A model has the name of its folder, with ``-yours`` if a shipped model has the same name.
    """

    models: dict[str, Model]
    problems: tuple[str, ...]

    @property
    def first(self) -> str | None:
        """The model to open on: one with real cells on this machine, else a simulated one, else any."""
        real = [name for name, model in self.models.items() if not model.manifest.simulated and model.has_cells]
        simulated = [name for name, model in self.models.items() if model.manifest.simulated]
        return next(iter([*real, *simulated, *self.models]), None)

    @property
    def to_download(self) -> tuple[Dataset, ...]:
        """Public data sets of the models that are not on this machine."""
        missing = (model.dataset for model in self.models.values() if not model.has_cells)
        return tuple(dict.fromkeys(dataset for dataset in missing if dataset is not None and dataset.address))


def models_folder() -> Path:
    """The folder of models trained on this machine: ``PRIMEFLOW_MODELS``, or ``models`` in the cache."""
    chosen = os.environ.get("PRIMEFLOW_MODELS", "")
    return Path(chosen).expanduser() if chosen else cache_folder() / "models"


def read_library(shipped: Path, *own: Path) -> Library:
    """Every folder in these places with a model description, also those without weights or preview."""
    models: dict[str, Model] = {}
    problems: list[str] = []
    for place in dict.fromkeys((shipped, *own)):
        for folder in _described_folders(place):
            try:
                model = Model(folder, read_manifest(folder), version_of(folder), place != shipped)
            except PrimeflowError as error:
                problems.append(str(error))
                continue
            name = _name(folder, models)
            validation, previewed = _validation(folder, problems), _previewed(folder, problems)
            models[name] = replace(model, key=name, validation=validation, previewed=previewed)
    return Library(models, tuple(problems))


def _described_folders(place: Path) -> Iterator[Path]:
    return (config.parent for config in sorted(place.glob(f"*/{checkpoint.CONFIG}")))


def _validation(folder: Path, problems: list[str]) -> str:
    """The line on the model's metrics. Unreadable metrics are added to ``problems``; the model is still listed."""
    try:
        found = read_validation(folder)
    except PrimeflowError as error:
        problems.append(str(error))
        return NOT_EVALUATED
    return found.line if found else NOT_EVALUATED


def _previewed(folder: Path, problems: list[str]) -> bool:
    """Whether the shipped cells can be read. If not, that is added to ``problems``; the model still predicts."""
    try:
        checkpoint.read_preview(folder)
    except PrimeflowError as error:
        problems.append(str(error))
        return False
    return True


def _name(folder: Path, taken: Container[str]) -> str:
    name = folder.name
    while name in taken:
        name += "-yours"
    return name
