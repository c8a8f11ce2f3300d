"""Trains a recipe on a data file. The model folder describes the training before it starts."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, Novelty, Vocabulary, novelty
from primeflow_core.data.split_file import LEFT_OUT, TEST, TRAIN, VAL
from primeflow_core.data.splits import Split, read_split
from primeflow_core.errors import DataError, SettingError
from primeflow_core.models import checkpoint
from primeflow_core.models.checkpoint import Manifest
from primeflow_core.models.flow.objective import FlowConfig
from primeflow_core.models.kinds.registry import kind_of
from primeflow_core.models.predictor import Predictor
from primeflow_core.models.rows import FLOW
from primeflow_core.models.sampling_plan import DIRECT, EXPONENTIAL, SamplingPlan
from primeflow_core.runtime.provenance import now, versions
from primeflow_core.training.batches import CellSource, Partners
from primeflow_core.training.recipes.recipe import Recipe
from primeflow_core.training.recipes.registry import present_name
from primeflow_core.training.saved_step import check_steps
from primeflow_core.training.trainer import Trainer, telling_what_stands
from primeflow_core.wording import counted

log = logging.getLogger(__name__)
HELD = (VAL, TEST)

# What may change between the start of a training and its resumption without making it another training; ``steps`` only
# where the learning rate does not fall towards them.
EXTENDABLE = ("steps", "patience", "save_every", "log_every")
SAME = (
    "recipe", "settings", "genes", "data_sha256", "layout", "reading", "trained_on", "validated_on", "tested_on", "seed"
)  # fmt: skip
WORDS = {
    "data_sha256": "data file", "layout": "way of reading the data", "reading": "way of reading the data",
    "trained_on": "split", "validated_on": "split", "tested_on": "split",
}  # fmt: skip


MOST_CHANGED = 3


@dataclass(frozen=True)
class Source:
    """The data a model learns from and how they are called. ``split_made``: how the split was made, empty where a
    file says it."""

    cells: Cells
    split: Split
    dataset: str
    simulated: bool
    split_made: str = ""


def prepare(
    source: Source, recipe: Recipe, folder: Path, *, seed: int, device: str, resume: bool, command: Sequence[str]
) -> Trainer:
    """Describe the run in ``folder`` (config.json, split.csv.gz) and return its trainer, ready for ``train``.

    Raises SettingError when ``folder`` holds something and ``resume`` is not set, or holds another training, or a
    longer one; DataError when no training cell is left.
    """
    source, manifest, predictor = _described(source, recipe, folder, seed, command)
    settled = _settled(folder, manifest, source, resume)
    torch_device = _device(device)
    predictor = predictor.to(torch_device)
    everything, known = source.split.indices(source.cells, TRAIN), _known(source, manifest)
    partners = Partners(source.cells, everything) if predictor.pairs_with_controls else None
    if partners is not None:
        everything, known = partners.among(everything), partners.among(known)
    train = CellSource(source.cells, everything, manifest.vocabulary, torch_device, partners)
    validation = CellSource(source.cells, known, manifest.vocabulary, torch_device, partners) if len(known) else None
    trainer = Trainer(predictor, train, validation, recipe.training, seed)
    check_steps(folder, trainer)
    # Written last, when nothing can fail any more: a description that exists blocks the next attempt.
    with telling_what_stands(folder):
        folder.mkdir(parents=True, exist_ok=True)
        checkpoint.write_manifest(folder, settled)
        source.split.write(folder / checkpoint.SPLIT)
    return trainer


def _described(
    source: Source, recipe: Recipe, folder: Path, seed: int, command: Sequence[str]
) -> tuple[Source, Manifest, Predictor]:
    """The training cells, their description, and the model with fresh weights."""
    manifest = _describe(source, recipe, folder, seed, command)
    predictor = checkpoint.build(manifest, seed)
    alone = _without_control(source) if predictor.pairs_with_controls else ()
    if not alone:
        return source, manifest, predictor
    source = _leaving_out(source, recipe, alone)
    manifest = _describe(source, recipe, folder, seed, command, alone)
    return source, manifest, checkpoint.build(manifest, seed)


def _without_control(source: Source) -> tuple[Condition, ...]:
    trained_on = set(_conditions(source, TRAIN))
    return tuple(c for c in _conditions(source, TRAIN) if c.control() not in trained_on)


def _leaving_out(source: Source, recipe: Recipe, alone: Sequence[Condition]) -> Source:
    """The split without the training cells of ``alone``: a model of pairs has no controls for them."""
    kept = set(_conditions(source, TRAIN)) - set(alone)
    if all(condition.is_control for condition in kept):
        raise DataError(
            f"{recipe.name} learns from perturbed cells beside control cells of the same context, and the training "
            f"cells of {source.cells.source} hold no such pair. Check the control and the split, or use another recipe."
        )
    contexts = ", ".join(dict.fromkeys(condition.context for condition in alone))
    log.warning(
        "%s learns from pairs with a control cell, and training has none of %s: %s left out.",
        recipe.name, contexts, counted(len(alone), "condition"),
    )  # fmt: skip
    parts = source.split.part_of(source.cells)
    learnt = np.array([condition in kept for condition in source.cells.conditions])
    parts[(parts == TRAIN) & ~learnt[source.cells.condition_of]] = LEFT_OUT
    return replace(source, split=Split(source.cells.names, parts, source.split.source))


def _describe(
    source: Source,
    recipe: Recipe,
    folder: Path,
    seed: int,
    command: Sequence[str],
    left_out: Sequence[Condition] = (),
) -> Manifest:
    trained_on = _conditions(source, TRAIN)
    if all(condition.is_control for condition in trained_on):
        raise DataError(
            f"The split leaves no {'perturbed ' if trained_on else ''}training cell of {source.cells.source}. Check "
            "the names in the split file, and the control."
        )
    tested_on = _held_out(source, "test", trained_on)
    return Manifest(
        name=folder.resolve().name,
        created=now(),
        recipe=recipe.name,
        settings=recipe.settings(),
        genes=source.cells.genes,
        vocabulary=Vocabulary.from_conditions(trained_on),
        layout=source.cells.layout,
        trained_on=trained_on,
        validated_on=_held_out(source, "val", trained_on),
        tested_on=tested_on,
        dataset=source.dataset,
        data_sha256=source.cells.sha256,
        simulated=source.simulated,
        sampling=usual_sampling(recipe),
        seed=seed,
        first_view=_first_view(tested_on, trained_on),
        provenance={
            "versions": versions(),
            "command": list(command),
            "cells": len(source.cells),
            "reading": asdict(source.cells.reading.repair),
            "left_out": [condition.label for condition in left_out],
            "split": source.split_made or source.split.source,
            **_cells_held_out(source, trained_on),
        },
    )


def _cells_held_out(source: Source, trained_on: Sequence[Condition]) -> dict[str, Any]:
    """The conditions of training of which validation and test have other cells; empty where there are none."""
    seen = set(trained_on)
    found = {part: [c.to_json() for c in _conditions(source, part) if c in seen and not c.is_control] for part in HELD}
    return {checkpoint.CELLS_HELD_OUT: found} if any(found.values()) else {}


def usual_sampling(recipe: Recipe) -> SamplingPlan:
    """The sampling plan of the recipe until there is a student, or until zeros are chosen on validation cells."""
    flow = recipe.rows.get(FLOW)
    if not isinstance(flow, FlowConfig) or not flow.factors:
        kind = kind_of(recipe.rows)
        return SamplingPlan(zeros=kind.zeros).by(kind.sampler) if kind else SamplingPlan().by(DIRECT)
    return SamplingPlan(zeros="smallest").by(EXPONENTIAL)


def _conditions(source: Source, part: str) -> tuple[Condition, ...]:
    """Conditions of a part of the split, in the order in which the file names them first."""
    return source.split.conditions(source.cells, part)


def _held_out(source: Source, part: str, trained_on: Sequence[Condition]) -> tuple[Condition, ...]:
    seen = set(trained_on)
    return tuple(c for c in _conditions(source, part) if c not in seen and not c.is_control)


def _first_view(tested_on: Sequence[Condition], trained_on: Sequence[Condition]) -> Condition | None:
    """The first held-out combination whose parts were all seen alone, else the first held-out condition."""
    fair = [c for c in tested_on if novelty(c, trained_on) is Novelty.PARTS_SEEN]
    return next(iter((*fair, *tested_on)), None)


def _known(source: Source, manifest: Manifest) -> np.ndarray:
    """The validation cells whose condition the vocabulary has. A part that was not in training has no input."""
    index = source.split.indices(source.cells, "val")
    can_be_asked = np.array([manifest.vocabulary.knows(c) for c in source.cells.conditions])
    return index[can_be_asked[source.cells.condition_of[index]]]


def _device(name: str) -> torch.device:
    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
    if chosen.startswith("cuda") and not torch.cuda.is_available():
        raise SettingError("There is no CUDA device here. Use --device cpu.")
    try:
        return torch.device(chosen)
    except RuntimeError as error:
        raise SettingError(f"{name!r} is not a device. Use auto, cpu or cuda.") from error


def _settled(folder: Path, manifest: Manifest, source: Source, resume: bool) -> Manifest:
    """The description to write; when resuming the one that is there, once compared with ``manifest``."""
    if folder.exists() and not folder.is_dir():
        raise SettingError(f"{folder} is a file; --out names a folder for the model.")
    stands = (folder / checkpoint.CONFIG).exists()
    if stands and not resume:
        raise SettingError(f"{folder} already holds a model. Pass --resume to resume it, or choose another folder.")
    if stands:
        before = checkpoint.read_manifest(folder)
        _check_same(folder, before, manifest, source)
        return replace(before, settings=manifest.settings)
    if folder.is_dir() and not resume and any(folder.iterdir()):
        raise SettingError(f"{folder} is not empty. Choose another folder for the model.")
    return manifest


def _check_same(folder: Path, before: Manifest, asked: Manifest, source: Source) -> None:
    was, is_now = _comparable(before), _comparable(asked)
    other = [WORDS.get(name, name) for name in SAME if was[name] != is_now[name]]
    other += [] if _same_split(folder / checkpoint.SPLIT, source) else ["split"]
    if other == ["settings"]:
        raise SettingError(f"{folder} {_other_settings(was['settings'], is_now['settings'])}")
    if other:
        raise SettingError(
            f"{folder} was trained with another {other[0]}. Resume with the command it was started with, or choose "
            "another folder."
        )


def _other_settings(was: Mapping[str, Any], is_now: Mapping[str, Any]) -> str:
    """What differs between two trainings, as the end of a sentence."""
    before, after = ({f"{row}.{name}": value for row, names in rows.items() for name, value in names.items()}
                     for rows in (was, is_now))  # fmt: skip
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if changed == ["training.steps"]:
        steps, asked = before[changed[0]], after[changed[0]]
        return (
            f"is a training of {steps:,} steps, whose learning rate falls towards the last of them: {asked:,} steps "
            f"are another training. Resume with --steps {steps}, or choose another folder."
        )
    told = ", ".join(f"{name} {before.get(name)}, not {after.get(name)}" for name in changed[:MOST_CHANGED])
    return (
        f"was trained with other settings ({told}{' …' if len(changed) > MOST_CHANGED else ''}). Resume with the "
        "command it was started with, or choose another folder."
    )


def _same_split(path: Path, source: Source) -> bool:
    """Whether each cell is in the same part as before. A training that was killed before it stored the parts had not
    started."""
    if not path.is_file():
        return True
    before = read_split(path, source.cells, unlisted="leave-out")
    return bool(np.array_equal(before.part_of(source.cells), source.split.part_of(source.cells)))


def _comparable(manifest: Manifest) -> dict[str, Any]:
    plain = json.loads(json.dumps(manifest.to_json()))
    plain["recipe"] = present_name(manifest.recipe)
    training = plain["settings"]["training"]
    kept = {"steps"} if training.get("decay") == "cosine" else set()
    for name in set(EXTENDABLE) - kept:
        training.pop(name, None)
    # The total follows from the file, which is compared.
    repair = manifest.reading.repair
    plain["reading"] = asdict(replace(repair, total=None, normalise=bool(repair.normalise)))
    return plain
