"""Commands about data: datasets, fetch, simulate, check, split."""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from primeflow_core.commands.reading import covariate_values, read_given, reading_request
from primeflow_core.commands.split_words import typed_split
from primeflow_core.commands.terminal import ProgressLine, as_typed, note, say
from primeflow_core.data import datasets
from primeflow_core.data.data_file import data_file
from primeflow_core.data.design import Task, tasks_of
from primeflow_core.data.h5ad.inspection_text import inspection_lines
from primeflow_core.data.h5ad.issues import Severity
from primeflow_core.data.h5ad.reading import Examined, examine
from primeflow_core.data.reading_request import reading_choice
from primeflow_core.data.split_record import SplitRecord, place_of
from primeflow_core.errors import DataError, DownloadError, SettingError
from primeflow_core.runtime.atomic_files import check_can_write


def datasets_command(given: argparse.Namespace) -> None:
    rows = [_dataset_row(dataset) for dataset in datasets.DATASETS]
    if given.json:
        say(json.dumps(rows, indent=1))
        return
    for row in rows:
        say(f"{row['name']:22} {row['here']:9} {row['size']:>9}  {row['licence']}, task {row['task']}")
        say(f"{'':22} {row['description']}")
        say(f"{'':22} {row['citation']}")


def _dataset_row(dataset: datasets.Dataset) -> dict[str, str]:
    try:
        here = "here" if datasets.local_path(dataset.name) else "made here" if dataset.simulated else "to fetch"
    except DownloadError:
        here = "damaged"
    size = f"{dataset.size / 1e6:.1f} MB" if dataset.size else "size ?"
    return {
        "name": dataset.name,
        "here": here,
        "size": "" if dataset.simulated else size,
        "licence": dataset.licence,
        "task": dataset.task,
        "description": dataset.description,
        "citation": dataset.citation,
    }


def fetch_command(given: argparse.Namespace) -> None:
    bar: list[ProgressLine] = []

    def on_progress(done: int, total: int | None) -> None:
        if not bar:
            bar.append(ProgressLine(given.name, total or 0))
        bar[0].at(done)

    path = datasets.fetch(given.name, on_progress)
    for line in bar:
        line.close()
    say(str(path))


def check_command(given: argparse.Namespace) -> None:
    file = data_file(given.data)
    choice = reading_choice(file, reading_request(given), None, note)
    examined = examine(file.path, choice.wishes, choice.repair)
    found = examined.inspection
    if given.json:
        say(json.dumps(_plain(examined, given), indent=1, default=str))
    else:
        for line in inspection_lines(examined):
            say(line)
        if found.ready:
            _show_tasks(tasks_of(examined), given)
    errors = [problem for problem in found.problems if problem.severity is Severity.ERROR]
    if errors:
        raise DataError(f"{found.source}: {errors[0]}")


def _plain(examined: Examined, given: argparse.Namespace) -> dict[str, Any]:
    reading, found = examined.reading, examined.inspection
    allowed = [
        {**asdict(task), "command": typed_split(task, given) if task.possible else None}
        for task in (tasks_of(examined) if found.ready else ())
    ]
    return {**found.to_json(), "reading": None if reading is None else reading.to_json(), "tasks": allowed}


def _show_tasks(allowed: Sequence[Task], given: argparse.Namespace) -> None:
    """What can be held out, with the command for each."""
    say("  What can be held out:")
    for task in allowed:
        say(f"  {task.name:11} {task.text}" if task.possible else f"  {task.name:11} not here: {task.text}")
        if task.possible:
            say(f"  {'':11} {typed_split(task, given)}")


def split_command(given: argparse.Namespace) -> None:
    from primeflow_core.data.held_out_outlook import outlook
    from primeflow_core.data.split_task import SplitTask
    from primeflow_core.data.splits import held_out

    if given.out.suffix not in (".csv", ".gz"):
        raise SettingError(f"--out {given.out} must end in .csv or .csv.gz.")
    for place in (given.out, place_of(given.out)):
        check_can_write(place)
    file = data_file(given.data)
    cells = read_given(file, given)
    task = SplitTask(
        given.task, given.seed, given.fraction, tuple(given.hold_out), covariate_values(given.covariate), given.context
    )
    split = task.split(cells, given.data)
    SplitRecord(file.name, cells.sha256, cells.reading, as_typed()).write_with(split, given.out)
    counts = Counter(split.parts.tolist())
    say(f"{given.out}: " + ", ".join(f"{counts[part]:,} {part}" for part in ("train", "val", "test")))
    for sentence in outlook(cells, split).sentences:
        say(f"  {sentence}")
    for entry in held_out(cells, split):
        singles = f", {entry.singles}" if entry.singles else ""
        say(f"  {entry.part:5} {entry.condition.label}  {entry.condition.context}  {entry.cells} cells{singles}")


def simulate_command(given: argparse.Namespace) -> None:
    from dataclasses import replace

    from primeflow_core.data.h5ad.writing import write_anndata
    from primeflow_core.data.simulated_screen import SimulationConfig, simulate

    check_can_write(given.out)
    config = replace(SimulationConfig(), seed=given.seed)
    for name in ("cells", "genes"):
        if (value := getattr(given, name)) is not None:
            config = replace(config, **{name: value})
    adata = simulate(config)
    write_anndata(given.out, adata)
    say(f"{given.out}: {adata.n_obs:,} simulated cells, {adata.n_vars} genes (seed {config.seed}).")
