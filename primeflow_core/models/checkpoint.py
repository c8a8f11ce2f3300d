"""A model folder: weights.safetensors and config.json, and student, split, metrics, card and preview.

Importing this module does not import torch, so that a page can describe a model before anything heavy loads.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from primeflow_core.data.conditions import Condition, Vocabulary
from primeflow_core.data.layout import Layout
from primeflow_core.data.reading import Reading
from primeflow_core.data.repair import Repair
from primeflow_core.errors import CheckpointError, PrimeflowError
from primeflow_core.models.sampling_plan import EXPONENTIAL, STUDENT, SamplingPlan
from primeflow_core.runtime.array_file import read_arrays
from primeflow_core.runtime.atomic_files import replaced, replaced_together, write_json
from primeflow_core.runtime.json_text import parse_json, read_text, shortened

if TYPE_CHECKING:
    import torch

    from primeflow_core.models.flow.primeflow import PRiMeFlow
    from primeflow_core.models.flow.student import Student
    from primeflow_core.models.predictor import Predictor

FORMAT = 1
CONFIG = "config.json"
WEIGHTS = "weights.safetensors"
STUDENT_WEIGHTS = "student.safetensors"
SPLIT = "split.csv.gz"
METRICS = "metrics.json"
CARD = "README.md"
PREVIEW = "preview.npz"
TEACHER = "teacher"
CELLS_HELD_OUT = "cells_held_out"
"""Key of the provenance."""


@dataclass(frozen=True)
class Manifest:
    """The content of config.json: everything about a model but its weights.

    ``settings`` holds the rows ``field``, ``flow`` and ``training`` of the recipe as numbers. ``held_out``
    are the conditions of validation and test, ``trained_on`` those of the training cells. ``dataset`` is a
    named data set or a file name, ``data_sha256`` its content. ``first_view`` is what the app opens on.
    """

    name: str
    created: str
    recipe: str
    settings: Mapping[str, Mapping[str, Any]]
    genes: tuple[str, ...]
    vocabulary: Vocabulary
    layout: Layout
    trained_on: tuple[Condition, ...]
    validated_on: tuple[Condition, ...]
    tested_on: tuple[Condition, ...]
    dataset: str
    data_sha256: str
    simulated: bool
    sampling: SamplingPlan
    seed: int
    first_view: Condition | None
    provenance: Mapping[str, Any]

    @property
    def reading(self) -> Reading:
        """How the training file was read."""
        stored = self.provenance.get("reading") or {}
        names = {field.name for field in fields(Repair)}
        repair = Repair(**{name: value for name, value in stored.items() if name in names and value is not None})
        return Reading(self.layout, repair)

    @property
    def held_out(self) -> tuple[Condition, ...]:
        return (*self.validated_on, *self.tested_on)

    @property
    def saw_combinations(self) -> bool:
        """Whether training has two perturbations in one cell."""
        return any(len(condition.perturbations) > 1 for condition in self.trained_on)

    def with_held_out_cells(self, part: str) -> tuple[Condition, ...]:
        """Conditions of training of which other cells are in ``part`` (val or test)."""
        stored = self.provenance.get(CELLS_HELD_OUT) or {}
        return tuple(Condition.from_json(entry) for entry in stored.get(part, ()))

    def to_json(self) -> dict[str, Any]:
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("trained_on", "validated_on", "tested_on"):
            plain[name] = [condition.to_json() for condition in plain[name]]
        plain["first_view"] = self.first_view.to_json() if self.first_view else None
        for name in ("vocabulary", "layout", "sampling"):
            plain[name] = asdict(plain[name])
        return {"format": FORMAT, **plain}

    @staticmethod
    def from_text(text: str) -> "Manifest":
        """Raises PrimeflowError, which says what is wrong, for anything but what ``to_json`` writes."""
        from primeflow_core.models.config_schema import ConfigFile
        from primeflow_core.runtime.file_schema import values

        plain = parse_json(text)
        _check_format(plain)
        found = ConfigFile.read(text)
        given = values(found)
        given.pop("format")
        for name in ("trained_on", "validated_on", "tested_on"):
            given[name] = tuple(entry.condition() for entry in given[name])
        given["first_view"] = None if found.first_view is None else found.first_view.condition()
        given["vocabulary"] = found.vocabulary.vocabulary()
        given["layout"], given["sampling"] = Layout(**values(found.layout)), SamplingPlan(**values(found.sampling))
        given["settings"], given["provenance"] = plain["settings"], plain["provenance"]
        return Manifest(**given)


def _check_format(plain: Any) -> None:
    """First, since a file of another format may differ in anything."""
    version = plain.get("format") if isinstance(plain, dict) else None
    if isinstance(plain, dict) and version != FORMAT:
        raise CheckpointError(f"it has format {shortened(version)} and this version of PRiMeFlow reads format {FORMAT}")


def write_manifest(folder: Path, manifest: Manifest) -> None:
    write_json(folder / CONFIG, manifest.to_json())


def read_manifest(folder: Path) -> Manifest:
    """Raises CheckpointError that names the folder and what is wrong with it."""
    path = folder / CONFIG
    if not path.is_file():
        raise CheckpointError(f"{folder} is no model: it has no {CONFIG}. Name a folder that `train` made.")
    try:
        return Manifest.from_text(read_text(path))
    except PrimeflowError as error:
        reason = str(error).rstrip(".")
        raise CheckpointError(
            f"{path} cannot be read as a model description: {reason}. Train or copy it again."
        ) from error


def of_model(manifest: Manifest) -> dict[str, Any]:
    """The origin of a prediction: the model that made it, and the data that the model learned from."""
    return {
        "kind": "predicted" + (", by a model of simulated data" if manifest.simulated else ""),
        "model": manifest.name,
        "model_created": manifest.created,
        "recipe": manifest.recipe,
        "data": manifest.dataset,
        "data_sha256": manifest.data_sha256,
        "training_seed": manifest.seed,
    }


def version_of(folder: Path) -> int:
    """Changes when the weights in a model folder do, or its student; 0 where there are none."""
    files = (folder / WEIGHTS, folder / STUDENT_WEIGHTS)
    return sum(file.stat().st_mtime_ns for file in files if file.is_file())


def write_weights(folder: Path, tensors: "Mapping[str, torch.Tensor]", notes: Mapping[str, str]) -> None:
    """Write contiguous tensors by name and ``notes`` (step, validation loss) into the file's header."""
    write_tensors(folder / WEIGHTS, tensors, notes)


def write_tensors(path: Path, tensors: "Mapping[str, torch.Tensor]", notes: Mapping[str, str]) -> None:
    """Write a safetensors file. Raises StorageError where the disk has no room."""
    from safetensors.torch import save

    # Packed in memory: the library's own writing has errors of its own kind, and they do not say the cause apart.
    packed = save({name: tensor.contiguous() for name, tensor in tensors.items()}, dict(notes))
    with replaced(path) as temporary:
        temporary.write_bytes(packed)


def read_weight_notes(folder: Path) -> dict[str, str]:
    """The notes written with the weights. Raises CheckpointError."""
    return _notes(folder / WEIGHTS)


def read_student_notes(folder: Path) -> dict[str, str]:
    """The notes written with the student; empty if there is none. Raises CheckpointError."""
    path = folder / STUDENT_WEIGHTS
    return _notes(path) if path.is_file() else {}


def _notes(path: Path) -> dict[str, str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as stored:
            return dict(stored.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} cannot be read as weights: {error}. Copy the model again.") from error


def write_student(
    folder: Path, predictor: "PRiMeFlow", student: "Student", notes: Mapping[str, str], manifest: Manifest
) -> None:
    """Store the student of ``predictor`` in half precision, with ``notes`` and the teacher's fingerprint.

    ``manifest``: the description of the model with this student. Both files change, or none does.
    """
    tensors = {name: tensor.half() for name, tensor in student.state_dict().items()}
    # The student first: a description must not name one that is not there, whenever the process is killed.
    with replaced_together(folder / STUDENT_WEIGHTS, folder / CONFIG) as (weights, described):
        write_json(described, manifest.to_json())
        write_tensors(weights, tensors, {**notes, TEACHER: fingerprint(predictor)})


def forget_student(folder: Path) -> None:
    """Remove a student whose teacher continues training, and sample with the solver from before that student."""
    if not (folder / STUDENT_WEIGHTS).is_file():
        return
    manifest = read_manifest(folder)
    if manifest.sampling.sampler == STUDENT:
        write_manifest(folder, replace(manifest, sampling=manifest.sampling.by(EXPONENTIAL)))
    (folder / STUDENT_WEIGHTS).unlink()


def fingerprint(predictor: "PRiMeFlow") -> str:
    """sha256 of the weights in half precision, the same whether they are stored in full or half precision."""
    digest = hashlib.sha256()
    for _, tensor in sorted(own_weights(predictor).items()):
        digest.update(tensor.half().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def own_weights(predictor: "Predictor") -> "dict[str, torch.Tensor]":
    """The weights by name, without those of a student, which are in a file of their own."""
    return {name: tensor for name, tensor in predictor.state_dict().items() if not name.startswith("student.")}


def load(folder: Path, device: str = "cpu", *, student: bool = True) -> "Predictor":
    """The model with its weights, and its student if wanted, in float32, ready to predict. Raises CheckpointError."""
    manifest = read_manifest(folder)
    if not (folder / WEIGHTS).is_file():
        raise CheckpointError(f"{folder} has no {WEIGHTS} yet: its training has not come to a first result. Resume it.")
    predictor = build(manifest)
    _fill(predictor, folder / WEIGHTS)
    if student and (folder / STUDENT_WEIGHTS).is_file():
        _attach_student(folder, predictor)
    return predictor.to(device).eval()


def _attach_student(folder: Path, predictor: "Predictor") -> None:
    from primeflow_core.models.flow.primeflow import PRiMeFlow
    from primeflow_core.models.flow.student import Student
    from primeflow_core.models.flow.unet import UNetField

    path = folder / STUDENT_WEIGHTS
    if not isinstance(predictor, PRiMeFlow) or not isinstance(predictor.field, UNetField):
        raise CheckpointError(f"{path} belongs to another kind of model. Delete it, or copy the model again.")
    student = Student(predictor.field.config, len(predictor.genes), predictor.vocabulary.size)
    _fill(student, path)
    if _notes(path).get(TEACHER) != fingerprint(predictor):
        raise CheckpointError(
            f"{path} was taught by other weights than {WEIGHTS} beside it. Run `primeflow distill` again, or delete it."
        )
    predictor.student = student


def _fill(module: "torch.nn.Module", path: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        module.load_state_dict({name: tensor.float() for name, tensor in load_file(path).items()})
    except (SafetensorError, RuntimeError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{path} does not fit its {CONFIG}: {reason} Train or copy it again.") from error


def build(manifest: Manifest, seed: int | None = None) -> "Predictor":
    """The model that the manifest describes, with fresh weights from ``seed``; draws of other threads do not matter."""
    from primeflow_core.models.architectures import built, rows_of
    from primeflow_core.models.torch_rng import drawing

    with drawing(seed):
        return built(manifest.genes, manifest.vocabulary, rows_of(manifest.settings))


def write_preview(folder: Path, predicted: Mapping[Condition, np.ndarray]) -> None:
    """Ship predicted cells (n, G) of some conditions, in half precision, for a first view without sampling."""
    arrays = {str(i): values.astype(np.float16) for i, values in enumerate(predicted.values())}
    listed = json.dumps([condition.to_json() for condition in predicted])
    with replaced(folder / PREVIEW) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, conditions=np.array(listed), **arrays)


def read_preview(folder: Path) -> dict[Condition, np.ndarray]:
    """Shipped predicted cells, (n, G) float32 a condition; empty when the model ships none.

    Raises CheckpointError for a file that is damaged or of another model.
    """
    path = folder / PREVIEW
    if not path.is_file():
        return {}
    genes = len(read_manifest(folder).genes)
    try:
        stored = read_arrays(path)
        conditions = [Condition.from_json(entry) for entry in parse_json(str(stored["conditions"]))]
        found = {condition: stored[str(i)] for i, condition in enumerate(conditions)}
    except (KeyError, TypeError, ValueError, AttributeError, PrimeflowError) as error:
        raise _damaged_preview(path, str(error)) from error
    for condition, values in found.items():
        if values.dtype.kind != "f" or values.ndim != 2 or values.shape[1] != genes:
            raise _damaged_preview(path, f"{condition.label} is {values.dtype} of shape {values.shape}")
        if not (len(values) and np.isfinite(values).all()):
            raise _damaged_preview(path, f"{condition.label} has no cells, or a value that is not a number")
    return {condition: values.astype(np.float32) for condition, values in found.items()}


def _damaged_preview(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(f"{path} is damaged: {reason.rstrip('.')}. Delete it, or copy the model again.")
