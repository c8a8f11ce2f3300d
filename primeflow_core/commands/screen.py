"""The command screen: rank every candidate by a goal, on this machine or on many, and say how far to trust it."""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from primeflow_core.commands.terminal import (
    ProgressLine,
    minutes_and_seconds,
    note,
    say,
)
from primeflow_core.errors import SettingError
from primeflow_core.models import checkpoint
from primeflow_core.runtime.atomic_files import check_can_write, write_with
from primeflow_core.runtime.dask_workers import check_address
from primeflow_core.wording import counted

if TYPE_CHECKING:
    from primeflow_core.screening.screen_run import ScreenRun
    from primeflow_core.screening.screen_spec import ScreenOrder
    from primeflow_core.screening.shards import Parts


def screen_command(given: argparse.Namespace) -> None:
    """Impossible requests are refused before anything heavy is imported or read."""
    _check(given)
    manifest = checkpoint.read_manifest(given.model)
    _check_places(given)
    _cap_workers(given)

    from primeflow_core.commands.ranking_shown import show
    from primeflow_core.commands.screen_options import screen_wishes
    from primeflow_core.screening.screen_question import asked_goal, question

    wishes = screen_wishes(given, manifest)
    asked = question(wishes, asked_goal(wishes), manifest, note)

    from primeflow_core.screening.screen_run import ScreenRun

    out = given.out.with_suffix(".parquet")
    run = ScreenRun(asked, out, given.changes, given.next, given.workers, given.scheduler)
    order, found = run.screen(partial(_progress, run), note)
    if given.out.suffix == ".csv":
        write_with(given.out, lambda temporary: found.table.to_csv(temporary, index=False))
    if given.keep_cells is not None:
        _keep_cells(order, given.model, given.keep_cells)
    show(found, out)


def _check(given: argparse.Namespace) -> None:
    from primeflow_core.screening.screen_question import check_seeds

    if given.out.suffix not in (".parquet", ".csv"):
        raise SettingError(f"--out {given.out} must end in .parquet or .csv.")
    if given.workers is not None and given.scheduler is not None:
        raise SettingError(
            "--workers starts workers on this machine, --scheduler uses a running scheduler. Give only one of them."
        )
    if given.workers is not None and given.workers < 1:
        raise SettingError(f"--workers is {given.workers}; it must be 1 or more.")
    if given.scheduler is not None:
        check_address(given.scheduler)
    if Path(given.candidates).resolve() in (given.out.resolve(), given.out.resolve().with_suffix(".parquet")):
        raise SettingError(f"--out {given.out} would overwrite the candidates. Choose another name.")
    check_seeds(given.noise_seeds, given.seed)


def _cap_workers(given: argparse.Namespace) -> None:
    """Each worker screens on one core; more would only take memory."""
    cores = os.cpu_count() or 1
    if given.workers is not None and given.workers > cores:
        note(f"--workers {given.workers} is more than this machine has cores; using {counted(cores, 'worker')}.")
        given.workers = cores


def _check_places(given: argparse.Namespace) -> None:
    """Refuse outputs that cannot be written before hours are spent."""
    table = given.out.with_suffix(".parquet")
    for place in (given.out, table):
        check_can_write(place)
    if given.out != table and given.out.is_file() and not table.is_file():
        raise SettingError(f"{given.out} exists, but there is no screen beside it. Choose another --out, or delete it.")
    if given.keep_cells is not None:
        if given.keep_cells.is_file():
            raise SettingError(f"--keep-cells {given.keep_cells} is a file; name a folder.")
        check_can_write(given.keep_cells / "cells.h5ad")


@contextmanager
def _progress(run: "ScreenRun", order: "ScreenOrder", parts: "Parts") -> Iterator[Callable[[int], None]]:
    _announce(run, order, parts)
    bar = ProgressLine("conditions", len(order.everything))
    try:
        yield _told(bar, order)
    finally:
        bar.close()


def _announce(run: "ScreenRun", order: "ScreenOrder", parts: "Parts") -> None:
    from primeflow_core.screening.screen_request import foreseen_seconds

    beside = f" and {counted(len(order.checked), 'held-out condition')}" if order.checked else ""
    note(
        f"{order.goal.sentence} {counted(len(order.candidates), 'candidate')}{beside}, {order.cells} cells for each of "
        f"{len(order.seeds)} noise seeds."
    )
    left = len(parts.missing)
    if left < len(order.shards):
        note(f"Resuming: {len(order.shards) - left} of {len(order.shards)} shards are done.")
    conditions = len(order.everything) * left // len(order.shards)
    manifest = checkpoint.read_manifest(run.model)
    seconds = foreseen_seconds(run.asked.request, manifest, conditions, run.workers or 1)
    if run.scheduler is None and left:
        note(f"This takes about {minutes_and_seconds(seconds)} min.")


def _told(bar: ProgressLine, order: "ScreenOrder") -> Callable[[int], None]:
    """Progress in conditions, with the remaining time at the pace of this run."""
    began: list[tuple[float, int]] = []
    ends = [0, *(shard.stop for shard in order.shards)]

    def on_done(shards: int) -> None:
        now = time.monotonic()
        began.append((now, shards))
        since, before = began[0]
        pace = (now - since) / (shards - before) if shards > before else None
        left = "" if pace is None else f"about {minutes_and_seconds(pace * (len(order.shards) - shards))} left"
        bar.at(ends[shards], left)

    return on_done


def _keep_cells(order: "ScreenOrder", model: Path, folder: Path) -> None:
    from primeflow_core.screening.regenerated_cells import whole_cells

    bar = ProgressLine("files of cells", len(order.shards) * len(order.seeds))
    files = whole_cells(order, model, folder, lambda done: bar.at(done))
    bar.close()
    say(f"{folder}: {counted(files, 'file')} of predicted cells, {order.cells} of each condition and noise seed.")
