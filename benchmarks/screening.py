"""A screen as its command runs it: pace, growth with candidates and workers, and memory that candidates do not fill.

Every row is `primeflow screen` in a process of its own, watched from outside. Seconds are of the whole command;
"screening" is from the first shard to the last, without starting, loading, ranking and checking. Candidates are the
pairs of the model's perturbations, evenly drawn, and triples where the pairs do not suffice.

    python -m benchmarks.screening --model checkpoints/perturbench-devel --out benchmarks/results/screening.json
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.measure import print_table, save
from primeflow_core.models.checkpoint import read_manifest
from primeflow_core.runtime.dask_workers import ONE_THREAD

PARTS = ("growth", "workers", "memory")
SECONDS_BETWEEN_LOOKS = 0.2
CELLS_FOR_MEMORY = 10


@dataclass(frozen=True)
class Watched:
    """``seconds`` of a command, and ``screening`` from its first shard to its last; ``share`` of all candidates that
    was screened between the two; peak resident bytes of the command and of its largest worker."""

    seconds: float
    screening: float
    share: float
    client: int
    worker: int


def labels(folder: Path, count: int) -> list[str]:
    """So many combinations of the model's perturbations, at their highest dose."""
    vocabulary = read_manifest(folder).vocabulary
    named = [
        name if dose is None else f"{name}@{dose:g}"
        for name, dose in zip(vocabulary.perturbations, vocabulary.highest_dose, strict=True)
    ]
    pairs, triples = (list(combinations(named, size)) for size in (2, 3))
    some = [pairs[i] for i in np.linspace(0, len(pairs) - 1, min(count, len(pairs))).astype(int)]
    return ["+".join(parts) for parts in chain(some, triples[: count - len(some)])]


def screen(folder: Path, count: int, cells: int, workers: int | None) -> Watched:
    """Watch the command rank ``count`` candidates, in its own process or on ``workers``, one thread each."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        (place / "candidates.csv").write_text("perturbation\n" + "\n".join(labels(folder, count)) + "\n")
        command = [
            sys.executable, "-m", "primeflow_core", "screen", "--model", str(folder), "--candidates",
            str(place / "candidates.csv"), "--cells", str(cells), "--out", str(place / "hits.parquet"),
            *(() if workers is None else ("--workers", str(workers))),
        ]  # fmt: skip
        with (place / "said").open("w") as said:
            process = psutil.Popen(command, stdout=said, stderr=said, env={**os.environ, **ONE_THREAD})
            found = watched(process, place / "hits.parquet.parts")
        if process.returncode != 0:
            sys.exit((place / "said").read_text())
    return found


def watched(process: psutil.Popen, parts: Path) -> Watched:
    began = time.perf_counter()
    shards: list[float] = []
    client = worker = 0
    while process.poll() is None:
        client = max(client, *resident([process]), 0)
        worker = max(worker, *resident(children(process)), 0)
        new = len(list(parts.glob("shard-*.parquet"))) - len(shards)
        shards += [time.perf_counter()] * new
        time.sleep(SECONDS_BETWEEN_LOOKS)
    later = len(shards) - 1
    screening, share = (shards[-1] - shards[0], later / len(shards)) if later > 0 else (float("nan"), float("nan"))
    return Watched(time.perf_counter() - began, screening, share, client, worker)


def children(process: psutil.Popen) -> list[psutil.Process]:
    try:
        found: list[psutil.Process] = process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return found


def resident(processes: Sequence[psutil.Process]) -> Iterator[int]:
    """Bytes of each that is still there."""
    for process in processes:
        try:
            yield process.memory_info().rss
        except psutil.NoSuchProcess:
            continue


def row(count: int, workers: int | None, found: Watched) -> dict[str, object]:
    return {
        "candidates": count, "workers": workers or 0, "seconds": found.seconds, "screening": found.screening,
        "candidates / s": count * found.share / found.screening, "client, GB": found.client / 1e9,
        "largest worker, GB": found.worker / 1e9,
    }  # fmt: skip


def compared(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each beside the first: how much more was asked, and how much longer it took."""
    first = rows[0]
    for each in rows:
        each["times the candidates"] = each["candidates"] / first["candidates"]
        each["times the seconds"] = each["seconds"] / first["seconds"]
        each["times the screening"] = each["screening"] / first["screening"]
    print_table(rows)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("checkpoints/perturbench-devel"))
    parser.add_argument("--cells", type=int, default=200, help="of a candidate and seed (default: %(default)s)")
    parser.add_argument("--counts", type=int, nargs="+", default=(58, 116, 232), help="candidates, growing")
    parser.add_argument("--many", type=int, nargs="+", default=(500, 1000, 2000), help="candidates, for the memory")
    parser.add_argument("--parts", choices=PARTS, nargs="+", default=PARTS, help="what to measure (default: all)")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()

    def rows(counts: Sequence[int], cells: int, workers: Sequence[int | None]) -> list[dict[str, Any]]:
        asked = [(count, number) for count in counts for number in workers]
        return compared([row(count, number, screen(given.model, count, cells, number)) for count, number in asked])

    measures: dict[str, Callable[[], Any]] = {
        "growth": lambda: rows(given.counts, given.cells, (None,)),
        "workers": lambda: rows(given.counts[-1:], given.cells, (1, 2)),
        "memory": lambda: rows(given.many, CELLS_FOR_MEMORY, (1,)),
    }
    save(given.out, {"cells": given.cells, **{name: measures[name]() for name in given.parts}})


if __name__ == "__main__":
    main()
