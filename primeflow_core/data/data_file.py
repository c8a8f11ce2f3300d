"""The file of a data set: a path, or the name of a data set in the cache."""

from dataclasses import dataclass
from pathlib import Path

from primeflow_core.data import datasets
from primeflow_core.data.formats.local_file import as_h5ad
from primeflow_core.data.h5ad.writing import is_simulated
from primeflow_core.data.repair import Repair
from primeflow_core.errors import DataError


@dataclass(frozen=True)
class DataFile:
    """A data file and, where it is one, the named data set it holds."""

    path: Path
    dataset: datasets.Dataset | None

    @property
    def name(self) -> str:
        return self.dataset.name if self.dataset else self.path.name

    @property
    def simulated(self) -> bool:
        return self.simulated_as(Repair())

    def simulated_as(self, repair: Repair) -> bool:
        """Whether the cells that are read so are said to be simulated by the file."""
        local = as_h5ad(self.path, modality=repair.modality, metadata=repair.metadata)
        with local.named():
            return is_simulated(local.h5ad)


def data_file(text: str) -> DataFile:
    """A path, or the name of a data set in the cache. Raises DataError when it is neither."""
    path = Path(text)
    if path.is_file():
        return DataFile(path, None)
    if text in {dataset.name for dataset in datasets.DATASETS}:
        local = datasets.local_path(text)
        if local is None:
            raise DataError(f"{text} is not on this machine yet. Download it with: primeflow fetch {text}")
        return DataFile(local, datasets.dataset_named(text))
    if path.exists():
        return DataFile(path, None)
    raise DataError(f"{text} does not exist. Give the path of a data file or a name that `primeflow datasets` lists.")
