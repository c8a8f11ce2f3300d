"""The command benchmark: models times seeds, trained, predicted and scored on one split, as one table."""

import argparse
import hashlib
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from primeflow_core.commands.arguments.benchmark import EVERY
from primeflow_core.commands.benchmark_progress import TrainingsLine
from primeflow_core.commands.reading import DataFile, chosen_reading, data_file, read_given
from primeflow_core.commands.terminal import as_typed, note, say
from primeflow_core.errors import SettingError
from primeflow_core.runtime.atomic_files import check_can_write
from primeflow_core.runtime.folder_lock import alone_in
from primeflow_core.runtime.provenance import now, versions
from primeflow_core.wording import counted

if TYPE_CHECKING:
    from primeflow_core.benchmark.about import About
    from primeflow_core.benchmark.grid import Grid
    from primeflow_core.benchmark.store import BenchmarkStore
    from primeflow_core.training.recipes.recipe import Recipe
    from primeflow_core.training.run import Source

MOST_SEEDS = 100


def benchmark_command(given: argparse.Namespace) -> None:
    """Finished entries are kept: if it is killed, the same command resumes."""
    from primeflow_core.benchmark.store import BenchmarkStore
    from primeflow_core.training.recipes.registry import RECIPES

    if given.list:
        for recipe in RECIPES:
            say(recipe.name)
        return
    _check(given)
    file = data_file(given.data)
    store = BenchmarkStore(given.out, _grid(given, file))
    with alone_in(given.out):
        store.clear_beginnings()
        failed = _run(given, file, store)
        _show(given, store, file, failed)
    if failed:
        raise SettingError(
            f"{len(failed)} of {counted(len(store.grid.entries), 'training')} failed, and the table is without them. "
            "Fix what is named above, then run the same command again to resume."
        )


def _check(given: argparse.Namespace) -> None:
    if given.data is None or given.split is None or given.out is None:
        raise SettingError("benchmark needs a data file, --split and --out, or --list.")
    if not 1 <= given.seeds <= MOST_SEEDS:
        raise SettingError(f"--seeds is {given.seeds}; it must be 1 to {MOST_SEEDS}.")
    if given.workers is not None and given.workers < 1:
        raise SettingError(f"--workers is {given.workers}; it must be 1 or more.")
    if given.out.is_file():
        raise SettingError(f"--out {given.out} is a file; name a folder.")
    check_can_write(given.out / "benchmark.csv")


def _grid(given: argparse.Namespace, file: DataFile) -> "Grid":
    from primeflow_core.benchmark.grid import Grid
    from primeflow_core.data.h5ad.writing import sha256_of

    try:
        weights = tuple(float(text) for text in given.guidance.split(","))
    except ValueError as error:
        raise SettingError(f"--guidance {given.guidance!r} must be numbers joined by commas, such as 1,3,5.") from error
    seeds = tuple(range(given.first_seed, given.first_seed + given.seeds))
    split = hashlib.sha256(given.split.read_bytes()).hexdigest()
    unlisted = {} if given.unlisted is None else {"unlisted": given.unlisted}
    said = {**chosen_reading(file, given, given.split), **unlisted}
    return Grid(_recipes(given), seeds, weights, given.cells, sha256_of(file.path), split, given.part, said)


def _recipes(given: argparse.Namespace) -> "tuple[Recipe, ...]":
    from primeflow_core.training.recipes.registry import SMALL_RECIPES, changed, recipe_given

    if given.recipes == EVERY:
        chosen = SMALL_RECIPES
    else:
        chosen = tuple(recipe_given(name.strip()) for name in given.recipes.split(",") if name.strip())
    return tuple(changed(recipe, given.set) for recipe in chosen)


def read_source(given: argparse.Namespace) -> "Source":
    """The data of a benchmark, in whatever process works on it."""
    from primeflow_core.data.splits import read_split
    from primeflow_core.training.run import Source

    file = data_file(given.data)
    cells = read_given(file, given, given.split)
    split = read_split(given.split, cells, unlisted=given.unlisted)
    return Source(cells, split, file.name, file.simulated)


def _run(given: argparse.Namespace, file: DataFile, store: "BenchmarkStore") -> dict[str, str]:
    """What failed, by name, and why."""
    from primeflow_core.benchmark.run import run_entries
    from primeflow_core.benchmark.scored_entry import check_scorable

    total, left = len(store.grid.entries), len(store.missing)
    note(f"{file.name}: {total} trainings, {total - left} of them finished.")
    failed: dict[str, str] = {}
    if not left:
        return failed
    check_scorable(read_source(given), given.part)
    line = TrainingsLine(store, given.workers or 1)
    ends = run_entries(store, partial(read_source, given), as_typed(), given.workers, line.running)
    with closing(line), closing(ends):
        for ended in ends:
            if ended.failed:
                failed[ended.entry.name] = ended.failed
            line.ended(ended)
    for name, why in failed.items():
        note(f"{name} failed: {why}")
    return failed


def _show(given: argparse.Namespace, store: "BenchmarkStore", file: DataFile, failed: Mapping[str, str]) -> None:
    from primeflow_core.benchmark.outcome import outcome

    found = outcome(_about(given, store, file, failed), [store], read_given(file, given, given.split))
    found.write(store.folder)
    say(found.text)
    for name, conditions in store.refused().items():
        note(f"{name} cannot predict {len(conditions)}: {', '.join(label for label, _ in conditions[:5])}")
    say(f"{store.folder}: benchmark.csv, .md and .html, conditions.parquet, cells.parquet.")


def _about(given: argparse.Namespace, store: "BenchmarkStore", file: DataFile, failed: Mapping[str, str]) -> "About":
    from primeflow_core.benchmark.about import About

    grid = store.grid
    return About(
        title=given.title or f"Models on {file.name}",
        data=file.name,
        simulated=file.simulated,
        split=given.held_out or f"Held out by {given.split.name}",
        command=" ".join(as_typed()),
        cells=grid.cells,
        seeds=grid.seeds,
        part=grid.part,
        data_sha256=grid.data_sha256,
        split_sha256=(grid.split_sha256,),
        recipes={recipe.name: recipe.summary for recipe in grid.recipes},
        versions=versions(),
        made=now(),
        failed=dict(failed),
    )
