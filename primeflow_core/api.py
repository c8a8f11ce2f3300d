"""PRiMeFlow from Python: from cells of one's own to ranked candidates, in AnnData and DataFrames.

    import primeflow_core.api as pf

    data = pf.read(adata)                     # or a path, or the name of a data set
    parts = pf.split(data, task="combo")
    model = pf.train(data, parts, out="runs/screen", minutes=20)
    predicted = model.generate("KLF1+MAP2K6", covariates={"cell_type": "k562"})
    pf.evaluate(predicted, data, split=parts).scores
    model.screen("all-pairs", goal="effect").table

Every function reads, refuses and computes as the command of the same name does: with the same inputs and seeds the
results are equal. An option ``--name-of-it`` is the argument ``name_of_it``. Inputs are never changed, nothing is
printed, and no state is kept between calls. What a command refuses raises a PrimeflowError; what it says beside its
result is a PrimeflowWarning. ``progress=False`` shows no bar.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeAlias

import pandas as pd

from primeflow_core.data.formats.local_file import noted_table
from primeflow_core.data.h5ad.wishes import Wishes
from primeflow_core.data.reading_request import ReadingRequest
from primeflow_core.errors import SettingError
from primeflow_core.evaluation.defaults import PCS, RESAMPLES, TOP_GENES
from primeflow_core.notebook.dataset import CellData, HeldFile, Report, examined_file, held_file, read_dataset
from primeflow_core.notebook.model import TrainedModel
from primeflow_core.notebook.progress import progress_bar, unheard, warn
from primeflow_core.notebook.temporary_files import SplitParts, recorded, split_file_in

if TYPE_CHECKING:
    from anndata import AnnData

    from primeflow_core.prediction.evaluation import Evaluation
    from primeflow_core.training.recipes.recipe import Recipe
    from primeflow_core.training.run import Source
    from primeflow_core.training.trainer import LogLine

Data: TypeAlias = "str | Path | AnnData | CellData"
"""A path, the name of a data set, an AnnData in memory, or what ``read`` gave."""


def _request(
    condition: str | None,
    covariates: str | Iterable[str] | None,
    control: str | Iterable[str] | None,
    separator: str | None,
    dose: str | None,
    kind: str | None,
    merge_guides: bool | None,
    layer: str | None,
    raw: bool,
    normalise: bool | None,
    modality: str | None,
    metadata: str | Path | None,
) -> ReadingRequest:
    columns = None if covariates is None else _several(covariates)
    labels = control if control is None or isinstance(control, str) else tuple(control)
    if layer is not None and raw:
        raise SettingError("Give layer or raw, not both.")
    wishes = Wishes(condition, columns, labels, separator, dose, kind, merge_guides)
    table = None if metadata is None else noted_table(Path(metadata))
    return ReadingRequest(wishes, layer, raw, normalise, modality, table)


def _several(given: str | Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def check(
    data: Data,
    *,
    condition: str | None = None,
    covariates: str | Iterable[str] | None = None,
    control: str | Iterable[str] | None = None,
    separator: str | None = None,
    dose: str | None = None,
    kind: str | None = None,
    merge_guides: bool | None = None,
    layer: str | None = None,
    raw: bool = False,
    normalise: bool | None = None,
    modality: str | None = None,
    metadata: str | Path | None = None,
) -> Report:
    """Describe data, and say what must be changed before they can be used. What is not given is found.

    Raises DataError only for what is not a data file at all: problems are in the report.
    """
    request = _request(
        condition, covariates, control, separator, dose, kind, merge_guides, layer, raw, normalise, modality, metadata
    )
    if isinstance(data, CellData):
        _check_reads_nothing(request)
        return data.report
    return examined_file(held_file(data), request)


def read(
    data: "str | Path | AnnData",
    *,
    condition: str | None = None,
    covariates: str | Iterable[str] | None = None,
    control: str | Iterable[str] | None = None,
    separator: str | None = None,
    dose: str | None = None,
    kind: str | None = None,
    merge_guides: bool | None = None,
    layer: str | None = None,
    raw: bool = False,
    normalise: bool | None = None,
    modality: str | None = None,
    metadata: str | Path | None = None,
) -> CellData:
    """Read cells once; how they are read is part of the data set that it returns. What is not given is found.

    Raises DataError for the first problem that must be mended, as ``check`` lists them.
    """
    request = _request(
        condition, covariates, control, separator, dose, kind, merge_guides, layer, raw, normalise, modality, metadata
    )
    return read_dataset(held_file(data), request)


def _check_reads_nothing(request: ReadingRequest) -> None:
    if request != ReadingRequest():
        raise SettingError("How these data are read was said to read(), and is not said again.")


def _dataset(data: Data, split: Path | None = None) -> CellData:
    """As it was read, as the record beside ``split`` says, or as is found."""
    return data if isinstance(data, CellData) else read_dataset(held_file(data), ReadingRequest(), split)


def split(
    data: Data,
    task: str = "combo",
    *,
    seed: int = 42,
    fraction: float | None = None,
    hold_out: str | Iterable[str] = (),
    covariates: Mapping[str, str] | None = None,
    context: str | None = None,
    out: str | Path | None = None,
) -> pd.Series:
    """The part of each cell (train, val, test or left-out), by the names of the cells, as a column of obs.

    ``attrs["held_out"]`` lists the conditions that training does not see. ``out``: a .csv or .csv.gz to write too,
    with the record of how the data are read beside it. Raises DataError and SettingError.
    """
    from primeflow_core.data.split_record import SplitRecord
    from primeflow_core.data.split_task import SplitTask
    from primeflow_core.data.splits import held_out

    found = _dataset(data)
    asked = SplitTask(task, seed, fraction, _several(hold_out), covariates or {}, context)
    parts = asked.split(found.cells, found.name)
    if out is not None:
        path, command = Path(out), recorded("split", task=task, seed=seed)
        if path.suffix not in (".csv", ".gz"):
            raise SettingError(f"out is {out}; it must end in .csv or .csv.gz.")
        SplitRecord(found.name, found.sha256, found.reading, command).write_with(parts, path)
    series = pd.Series(parts.parts, index=pd.Index(parts.names, name="cell"), name="split")
    series.attrs["held_out"] = [
        {"perturbation": one.condition.label, "context": one.condition.context, "part": one.part, "cells": one.cells}
        for one in held_out(found.cells, parts)
    ]
    return series


@contextmanager
def _split_path(given: SplitParts | None, doing: str) -> Iterator[Path]:
    if given is None:
        raise SettingError(f"{doing} needs a split, which split() makes.")
    with TemporaryDirectory(prefix="primeflow-") as folder:
        yield split_file_in(Path(folder), given)


def train(
    data: Data,
    split: SplitParts | None = None,
    *,
    out: str | Path,
    recipe: "str | Recipe" = "unet-tiny",
    minutes: float = math.inf,
    steps: int | None = None,
    settings: Mapping[str, object] | None = None,
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
    unlisted: str | None = None,
    progress: bool = True,
) -> TrainedModel:
    """Train a model into the folder ``out``. ``split``: what ``split`` gives, a table or a file; None chooses what to
    hold out and warns of it.

    ``settings``: numbers of the recipe to change, such as ``{"batch_size": 32}``. Raises DataError and SettingError.
    """
    from primeflow_core.training.run import prepare
    from primeflow_core.training.trainer import train as trained

    if seed < 0 or not minutes > 0:
        raise SettingError("seed must be 0 or more and minutes above 0.")
    chosen = _recipe(recipe, {**(settings or {}), **({} if steps is None else {"steps": steps})})
    if split is None:
        found = _dataset(data)
        source = _source_of(found, Path(out), seed, resume)
    else:
        with _split_path(split, "train") as path:
            found = _dataset(data, path)
            source = _source(found, path, unlisted)
    command = recorded("train", recipe=chosen.name, steps=steps, minutes=minutes, settings=settings, seed=seed)
    folder = Path(out)
    trainer = prepare(source, chosen, folder, seed=seed, device=device, resume=resume, command=command)
    with progress_bar("training", trainer.config.steps, shown=progress) as done:

        def on_log(line: "LogLine") -> None:
            done(line.step)

        trained(trainer, folder, minutes=minutes, on_log=on_log)
    return TrainedModel(folder, data=found)


def _source(found: CellData, split: Path, unlisted: str | None) -> "Source":
    from primeflow_core.data.splits import read_split
    from primeflow_core.training.run import Source

    return Source(found.cells, read_split(split, found.cells, unlisted=unlisted), found.name, found.simulated)


def _source_of(found: CellData, folder: Path, seed: int, resume: bool) -> "Source":
    """With a split that suits the cells."""
    from primeflow_core.training.chosen_split import chosen_split
    from primeflow_core.training.run import Source

    chosen = chosen_split(found.cells, folder, seed, resume=resume)
    warn(chosen.sentence)
    return Source(found.cells, chosen.split, found.name, found.simulated, chosen.sentence)


def _recipe(recipe: "str | Recipe", settings: Mapping[str, object]) -> "Recipe":
    from primeflow_core.training.recipes.registry import adjusted, recipe_given

    named = recipe_given(recipe) if isinstance(recipe, str) else recipe
    return adjusted(named, _assignments(settings))


def _assignments(settings: Mapping[str, object]) -> list[str]:
    """As --set takes them."""
    return [f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in settings.items()]


def load(folder: str | Path, *, device: str = "cpu") -> TrainedModel:
    """A model that was trained or that ships. Raises CheckpointError for what is no model."""
    model = TrainedModel(Path(folder), device)
    _ = model.manifest
    return model


def evaluate(
    prediction: "str | Path | AnnData",
    truth: Data,
    *,
    split: SplitParts | None = None,
    part: str = "test",
    baselines: bool = False,
    pcs: int = PCS,
    top_genes: int = TOP_GENES,
    resamples: int = RESAMPLES,
    seed: int = 0,
    condition: str | None = None,
    covariates: str | Iterable[str] | None = None,
    control: str | Iterable[str] | None = None,
    separator: str | None = None,
    dose: str | None = None,
    merge_guides: bool | None = None,
    layer: str | None = None,
    raw: bool = False,
    normalise: bool | None = None,
    modality: str | None = None,
    metadata: str | Path | None = None,
) -> "Evaluation":
    """Score predicted cells against measured ones: ``scores`` and ``bounds`` are tables, a row for each condition.

    ``split`` scores against the cells of one ``part`` only; ``baselines`` needs it. Raises DataError, SettingError.
    """
    from primeflow_core.evaluation.evaluation_input import EvaluationRequest, evaluation_input
    from primeflow_core.prediction.evaluation import evaluation

    request = _request(
        condition, covariates, control, separator, dose, None, merge_guides, layer, raw, normalise, modality, metadata
    )
    if isinstance(truth, CellData):
        _check_reads_nothing(request)
        request = truth.request
    predicted, measured = held_file(prediction, "prediction.h5ad"), _held(truth)
    with TemporaryDirectory(prefix="primeflow-") as folder:
        path = None if split is None else split_file_in(Path(folder), split)
        files = EvaluationRequest(predicted.file.path, measured.file, request, path, part)
        asked = evaluation_input(files, unheard, warn)
        return evaluation(asked, pcs=pcs, top_genes=top_genes, resamples=resamples, seed=seed, baselines=baselines)


def _held(data: Data) -> HeldFile:
    return data.held if isinstance(data, CellData) else held_file(data)


generate = TrainedModel.generate
screen = TrainedModel.screen


def benchmark(
    data: Data,
    split: SplitParts,
    *,
    out: str | Path,
    recipes: Iterable[str] | None = None,
    seeds: int = 5,
    first_seed: int = 0,
    guidance: Iterable[float] = (1.0,),
    cells: int = 1000,
    part: str = "test",
    settings: Mapping[str, object] | None = None,
    unlisted: str | None = None,
    workers: int | None = None,
    title: str = "",
    held_out: str = "",
    progress: bool = True,
) -> pd.DataFrame:
    """Train recipes with several seeds on one split, and compare them: the leaderboard, best first.

    ``recipes``: names or recipe files, None for every small one. Finished trainings stay in the folder ``out``, where
    the same call resumes. ``attrs["notes"]`` is what readers must know. Raises SettingError where a training failed.
    """
    from primeflow_core.benchmark.leaderboard import leaderboard
    from primeflow_core.benchmark.request import BenchmarkRequest, check_whole, run, tables
    from primeflow_core.runtime.folder_lock import alone_in
    from primeflow_core.training.source_file import SourceFile

    held = _held(data)
    reading = data.request if isinstance(data, CellData) else ReadingRequest()
    chosen = _recipes(recipes, settings or {})
    with _split_path(split, "benchmark") as path:
        request = BenchmarkRequest(
            SourceFile(held.file, path, reading, unlisted), chosen, Path(out), seeds, first_seed, tuple(guidance),
            cells, part, workers, title, held_out, recorded("benchmark", recipes=[one.name for one in chosen]),
        )  # fmt: skip
        store = request.store(warn)
        with alone_in(request.out), progress_bar("trainings", len(store.grid.entries), shown=progress) as done:
            store.clear_beginnings()
            done(len(store.grid.entries) - len(store.missing))
            failed = run(
                request,
                store,
                on_running=lambda entries: None,
                on_end=lambda ended: done(len(store.grid.entries) - len(store.missing)),
                report=warn,
            )
            found = tables(request, store, failed, unheard)
    for name, why in failed.items():
        warn(f"{name} failed: {why}")
    check_whole(store, failed)
    table = leaderboard(found.rows)
    table.attrs["notes"] = found.notes
    return table


def _recipes(names: Iterable[str] | None, settings: Mapping[str, object]) -> "tuple[Recipe, ...]":
    from primeflow_core.training.recipes.registry import SMALL_RECIPES, changed, recipe_given

    chosen = SMALL_RECIPES if names is None else tuple(recipe_given(name) for name in names)
    return tuple(changed(recipe, _assignments(settings)) for recipe in chosen)
