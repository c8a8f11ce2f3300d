"""The command benchmark: models times seeds, trained, predicted and scored on one split, as one table."""

import argparse
from contextlib import closing
from typing import TYPE_CHECKING

from primeflow_core.commands.arguments.benchmark import EVERY
from primeflow_core.commands.benchmark_progress import TrainingsLine
from primeflow_core.commands.reading import source_file
from primeflow_core.commands.terminal import as_typed, note, say
from primeflow_core.data.data_file import data_file
from primeflow_core.errors import SettingError
from primeflow_core.runtime.folder_lock import alone_in

if TYPE_CHECKING:
    from primeflow_core.benchmark.request import BenchmarkRequest
    from primeflow_core.benchmark.store import BenchmarkStore
    from primeflow_core.training.recipes.recipe import Recipe


def benchmark_command(given: argparse.Namespace) -> None:
    """Finished entries are kept: if it is killed, the same command resumes."""
    if given.list:
        from primeflow_core.training.recipes.registry import RECIPES

        for recipe in RECIPES:
            say(recipe.name)
        return
    from primeflow_core.benchmark.request import check_whole

    request = _request(given)
    store = request.store(note)
    with alone_in(request.out):
        store.clear_beginnings()
        failed = _run(request, store)
        _show(request, store, failed)
    check_whole(store, failed)


def _request(given: argparse.Namespace) -> "BenchmarkRequest":
    from primeflow_core.benchmark.request import BenchmarkRequest

    if given.data is None or given.split is None or given.out is None:
        raise SettingError("benchmark needs a data file, --split and --out, or --list.")
    return BenchmarkRequest(
        source_file(given, data_file(given.data)),
        _recipes(given),
        given.out,
        given.seeds,
        given.first_seed,
        _weights(given.guidance),
        given.cells,
        given.part,
        given.workers,
        given.title or "",
        given.held_out or "",
        as_typed(),
    )


def _weights(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(one) for one in text.split(","))
    except ValueError as error:
        raise SettingError(f"--guidance {text!r} must be numbers joined by commas, such as 1,3,5.") from error


def _recipes(given: argparse.Namespace) -> "tuple[Recipe, ...]":
    from primeflow_core.training.recipes.registry import SMALL_RECIPES, changed, recipe_given

    if given.recipes == EVERY:
        chosen = SMALL_RECIPES
    else:
        chosen = tuple(recipe_given(name.strip()) for name in given.recipes.split(",") if name.strip())
    return tuple(changed(recipe, given.set) for recipe in chosen)


def _run(request: "BenchmarkRequest", store: "BenchmarkStore") -> dict[str, str]:
    """What failed, by name, and why."""
    from primeflow_core.benchmark.request import run

    total, left = len(store.grid.entries), len(store.missing)
    note(f"{request.source.file.name}: {total} trainings, {total - left} of them finished.")
    if not left:
        return {}
    with closing(TrainingsLine(store, request.workers or 1)) as line:
        failed = run(request, store, line.running, line.ended, note)
    for name, why in failed.items():
        note(f"{name} failed: {why}")
    return failed


def _show(request: "BenchmarkRequest", store: "BenchmarkStore", failed: dict[str, str]) -> None:
    from primeflow_core.benchmark.request import tables

    say(tables(request, store, failed, note).text)
    for name, conditions in store.refused().items():
        note(f"{name} cannot predict {len(conditions)}: {', '.join(label for label, _ in conditions[:5])}")
    say(f"{store.folder}: benchmark.csv, .md and .html, conditions.parquet, cells.parquet.")
