"""Finds the file that a model was trained on again, by its content, and reads it as the training did."""

from pathlib import Path

from primeflow_core.data import datasets, known_files
from primeflow_core.data.cells import Cells
from primeflow_core.data.content_hash import content_sha256
from primeflow_core.data.h5ad.reading import read_as
from primeflow_core.errors import DataError
from primeflow_core.models.checkpoint import Manifest


def training_cells(model: Path, manifest: Manifest, named: Path | None) -> Cells:
    """The cells that a model was trained on, read as its training read them, from ``named`` or from where they are.

    Raises DataError where they are nowhere, or ``named`` is another file.
    """
    path = found_training_file(model, manifest) if named is None else named
    if path is None:
        raise DataError(_not_found(model, manifest))
    if content_sha256(path) != manifest.data_sha256:
        raise DataError(f"{path.name} is not the file that {manifest.name} was trained on ({manifest.dataset}).")
    return read_as(path, manifest.reading)


def found_training_file(model: Path, manifest: Manifest) -> Path | None:
    """The file with the content that the model was trained on: where it was, in the cache, or beside the model."""
    if manifest.dataset in {dataset.name for dataset in datasets.DATASETS}:
        dataset = datasets.dataset_named(manifest.dataset)
        return datasets.fetch(dataset.name) if dataset.simulated else datasets.local_path(dataset.name)
    return known_files.find(manifest.data_sha256, manifest.dataset, (model, model.parent, Path()))


def _not_found(model: Path, manifest: Manifest) -> str:
    if manifest.dataset in {dataset.name for dataset in datasets.DATASETS}:
        return f"{manifest.dataset} is not on this machine yet. Download it with: primeflow fetch {manifest.dataset}"
    was = known_files.where_it_was(manifest.data_sha256)
    return (
        f"The file that {manifest.name} was trained on ({manifest.dataset}) was looked for by its content"
        f"{f' at {was},' if was else ''} in the cache, in {model} and beside it, and is not there. Name it with --data."
    )
