"""The models on this machine and the cells that belong to each, for front ends that let people choose."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from primeflow_core import checkpoint
from primeflow_core.checkpoint import Manifest, read_manifest
from primeflow_core.datasets import DATASETS, Dataset, local_path
from primeflow_core.errors import DownloadError, PrimeflowError
from primeflow_core.prediction import version_of


@dataclass(frozen=True)
class Model:
    """A model folder, what it says of itself, and the version of its weights."""

    folder: Path
    manifest: Manifest
    version: int

    @property
    def title(self) -> str:
        """For a list to choose from, for instance ``Simulated screen (simulated cells)``."""
        name = " ".join(self.manifest.name.replace("-", " ").replace("_", " ").split())
        return f"{name[:1].upper()}{name[1:]} ({'simulated' if self.manifest.simulated else 'real'} cells)"

    @property
    def made(self) -> str:
        """Recipe and date, for instance ``unet-small of 21 November 2026``."""
        return f"{self.manifest.recipe} of {datetime.fromisoformat(self.manifest.created):%-d %B %Y}"

    @property
    def dataset(self) -> Dataset | None:
        """The named data set that it was trained on; None for a file of somebody's own."""
        return next((dataset for dataset in DATASETS if dataset.name == self.manifest.dataset), None)

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
    """Models by the name of their folder, and a sentence for each folder that cannot be read."""

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


def read_library(place: Path) -> Library:
    """Every folder in ``place`` that has a model description; those without weights or preview are listed too."""
    models, problems = {}, []
    for config in sorted(place.glob(f"*/{checkpoint.CONFIG}")):
        folder = config.parent
        try:
            models[folder.name] = Model(folder, read_manifest(folder), version_of(folder))
        except PrimeflowError as error:
            problems.append(str(error))
    return Library(models, tuple(problems))
